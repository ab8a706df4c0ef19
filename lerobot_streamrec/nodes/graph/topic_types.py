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
"""The message type of a topic that may not be published yet, and the class of a type."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
import time
from typing import Any

from lerobot_streamrec.conversions.cdr import (
    read_compressed_image,
    read_compressed_video,
    read_ffmpeg_packet,
)
from lerobot_streamrec.conversions.message_types import definition
from lerobot_streamrec.errors import ConfigError, MessageError, StartInterruptedError
from lerobot_streamrec.nodes.graph.qos import COMPRESSED_TYPE, FFMPEG_TYPE, VIDEO_TYPE
from lerobot_streamrec.nodes.graph.stop_signals import StopSignals
from lerobot_streamrec.nodes.graph.uninstalled_types import renamed_class
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage

ENCODED_READERS = {
    COMPRESSED_TYPE: read_compressed_image,
    FFMPEG_TYPE: read_ffmpeg_packet,
    VIDEO_TYPE: read_compressed_video,
}
"""The function that reads the encoded picture in the bytes of a message, by message type."""


def load_message_class(parameter: str, message_type: str) -> type:
    """
    Import the class of a message type.

    :param parameter: parameter that names the type, for the error
    :param message_type: name of the type, such as ``sensor_msgs/msg/JointState``
    :return: class of the messages; for packets of video, which are read from the bytes, one that
        cannot be decoded if the type is not installed
    :raise ConfigError: if the type is not installed on this machine
    """
    package, _, name = message_type.partition('/msg/')
    try:
        found = getattr(import_module(f'{package}.msg'), name)
    except (ImportError, AttributeError, ValueError) as error:
        if message_type in ENCODED_READERS:
            return renamed_class(CompressedImage, message_type)
        raise ConfigError(
            parameter,
            message_type,
            f'this message type is not installed ({error}); write types in full, such as '
            'sensor_msgs/msg/JointState, and source the workspace that provides the package',
        ) from error
    if not isinstance(found, type):
        raise ConfigError(parameter, message_type, 'this is not a message type')
    return found


def fields_of(message_type: str) -> Mapping[str, str] | None:
    """Return the fields of a type and their types, in order; None if it is not installed."""
    try:
        return definition(message_type, lambda name: load_message_class('type', name))
    except ConfigError:
        return None


def begins_with_stamp(message_type: str) -> bool:
    """Return whether messages of a type begin with their stamp, with or without a header."""
    if message_type in ENCODED_READERS:
        return True
    fields = fields_of(message_type) or {}
    return next(iter(fields.values()), '') == 'std_msgs/Header'


def decode(data: bytes, message_class: type) -> Any:
    """
    Decode a message.

    :param data: the encoded message
    :param message_class: its type
    :raise MessageError: if the message is damaged, or of another type
    """
    try:
        return deserialize_message(data, message_class)
    # rclpy's own errors are RuntimeErrors, and a text may raise a UnicodeError.
    except (RuntimeError, ValueError) as error:
        raise MessageError(
            f'a message of {len(data)} bytes cannot be decoded as {message_class.__name__}: '
            f'{error}'
        ) from error


def types_of(node: Node, topic: str) -> list[str]:
    """Return the types with which a topic is published now."""
    return sorted({offer.topic_type for offer in node.get_publishers_info_by_topic(topic)})


_POLL_S = 0.1
_SAY_EVERY_S = 5.0


def wait_for_type(
    node: Node, timeout_s: float, stop: StopSignals, parameter: str, topic: str
) -> str:
    """
    Return the message type with which a topic is published; wait for a publisher if need be.

    :param node: node through which the graph is read
    :param timeout_s: longest time to wait for the first publisher of the topic
    :param stop: request to end the process, which ends the wait
    :param parameter: parameter that could set the type, for the error
    :param topic: name of the topic
    :raise ConfigError: if nobody publishes the topic in time, or it has several types
    :raise StartInterruptedError: if the process is asked to end
    """
    begin_s = said_s = time.monotonic()
    while not (types := types_of(node, topic)):
        now_s = time.monotonic()
        if now_s > begin_s + timeout_s:
            raise ConfigError(
                parameter,
                '',
                f'nobody has published {topic} for {timeout_s:g} s, so its type is unknown: start '
                f'its publisher first, or set {parameter}',
            )
        if now_s > said_s + _SAY_EVERY_S:
            said_s = now_s
            node.get_logger().info(f'waiting for a publisher of {topic} to learn its type')
        if stop.wait(_POLL_S):
            raise StartInterruptedError(f'asked to end while waiting for {topic}')
    if len(types) > 1:
        text = f'{topic} is published as {" and as ".join(types)}: set {parameter} to one of them'
        raise ConfigError(parameter, '', text)
    return types[0]
