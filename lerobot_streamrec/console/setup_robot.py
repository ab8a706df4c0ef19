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
"""The first run in a browser: the thread that looks at the graph, and the file it writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
import tempfile
import threading
import time
from typing import Any

from lerobot_streamrec.console.setup_choice import (
    ChoiceError,
    chosen_proposal,
    Look,
    offered_camera,
    offered_vector,
)
from lerobot_streamrec.errors import ConfigError, StartInterruptedError, UndecodableError
from lerobot_streamrec.inspection.observation import NUMBER_TYPES
from lerobot_streamrec.inspection.proposal import CameraProposal, propose
from lerobot_streamrec.installed import record_command
from lerobot_streamrec.live.graph_watch import GraphWatch
from lerobot_streamrec.live.init import NOTHING, write_proposal
from lerobot_streamrec.live.latency.measure import measure_latency
from lerobot_streamrec.live.session import Session
from lerobot_streamrec.live.set_up import Defaults, NODE_NAME
from lerobot_streamrec.nodes.graph.stop_signals import StopSignals
from lerobot_streamrec.video.tools.thumbnail import jpeg_of

_LOOK_S = 0.5
_END_TIMEOUT_S = 10.0
# A page asks for each picture once a second.
_ASKED_S = 5.0
_WIDTH = 320
MEASURE_S = 10.0
"""Time for which the operator moves the robot, in seconds."""
# The share of a value, and the least step, that are no noise of a sensor.
_MOVED_SHARE, _MOVED = 0.01, 0.01


class SetupRobot(threading.Thread):
    """
    Looks at the graph until the parameter file is written. Other threads read its last look.

    :param path: the parameter file to write
    :param ros_arguments: arguments for rclpy with ``--ros-args``, such as the namespace
    :param stop: requests to end the program
    :param defaults: the values that the user gave to the launch
    """

    def __init__(
        self, path: Path, ros_arguments: Sequence[str], stop: StopSignals, defaults: Defaults
    ) -> None:
        super().__init__(name='set-up')
        self.path = path
        self._defaults = defaults
        self._failure = ''
        self._ros_arguments = [*ros_arguments]
        self._signals = stop
        self._is_over = threading.Event()
        self._lock = threading.Lock()
        self._look = Look(propose(()), (), {}, frozenset(), {})
        self._asked_s: dict[str, float] = {}
        self._jpegs: dict[str, bytes] = {}
        self._begin_s = time.monotonic()
        # These belong to the thread: the first numbers of each topic, the topics whose numbers
        # have changed, and the number of messages of each with the time when it last grew.
        self._first: dict[str, Mapping[str, float]] = {}
        self._moving: set[str] = set()
        self._newest: dict[str, tuple[int, float]] = {}

    # --- the thread ----------------------------------------------------------------------------

    def run(self) -> None:
        """Look until the end; the thread's work."""
        try:
            self._look_around()
        # The page has to say why nothing more is found, whatever the reason.
        except Exception as error:  # noqa: BLE001
            self._failure = f'the set-up cannot look at the graph any more: {error!r}'

    def _look_around(self) -> None:
        with Session(self._ros_arguments, self._signals) as session:
            watch = GraphWatch(session.node(NODE_NAME))
            while not self._is_over.is_set():
                try:
                    session.spin(_LOOK_S, watch.look, until=self._is_over.is_set)
                except StartInterruptedError:
                    return
                self._note(watch)

    def _note(self, watch: GraphWatch) -> None:
        topics, now_s = watch.topics(), time.monotonic()
        vectors = tuple(one for one in topics if one.message_type in NUMBER_TYPES and one.qos)
        values = {one.name: watch.numbers(one.name) for one in vectors}
        for topic, numbers in values.items():
            begin = self._first.get(topic) or numbers
            self._first[topic] = begin
            if any(_has_moved(begin.get(name, value), value) for name, value in numbers.items()):
                self._moving.add(topic)
        for one in topics:
            num_messages, _ = self._newest.get(one.name, (0, now_s))
            if one.heard.num_messages != num_messages:
                self._newest[one.name] = one.heard.num_messages, now_s
        proposal = propose(topics, is_sim_time=watch.is_sim_time)
        wanted = [one for one in proposal.cameras if self._is_asked(one.seen.name)]
        jpegs = {one.seen.name: jpeg for one in wanted if (jpeg := _jpeg(watch, one))}
        silent_s = {topic: now_s - newest_s for topic, (_, newest_s) in self._newest.items()}
        with self._lock:
            self._look = Look(proposal, vectors, values, frozenset(self._moving), silent_s)
            self._jpegs.update(jpegs)

    def _is_asked(self, topic: str) -> bool:
        with self._lock:
            asked_s = self._asked_s.get(topic)
        return asked_s is not None and time.monotonic() - asked_s < _ASKED_S

    # --- other threads -------------------------------------------------------------------------

    @property
    def is_needed(self) -> bool:
        """True as long as there is no parameter file."""
        return not self.path.is_file()

    def close(self) -> None:
        """End the thread; it is not started again."""
        self._is_over.set()
        if self.ident is not None:
            self.join(_END_TIMEOUT_S)

    def jpeg(self, topic: str) -> bytes:
        """Return the newest picture of a topic as a JPEG; empty if none has been made yet."""
        with self._lock:
            return self._jpegs.get(topic, b'')

    def offer(self) -> dict[str, Any]:
        """Return what the graph offers as a JSON object; docs/console-server.md has its keys."""
        with self._lock:
            look, shown = self._look, frozenset(self._jpegs)
            # The page that asks for the offer will also show the pictures.
            for one in look.proposal.cameras:
                self._asked_s[one.seen.name] = time.monotonic()
        proposal = self._defaults.of(look.proposal)
        problems = [{'text': one, 'help': ''} for one in proposal.left_out]
        if self._failure:
            problems.append({'text': self._failure, 'help': 'Start the launch again.'})
        if proposal.is_empty:
            problems.append({'text': 'Nothing to record is published yet.', 'help': NOTHING})
        return {
            'reason': 'There is no parameter file for this robot yet.',
            'file': str(self.path),
            'fps': proposal.fps,
            'task': proposal.task,
            'root': proposal.root,
            'repo_id': proposal.repo_id,
            'cameras': [
                {**offered_camera(one, look, proposal), 'has_picture': one.seen.name in shown}
                for one in proposal.cameras
            ],
            'vectors': [offered_vector(one, look, proposal) for one in look.vectors],
            'problems': problems,
            'looking': self.is_alive(),
        }

    def measure(self, choices: Mapping[str, Any]) -> dict[str, Any]:
        """
        Measure the delays of the chosen cameras while the operator moves the robot.

        :param choices: JSON object of the page, as for ``save``
        :return: JSON object, in which ``cameras`` has the ``offset_ms`` of each camera by its
            name, null if it is not known, and a ``text`` for people
        :raise ConfigError: if a choice cannot be used, or nothing can be compared
        :raise StartInterruptedError: if the program ends meanwhile
        """
        with self._lock:
            look = self._look
        proposal = chosen_proposal(look, choices)
        with tempfile.TemporaryDirectory(prefix='streamrec-') as folder:
            # The measurement reads the cameras and the state as the recorder will.
            path = Path(folder) / self.path.name
            write_proposal(path, proposal, seconds=0, force=False, stop=self._signals)
            found = measure_latency(
                path,
                seconds=MEASURE_S,
                ros_arguments=self._ros_arguments,
                stop=self._signals,
                tell=lambda _: None,
            )
        return {
            'cameras': {
                one.name: {'offset_ms': one.wanted_ms, 'text': str(one.found)} for one in found
            }
        }

    def save(self, choices: Mapping[str, Any]) -> dict[str, str]:
        """
        Write the parameter file, and return where it is and how to use it as a JSON object.

        :param choices: JSON object of the page
        :raise ChoiceError: if a choice cannot be used
        :raise ConfigError: if the file cannot be written
        """
        with self._lock:
            look = self._look
        proposal = chosen_proposal(look, choices)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        seconds = round(time.monotonic() - self._begin_s)
        try:
            write_proposal(
                self.path,
                proposal,
                seconds=seconds,
                force=False,
                stop=self._signals,
                needs_root=True,
            )
        except ConfigError as error:
            raise ChoiceError(error.name, error.value, error.allowed) from error
        self._is_over.set()
        return {'file': str(self.path), 'how': record_command(self.path)}


def _has_moved(begin: float, value: float) -> bool:
    return abs(value - begin) > max(_MOVED, _MOVED_SHARE * abs(begin))


def _jpeg(watch: GraphWatch, camera: CameraProposal) -> bytes:
    picture = watch.picture(camera.seen.name)
    try:
        return b'' if picture is None else jpeg_of(picture, _WIDTH)
    except UndecodableError:
        return b''
