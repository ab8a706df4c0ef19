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
"""The QoS of subscriptions and of publishers, and a subscription that hears every publisher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lerobot_streamrec.nodes.graph.distributions import MessageInfo, subscribe_with_info
from lerobot_streamrec.settings.stream_settings import QOS_FROM_PUBLISHER, QOS_RELIABLE
from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    qos_check_compatible,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
)


def choose_qos(choice: str, offers: Sequence[Any], depth: int) -> QoSProfile:
    """
    Choose the QoS to request from the publishers of a topic.

    A stricter policy is requested only if every publisher offers it, because the others would not
    be heard. The graph does not show the history depth of a publisher, so the caller sets the
    depth.

    :param choice: one of ``QOS_CHOICES``
    :param offers: ``rclpy.topic_endpoint_info.TopicEndpointInfo`` of each publisher
    :param depth: number of messages that may wait to be read
    """
    profiles = [offer.qos_profile for offer in offers]
    is_reliable = bool(profiles) and all(
        one.reliability == ReliabilityPolicy.RELIABLE for one in profiles
    )
    is_latched = bool(profiles) and all(
        one.durability == DurabilityPolicy.TRANSIENT_LOCAL for one in profiles
    )
    if choice != QOS_FROM_PUBLISHER:
        is_reliable = choice == QOS_RELIABLE
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE if is_reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if is_latched else DurabilityPolicy.VOLATILE,
    )


def is_same_qos(one: QoSProfile, other: QoSProfile) -> bool:
    """Return True if two of our profiles request the same reliability and durability."""
    return (one.reliability, one.durability) == (other.reliability, other.durability)


def qos_problems(asked: QoSProfile, message_type: str, offers: Sequence[Any]) -> list[str]:
    """
    Describe the publishers that cannot be heard, with the reasons.

    :param asked: QoS that the subscription requests
    :param message_type: message type of the subscription
    :param offers: ``TopicEndpointInfo`` of each publisher
    :return: one text for each such publisher
    """
    found = []
    for offer in offers:
        name = node_of(offer)
        if offer.topic_type != message_type:
            found.append(f'{name} publishes {offer.topic_type}, not {message_type}')
            continue
        compatibility, reason = qos_check_compatible(offer.qos_profile, asked)
        if compatibility == QoSCompatibility.ERROR:
            found.append(
                f'{name} offers {describe_qos(offer.qos_profile)}, which is not compatible with '
                f'the requested {describe_qos(asked)} ({reason.strip().rstrip(";")})'
            )
    return found


UNKNOWN_NODE = 'a node whose name is not known yet'
# The name that rmw gives while discovery has told of a publisher but not of its node.
_RMW_UNKNOWN = '_NODE_NAME_UNKNOWN_'


def node_of(offer: Any) -> str:
    """Return the full name of a publisher's node, or ``UNKNOWN_NODE`` for a moment."""
    if offer.node_name == _RMW_UNKNOWN:
        return UNKNOWN_NODE
    return f'{offer.node_namespace.rstrip("/")}/{offer.node_name}'


def describe_qos(profile: QoSProfile) -> str:
    """Return the reliability and durability of a profile as ``ros2 topic info`` names them."""
    return f'{profile.reliability.name}, {profile.durability.name}'


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
            if self._is_latched and one.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
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
