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
"""Groups of joints on one topic: several publishers may share it, each with joints of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
import re
from typing import Any

from lerobot_streamrec.conversions.message_types import JOINT_FIELDS
from lerobot_streamrec.live.arrivals import Arrivals
from lerobot_streamrec.live.topic_observation import SeenPart
from lerobot_streamrec.nodes.graph.publisher_watch import PublisherWatch

_NO_LETTER = re.compile(r'[^A-Za-z0-9_]+')
_MIN_NAME = 2


@dataclass(slots=True)
class _Group:
    """
    Messages with the same kind of numbers of the same joints.

    :param names: names of the joints, in the order of the first message
    :param numbers: kinds of numbers that they have, such as positions
    :param first: place of their first message among all messages of the topic
    :param last: place of their last message
    """

    names: tuple[str, ...]
    numbers: str
    first: int
    last: int
    arrivals: Arrivals = field(default_factory=Arrivals)
    watch: PublisherWatch = field(default_factory=PublisherWatch)
    is_contested: bool = False


class JointGroups:
    """Takes note of the messages of a topic with joints. Owned by one thread."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, frozenset[str]], _Group] = {}
        self._num_messages = 0

    def push(
        self,
        names: Sequence[str],
        numbers: str,
        received_ns: int,
        stamp_ns: int | None,
        info: Mapping[str, Any],
    ) -> None:
        """
        Take note of a message.

        :param names: names of its joints, each one once
        :param numbers: kinds of numbers that it has, such as positions
        :param received_ns: time of its arrival
        :param stamp_ns: stamp of its header, 0 if that is not set; None: it has no header
        :param info: the middleware's facts about it
        """
        self._num_messages += 1
        new = _Group(tuple(names), numbers, self._num_messages, self._num_messages)
        group = self._groups.setdefault((numbers, frozenset(names)), new)
        group.last = self._num_messages
        group.arrivals.push(received_ns, stamp_ns)
        group.is_contested |= group.watch.push(info, received_ns / 1e9)

    @property
    def parts(self) -> tuple[SeenPart, ...]:
        """
        Return the joints of each publisher, the most first.

        Joints that came before those of a whole robot were up are no group of their own; nor are
        some of the joints that another publisher brings.
        """
        groups = [one for one in self._groups.values() if not self._is_replaced(one)]
        groups.sort(
            key=lambda one: (-len(one.names), JOINT_FIELDS.index(one.numbers), one.names)
        )
        found: list[SeenPart] = []
        for group in groups:
            others = {name for part in found for name in part.names}
            if others & set(group.names):
                continue
            is_contested = group.is_contested or any(
                other is not group
                and other.numbers == group.numbers
                and set(other.names) & set(group.names)
                for other in groups
            )
            found.append(SeenPart(group.names, group.arrivals.heard, group.numbers, is_contested))
        return tuple(found)

    def _is_replaced(self, group: _Group) -> bool:
        return any(
            group.last < other.first and set(group.names) & set(other.names)
            for other in self._groups.values()
        )


def part_names(parts: Sequence[SeenPart]) -> tuple[str, ...]:
    """Name parts after the common beginning of their joints' names, each one differently."""
    found: list[str] = []
    for number, part in enumerate(parts, 1):
        name = _common_name(part.names)
        is_clear = len(name) >= _MIN_NAME and name not in found
        found.append(name if is_clear else f'part{number}')
    return tuple(found)


def _common_name(names: Sequence[str]) -> str:
    """Return the words with which all names begin; of one name, the name."""
    words = [_NO_LETTER.sub('_', name).strip('_').split('_') for name in names]
    # In sorted order, a beginning common to the first and the last is common to all.
    first, last = min(words), max(words)
    pairs = zip(first, last, strict=False)
    return '_'.join(one for one, other in takewhile(lambda pair: pair[0] == pair[1], pairs))
