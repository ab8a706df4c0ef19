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
The publishers of a topic: a subscription that hears all of them, and how many of them send.

It also finds the messages before which the known state of a button is no longer valid.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
import math
from typing import Any

from lerobot_streamrec.nodes.graph.distributions import MessageInfo, subscribe_with_info
from lerobot_streamrec.settings.senses import Repetition
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


_MAX_TRAINS = 8
# So many changes between publishers within the window cannot come from a restarted driver.
_TURNS = 3
_WINDOW_S = 5.0


@dataclass(slots=True)
class _Train:
    """
    The sequence of messages that one publisher has numbered.

    :param number: number of the last message
    :param heard_s: arrival time of that message on the steady clock
    """

    number: int
    heard_s: float


class PublisherWatch:
    """
    A watch that distinguishes publishers by the sequence numbers of their messages.

    rclpy does not say which publisher sent a message, but each publisher numbers its messages.
    The numbers from one publisher ascend, while the numbers from two publishers that send in turn
    jump back and forth. A restarted driver begins a new sequence and never resumes the old one.
    Owned by one thread. Each subscription needs a watch of its own, because two subscriptions may
    deliver the same messages.

    :param memory_s: longest silence after which a publisher is still recognised by its numbers
    """

    def __init__(self, memory_s: float = _WINDOW_S) -> None:
        self._memory_s = memory_s
        self.is_blind = False
        """True once a message has arrived without a sequence number."""
        self.has_begun = False
        """True if the newest message is the first one heard of its sequence."""
        self.has_skipped = False
        """True if messages of the same sequence are missing just before the newest message."""
        self._trains: list[_Train] = []
        self._current: _Train | None = None
        self._turns_s: deque[float] = deque(maxlen=_TURNS)

    def push(self, info: Mapping[str, Any], now_s: float) -> bool:
        """
        Take a message into account; return True if several publishers send in turn.

        :param info: the message info; without a sequence number the result is always False
        :param now_s: time on the steady clock
        """
        number = info.get('publication_sequence_number')
        self.has_begun = self.has_skipped = False
        if not number:
            self.is_blind = True
            return False
        current = self._current
        if current is not None and number == current.number + 1:
            # The last sender continues: no other sequence can be nearer to this number.
            current.number, current.heard_s = number, now_s
        else:
            self._look_for_train(number, now_s)
        turns_s = self._turns_s
        return len(turns_s) == _TURNS and now_s - turns_s[0] <= _WINDOW_S

    def _look_for_train(self, number: int, now_s: float) -> None:
        recent = [one for one in self._trains if now_s - one.heard_s <= self._memory_s]
        self._trains = sorted(recent, key=lambda one: one.heard_s)[-_MAX_TRAINS:]
        before = [one for one in self._trains if one.number < number]
        # If two sequences are equally near, prefer the last sender, so that a single publisher is
        # never taken for two.
        train = min(
            before, key=lambda one: (number - one.number, one is not self._current), default=None
        )
        self.has_begun = train is None
        self.has_skipped = train is not None and number > train.number + 1
        if train is None:
            train = _Train(number, now_s)
            self._trains.append(train)
        elif train is not self._current:
            self._turns_s.append(now_s)
        train.number, train.heard_s = number, now_s
        self._current = train


class Continuity:
    """
    A detector of the messages on one topic that do not continue the state before them.

    These are the first message of another publisher, and the first message after a pause of a
    publisher that repeats its messages.

    Owned by the executor's thread.

    :param publishers: function that returns the gids of the present publishers
    """

    def __init__(self, publishers: Callable[[], Collection[bytes]]) -> None:
        self._publishers = publishers
        self._known: frozenset[bytes] = frozenset()
        self._watch = PublisherWatch(math.inf)
        self._repetition = Repetition()
        self._is_foreign = True
        self.is_late = self._repetition.is_late
        self.has_paused = self._repetition.has_paused

    def look(self) -> None:
        """Look for new publishers in the graph if the middleware does not number messages."""
        if self._watch.is_blind and self._has_new_publisher():
            self._is_foreign = True

    def push(self, content: Any, info: MessageInfo, now_s: float) -> bool:
        """
        Take a message into account; return True if the state before it is no longer valid.

        :param content: the part of the message that changes when something happens
        :param info: the message info of the middleware
        :param now_s: time on the steady clock
        """
        self._watch.push(info, now_s)
        sent_ns = int(info.get('source_timestamp') or 0)
        return self._repetition.push(content, sent_ns, now_s, is_other=self._is_other())

    def _is_other(self) -> bool | None:
        """Return whether another publisher sent the newest message; None if nothing says so."""
        is_foreign, self._is_foreign = self._is_foreign, False
        if self._watch.has_begun or is_foreign:
            self._has_new_publisher()
            return True
        # Messages were lost, or the number belongs to the sequence of a new publisher.
        return self._has_new_publisher() if self._watch.has_skipped else None

    def _has_new_publisher(self) -> bool:
        known, self._known = self._known, frozenset(self._publishers())
        return not self._known <= known
