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
import math
import time
from typing import Any, NamedTuple, Protocol

from lerobot_streamrec.errors import ForeignMessageError, MessageError
from lerobot_streamrec.nodes.graph.distributions import (
    MessageInfo,
    subscribe_to_take,
    take_bytes,
)
from lerobot_streamrec.nodes.graph.qos import choose_qos, is_same_qos, node_of, qos_problems
from lerobot_streamrec.nodes.graph.topic_types import decode, fields_of, load_message_class
from lerobot_streamrec.nodes.topics.picture_room import room_advice
from lerobot_streamrec.nodes.topics.sample_sink import Newest, Sink
from lerobot_streamrec.settings.sample_reader import SampleReader
from lerobot_streamrec.settings.stream_settings import Source
from lerobot_streamrec.settings.transports import Target
from lerobot_streamrec.sync.publisher_watch import PublisherWatch
from lerobot_streamrec.sync.row_clock import NS_PER_S
from rclpy.node import Node
from rclpy.time import Time

_LOG_EVERY_S = 5.0
# The history covers pauses of this process for so long, such as those of a busy machine.
_HISTORY_S = 2.0
# A rate that varies does not subscribe again and again.
_DEPTH_MARGIN = 1.5
_MAX_DEPTH = 20_000


class Taken(NamedTuple):
    """
    A message that was taken from the middleware and not yet delivered.

    :param received_ns: its arrival by the system clock; 0: unknown. It never decreases within a
        subscription, even if the system clock was set back.
    :param subscriber: subscriber of its topic
    :param watch: watch for the publishers behind its subscription
    :param data: the encoded message
    :param info: message info of the middleware
    """

    received_ns: int
    subscriber: Subscriber
    watch: PublisherWatch
    data: bytes
    info: MessageInfo


class Observer(Protocol):
    """A function that sees every message for a stream after the recorder."""

    def __call__(
        self, received_ns: int, stamp_ns: int | None, encoding: str, size_bytes: int
    ) -> None:
        """
        Take note of a message.

        :param received_ns: its arrival on the node's clock
        :param stamp_ns: its header stamp, 0 if it is not set; None without a header
        :param encoding: encoding or format of a picture; empty for numbers
        :param size_bytes: size of a picture's data; 0 for numbers
        """


class _Subscription:
    """
    A subscription, and what was learned from its messages. Owned by the reader's thread.

    :param handle: ``rclpy.subscription.Subscription``
    :param depth: number of messages that may wait to be read
    """

    def __init__(self, handle: Any, depth: int) -> None:
        self.handle = handle
        self.depth = depth
        # Each subscription has its own watch, since two of them may deliver the same messages.
        self.watch = PublisherWatch()
        self._last_ns = 0
        self._first_ns = 0
        self._num_since = 0

    def take(self, subscriber: Subscriber) -> list[Taken]:
        """Take the messages that wait. Never blocks."""
        found: list[Taken] = []
        for _ in range(self.depth):
            taken = take_bytes(self.handle)
            if taken is None:
                break
            data, info = taken
            self._last_ns = max(self._last_ns, int(info.get('received_timestamp') or 0))
            found.append(Taken(self._last_ns, subscriber, self.watch, data, info))
        if found:
            self._first_ns = self._first_ns or found[0].received_ns
            self._num_since += len(found)
        return found

    def rate_hz(self) -> float:
        """Return the rate of arrivals since the last call; 0 if there were too few."""
        span_ns, count = self._last_ns - self._first_ns, self._num_since - 1
        self._first_ns = self._num_since = 0
        return count * NS_PER_S / span_ns if span_ns > 0 and count > 0 else 0.0


class Subscriber(ABC):
    """
    A subscription to one topic that delivers samples to a recorder.

    It requests the QoS that the publishers offer, and adapts when the publishers change. The
    reader's thread owns it, and its node's executor must be spun by that thread.

    :param node: separate node for this subscription
    :param source: the topic and the way in which it is read
    :param recorder: receiver of the samples
    :param home: the main node, which resolves names, provides the clock and logs
    :param depth: number of messages that may wait to be read; it grows with the rate
    """

    def __init__(
        self, node: Node, source: Source, recorder: Sink, home: Node, *, depth: int
    ) -> None:
        self.node = node
        """The node that subscribes."""
        self._home = home
        self._warned_s: dict[str, float] = {}
        self.source = source
        """The topic and the way in which it is read."""
        self.key = source.stream.key
        """The key of the stream."""
        self._recorder = recorder
        self._depth = depth
        self._see: Observer | None = None
        self.newest = Newest()
        """The newest sample, for the preview."""
        self._has_heard = False
        self._advice: str | None = None
        """The advice against losses; None until it is worked out after the last look."""
        self._problems: list[str] = []
        self._outgoing: _Subscription | None = None
        self._delivered: set[tuple[object, object]] = set()
        """The messages that came while two subscriptions delivered the same ones."""
        self.target = self._choose_target()
        """The topic and type of the present subscription."""
        self._samples = self._make_samples()
        self._publishers = self._matching(self._offers())
        self.qos = choose_qos(source.qos, self._publishers, depth)
        """The QoS that the present subscription requests."""
        self._subscription = self._subscribe()

    @property
    def topic(self) -> str:
        """The full name of the topic of the present subscription."""
        return self._home.resolve_topic_name(self.target.topic)

    @property
    def is_settled(self) -> bool:
        """True if the topic and its type will not change any more."""
        return self._has_heard or not self.source.stream.is_camera

    @property
    def problems(self) -> tuple[str, ...]:
        """The publishers that could not be heard at the last look, with the reasons."""
        return tuple(self._problems)

    def watch(self, see: Observer) -> None:
        """Set a function that sees every message for this stream after the recorder."""
        self._see = see

    @property
    def hint(self) -> str:
        """The number of publishers of the topic, and the reasons why they cannot be heard."""
        return '; '.join((f'{self.topic} has {len(self._offers())} publishers', *self._problems))

    def look(self) -> None:
        """
        Adapt the subscription to the present publishers. Never blocks.

        A replaced subscription is destroyed only at the next look, so no message is lost while
        discovery connects the new one. A message that arrives on both is delivered once.
        """
        self._advice = None
        self._give_up_outgoing()
        target = self.target if self._has_heard else self._choose_target()
        is_other = target != self.target
        self.target = target
        offers = self._offers()
        self._publishers = self._matching(offers)
        is_deeper = self._deepen()
        qos = choose_qos(self.source.qos, self._publishers, self._depth)
        is_changed = self._publishers and (is_deeper or not is_same_qos(qos, self.qos))
        if is_other or is_changed:
            self.qos, self._outgoing = qos, self._subscription
            if is_other:
                # Nothing has been heard, and a process cannot read a topic as two types.
                self._give_up_outgoing()
                text = f'{self.key} is read from {self.topic}, {target.message_type}'
                self._home.get_logger().info(text)
            self._subscription = self._subscribe()
        self._tell(qos_problems(self.qos, target.message_type, offers))

    def _give_up_outgoing(self) -> None:
        if self._outgoing is not None:
            self.node.destroy_subscription(self._outgoing.handle)
            self._outgoing = None
            self._delivered.clear()

    def _deepen(self) -> bool:
        """Return True if the topic is so fast that the history has become too short."""
        needed = self._subscription.rate_hz() * _HISTORY_S
        if needed <= self._depth * _DEPTH_MARGIN or self._depth == _MAX_DEPTH:
            return False
        self._depth = min(math.ceil(needed * _DEPTH_MARGIN), _MAX_DEPTH)
        return True

    @property
    def is_unsure(self) -> bool:
        """True if there are several publishers whose messages cannot be distinguished."""
        return len(self._publishers) > 1 and self._subscription.watch.is_blind

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
        return self.offers_of(self.target.topic)

    def _matching(self, offers: list[Any]) -> list[Any]:
        return [one for one in offers if one.topic_type == self.target.message_type]

    def offers_of(self, topic: str) -> list[Any]:
        """Return the ``TopicEndpointInfo`` of each publisher of a topic."""
        return self.node.get_publishers_info_by_topic(self._home.resolve_topic_name(topic))

    @abstractmethod
    def _choose_target(self) -> Target:
        """Choose a topic and type from the present graph; called until a message has arrived."""

    def _push(self, data: bytes, info: MessageInfo) -> None:
        """
        Convert a message into a sample, and pass the sample to the recorder.

        :param data: the encoded message
        :param info: its message info
        :raise ForeignMessageError: if the message is not meant for this stream
        :raise MessageError: if the message cannot be recorded
        """
        stamp_ns, value = self._samples.read(data, lambda: self._received_ns(info))
        recorder, is_camera = self._recorder, self.source.stream.is_camera
        push = recorder.push_image if is_camera else recorder.push_vector
        push(self.key, stamp_ns, value)
        self.newest.put(stamp_ns, value, data)

    def _subscribe(self) -> _Subscription:
        self._message_class = load_message_class(
            f'{self.source.parameter}.type', self.target.message_type
        )
        if self._samples.message_type != self.target.message_type:
            self._samples = self._make_samples()
        handle = subscribe_to_take(
            self.node, self._message_class, self.topic, self.qos, on_lost=self._on_lost
        )
        return _Subscription(handle, self._depth)

    def take_waiting(self) -> list[Taken]:
        """Take the messages that wait on this topic, in the order of arrival. Never blocks."""
        taken = self._subscription.take(self)
        if self._outgoing is None:
            return taken
        return self._without_twins([*self._outgoing.take(self), *taken])

    def _without_twins(self, taken: list[Taken]) -> list[Taken]:
        single = []
        for one in taken:
            # Both subscriptions get the time and the number that the publisher gave.
            name = (one.info.get('source_timestamp'), one.info.get('publication_sequence_number'))
            if not name[0] or name not in self._delivered:
                self._delivered.add(name)
                single.append(one)
        return sorted(single, key=lambda one: one.received_ns)

    def deliver(self, taken: Taken) -> None:
        """Deliver a message that was taken before."""
        _, _, watch, data, info = taken
        self._has_heard = True
        try:
            self._push(data, info)
        except ForeignMessageError as error:
            # Several publishers may share a topic, so a message for another stream is no fault.
            self._recorder.ignore(self.key, str(error))
            return
        except MessageError as error:
            self._recorder.reject(self.key, str(error))
            self._warn('rejected', str(error))
        if self._see is not None:
            received_ns, samples = self._received_ns(info), self._samples
            stamp_ns = samples.header_ns(data)
            self._see(received_ns, stamp_ns, samples.encoding, samples.size_bytes)
        if watch.push(info, time.monotonic()) and len(self._publishers) > 1:
            self._tell_rivals()

    def _make_samples(self) -> SampleReader:
        return SampleReader(self.source, self.target.message_type, fields_of, self._decode)

    def _decode(self, data: bytes) -> Any:
        return decode(data, self._message_class)

    def _tell_rivals(self) -> None:
        publishers = ', '.join(sorted(map(node_of, self._publishers)))
        if len(self._publishers) > 2:
            # Sequence numbers do not show which of the publishers sent the messages.
            publishers = f'two or more of {publishers}'
        self._recorder.contest(self.key, publishers)
        self._warn('rivals', f'several publishers ({publishers}) send the same data in turn')

    def _received_ns(self, info: MessageInfo) -> int:
        clock: Any = self._home.get_clock()
        received_ns = int(info.get('received_timestamp') or 0)
        if received_ns > 0 and not clock.ros_time_is_active:
            # Other callbacks do not delay the time that the middleware noted.
            return received_ns
        now: Time = clock.now()
        return int(now.nanoseconds)

    def _on_lost(self, event: Any) -> None:
        self._recorder.lose(self.key, event.total_count_change)
        self._samples.lose()
        text = f'{event.total_count} messages lost in transport so far'
        self._warn('lost', '; '.join(filter(None, [text, self.loss_advice])))

    @property
    def loss_advice(self) -> str:
        """The advice against messages lost in transport; empty if there is none."""
        if self._advice is None:
            self._advice = room_advice(self._offers(), self._samples.size_bytes)
        return self._advice
