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
"""The delays of cameras, from samples in which the robot moves: live, or in a bag."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lerobot_streamrec.errors import UnclearDelayError
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.recording.streams.sampling import Course
from lerobot_streamrec.sync.motion_delay import (
    find_delay,
    Found,
    JointSeries,
    MotionRecord,
)
from lerobot_streamrec.video.tools.picture_motion import PictureMotion
import numpy as np

NEEDS_CAMERA = 'names no camera that could be measured'
NEEDS_STATE = 'the pictures are compared with the joints of a state'


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


class MotionSink:
    """
    Takes the recorder's place as the sink of all samples, and keeps their motion.

    Owned by one thread.

    :param streams: cameras, and the streams of the state
    """

    def __init__(self, streams: Collection[StreamConfig]) -> None:
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
        values = values.at(0) if isinstance(values, Course) else values
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

    def problem(self, video_key: str, hint: str) -> str:
        """
        Return the reason why a camera cannot be measured by these samples; empty: there is none.

        :param video_key: key of the camera
        :param hint: sentence for a topic of which no message came
        """
        counts = {key: len(samples) for key, samples in self._joints.items()}
        counts[video_key] = self._pictures[video_key].num_pictures
        for key, number in counts.items():
            what = 'of its pictures' if key == video_key else f'of {key}'
            if key in self._rivals:
                senders = f'{self._rivals[key]} in turn'
                return f'messages {what} come from {senders}: end all but one'
            if not number:
                return f'no message {what} could be read: {self._troubles.get(key, hint)}'
        return ''

    def record(self, video_key: str) -> MotionRecord:
        """Return the motion of a camera's pictures and of the joints, if there is no problem."""
        pictures = self._pictures[video_key]
        joints = [
            JointSeries(
                np.array([one for one, _ in samples]), np.stack([one for _, one in samples])
            )
            for samples in self._joints.values()
        ]
        return MotionRecord(pictures.stamps_ns, pictures.changes(), joints)


def camera_latencies(
    streams: Mapping[str, StreamConfig], sinks: Sequence[MotionSink], hint: str
) -> list[CameraLatency]:
    """
    Return what the samples tell about each camera.

    :param streams: streams of the sinks, by their parameter, such as ``camera.front``
    :param sinks: samples of each stretch of time
    :param hint: sentence for a topic of which no message came
    """
    return [
        CameraLatency(
            parameter.partition('.')[2],
            stream.offset_ms,
            _find(sinks, stream.key, hint),
        )
        for parameter, stream in streams.items()
        if stream.is_camera
    ]


def _find(sinks: Sequence[MotionSink], video_key: str, hint: str) -> Found:
    problems = [one.problem(video_key, hint) for one in sinks]
    if all(problems):
        return UnclearDelayError(problems[0])
    good = [one for one, problem in zip(sinks, problems, strict=True) if not problem]
    return find_delay([one.record(video_key) for one in good])
