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
"""The type of a topic that is not there yet, and its class."""

from __future__ import annotations

from importlib import import_module
import time
from typing import Any

from lerobot_streamrec.errors import ConfigError, StartInterruptedError
from lerobot_streamrec.nodes.graph.stop_signals import StopSignals
from rclpy.node import Node


def load_message_class(parameter: str, message_type: str) -> type:
    """
    Import the class of a message type.

    :param parameter: the setting that names it, for the error
    :param message_type: such as ``sensor_msgs/msg/JointState``
    :raise ConfigError: if there is no such type on this machine
    """
    package, _, name = message_type.partition('/msg/')
    try:
        found = getattr(import_module(f'{package}.msg'), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            parameter,
            message_type,
            f'this type is not installed ({error}); write it as sensor_msgs/msg/JointState, and '
            'source the workspace that has it',
        ) from error
    if not isinstance(found, type):
        raise ConfigError(parameter, message_type, 'this is no message type')
    return found


_POLL_S = 0.1
_SAY_EVERY_S = 5.0


class TopicTypes:
    """
    Asks for types, and waits for publishers.

    :param node: looks at the graph
    :param timeout_s: how long to wait for the first publisher of a topic
    :param stop: ends the waiting
    """

    def __init__(self, node: Node, timeout_s: float, stop: StopSignals) -> None:
        self._node = node
        self._timeout_s = timeout_s
        self._stop = stop

    def __call__(self, parameter: str, topic: str) -> str:
        """
        Return the type that a topic is published with.

        :param parameter: the setting that could say it, for the error
        :param topic: its name
        :raise ConfigError: if nobody publishes it in time, or it has several types
        :raise StartInterruptedError: if the process is to end
        """
        log: Any = self._node.get_logger()
        begin_s = time.monotonic()
        said_s = begin_s
        while not (types := self._types(topic)):
            now_s = time.monotonic()
            if now_s > begin_s + self._timeout_s:
                raise ConfigError(
                    parameter,
                    '',
                    f'nobody has published {topic} for {self._timeout_s:g} s, so that its type is '
                    'not known: start its publisher first, or set the type',
                )
            if now_s > said_s + _SAY_EVERY_S:
                said_s = now_s
                log.info(f'waiting for a publisher of {topic}, to learn its type')
            if self._stop.wait(_POLL_S):
                raise StartInterruptedError(f'asked to end while waiting for {topic}')
        if len(types) > 1:
            raise ConfigError(
                parameter, '', f'{topic} is published as {" and as ".join(types)}: set the one'
            )
        return types[0]

    def _types(self, topic: str) -> list[str]:
        offers = self._node.get_publishers_info_by_topic(topic)
        return sorted({offer.topic_type for offer in offers})
