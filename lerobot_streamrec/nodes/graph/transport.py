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
"""Which of a camera's topics is read: pixels, or the compressed ones beside them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

AUTO = 'auto'
RAW = 'raw'
COMPRESSED = 'compressed'
TRANSPORTS = (AUTO, RAW, COMPRESSED)

COMPRESSED_TYPE = 'sensor_msgs/msg/CompressedImage'
RAW_TYPE = 'sensor_msgs/msg/Image'
_SUFFIX = '/compressed'
_DEPTH_SUFFIX = '/compressedDepth'


@dataclass(frozen=True, slots=True)
class CameraTopic:
    """
    What to subscribe to.

    :param name: of the topic
    :param is_compressed: whether its messages are CompressedImage, otherwise Image
    """

    name: str
    is_compressed: bool


def choose_topic(
    topic: str,
    transport: str,
    types_of: Callable[[str], Collection[str]],
    *,
    is_depth: bool = False,
) -> CameraTopic:
    """
    Choose what to subscribe to for a camera.

    :param topic: as the user set it: the camera's base topic, or a compressed one itself
    :param transport: one of ``TRANSPORTS``; auto takes pixels if they are published, else what is
        compressed if that is, and pixels if nothing is published yet
    :param types_of: message types that are published on a topic now
    :param is_depth: whether it is a depth camera, which has a transport of its own
    """
    suffix = _DEPTH_SUFFIX if is_depth else _SUFFIX
    itself = CameraTopic(topic, is_compressed=True)
    beside = CameraTopic(topic + suffix, is_compressed=True)
    pixels = CameraTopic(topic, is_compressed=False)
    if transport == RAW:
        return pixels
    if topic.endswith(suffix) or COMPRESSED_TYPE in types_of(topic):
        return itself
    if transport == COMPRESSED:
        return beside
    if RAW_TYPE not in types_of(topic) and COMPRESSED_TYPE in types_of(beside.name):
        return beside
    return pixels
