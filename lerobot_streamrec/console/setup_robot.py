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
from dataclasses import dataclass, replace
import math
from pathlib import Path
import threading
import time
from typing import Any

from lerobot_streamrec.errors import ConfigError, StartInterruptedError, UndecodableError
from lerobot_streamrec.installed import record_command
from lerobot_streamrec.live.graph_watch import GraphWatch
from lerobot_streamrec.live.init import NOTHING, write_proposal
from lerobot_streamrec.live.observation import SeenTopic, VECTOR_TYPES
from lerobot_streamrec.live.proposal import CameraProposal, Proposal, propose
from lerobot_streamrec.live.session import Session
from lerobot_streamrec.live.set_up import Defaults, NODE_NAME
from lerobot_streamrec.live.vector_proposal import as_action, as_state
from lerobot_streamrec.nodes.graph.stop_signals import StopSignals
from lerobot_streamrec.video.tools.thumbnail import jpeg_of

_LOOK_S = 0.5
_END_TIMEOUT_S = 10.0
# A page asks for each picture once a second.
_ASKED_S = 5.0
_WIDTH = 320
# The share of a value, and the least step, that are no noise of a sensor.
_MOVED_SHARE, _MOVED = 0.01, 0.01
_FPS = (1, 1000)


@dataclass(frozen=True, slots=True)
class Look:
    """
    One look at the graph.

    :param proposal: what `streamrec init` would write
    :param vectors: topics with numbers that are published
    :param values: newest numbers of these topics, by topic and name
    :param moving: topics whose numbers have changed
    """

    proposal: Proposal
    vectors: tuple[SeenTopic, ...]
    values: Mapping[str, Mapping[str, float]]
    moving: frozenset[str]


class ChoiceError(ConfigError):
    """A choice of the page cannot be used; ``name`` is the field."""


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
        self._look: Look | None = None
        self._asked_s: dict[str, float] = {}
        self._jpegs: dict[str, bytes] = {}
        self._begin_s = time.monotonic()

    # --- the thread ----------------------------------------------------------------------------

    def run(self) -> None:
        """Look until the end; the thread's work."""
        try:
            self._look_around()
        # The page has to say why nothing more is found, whatever the reason.
        except Exception as error:  # noqa: BLE001
            self._failure = f'the set-up cannot look at the graph any more: {error!r}'

    def _look_around(self) -> None:
        first: dict[str, Mapping[str, float]] = {}
        moving: set[str] = set()
        with Session(self._ros_arguments, self._signals) as session:
            watch = GraphWatch(session.node(NODE_NAME))
            while not self._is_over.is_set():
                try:
                    session.spin(_LOOK_S, watch.look, until=self._is_over.is_set)
                except StartInterruptedError:
                    return
                self._note(watch, first, moving)

    def _note(
        self, watch: GraphWatch, first: dict[str, Mapping[str, float]], moving: set[str]
    ) -> None:
        topics = watch.topics()
        vectors = tuple(one for one in topics if one.message_type in VECTOR_TYPES and one.qos)
        values = {one.name: watch.numbers(one.name) for one in vectors}
        for topic, numbers in values.items():
            begin = first.get(topic) or numbers
            first[topic] = begin
            if any(_has_moved(begin.get(name, value), value) for name, value in numbers.items()):
                moving.add(topic)
        proposal = propose(topics, is_sim_time=watch.is_sim_time)
        wanted = [one for one in proposal.cameras if self._is_asked(one.seen.name)]
        jpegs = {one.seen.name: jpeg for one in wanted if (jpeg := _jpeg(watch, one))}
        with self._lock:
            self._look = Look(proposal, vectors, values, frozenset(moving))
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
            for one in look.proposal.cameras if look else ():
                self._asked_s[one.seen.name] = time.monotonic()
        proposal = self._defaults.of(look.proposal if look else propose(()))
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
                {**_camera(one), 'has_picture': one.seen.name in shown}
                for one in proposal.cameras
            ],
            'vectors': [_vector(one, look) for one in look.vectors] if look else [],
            'problems': problems,
            'looking': self.is_alive(),
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
        if look is None:
            raise ChoiceError('cameras', '', 'the graph has not been looked at yet: try again')
        proposal = _chosen(look, choices)
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


def _facts(seen: SeenTopic, remarks: Sequence[str]) -> dict[str, Any]:
    delay_s = seen.heard.delay_s
    texts = [*([seen.heard.stamp_trouble] if seen.heard.stamp_trouble else []), *remarks]
    return {
        'id': seen.name.lstrip('/'),
        'topic': seen.name,
        'message_type': seen.message_type,
        'rate_hz': round(seen.heard.rate_hz, 1) if seen.heard.num_messages else None,
        'delay_ms': None if delay_s is None else round(1000 * delay_s, 1),
        'problems': [{'text': one, 'help': ''} for one in texts],
    }


def _camera(camera: CameraProposal) -> dict[str, Any]:
    picture = camera.seen.picture
    return {
        **_facts(camera.seen, camera.remarks),
        'name': camera.name,
        'chosen': True,
        'is_depth': camera.is_depth,
        'width': picture.width if picture else 0,
        'height': picture.height if picture else 0,
    }


def _vector(seen: SeenTopic, look: Look) -> dict[str, Any]:
    roles = {'state': look.proposal.state, 'action': look.proposal.action}
    chosen = (role for role, one in roles.items() if one and one.seen.name == seen.name)
    role = next(chosen, 'none')
    values = look.values.get(seen.name, {})
    proposed = roles.get(role)
    return {
        **_facts(seen, proposed.remarks if proposed else ()),
        'role': role,
        'names': list(values),
        # JSON has no number for a joint that is not calibrated yet.
        'values': [one if math.isfinite(one) else None for one in values.values()],
        'moves': seen.name in look.moving,
    }


def _chosen(look: Look, choices: Mapping[str, Any]) -> Proposal:
    """Return the proposal with the choices of the page; ChoiceError if one cannot be used."""
    cameras = _cameras(look.proposal, choices.get('cameras'))
    state, action = (_topic(look, choices.get('vectors'), role) for role in ('state', 'action'))
    if not cameras and state is None and action is None:
        raise ChoiceError('cameras', '', 'nothing is chosen: tick a camera, or choose a state')
    proposed = as_state(state) if state else None
    commanded = as_action(action, proposed.names if proposed else ()) if action else None
    for topic, vector in ((state, proposed), (action, commanded)):
        if topic is not None and vector is None:
            raise ChoiceError('vectors', topic.name, 'its messages name no numbers so far')
    low, high = _FPS
    fps = choices.get('fps')
    if (
        not isinstance(fps, int | float)
        or isinstance(fps, bool)
        or fps % 1
        or not low <= fps <= high
    ):
        raise ChoiceError('fps', str(fps), f'a whole number from {low} to {high} is needed')
    is_same = fps == look.proposal.fps
    return replace(
        look.proposal,
        cameras=cameras,
        state=proposed,
        action=commanded,
        fps=int(fps),
        fps_reason=look.proposal.fps_reason if is_same else 'as chosen in the browser',
        root=_root(choices.get('root')),
        task=_text(choices, 'task'),
        repo_id=_text(choices, 'repo_id'),
    )


def _cameras(proposal: Proposal, choices: Any) -> tuple[CameraProposal, ...]:
    try:
        wanted = {str(one['id']): one for one in choices if one['chosen'] is True}
        found = tuple(
            replace(camera, name=str(one['name']).strip(), is_depth=one['is_depth'] is True)
            for camera in proposal.cameras
            if (one := wanted.get(camera.seen.name.lstrip('/'))) is not None
        )
    except (TypeError, KeyError) as error:
        raise ChoiceError('cameras', '', f'a list of cameras is needed ({error!r})') from error
    names = [one.name for one in found]
    for name in names:
        if not name or names.count(name) > 1:
            text = 'each camera needs a name, and no two have the same'
            raise ChoiceError('cameras', name, text)
    return found


def _topic(look: Look, choices: Any, role: str) -> SeenTopic | None:
    """Return the topic that is chosen for a role; None if there is none."""
    try:
        ids = [str(one['id']) for one in choices if one['role'] == role]
    except (TypeError, KeyError) as error:
        raise ChoiceError('vectors', '', f'a list of vectors is needed ({error!r})') from error
    if len(ids) > 1:
        raise ChoiceError('vectors', ', '.join(ids), f'only one topic can be the {role}')
    found = [one for one in look.vectors if [one.name.lstrip('/')] == ids]
    return found[0] if found else None


def _text(choices: Mapping[str, Any], name: str) -> str:
    value = choices.get(name, '')
    if not isinstance(value, str) or len(value.splitlines()) > 1 or not _is_unicode(value):
        raise ChoiceError(name, str(value), 'one line of text is needed')
    return value.strip()


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _root(value: Any) -> str:
    """Return the folder of the dataset; the recorder's own check of it comes with the file."""
    text = value.strip() if isinstance(value, str) else ''
    try:
        is_absolute = Path(text).expanduser().is_absolute()
    except RuntimeError as error:
        raise ChoiceError('root', text, f'the path cannot be used: {error}') from error
    if not is_absolute or not _is_unicode(text):
        raise ChoiceError('root', str(value), 'a path from / or ~ on is needed')
    return text
