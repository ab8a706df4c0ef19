# Copyright 2026 lerobot_streamrec contributors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""`streamrec layout`: a Foxglove layout from a parameter file and the running graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
import json
from pathlib import Path
import sys
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from lerobot_streamrec.conversions.leaves import Leaf, leaves_of
from lerobot_streamrec.conversions.paths import Cursor, path_getter
from lerobot_streamrec.conversions.selector import Steps
from lerobot_streamrec.inspection.completion import UntypedTopic
from lerobot_streamrec.live.discovery import complete, discover
from lerobot_streamrec.live.foxglove import (
    foxglove_layout,
    RobotView,
    Series,
    series_of,
    wanted_names,
)
from lerobot_streamrec.live.session import params_arguments, Session
from lerobot_streamrec.nodes.graph.namesakes import LATCHED
from lerobot_streamrec.nodes.graph.stop_signals import StopSignals
from lerobot_streamrec.nodes.graph.topic_types import load_fields, load_message_class, types_of
from lerobot_streamrec.nodes.status_messages import Sender
from lerobot_streamrec.settings.checked_file import refuse_existing, write_checked
from lerobot_streamrec.settings.parameter_file import only_node
from lerobot_streamrec.settings.recorder_settings import NODE_NAME as RECORDER
from lerobot_streamrec.settings.stream_settings import Source
from lerobot_streamrec.settings.transports import choose_topic
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rich.console import Console

NODE_NAME = 'streamrec_layout'
_TARGET = '--foxglove'

# Added to the longest time that the recorder itself waits for a save.
_SPARE_S = 10.0


@dataclass(frozen=True, slots=True)
class Layout:
    """
    A layout, and the remarks on it.

    :param content: layout; written as JSON, it is a file for Foxglove
    :param recorder: full name of the recorder's node
    :param remarks: sentences that say which facts are unknown, and why
    """

    content: Mapping[str, Any]
    recorder: str
    remarks: tuple[str, ...]


def layout(
    params: Path,
    foxglove: Path | None,
    force: bool,
    seconds: float,
    ros_arguments: Sequence[str],
) -> int:
    """
    Run ``streamrec layout``.

    :return: exit status 0, since the layout was made
    :raise ConfigError: for wrong usage or settings
    :raise StartInterruptedError: if a signal interrupted the command
    """
    stop = StopSignals()
    if foxglove is not None:
        refuse_existing(foxglove, force=force, name=_TARGET)
    with Console(stderr=True).status(f'looking at the graph for up to {seconds:g} s'):
        made = lay_out(params, seconds=seconds, ros_arguments=ros_arguments, stop=stop)
    text = json.dumps(made.content, indent=2, ensure_ascii=False) + '\n'
    for remark in made.remarks:
        print(remark, file=sys.stderr)
    if foxglove is None:
        print(text, end='')
    else:
        # Only Foxglove reads this JSON, so there is nothing to check it with.
        write_checked(foxglove, text, lambda _file: None, force=force, name=_TARGET)
        print(f'{foxglove} is a Foxglove layout for the recorder {made.recorder}')
    return 0


def lay_out(
    path: Path, *, seconds: float, ros_arguments: Sequence[str], stop: StopSignals
) -> Layout:
    """
    Make a layout for the robot and the recorder of a parameter file.

    The graph adds the facts that the file leaves open: the types of topics, the transports of
    cameras, the places of joints in their messages, and the computer that the recorder runs on.

    :param path: path of the file
    :param seconds: longest time to watch the graph, in seconds; 0 to skip it
    :param ros_arguments: further arguments for rclpy
    :raise ConfigError: if the recorder would reject the file
    :raise StartInterruptedError: if a signal interrupted the command
    """
    arguments = [*params_arguments(path, ros_arguments), *_name_arguments(path)]
    with Session(arguments, stop) as session:
        given = session.read_settings()
        node = session.node(NODE_NAME)
        recorder = session.recorder_name

        def full_name(topic: str) -> str:
            # A private name belongs to the recorder, not to the node of this command.
            return node.resolve_topic_name(f'{recorder}{topic[1:]}' if topic[:1] == '~' else topic)

        heard = _Heard(node, recorder)
        discover(session, node, given, seconds)
        settings, untyped = complete(given, node)
        sources = settings.sources if settings else ()
        vectors = [
            _Vector(one, full_name(one.stream.topic), _leaves(one))
            for one in sources
            if not one.stream.is_camera
        ]
        for vector in vectors:
            heard.listen(vector)
        session.spin(seconds, lambda: None, until=heard.is_complete)
        view = RobotView(
            recorder=recorder,
            hardware_id=heard.hardware_id or Sender.of(recorder, {}).hardware_id,
            cameras={
                one.parameter.partition('.')[2]: full_name(_camera_topic(one, node))
                for one in sources
                if one.stream.is_camera
            },
            plots=_plots(vectors),
            messages={
                one.settings.parameter: full_name(one.settings.stream.topic) for one in untyped
            },
            timeout_s=given.options['save_timeout_s'] + _SPARE_S,
        )
    remarks = [*_remarks(vectors, untyped), *_dark(view), *heard.remarks(view)]
    return Layout(foxglove_layout(view), recorder, tuple(remarks))


def _name_arguments(path: Path) -> list[str]:
    """Return the arguments that name the recorder as a file for a single node does."""
    namespace, _, name = only_node(path).rpartition('/')
    rules = [f'__ns:={namespace}'] if namespace else []
    # The rule applies to the recorder's node only: the node of this command keeps its name.
    rules += [f'{RECORDER}:__node:={name}'] if name not in ('', RECORDER) else []
    words = [word for rule in rules for word in ('-r', rule)]
    return ['--ros-args', *words, '--'] if words else []


@dataclass(frozen=True, slots=True)
class _Vector:
    """
    A topic of numbers.

    :param topic: full name of the topic
    :param leaves: the numbers that are read from its messages
    :param name_lists: lists of names in its messages, as far as they are known
    """

    source: Source
    topic: str
    leaves: tuple[Leaf, ...]
    name_lists: dict[Steps, Sequence[str]] = field(default_factory=dict)

    @property
    def wanted(self) -> dict[Steps, set[str]]:
        """The names that must be looked up, by the steps to their list."""
        return wanted_names(self.leaves)

    @property
    def is_open(self) -> bool:
        """True if a list of names is not known yet."""
        return bool(self.wanted.keys() - self.name_lists.keys())

    def see(self, message: Any) -> None:
        """Look the lists up in a message; one without a wanted name is another publisher's."""
        for steps, wanted in self.wanted.items():
            names = path_getter(steps, {}, Cursor())(message)
            if wanted <= set(names):
                self.name_lists.setdefault(steps, tuple(names))


def _leaves(source: Source) -> tuple[Leaf, ...]:
    assert source.elements is not None
    definitions = partial(load_fields, f'{source.parameter}.type')
    return leaves_of(source.elements.selectors, source.message_type, definitions)


class _Heard:
    """
    Collects facts from the graph. Owned by the thread that spins the node.

    :param node: node that subscribes
    :param recorder: full name of the recorder's node
    """

    def __init__(self, node: Node, recorder: str) -> None:
        self._node = node
        self._status = f'{recorder}/status'
        self._vectors: list[_Vector] = []
        self.hardware_id = ''
        node.create_subscription(DiagnosticStatus, self._status, self._on_status, LATCHED)

    def _on_status(self, message: DiagnosticStatus) -> None:
        self.hardware_id = message.hardware_id

    def listen(self, vector: _Vector) -> None:
        """Wait for the names in a vector's messages, if it needs any."""
        if vector.is_open:
            self._vectors.append(vector)
            source = vector.source
            kind = load_message_class(f'{source.parameter}.type', source.message_type)
            self._node.create_subscription(kind, vector.topic, vector.see, qos_profile_sensor_data)

    def is_complete(self) -> bool:
        """Return True if all published topics have delivered the facts they are needed for."""
        is_told = self.hardware_id or not self._node.count_publishers(self._status)
        return bool(is_told) and not any(
            one.is_open and types_of(self._node, one.topic) for one in self._vectors
        )

    def remarks(self, view: RobotView) -> list[str]:
        """Say on which computer the recorder is expected, if it does not run."""
        if self.hardware_id:
            return []
        return [
            f'no recorder {view.recorder} runs now: the layout expects its diagnostics under the '
            f'hardware id {view.hardware_id}, as if it ran on this computer'
        ]


def _camera_topic(source: Source, node: Node) -> str:
    stream = source.stream
    types = partial(types_of, node)
    is_depth = stream.depth is not None
    return choose_topic(stream.topic, source.transport, types, is_depth=is_depth).topic


def _dark(view: RobotView) -> list[str]:
    return [
        f'camera.{name} is read from {topic}, which Foxglove does not show'
        for name, topic in view.cameras.items()
        if topic.endswith('/compressedDepth')
    ]


def _plots(vectors: Sequence[_Vector]) -> dict[str, list[Series]]:
    plots: dict[str, list[Series]] = {}
    for one in vectors:
        stream = one.source.stream
        series = series_of(one.topic, one.leaves, stream.names, one.name_lists)
        if series:
            plots.setdefault(stream.feature, []).extend(series)
    return plots


def _remarks(vectors: Sequence[_Vector], untyped: Sequence[UntypedTopic]) -> list[str]:
    remarks = [
        f'{one.source.parameter}: the places of {", ".join(sorted(names))} in the messages of '
        f'{one.topic} are not known, because no message with all of them came: whole arrays are '
        f'plotted; make the layout again while the robot runs'
        for one in vectors
        for steps, names in one.wanted.items()
        if steps not in one.name_lists
    ]
    remarks += [
        f'{one.source.parameter}: the points of {one.topic} are left out, because Foxglove cannot '
        f'plot single numbers of a cloud'
        for one in vectors
        if any(leaf.column for leaf in one.leaves)
    ]
    return remarks + [
        f'{one.settings.parameter}: the type of {one.settings.stream.topic} is not known, so the '
        f'layout shows its raw messages; set {one.settings.parameter}.type, or make the layout '
        f'again while the robot runs'
        for one in untyped
    ]
