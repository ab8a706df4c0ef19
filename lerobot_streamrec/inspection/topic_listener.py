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
"""The facts of a topic that is perhaps to be recorded, from its messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lerobot_streamrec.conversions.cdr import first_time, read_image
from lerobot_streamrec.conversions.compressed_image import access_unit, compressed_picture
from lerobot_streamrec.conversions.depth import compressed_depth, depth_frame
from lerobot_streamrec.conversions.image import image_frame
from lerobot_streamrec.conversions.message_types import FLOAT64_ARRAY
from lerobot_streamrec.errors import MessageError, UnsupportedEncodingError
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.inspection.arrivals import Arrivals
from lerobot_streamrec.inspection.observation import SeenPicture, SeenTopic
from lerobot_streamrec.inspection.vector_proposal import JointGroups, JOINTS_OF
from lerobot_streamrec.settings.camera_names import DEPTH_SUFFIX
from lerobot_streamrec.settings.transports import ENCODED_READERS, PICTURE_TYPES, RAW_TYPE
from lerobot_streamrec.sync.publisher_watch import PublisherWatch
from lerobot_streamrec.sync.row_clock import NS_PER_S
from lerobot_streamrec.video.encode.copying_encoder import PacketStream

_PICTURE_READERS: Mapping[str, Callable[[bytes], Any]] = {RAW_TYPE: read_image, **ENCODED_READERS}


class TopicListener:
    """
    Gathers the facts of one topic for a proposal. Owned by one thread.

    :param name: name of the topic
    :param kind: type of its messages
    """

    def __init__(self, name: str, kind: str) -> None:
        self._name = name
        self._kind = kind
        self._arrivals = Arrivals()
        self._picture: SeenPicture | None = None
        self._array_size = 0
        self._joints = JointGroups()
        self._joints_of = JOINTS_OF.get(kind)
        self._watch = PublisherWatch()
        self._is_contested = False
        self._read = _PICTURE_READERS.get(kind)
        self._packets = PacketStream()
        self._newest: Any = None

    def push(self, message: Any, received_ns: int, info: Mapping[str, Any]) -> None:
        """
        Note a message.

        :param message: message with numbers, decoded; or the bytes of one with a picture
        :param received_ns: its arrival, in nanoseconds
        :param info: the middleware's facts about it; empty for a message of a bag
        """
        try:
            stamp_ns, message = self._decoded(message)
        except MessageError as error:
            self._picture = SeenPicture('', problem=str(error))
            return
        self._arrivals.push(received_ns, stamp_ns)
        self._newest = message
        if self._joints_of is not None:
            # Several publishers may share the topic, each with its own joints.
            if found := self._joints_of(message):
                self._joints.push(*found, received_ns, stamp_ns, info)
            return
        self._is_contested |= self._watch.push(info, received_ns / NS_PER_S)
        if self._kind == FLOAT64_ARRAY:
            self._array_size = len(message.data)
        # Look again after a problem: a video is unreadable before its first key frame.
        elif self._kind in PICTURE_TYPES and (self._picture is None or self._picture.problem):
            self._picture = self._look_at_picture(message)

    def _decoded(self, message: Any) -> tuple[int | None, Any]:
        """Return a message's stamp, and the message as an object; MessageError if damaged."""
        if self._read is None:
            return stamp_of(message), message
        seconds, nanoseconds = first_time(message)
        return seconds * NS_PER_S + nanoseconds, self._read(message)

    def newest_picture(self) -> Picture | None:
        """Return the newest picture; None if there is none that can be read."""
        if self._newest is None or self._kind not in PICTURE_TYPES:
            return None
        try:
            return self._picture_of(self._newest)
        except MessageError:
            return None

    def newest_numbers(self) -> dict[str, float]:
        """Return the newest numbers by their names; empty if none came."""
        if self._newest is None or self._kind in PICTURE_TYPES:
            return {}
        if self._joints_of is None:
            return dict(_numbers_of(self._newest))
        names, field = self._joints_of(self._newest) or ((), '')
        points = getattr(self._newest, 'points', None)
        values = points[0].positions if points else getattr(self._newest, field, ())
        return {name: float(value) for name, value in zip(names, values, strict=False)}

    def _picture_of(self, message: Any) -> Picture:
        """Convert a message; MessageError if the recorder could not."""
        if self._kind == RAW_TYPE:
            is_depth = SeenPicture(message.encoding).is_depth
            return depth_frame(message) if is_depth else image_frame(message)
        if self._name.endswith(DEPTH_SUFFIX):
            return compressed_depth(message)
        unit = access_unit(message)
        return compressed_picture(message) if unit is None else self._packets.push(unit)

    def _look_at_picture(self, message: Any) -> SeenPicture:
        encoding = message.encoding if self._kind == RAW_TYPE else message.format
        try:
            picture = self._picture_of(message)
        except UnsupportedEncodingError as error:
            problem = f'image encoding {error.encoding!r} is not supported'
            return SeenPicture(encoding, problem=problem)
        except MessageError as error:
            return SeenPicture(encoding, problem=str(error))
        return SeenPicture(encoding, picture.width, picture.height)

    def lose(self, num_messages: int) -> None:
        """Count messages that the middleware lost."""
        self._arrivals.lose(num_messages)

    def seen(self, qos: str) -> SeenTopic:
        """
        Return the facts measured so far.

        :param qos: QoS that its publishers offer, in words
        """
        parts = self._joints.parts
        return SeenTopic(
            self._name,
            self._kind,
            qos,
            self._arrivals.heard,
            self._picture,
            parts,
            self._array_size,
            is_contested=self._is_contested or any(one.is_contested for one in parts),
        )


def stamp_of(message: Any) -> int | None:
    """Return a message's header stamp in nanoseconds, or None if it has no header."""
    stamp = getattr(getattr(message, 'header', None), 'stamp', None)
    return None if stamp is None else int(stamp.sec) * NS_PER_S + int(stamp.nanosec)


def _numbers_of(message: Any, prefix: str = '') -> Iterator[tuple[str, float]]:
    """Yield the numbers of a message without joints, with the names of its fields."""
    for field in message.get_fields_and_field_types():
        value = getattr(message, field)
        if field == 'data':
            yield from ((f'joint_{at}', float(one)) for at, one in enumerate(value))
        elif isinstance(value, int | float):
            yield f'{prefix}{field}', float(value)
        elif hasattr(value, 'get_fields_and_field_types') and field not in ('header', 'layout'):
            yield from _numbers_of(value, f'{prefix}{field}.')
