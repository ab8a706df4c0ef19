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
"""A subscription that hears every publisher: latched or not, reliable or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lerobot_streamrec.nodes.graph.distributions import MessageInfo, subscribe_with_info
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

# A latching publisher has delivered its last message to a new subscription within this time.
_LATCH_S = 3.0


class HeardTopic:
    """
    A topic that is heard from every publisher, whatever QoS each publisher offers.

    A subscription that requests latched messages is incompatible with every publisher that does
    not latch, and both sides log this. The permanent subscription therefore does not request
    them. When a latching publisher appears, a second subscription fetches its last message and is
    then destroyed. Owned by the executor's thread.

    :param node: the main node
    :param message_class: type of the messages
    :param topic: name of the topic
    :param hear: function that takes each message and its info
    :param is_latched: True if latched messages from before the subscription are wanted as well
    :param depth: number of messages that may wait to be read
    """

    def __init__(
        self,
        node: Node,
        message_class: type,
        topic: str,
        hear: Callable[[Any, MessageInfo], None],
        *,
        is_latched: bool,
        depth: int = 10,
    ) -> None:
        self._node = node
        self._message_class = message_class
        self._topic = topic
        self._hear = hear
        self._is_latched = is_latched
        self._depth = depth
        self._reliability = ReliabilityPolicy.RELIABLE
        self._lasting = self._subscribe(DurabilityPolicy.VOLATILE)
        self._fetching: Any = None
        self._fetch_until_s = 0.0
        self._fetched: set[bytes] = set()

    def close(self) -> None:
        """Destroy the subscriptions."""
        for one in filter(None, (self._lasting, self._fetching)):
            self._node.destroy_subscription(one)
        self._lasting = self._fetching = None

    def offers(self) -> list[Any]:
        """Return the ``TopicEndpointInfo`` of each present publisher of the topic."""
        offers: list[Any] = self._node.get_publishers_info_by_topic(self._topic)
        return offers

    def look(self, now_s: float) -> None:
        """
        Adapt the subscriptions to the present publishers. Never blocks.

        :param now_s: time on the steady clock
        """
        offers = self.offers()
        is_best_effort = any(
            one.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT for one in offers
        )
        wanted = ReliabilityPolicy.BEST_EFFORT if is_best_effort else ReliabilityPolicy.RELIABLE
        # A best-effort subscription hears reliable publishers too. It is needed as long as one
        # publisher is best-effort.
        if offers and wanted != self._reliability:
            self._reliability = wanted
            before, self._lasting = self._lasting, self._subscribe(DurabilityPolicy.VOLATILE)
            self._node.destroy_subscription(before)
        latched = {
            bytes(one.endpoint_gid)
            for one in offers
            if self._is_latched
            and one.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
        }
        if latched - self._fetched:
            if self._fetching is None:
                self._fetching = self._subscribe(DurabilityPolicy.TRANSIENT_LOCAL)
            self._fetch_until_s = now_s + _LATCH_S
        elif self._fetching is not None and now_s > self._fetch_until_s:
            self._node.destroy_subscription(self._fetching)
            self._fetching = None
        self._fetched = latched

    def _subscribe(self, durability: DurabilityPolicy) -> Any:
        qos = QoSProfile(depth=self._depth, reliability=self._reliability, durability=durability)
        return subscribe_with_info(
            self._node,
            self._message_class,
            self._topic,
            qos,
            on_message=self._hear,
            on_lost=lambda _: None,
        )
