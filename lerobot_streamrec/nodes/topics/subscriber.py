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
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
import heapq
import time
from typing import Any

from lerobot_streamrec.conversions.reader import header_stamp_ns
from lerobot_streamrec.errors import ForeignMessageError, MessageError
from lerobot_streamrec.nodes.graph.distributions import MessageInfo, subscribe_with_info
from lerobot_streamrec.nodes.graph.publisher_watch import PublisherWatch
from lerobot_streamrec.nodes.graph.qos import choose_qos, is_same_qos, node_of, qos_problems
from lerobot_streamrec.nodes.graph.topic_types import load_message_class
from lerobot_streamrec.nodes.parameters.stream_settings import RECEIVE, Source
from lerobot_streamrec.nodes.topics.picture_room import room_advice
from lerobot_streamrec.nodes.topics.sample_sink import Sink
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.time import Time

_LOG_EVERY_S = 5.0
# Nothing waits so long on a machine that has time; well below any sensible max_lateness_s.
LATE_NS = 50_000_000


@dataclass(frozen=True, slots=True)
class Target:
    """
    What to subscribe to.

    :param topic: its name
    :param message_type: such as ``sensor_msgs/msg/Image``
    """

    topic: str
    message_type: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """
    A message that was taken from the middleware and not yet handed on.

    :param received_ns: when the middleware received it, system clock; 0: it does not say
    :param deliver: hands it on
    """

    received_ns: int
    deliver: Callable[[], None]


def read_in_order(
    subscribers: Iterable[Subscriber], first: Sequence[Waiting] = ()
) -> None:
    """
    Read the messages that wait on several topics, in the order in which they arrived.

    When a busy machine has given this process no time for a while, a topic that was read before
    another one would take the rows past messages of the other that have arrived as well.

    :param subscribers: those that read the topics
    :param first: taken already, older than all others of their topic
    """
    taken = [one.take_waiting() for one in subscribers]
    # The order within a topic stays, even if the system's clock was set meanwhile.
    for message in heapq.merge(first, *taken, key=_received_ns):
        message.deliver()


def _received_ns(message: Waiting) -> int:
    return message.received_ns


class Subscriber(ABC):
    """
    Hands the messages of one topic to a recorder. Its callbacks belong to the executor.

    It asks for what the publishers offer, and again when others come.

    :param node: a node of its own
    :param source: the topic, and how it is read
    :param recorder: takes the samples
    :param home: the main node, which resolves names, tells the time and logs
    :param depth: messages that may wait to be read
    """

    def __init__(
        self, node: Node, source: Source, recorder: Sink, home: Node, *, depth: int
    ) -> None:
        self._node = node
        self._home = home
        self._warned_s: dict[str, float] = {}
        self._source = source
        self._recorder = recorder
        self._depth = depth
        self._see: Callable[[Any, int], None] | None = None
        self._has_heard = False
        self._size_bytes = 0
        """Size of the newest picture as it was sent."""
        self._advice: str | None = None
        """Advice against losses, since the last look."""
        self._problems: list[str] = []
        self._outgoing: Any = None
        self._fellows: Sequence[Subscriber] = (self,)
        self._delivered_ns = 0
        self._target = self._choose_target()
        self._publishers = self._matching(self._offers())
        self._qos = choose_qos(source.qos, self._publishers, depth)
        self._watch = PublisherWatch()
        self._subscription = self._subscribe()

    @property
    def node(self) -> Node:
        """The node that subscribes."""
        return self._node

    @property
    def key(self) -> str:
        """Of its stream."""
        return self._source.stream.key

    @property
    def source(self) -> Source:
        """What is read, and how."""
        return self._source

    @property
    def target(self) -> Target:
        """What is subscribed to now."""
        return self._target

    @property
    def topic(self) -> str:
        """Full name of the topic that is subscribed to now."""
        return self._home.resolve_topic_name(self._target.topic)

    @property
    def qos(self) -> QoSProfile:
        """What is asked for now."""
        return self._qos

    @property
    def problems(self) -> tuple[str, ...]:
        """Which publishers cannot be heard, and why, as of the last look."""
        return tuple(self._problems)

    def watch(self, see: Callable[[Any, int], None]) -> None:
        """
        Show every message that is meant for this stream to somebody, after it was read.

        :param see: is given the message and when it was received, in nanoseconds of the node's
            clock
        """
        self._see = see

    @property
    def hint(self) -> str:
        """Say what there is to know of a topic from which nothing comes."""
        return '; '.join((f'{self.topic} has {len(self._offers())} publishers', *self._problems))

    def look(self) -> None:
        """
        Look who publishes now, and ask for what is offered. Never blocks.

        A new subscription replaces the old one only at the next look: what comes while the two
        middlewares find each other is not lost, and what comes twice has one stamp.
        """
        self._advice = None
        if self._outgoing is not None:
            self._node.destroy_subscription(self._outgoing)
            self._outgoing = None
        target = self._target if self._has_heard else self._choose_target()
        is_other = target != self._target
        self._target = target
        offers = self._offers()
        self._publishers = self._matching(offers)
        qos = choose_qos(self._source.qos, self._publishers, self._depth)
        if is_other or (self._publishers and not is_same_qos(qos, self._qos)):
            self._qos = qos
            self._outgoing, self._subscription = self._subscription, self._subscribe()
        self._tell(qos_problems(self._qos, target.message_type, offers))

    @property
    def is_unsure(self) -> bool:
        """Whether several publishers may send the same data, and cannot be told apart."""
        return len(self._publishers) > 1 and self._watch.is_blind

    def _tell(self, problems: list[str]) -> None:
        if problems != self._problems:
            self._problems = problems
            for problem in problems:
                self._home.get_logger().error(f'{self.topic} cannot be heard: {problem}')

    def _warn(self, kind: str, text: str) -> None:
        """Log a warning, unless one of its kind was logged for this topic a moment ago."""
        now_s = time.monotonic()
        if now_s - self._warned_s.get(kind, -_LOG_EVERY_S) >= _LOG_EVERY_S:
            self._warned_s[kind] = now_s
            self._home.get_logger().warning(f'{self.topic}: {text}')

    def _offers(self) -> list[Any]:
        return self.offers_of(self._target.topic)

    def _matching(self, offers: list[Any]) -> list[Any]:
        return [one for one in offers if one.topic_type == self._target.message_type]

    def offers_of(self, topic: str) -> list[Any]:
        """Return ``TopicEndpointInfo`` of each of a topic's publishers."""
        return self._node.get_publishers_info_by_topic(self._home.resolve_topic_name(topic))

    @abstractmethod
    def _choose_target(self) -> Target:
        """Choose what to subscribe to, as the graph is now; asked until a message has come."""

    @abstractmethod
    def _push(self, message: Any, info: MessageInfo) -> None:
        """
        Turn a message into a sample, and hand it over.

        :raise ForeignMessageError: if it is meant for somebody else
        :raise MessageError: if it cannot be recorded
        """

    def _subscribe(self) -> Any:
        # Each subscription has its own: for a moment two of them bring the same messages.
        self._watch = PublisherWatch()
        return subscribe_with_info(
            self._node,
            load_message_class(f'{self._source.parameter}.type', self._target.message_type),
            self.topic,
            self._qos,
            on_message=partial(self._on_message, self._watch),
            on_lost=self._on_lost,
        )

    def read_with(self, fellows: Sequence[Subscriber]) -> None:
        """Read the topics of all these in the order of arrival, whenever messages have waited."""
        self._fellows = fellows

    def _on_message(self, watch: PublisherWatch, message: Any, info: MessageInfo) -> None:
        if self._is_after_pause(int(info.get('received_timestamp') or 0)):
            read_in_order(self._fellows, (self._waiting(watch, message, info),))
            return
        # Almost every message comes in time: it is older than all others of its topic.
        self._deliver(watch, message, info)
        for one in self.take_waiting():
            one.deliver()

    def _is_after_pause(self, received_ns: int) -> bool:
        """Tell whether this process or all publishers stood still: others may have waited too."""
        quiet_ns = time.monotonic_ns() - max(one._delivered_ns for one in self._fellows)
        waited_ns = time.time_ns() - received_ns if received_ns else 0
        return max(quiet_ns, waited_ns) > LATE_NS

    def take_waiting(self) -> list[Waiting]:
        """
        Take the messages that wait on this topic. Never blocks.

        The executor takes one message of each topic in turn. On a busy machine the quickest topic
        would fall behind the slowest, and rows would be closed before its messages are read.
        """
        subscription, found = self._subscription, []
        for _ in range(self._depth):
            with subscription.handle:
                taken = subscription.handle.take_message(subscription.msg_type, subscription.raw)
            if taken is None:
                break
            found.append(self._waiting(self._watch, *taken))
        return found

    def _waiting(self, watch: PublisherWatch, message: Any, info: MessageInfo) -> Waiting:
        received_ns = int(info.get('received_timestamp') or 0)
        return Waiting(received_ns, partial(self._deliver, watch, message, info))

    def _deliver(self, watch: PublisherWatch, message: Any, info: MessageInfo) -> None:
        self._has_heard = True
        self._delivered_ns = time.monotonic_ns()
        try:
            self._push(message, info)
        except ForeignMessageError as error:
            # Several publishers may share a topic: this message is neither ours nor a fault.
            self._recorder.ignore(self.key, str(error))
            return
        except MessageError as error:
            self._recorder.reject(self.key, str(error))
            self._warn('rejected', str(error))
        if self._see is not None:
            self._see(message, self._received_ns(info))
        if watch.push(info, time.monotonic()) and len(self._publishers) > 1:
            self._tell_rivals()

    def _tell_rivals(self) -> None:
        publishers = ', '.join(sorted(map(node_of, self._publishers)))
        if len(self._publishers) > 2:
            # The numbers of messages do not show whose they are.
            publishers = f'two or more of {publishers}'
        self._recorder.contest(self.key, publishers)
        self._warn('rivals', f'several publishers ({publishers}) send the same data in turn')

    def _stamp_ns(self, message: Any, info: MessageInfo) -> int:
        if self._source.stamp != RECEIVE:
            return header_stamp_ns(message)
        return self._received_ns(info)

    def _received_ns(self, info: MessageInfo) -> int:
        clock: Any = self._home.get_clock()
        received_ns = int(info.get('received_timestamp') or 0)
        if received_ns > 0 and not clock.ros_time_is_active:
            # What the middleware noted is not delayed by other callbacks.
            return received_ns
        now: Time = clock.now()
        return int(now.nanoseconds)

    def _on_lost(self, event: Any) -> None:
        self._recorder.lose(self._source.stream.key, event.total_count_change)
        text = f'{event.total_count} messages lost in transport so far'
        self._warn('lost', '; '.join(filter(None, [text, self.loss_advice])))

    @property
    def loss_advice(self) -> str:
        """Advice against messages that are lost in transport; empty: none is known."""
        if self._advice is None:
            self._advice = room_advice(self._offers(), self._size_bytes)
        return self._advice
