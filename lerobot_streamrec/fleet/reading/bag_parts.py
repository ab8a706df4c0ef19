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
"""What the parts of a bag share: topics, messages, remarks on damage, and the order of time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
import heapq
from pathlib import Path
from typing import NamedTuple, Protocol

from rosbags.interfaces import Qos, QosDurability
from rosbags.rosbag2.errors import ReaderError
from rosbags.rosbag2.metadata import parse_qos

CDR = 'cdr'
"""The only serialization that is read; ROS 2 has no other."""

END_OF_TIME_NS = 2**63


@dataclass(frozen=True, slots=True)
class Topic:
    """
    A topic of a bag. A topic that was published with two types is listed twice.

    :param name: such as ``/camera/image_raw``
    :param type_name: such as ``sensor_msgs/msg/Image``
    :param serialization: encoding of the messages; all but ``cdr`` are left out when reading
    :param qos: profiles that its publishers offered; empty if the bag does not tell
    :param num_messages: number of messages that were recorded
    """

    name: str
    type_name: str
    serialization: str
    qos: tuple[Qos, ...]
    num_messages: int

    @property
    def is_latched(self) -> bool:
        """Whether a publisher kept its last messages for subscribers that come later."""
        return any(one.durability is QosDurability.TRANSIENT_LOCAL for one in self.qos)


class Message(NamedTuple):
    """
    A message as it was recorded.

    :param topic: name of its topic
    :param type_name: such as ``sensor_msgs/msg/Image``
    :param receive_ns: when the recorder received it, in nanoseconds since the epoch
    :param publish_ns: when it was published; None if the bag does not tell
    :param data: the message in CDR, the same bytes that a raw take in rclpy returns
    """

    topic: str
    type_name: str
    receive_ns: int
    publish_ns: int | None
    data: bytes


@dataclass(frozen=True, slots=True)
class Remark:
    """
    Something in a bag that is damaged or missing.

    :param path: the file, or the folder of the bag
    :param reason: description of the damage, without a full stop
    :param place_bytes: place in the file; None if it has none
    :param num_lost: about how many messages are lost; None if that is unknown
    :param begin_ns: receive time from which messages are lost; None if that is unknown
    :param end_ns: receive time of the last lost message; None if that is unknown
    """

    path: Path
    reason: str
    place_bytes: int | None = None
    num_lost: int | None = None
    begin_ns: int | None = None
    end_ns: int | None = None

    def __str__(self) -> str:
        place = '' if self.place_bytes is None else f' at byte {self.place_bytes}'
        lost = '' if self.num_lost is None else f'; {self.num_lost} messages are lost'
        span = ''
        if self.begin_ns is not None and self.end_ns is not None:
            span = f', received from {self.begin_ns} to {self.end_ns} ns'
        return f'{self.path}{place}: {self.reason}{lost}{span}'


Tell = Callable[[Remark], None]


class Definition(NamedTuple):
    """
    The definition of a message type as a bag stores it, with all types that it consists of.

    :param encoding: ``ros2msg`` or ``ros2idl``
    :param text: the definition
    """

    encoding: str
    text: str


class UnreadableFileError(Exception):
    """Nothing of a file can be read. The text says why."""


class Storage(Protocol):
    """One open file of a bag. Owned by the thread that reads the bag."""

    definitions: dict[str, Definition]
    begin_ns: int | None
    end_ns: int | None
    ros_distro: str | None

    @property
    def topics(self) -> list[Topic]:
        """The topics with their numbers of messages; may visit the whole file."""

    def messages(self, topics: Collection[str], begin_ns: int, end_ns: int) -> Iterator[Message]:
        """
        Yield messages in the order of their receive times.

        :param topics: names of the topics
        :param begin_ns: first receive time
        :param end_ns: receive time before which the messages end
        """

    def close(self) -> None:
        """Close the file."""


def offered_qos(stored: object) -> tuple[Qos, ...]:
    """
    Return the profiles that publishers offered; empty if they are missing or unreadable.

    :param stored: list of mappings, or its YAML text in bags of Humble and in storage files
    """
    try:
        return tuple(parse_qos(stored))  # type: ignore[arg-type]
    except (ReaderError, AttributeError, KeyError, TypeError, ValueError):
        return ()


def summed_topics(topics: Iterable[Topic]) -> list[Topic]:
    """Return each topic and type once, with the messages and profiles of all its entries."""
    found: dict[tuple[str, str, str], Topic] = {}
    for one in topics:
        key = (one.name, one.type_name, one.serialization)
        before = found.get(key)
        qos = tuple(dict.fromkeys((*(before.qos if before else ()), *one.qos)))
        count = one.num_messages + (before.num_messages if before else 0)
        found[key] = Topic(*key, qos, count)
    return list(found.values())


def in_order(
    parts: Iterable[tuple[int, Callable[[], Iterable[Message]]]],
) -> Iterator[Message]:
    """
    Merge parts of a bag by receive time. Of parts that do not overlap, one is open at a time.

    :param parts: for each, its first receive time and a function that opens it; called when the
        time is reached. Its messages are in the order of their receive times
    """
    heads: list[tuple[int, int, Message, Iterator[Message]]] = []

    def advance(number: int, part: Iterator[Message]) -> None:
        if message := next(part, None):
            heapq.heappush(heads, (message.receive_ns, number, message, part))

    def first() -> Message:
        _, number, message, part = heapq.heappop(heads)
        advance(number, part)
        return message

    for number, (begin_ns, make) in enumerate(sorted(parts, key=lambda one: one[0])):
        while heads and heads[0][0] < begin_ns:
            yield first()
        advance(number, iter(make()))
    while heads:
        yield first()


def stored_definitions(found: Mapping[str, Definition]) -> dict[str, Definition]:
    """Return the definitions that are not empty, and in a language that is read."""
    return {
        name: one for name, one in found.items() if one.text and one.encoding.startswith('ros2')
    }
