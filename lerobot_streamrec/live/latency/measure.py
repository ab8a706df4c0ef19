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
"""The delays of the cameras of a running robot, from a few seconds in which it moves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lerobot_streamrec.conversions.parts import TimedVector
from lerobot_streamrec.dataset.format.features import STATE
from lerobot_streamrec.errors import ConfigError, UnclearDelayError
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.installed import streamrec_command
from lerobot_streamrec.live.discovery import complete, discover
from lerobot_streamrec.live.session import params_arguments, Session
from lerobot_streamrec.nodes.graph.stop_signals import StopSignals
from lerobot_streamrec.nodes.topics.subscribers import subscribe
from lerobot_streamrec.settings.stream_settings import Source
from lerobot_streamrec.sync.motion_delay import (
    find_delay,
    Found,
    JointSeries,
    MotionRecord,
)
from lerobot_streamrec.video.tools.picture_motion import PictureMotion
import numpy as np

NODE_NAME = 'streamrec_latency'
# Discovery takes up to three seconds, and a driver may need some more for its first picture.
_DISCOVERY_S, _FIRST_S = 3.0, 10.0
_LOOK_PERIOD_S = 0.5


@dataclass(frozen=True, slots=True)
class CameraLatency:
    """
    What was found out about one camera.

    :param name: name of the camera in the parameter file
    :param offset_ms: its present setting, in milliseconds
    :param found: the delay of its stamps as the driver sets them; or why it is not known
    """

    name: str
    offset_ms: float
    found: Found

    @property
    def wanted_ms(self) -> float | None:
        """The value for ``offset_ms`` in place of the present one; None if it is not known."""
        if isinstance(self.found, UnclearDelayError):
            return None
        return float(round(-self.found.delay_s * 1e3)) + 0.0


def measure_latency(
    path: Path,
    *,
    seconds: float,
    ros_arguments: Sequence[str],
    stop: StopSignals,
    tell: Callable[[float | None], None],
) -> list[CameraLatency]:
    """
    Look at the cameras and the joints of a parameter file while the robot moves.

    :param path: path of the file
    :param seconds: how long to look once every topic has sent something, in seconds
    :param ros_arguments: arguments for rclpy besides the file
    :param tell: is called with None while topics are awaited, then with the seconds that are left
    :raise ConfigError: if the recorder would reject the file, or it has no camera or no state
    :raise StartInterruptedError: if a signal interrupted the command
    """
    with Session(params_arguments(path, ros_arguments), stop) as session:
        given = session.read_settings()
        if not given.cameras:
            raise ConfigError('cameras', '', f'{path} names no camera that could be measured')
        node = session.node(NODE_NAME)
        tell(None)
        discover(session, node, given, _DISCOVERY_S)
        settings, untyped = complete(given, node)
        sources = [
            one
            for one in (settings.sources if settings else ())
            if one.stream.is_camera or one.stream.feature == STATE
        ]
        if all(one.stream.is_camera for one in sources):
            reasons = [one.reason for one in untyped if one.settings.stream.feature == STATE]
            text = (
                reasons[0] if reasons else 'the pictures are compared with the joints of a state'
            )
            raise ConfigError('state.topic', '', text)
        sink = _SeriesSink(sources)
        subscribers = [subscribe(node, source, sink) for source in sources]
        for one in subscribers:
            session.read_from(one)

        def look() -> None:
            for one in subscribers:
                one.look()

        session.spin(_FIRST_S, look, period_s=_LOOK_PERIOD_S, until=sink.is_complete)
        left_s = seconds
        while left_s > 0:
            tell(left_s)
            session.spin(min(1.0, left_s), look, period_s=_LOOK_PERIOD_S)
            left_s -= 1.0
        tell(0.0)
    return [
        CameraLatency(one.parameter.partition('.')[2], one.stream.offset_ms, sink.found(one, path))
        for one in sources
        if one.stream.is_camera
    ]


class _SeriesSink:
    """
    Takes the recorder's place as the sink of all samples, and keeps their motion.

    Owned by the thread that spins the session.

    :param sources: cameras, and the topics of the state
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        streams = [one.stream for one in sources]
        self._pictures = {one.key: PictureMotion() for one in streams if one.is_camera}
        # Stamps as the recorder uses them: the joints are right once their offset is added.
        self._offsets_ns = {one.key: one.offset_ns for one in streams if not one.is_camera}
        self._joints: dict[str, list[tuple[int, Any]]] = {key: [] for key in self._offsets_ns}
        self._troubles: dict[str, str] = {}
        self._rivals: dict[str, str] = {}

    def is_complete(self) -> bool:
        """Return True once every topic has sent something."""
        return all(self._joints.values()) and all(
            one.num_pictures for one in self._pictures.values()
        )

    def push_image(self, video_key: str, stamp_ns: int, picture: Picture) -> None:
        """Take in a picture; UndecodableError if it is damaged."""
        self._pictures[video_key].push(stamp_ns, picture)

    def push_vector(self, key: str, stamp_ns: int, values: Any) -> None:
        """Take in the numbers of a message."""
        values = values.at(0) if isinstance(values, TimedVector) else values
        numbers = np.asarray(values, np.float64)
        self._joints[key].append((stamp_ns + self._offsets_ns[key], numbers))

    def reject(self, key: str, reason: str) -> None:
        """Keep the reason why a message cannot be used."""
        self._troubles[key] = reason

    def ignore(self, key: str, reason: str) -> None:
        """Keep the reason why a message is not meant for this stream, if it gets no other."""
        self._troubles.setdefault(key, reason)

    def contest(self, key: str, publishers: str) -> None:
        """Keep who sends the same data in turn."""
        self._rivals[key] = publishers

    def lose(self, key: str, num_messages: int) -> None:
        """Lost messages are gaps between stamps, which the measurement knows how to treat."""

    def found(self, camera: Source, path: Path) -> Found:
        """Return the delay of a camera; or why it is not known."""
        pictures = self._pictures[camera.stream.key]
        counts = {key: len(samples) for key, samples in self._joints.items()}
        counts[camera.stream.key] = pictures.num_pictures
        for key, number in counts.items():
            what = 'of its pictures' if key == camera.stream.key else f'of {key}'
            if key in self._rivals:
                senders = f'{self._rivals[key]} in turn'
                return UnclearDelayError(f'messages {what} come from {senders}: end all but one')
            if not number:
                why = self._troubles.get(key, f'`{streamrec_command("doctor", path)}` tells more')
                return UnclearDelayError(f'no message {what} could be read: {why}')
        joints = [
            JointSeries(
                np.array([one for one, _ in samples]), np.stack([one for _, one in samples])
            )
            for samples in self._joints.values()
        ]
        return find_delay([MotionRecord(pictures.stamps_ns, pictures.changes(), joints)])
