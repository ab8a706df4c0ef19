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
"""
Messages as the middleware encoded them, live and in a bag alike.

``SampleReader`` finds the samples in them, and ``RobotReader`` what they say about the robot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
import logging
from typing import Any

from lerobot_streamrec.conversions.cdr import (
    BEGIN,
    CompressedImageBytes,
    first_time,
    read_image,
    read_transforms,
    Transform,
)
from lerobot_streamrec.conversions.compressed_image import access_unit, compressed_picture
from lerobot_streamrec.conversions.depth import compressed_depth, depth_frame
from lerobot_streamrec.conversions.image import image_frame
from lerobot_streamrec.conversions.message_types import HEADER_TYPE
from lerobot_streamrec.conversions.paths import Definitions
from lerobot_streamrec.conversions.reader import checked_stamp_ns, header_stamp_ns
from lerobot_streamrec.conversions.robot_yaml import calibration_yaml, transforms_yaml
from lerobot_streamrec.conversions.vector_bytes import VectorBytesReader
from lerobot_streamrec.dataset.about.robot_files import (
    CALIBRATION,
    ROBOT_DESCRIPTION,
    TF_STATIC,
)
from lerobot_streamrec.errors import MessageError
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.recording.robot_files import RobotFiles
from lerobot_streamrec.settings.stream_settings import RECEIVE, Source
from lerobot_streamrec.settings.transports import camera_info_topic, ENCODED_READERS, Target
from lerobot_streamrec.sync.row_clock import NS_PER_S
from lerobot_streamrec.video.encode.copying_encoder import PacketStream

INFO_TYPE, TEXT_TYPE = 'sensor_msgs/msg/CameraInfo', 'std_msgs/msg/String'
TRANSFORMS_TYPE = 'tf2_msgs/msg/TFMessage'
TRANSFORMS_TOPIC, DESCRIPTION_TOPIC = '/tf_static', 'robot_description'
_STAMP_BYTES = 8
# Nodes that start together publish their static transforms one after another.
_SETTLED_S = 2.0

_log = logging.getLogger(__name__)


def begins_with_stamp(message_type: str, definitions: Definitions) -> bool:
    """Return whether messages of a type begin with their stamp, with or without a header."""
    if message_type in ENCODED_READERS:
        return True
    fields = definitions(message_type) or {}
    return next(iter(fields.values()), '') == HEADER_TYPE


class SampleReader:
    """
    Reads the samples in the messages of one source. Owned by one thread.

    :param source: the topic and the way in which it is read
    :param message_type: type of the messages, such as ``sensor_msgs/msg/Image``
    :param definitions: function that returns the fields of message types
    :param decode: function that decodes a whole message, or raises a MessageError
    """

    def __init__(
        self,
        source: Source,
        message_type: str,
        definitions: Definitions,
        decode: Callable[[bytes], Any],
    ) -> None:
        self.message_type = message_type
        """The type of the messages."""
        self.encoding = ''
        """The encoding of the newest picture; empty for numbers."""
        self.size_bytes = 0
        """The size of the newest picture; 0 for numbers."""
        self._source = source
        self._decode = decode
        self._packets = PacketStream()
        self._read_encoded = ENCODED_READERS.get(message_type)
        self._has_header = begins_with_stamp(message_type, definitions)
        self._vector = (
            None
            if source.elements is None
            else VectorBytesReader(source.elements, message_type, definitions, decode)
        )

    def read(self, data: bytes, received_ns: Callable[[], int]) -> tuple[int, Any]:
        """
        Return the stamp of a message in nanoseconds, without ``offset_ms``, and its sample.

        :param data: the whole message
        :param received_ns: function that returns the time of its arrival, in nanoseconds
        :return: the sample is a picture, ``(d,)`` numbers, or a trajectory
        :raise ForeignMessageError: if the message is not meant for this source
        :raise MessageError: if the message cannot be recorded
        """
        # A message for another source is refused here, before its stamp is read.
        value = self._picture(data) if self._vector is None else self._numbers(data)
        return self._stamp_ns(data, received_ns), value

    def lose(self) -> None:
        """Note that messages were lost, so that packets may lack those that they depend on."""
        self._packets.lose()

    def header_ns(self, data: bytes) -> int | None:
        """Return the stamp in the header of a message; None if its type has none in front."""
        if not self._has_header:
            return None
        try:
            sec, nanosec = first_time(data)
        except MessageError:
            return None
        return sec * NS_PER_S + nanosec

    def _stamp_ns(self, data: bytes, received_ns: Callable[[], int]) -> int:
        if self._source.stamp == RECEIVE:
            return received_ns()
        if self._has_header:
            return checked_stamp_ns(*first_time(data))
        return header_stamp_ns(self._decode(data))

    def _numbers(self, data: bytes) -> Any:
        assert self._vector is not None
        values = self._vector(data)
        condition = self._source.condition
        return values if condition is None else condition.flag(values)

    def _picture(self, data: bytes) -> Picture:
        if self._read_encoded is not None:
            return self._compressed(self._read_encoded(data))
        message = read_image(data)
        self.encoding, self.size_bytes = message.encoding, len(message.data)
        convert = image_frame if self._source.stream.depth is None else depth_frame
        return convert(message, self._source.parameter)

    def _compressed(self, message: CompressedImageBytes) -> Picture:
        self.encoding, self.size_bytes = message.format, len(message.data)
        if self._source.stream.depth is not None:
            return compressed_depth(message, self._source.parameter)
        unit = access_unit(message)
        if unit is None:
            return compressed_picture(message, self._source.parameter)
        return self._packets.push(unit)


def _calibration_topics(
    sources: Sequence[Source], full_name: Callable[[str], str]
) -> dict[str, Target]:
    """Return the topic with the calibration of each camera, by the camera's name."""
    found = {}
    for one in sources:
        if one.stream.is_camera:
            beside = camera_info_topic(full_name(one.stream.topic))
            topic = full_name(one.camera_info or beside)
            found[one.parameter.partition('.')[2]] = Target(topic, INFO_TYPE)
    return found


def topics_about_robot(
    sources: Sequence[Source], full_name: Callable[[str], str]
) -> list[str]:
    """
    Return the full names of the topics that describe the robot.

    :param sources: all streams
    :param full_name: function that returns the full name of a topic
    """
    calibrations = [one.topic for one in _calibration_topics(sources, full_name).values()]
    return [*calibrations, *map(full_name, (TRANSFORMS_TOPIC, DESCRIPTION_TOPIC))]


class RobotReader:
    """
    Makes the files about the robot of the messages that describe it. Owned by one thread.

    :param sources: all streams
    :param full_name: function that returns the full name of a topic
    :param decode: function that decodes a message of a type, or raises a MessageError
    :param robot: receiver of the files
    """

    def __init__(
        self,
        sources: Sequence[Source],
        full_name: Callable[[str], str],
        decode: Callable[[str, bytes], Any],
        robot: RobotFiles,
    ) -> None:
        self._decode = decode
        self._robot = robot
        self._cameras = _calibration_topics(sources, full_name)
        self.transforms = Target(full_name(TRANSFORMS_TOPIC), TRANSFORMS_TYPE)
        """The topic of static transforms, which several nodes publish."""
        self._description = Target(full_name(DESCRIPTION_TOPIC), TEXT_TYPE)
        self.targets = (
            *dict.fromkeys(self._cameras.values()), self.transforms, self._description
        )  # fmt: skip
        """The topics that describe the robot, none of which has to exist."""
        self._infos: dict[str, bytes] = {}
        self._described = b''
        self._known: dict[str, Transform] = {}
        self._settled_s: float | None = None

    @property
    def silent(self) -> dict[str, str]:
        """The cameras without a calibration so far, and their topics."""
        cameras = self._cameras.items()
        return {name: one.topic for name, one in cameras if name not in self._infos}

    def hear(self, target: Target, data: bytes, now_s: float) -> None:
        """
        Take in a message; a damaged one is only logged.

        :param target: one of ``targets``
        :param data: the whole message
        :param now_s: the time, on the clock of ``settle``
        """
        try:
            if target == self.transforms:
                self._hear_transforms(data, now_s)
            elif target == self._description:
                self._hear_description(data)
            for name, topic in self._cameras.items():
                if topic == target:
                    self._hear_info(name, topic, data)
        except MessageError as error:
            _log.warning('%s: %s', target.topic, error)

    def settle(self, now_s: float) -> None:
        """
        Take in the static transforms, unless some of them are so new that others may follow.

        :param now_s: the time in seconds; infinity if no others will follow
        """
        if self._settled_s is not None and now_s >= self._settled_s:
            self._settled_s = None
            self._robot.put(TF_STATIC, '', transforms_yaml(self._known.values()))

    def _hear_info(self, name: str, topic: Target, data: bytes) -> None:
        # Drivers repeat the calibration with every picture, and only its stamp changes.
        content = data[BEGIN + _STAMP_BYTES :]
        if content == self._infos.get(name):
            return
        self._infos[name] = content
        info = self._decode(INFO_TYPE, data)
        if not info.k[0]:
            _log.info('camera %s: %s says that the camera is not calibrated', name, topic.topic)
        self._robot.put(CALIBRATION, name, calibration_yaml(name, info))

    def _hear_description(self, data: bytes) -> None:
        if data != self._described:
            self._described = data
            text = self._decode(TEXT_TYPE, data).data
            self._robot.put(ROBOT_DESCRIPTION, '', text.encode())

    def _hear_transforms(self, data: bytes, now_s: float) -> None:
        new = {one.child_frame_id: one for one in read_transforms(data)}
        if any(self._known.get(name) != one for name, one in new.items()):
            self._known |= new
            self._settled_s = now_s + _SETTLED_S
