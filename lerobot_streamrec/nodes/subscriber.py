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
"""What image and vector subscribers have in common: stamps, losses, messages that do not fit."""

from __future__ import annotations

from abc import ABC, abstractmethod
import re
from typing import Any

from lerobot_streamrec.conversions.stamp import header_stamp_ns
from lerobot_streamrec.errors import MessageError
from lerobot_streamrec.nodes.stream_settings import RECEIVE, Source
from lerobot_streamrec.recording.recorder import Recorder
from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.time import Time

_LOG_EVERY_S = 5.0


class Subscriber(ABC):
    """
    Hands the messages of one topic to the recorder. Its callback belongs to the executor.

    Best effort and volatile: that is compatible with whatever a publisher offers.

    :param node: a node of its own
    :param source: what to read, and how
    :param recorder: takes the samples
    :param message_class: of the topic
    :param depth: messages that may wait to be read
    :param topic: which one; None: the source's own
    """

    def __init__(
        self,
        node: Node,
        source: Source,
        recorder: Recorder,
        message_class: type,
        depth: int,
        topic: str | None = None,
    ) -> None:
        self._topic = topic or source.stream.topic
        self._node = node
        self._source = source
        self._recorder = recorder
        self._num_lost = 0
        qos = QoSProfile(
            history=HistoryPolicy.KEEP_LAST,
            depth=depth,
            reliability=ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.VOLATILE,
        )
        try:
            self._subscribe(
                message_class, qos, SubscriptionEventCallbacks(message_lost=self._on_lost)
            )
        except UnsupportedEventTypeError:
            # This middleware does not tell what it loses; the stamps still do.
            self._subscribe(message_class, qos, None)

    @property
    def node(self) -> Node:
        """The node that subscribes."""
        return self._node

    @abstractmethod
    def _push(self, stamp_ns: int, message: Any) -> None:
        """Turn a message into a sample, and hand it over."""

    def _subscribe(
        self, message_class: type, qos: QoSProfile, events: SubscriptionEventCallbacks | None
    ) -> None:
        # rclpy passes a message's information to callbacks that take it; its types do not say.
        on_message: Any = self._on_message
        self._node.create_subscription(
            message_class,
            self._topic,
            on_message,
            qos,
            event_callbacks=events,
        )

    def _on_message(self, message: Any, info: dict[str, Any]) -> None:
        try:
            self._push(self._stamp_ns(message, info), message)
        except MessageError as error:
            self._recorder.reject(self._source.stream.key, str(error))
            self._node.get_logger().warning(
                f'{self._topic}: {error}', throttle_duration_sec=_LOG_EVERY_S
            )

    def _stamp_ns(self, message: Any, info: dict[str, Any]) -> int:
        if self._source.stamp != RECEIVE:
            return header_stamp_ns(message)
        clock: Any = self._node.get_clock()
        received_ns = int(info.get('received_timestamp') or 0)
        if received_ns > 0 and not clock.ros_time_is_active:
            # What the middleware noted is not delayed by other callbacks.
            return received_ns
        now: Time = clock.now()
        return int(now.nanoseconds)

    def _on_lost(self, event: Any) -> None:
        self._recorder.lose(self._source.stream.key, event.total_count_change)
        self._node.get_logger().warning(
            f'{self._topic}: {event.total_count} messages lost in transport so far; '
            'for pictures, export config/fastdds_images.xml for the publisher (see README)',
            throttle_duration_sec=_LOG_EVERY_S,
        )


def node_name(prefix: str) -> str:
    """Make a node's name from a source's prefix, such as ``camera_front``."""
    return re.sub(r'[^A-Za-z0-9_]', '_', prefix)
