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
"""The common part of image and vector subscribers: QoS, stamps, losses and rejected messages."""

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
# Messages wait this long only on a busy machine. Sensible values of max_lateness_s are far larger.
LATE_NS = 50_000_000


@dataclass(frozen=True, slots=True)
class Target:
    """
    The topic and type of a subscription.

    :param topic: name of the topic
    :param message_type: name of the type, such as ``sensor_msgs/msg/Image``
    """

    topic: str
    message_type: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """
    A message that was taken from the middleware and not yet delivered.

    :param received_ns: time on the system clock at which the middleware received it; 0: unknown
    :param deliver: function that delivers it
    """

    received_ns: int
    deliver: Callable[[], None]


def read_in_order(
    subscribers: Iterable[Subscriber], first: Sequence[Waiting] = ()
) -> None:
    """
    Deliver the waiting messages of several topics in the order in which they arrived.

    After a pause of this process on a busy machine, messages of many topics wait. If one topic
    were read completely before another, its messages would advance the rows past the messages of
    the other.

    :param subscribers: subscribers of the topics
    :param first: messages that were taken before, older than all others of their topic
    """
    taken = [one.take_waiting() for one in subscribers]
    # heapq.merge keeps the order within a topic even if the system clock was set meanwhile.
    for message in heapq.merge(first, *taken, key=_received_ns):
        message.deliver()


def _received_ns(message: Waiting) -> int:
    return message.received_ns


class Subscriber(ABC):
    """
    A subscription to one topic that delivers samples to a recorder.

    It requests the QoS that the publishers offer, and adapts when the publishers change. The
    executor's thread owns it.

    :param node: separate node for this subscription
    :param source: the topic and the way in which it is read
    :param recorder: receiver of the samples
    :param home: the main node, which resolves names, provides the clock and logs
    :param depth: number of messages that may wait to be read
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
        """The size of the newest image message."""
        self._advice: str | None = None
        """The advice against losses; None until it is worked out after the last look."""
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
        """The key of the stream."""
        return self._source.stream.key

    @property
    def source(self) -> Source:
        """The topic and the way in which it is read."""
        return self._source

    @property
    def target(self) -> Target:
        """The topic and type of the present subscription."""
        return self._target

    @property
    def topic(self) -> str:
        """The full name of the topic of the present subscription."""
        return self._home.resolve_topic_name(self._target.topic)

    @property
    def qos(self) -> QoSProfile:
        """The QoS that the present subscription requests."""
        return self._qos

    @property
    def problems(self) -> tuple[str, ...]:
        """The publishers that could not be heard at the last look, with the reasons."""
        return tuple(self._problems)

    def watch(self, see: Callable[[Any, int], None]) -> None:
        """
        Set a function that sees every message for this stream after the recorder.

        :param see: function that takes a message and its time of arrival, in nanoseconds on the
            node's clock
        """
        self._see = see

    @property
    def hint(self) -> str:
        """The number of publishers of the topic, and the reasons why they cannot be heard."""
        return '; '.join((f'{self.topic} has {len(self._offers())} publishers', *self._problems))

    def look(self) -> None:
        """
        Adapt the subscription to the present publishers. Never blocks.

        A replaced subscription is destroyed only at the next look, so no message is lost while
        discovery connects the new one. A message that arrives on both has the same stamp twice.
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
        """True if there are several publishers whose messages cannot be distinguished."""
        return len(self._publishers) > 1 and self._watch.is_blind

    def _tell(self, problems: list[str]) -> None:
        if problems != self._problems:
            self._problems = problems
            for problem in problems:
                self._home.get_logger().error(f'{self.topic} cannot be heard: {problem}')

    def _warn(self, kind: str, text: str) -> None:
        """Log a warning, unless one of the same kind was logged in the last few seconds."""
        now_s = time.monotonic()
        if now_s - self._warned_s.get(kind, -_LOG_EVERY_S) >= _LOG_EVERY_S:
            self._warned_s[kind] = now_s
            self._home.get_logger().warning(f'{self.topic}: {text}')

    def _offers(self) -> list[Any]:
        return self.offers_of(self._target.topic)

    def _matching(self, offers: list[Any]) -> list[Any]:
        return [one for one in offers if one.topic_type == self._target.message_type]

    def offers_of(self, topic: str) -> list[Any]:
        """Return the ``TopicEndpointInfo`` of each publisher of a topic."""
        return self._node.get_publishers_info_by_topic(self._home.resolve_topic_name(topic))

    @abstractmethod
    def _choose_target(self) -> Target:
        """Choose a topic and type from the present graph; called until a message has arrived."""

    @abstractmethod
    def _push(self, message: Any, info: MessageInfo) -> None:
        """
        Convert a message into a sample, and pass the sample to the recorder.

        :raise ForeignMessageError: if the message is not meant for this stream
        :raise MessageError: if the message cannot be recorded
        """

    def _subscribe(self) -> Any:
        # Each subscription has its own watch, since two of them may deliver the same messages.
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
        """Set the subscribers whose messages are read in the order of arrival after a pause."""
        self._fellows = fellows

    def _on_message(self, watch: PublisherWatch, message: Any, info: MessageInfo) -> None:
        if self._is_after_pause(int(info.get('received_timestamp') or 0)):
            read_in_order(self._fellows, (self._waiting(watch, message, info),))
            return
        # In the usual case the message is on time. It is older than those that still wait.
        self._deliver(watch, message, info)
        for one in self.take_waiting():
            one.deliver()

    def _is_after_pause(self, received_ns: int) -> bool:
        """Return True after a pause of this process or of all publishers, when others may wait."""
        quiet_ns = time.monotonic_ns() - max(one._delivered_ns for one in self._fellows)
        waited_ns = time.time_ns() - received_ns if received_ns else 0
        return max(quiet_ns, waited_ns) > LATE_NS

    def take_waiting(self) -> list[Waiting]:
        """
        Take the messages that wait on this topic. Never blocks.

        The executor takes one message of each topic in turn. On a busy machine, the topic with the
        highest rate would fall behind, and rows would be closed before its messages are read.
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
            # Several publishers may share a topic, so a message for another stream is no fault.
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
            # Sequence numbers do not show which of the publishers sent the messages.
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
            # Other callbacks do not delay the time that the middleware noted.
            return received_ns
        now: Time = clock.now()
        return int(now.nanoseconds)

    def _on_lost(self, event: Any) -> None:
        self._recorder.lose(self._source.stream.key, event.total_count_change)
        text = f'{event.total_count} messages lost in transport so far'
        self._warn('lost', '; '.join(filter(None, [text, self.loss_advice])))

    @property
    def loss_advice(self) -> str:
        """The advice against messages lost in transport; empty if there is none."""
        if self._advice is None:
            self._advice = room_advice(self._offers(), self._size_bytes)
        return self._advice
