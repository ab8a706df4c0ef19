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
"""The transports of pictures: their message types and topics, and how their bytes are read."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from lerobot_streamrec.conversions.cdr import (
    read_compressed_image,
    read_compressed_video,
    read_ffmpeg_packet,
)

AUTO = 'auto'
RAW = 'raw'
COMPRESSED = 'compressed'
FFMPEG = 'ffmpeg'
FOXGLOVE = 'foxglove'

RAW_TYPE = 'sensor_msgs/msg/Image'
COMPRESSED_TYPE = 'sensor_msgs/msg/CompressedImage'
FFMPEG_TYPE = 'ffmpeg_image_transport_msgs/msg/FFMPEGPacket'
VIDEO_TYPE = 'foxglove_msgs/msg/CompressedVideo'
ENCODED = {COMPRESSED: COMPRESSED_TYPE, FFMPEG: FFMPEG_TYPE, FOXGLOVE: VIDEO_TYPE}
"""The message type of each transport of encoded pictures; its topic has the transport's name."""

ENCODED_READERS = {
    COMPRESSED_TYPE: read_compressed_image,
    FFMPEG_TYPE: read_ffmpeg_packet,
    VIDEO_TYPE: read_compressed_video,
}
"""The function that reads the encoded picture in the bytes of a message, by message type."""

PICTURE_TYPES = (RAW_TYPE, *ENCODED.values())
TRANSPORTS = (AUTO, RAW, *ENCODED)
_DEPTH_SUFFIX = '/compressedDepth'


@dataclass(frozen=True, slots=True)
class Target:
    """
    The topic and type of a subscription.

    :param topic: name of the topic
    :param message_type: name of the type, such as ``sensor_msgs/msg/Image``
    """

    topic: str
    message_type: str


def choose_topic(
    topic: str,
    transport: str,
    types_of: Callable[[str], Collection[str]],
    *,
    is_depth: bool = False,
) -> Target:
    """
    Choose the topic to subscribe to for a camera.

    :param topic: topic that the user has set: the camera's base topic, or one of encoded pictures
    :param transport: one of ``TRANSPORTS``; auto chooses raw images if they are published,
        otherwise the first of ``ENCODED`` that is published, and raw images if nothing is
        published
    :param types_of: function that returns the message types that are published on a topic now
    :param is_depth: True for a depth camera, whose images have a transport of their own
    """
    beside = {one: Target(f'{topic}/{one}', message_type) for one, message_type in ENCODED.items()}
    if is_depth:
        beside = {COMPRESSED: Target(topic + _DEPTH_SUFFIX, COMPRESSED_TYPE)}
    pixels = Target(topic, RAW_TYPE)
    if transport == RAW:
        return pixels
    offered = types_of(topic)
    for one in beside.values():
        has_its_name = topic.endswith(one.topic.removeprefix(topic))
        if one.message_type in offered or (has_its_name and not offered):
            return Target(topic, one.message_type)
    if transport != AUTO:
        return beside.get(transport, pixels)
    if RAW_TYPE in offered:
        return pixels
    published = (one for one in beside.values() if one.message_type in types_of(one.topic))
    return next(published, pixels)


# Each transport of image_transport publishes on a topic of its name below the base topic.
_TRANSPORTS_BELOW = (*ENCODED, _DEPTH_SUFFIX.strip('/'), 'theora', 'zstd')


def base_topic(topic: str) -> str:
    """Return the base topic of an image_transport topic; any other topic is returned as it is."""
    base, _, last = topic.rpartition('/')
    return base if base and last in _TRANSPORTS_BELOW else topic


def camera_info_topic(topic: str) -> str:
    """
    Return the topic of a camera's calibration: ``camera_info`` beside its base topic.

    Source: ``getCameraInfoTopic`` of image_transport.

    :param topic: full name of the camera's base topic, or of one of encoded pictures
    """
    return f'{base_topic(topic).rpartition("/")[0]}/camera_info'
