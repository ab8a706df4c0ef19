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
"""The proposal of state and action, with the joints that each publisher of a topic sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
import re
from typing import Any

from lerobot_streamrec.conversions.message_types import (
    FLOAT64_ARRAY,
    JOINT_FIELDS,
    JOINT_STATE,
    JOINT_TRAJECTORY,
)
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.inspection.arrivals import Arrivals
from lerobot_streamrec.inspection.observation import (
    CONTESTED,
    SeenPart,
    SeenTopic,
    VECTOR_TYPES,
)
from lerobot_streamrec.settings.camera_names import camera_names
from lerobot_streamrec.sync.publisher_watch import PublisherWatch

_NO_LETTER = re.compile(r'[^A-Za-z0-9_]+')
_MIN_NAME = 2


def _joints_of_state(message: Any) -> tuple[tuple[str, ...], str] | None:
    """Return a message's joints and the field with their numbers; None if either is missing."""
    names = tuple(message.name)
    fields = [one for one in JOINT_FIELDS if len(getattr(message, one)) == len(names)]
    if not names or not fields or len(set(names)) < len(names):
        return None
    return names, fields[0]


def _joints_of_trajectory(message: Any) -> tuple[tuple[str, ...], str] | None:
    names = tuple(message.joint_names)
    return (names, JOINT_FIELDS[0]) if names and message.points else None


JOINTS_OF: dict[str, Callable[[Any], tuple[tuple[str, ...], str] | None]] = {
    JOINT_STATE: _joints_of_state,
    JOINT_TRAJECTORY: _joints_of_trajectory,
}
"""Functions that return the joints of a message and the field with their numbers, by type."""


@dataclass(slots=True)
class _Group:
    """
    The messages of a topic that have the same joints and the same kind of numbers.

    :param names: names of the joints, in the order of the first message
    :param numbers: field of the message with their numbers, such as ``position``
    :param first: number of the group's first message among all messages of the topic
    :param last: number of the group's last message
    """

    names: tuple[str, ...]
    numbers: str
    first: int
    last: int
    arrivals: Arrivals = field(default_factory=Arrivals)
    watch: PublisherWatch = field(default_factory=PublisherWatch)
    is_contested: bool = False


class JointGroups:
    """Groups the messages of a topic by their joints. Owned by one thread."""

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
        Record one message.

        :param names: names of its joints, without duplicates
        :param numbers: field of the message with their numbers, such as ``position``
        :param received_ns: arrival time, in nanoseconds
        :param stamp_ns: header stamp, in nanoseconds; 0 if it is not set; None without a header
        :param info: the middleware's facts about the message
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
        The joints of each publisher, the largest group first.

        A group is left out if it ended before another one with some of its joints began, as while
        a robot starts up, or if it shares joints with a larger group.
        """
        groups = [one for one in self._groups.values() if not self._is_replaced(one)]
        groups.sort(key=lambda one: (-len(one.names), JOINT_FIELDS.index(one.numbers), one.names))
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
    """Name parts after the common beginning of their joints' names, each name unique."""
    found: list[str] = []
    for number, part in enumerate(parts, 1):
        name = _common_name(part.names)
        is_clear = len(name) >= _MIN_NAME and name not in found
        found.append(name if is_clear else f'part{number}')
    return tuple(found)


def _short_names(topics: Sequence[str]) -> list[str]:
    """Name topics by the parts in which they differ: left and right for two arms."""
    paths = [topic.split('/') for topic in topics]
    while min(map(len, paths)) > 2 and len({path[-1] for path in paths}) == 1:
        paths = [path[:-1] for path in paths]
    return list(camera_names(['/'.join(path) for path in paths], {}).values())


def _common_name(names: Sequence[str]) -> str:
    """Return the words with which all names begin; for a single name, the name itself."""
    words = [_NO_LETTER.sub('_', name).strip('_').split('_') for name in names]
    # In sorted order, a beginning common to the first and the last is common to all.
    first, last = min(words), max(words)
    pairs = zip(first, last, strict=False)
    return '_'.join(one for one, other in takewhile(lambda pair: pair[0] == pair[1], pairs))


_COMMAND = re.compile(r'command|cmd|target|goal|leader|action|teleop|desired|reference|setpoint')
_LEADER = re.compile(r'leader')
_FOLLOWER = re.compile(r'follower')
# The types that describe a command best come first.
_ACTION_TYPES = (JOINT_STATE, JOINT_TRAJECTORY, FLOAT64_ARRAY)


@dataclass(frozen=True, slots=True)
class VectorProposal:
    """
    A proposal of the state or the action.

    :param seen: the topic
    :param names: names of its numbers, those of several parts in the order of the parts; empty to
        use the names that the type gives
    :param others: topics that could be chosen instead, the best first
    :param remarks: remarks for the user
    :param beside: further topics whose numbers follow, such as those of a second arm
    """

    seen: SeenTopic
    names: tuple[str, ...] = ()
    others: tuple[SeenTopic, ...] = ()
    remarks: tuple[str, ...] = ()
    beside: tuple[VectorProposal, ...] = ()

    @property
    def parts(self) -> dict[str, tuple[SeenTopic, SeenPart]]:
        """The topic and the joints of each part by name, if there are several; otherwise empty."""
        found = [(one.seen, part) for one in (self, *self.beside) for part in one._own_parts]
        if len(found) < 2:
            return {}
        if not self.beside:
            return dict(zip(part_names(self.seen.parts), found, strict=True))
        topics = _short_names([one.seen.name for one in (self, *self.beside)])
        names: list[str] = []
        for topic, one in zip(topics, (self, *self.beside), strict=True):
            joints = part_names(one.seen.parts)
            names += [f'{topic}_{part}' for part in joints] if len(joints) > 1 else [topic]
        return dict(zip(names, found, strict=True))

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of all numbers, as the recorder will call them."""
        if not self.parts:
            return self.names
        names = [(part, name) for part, (_, one) in self.parts.items() for name in one.names]
        is_clear = len({name for _, name in names}) == len(names)
        return tuple(name if is_clear else f'{part}.{name}' for part, name in names)

    @property
    def _own_parts(self) -> tuple[SeenPart, ...]:
        return self.seen.parts or (SeenPart(self.names, self.seen.heard),)


def propose_vectors(
    topics: Sequence[SeenTopic],
) -> tuple[VectorProposal | None, VectorProposal | None]:
    """
    Choose state and action.

    :param topics: all topics of the graph, including those without a publisher
    :return: state and action, each None if no topic fits
    """
    known = [one for one in topics if one.message_type in VECTOR_TYPES]
    states = sorted(
        (one for one in known if one.message_type == JOINT_STATE and not _is_command(one)),
        key=_state_rank,
    )
    state = _state(states)
    joints = state.names if state else ()
    actions = sorted(
        (one for one in known if one.message_type == JOINT_TRAJECTORY or _is_command(one)),
        key=lambda one: _action_rank(one, joints),
    )
    return state, _action(actions, joints)


def chosen_vector(
    topics: Sequence[SeenTopic], state: VectorProposal | None = None
) -> VectorProposal:
    """
    Return the vector that a person has chosen.

    :param topics: one topic, or several that form the vector together
    :param state: the state, whose joints give their names to an action that has none
    :raise ConfigError: if the numbers of a topic have no names
    """
    bodies = [one.names for one in (state, *state.beside)] if state else []
    if len(topics) == 1:
        bodies = [state.columns if state else ()]
    found = []
    for at, topic in enumerate(topics):
        one = _action([topic], bodies[at] if len(bodies) == len(topics) else ())
        if one is None:
            raise ConfigError('vectors', topic.name, 'its messages name no numbers so far')
        found.append(one)
    return replace(found[0], beside=tuple(found[1:]))


def _is_command(one: SeenTopic) -> bool:
    return bool(_COMMAND.search(one.name.lower()))


def _state_rank(one: SeenTopic) -> tuple[bool, bool, int, str]:
    return (
        not one.qos,
        not _FOLLOWER.search(one.name.lower()),
        # /joint_states goes before the topics of single parts, which lie deeper.
        one.name.count('/'),
        one.name,
    )


def _action_rank(one: SeenTopic, joints: Sequence[str]) -> tuple[bool, bool, bool, bool, int, str]:
    kind = one.message_type
    return (
        not one.qos,
        not one.heard.num_messages,
        not _LEADER.search(one.name.lower()),
        not (joints and set(one.names) == set(joints)),
        _ACTION_TYPES.index(kind) if kind in _ACTION_TYPES else len(_ACTION_TYPES),
        one.name,
    )


def _state(states: Sequence[SeenTopic]) -> VectorProposal | None:
    usable = [one for one in states if one.qos and one.names]
    if not usable:
        return None
    best = usable[0]
    return VectorProposal(best, best.names, _others(states, best), _joint_remarks(best))


def _action(actions: Sequence[SeenTopic], joints: Sequence[str]) -> VectorProposal | None:
    for best in actions:
        # An unpublished topic cannot be judged.
        if not best.qos:
            continue
        names, remarks = _action_names(best, joints)
        if names or best.message_type not in (JOINT_STATE, JOINT_TRAJECTORY, FLOAT64_ARRAY):
            return VectorProposal(best, names, _others(actions, best), remarks)
    return None


def _action_names(
    one: SeenTopic, joints: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the numbers, and remarks on them."""
    if one.message_type in (JOINT_STATE, JOINT_TRAJECTORY):
        if one.names:
            return one.names, _joint_remarks(one)
        remark = 'No message came, so its joints are unknown: these are the joints of the state.'
        return tuple(joints), (remark,) if joints else ()
    if one.message_type != FLOAT64_ARRAY:
        return (), ()
    if not one.heard.num_messages:
        remark = (
            'No message came: check that it has one number for each joint of the state, in this '
            'order.'
        )
        return tuple(joints), (remark,) if joints else ()
    if one.size == len(joints):
        return tuple(joints), (
            'An array has no names: these are the names of the state, which has as many numbers. '
            'Check that the order is the same.',
        )
    return tuple(f'joint_{number}' for number in range(one.size)), (
        'An array has no names: replace these by the names of its numbers.',
    )


def _joint_remarks(one: SeenTopic) -> tuple[str, ...]:
    remarks = []
    if len(one.parts) > 1:
        remarks.append('Several publishers share this topic, each with its own joints.')
    fields = sorted({part.field for part in one.parts} - {'position'})
    if fields:
        remarks.append(f'Its messages have no positions: {" and ".join(fields)} is recorded.')
    if one.is_contested:
        remarks.append(CONTESTED)
    return tuple(remarks)


def _others(candidates: Sequence[SeenTopic], chosen: SeenTopic) -> tuple[SeenTopic, ...]:
    return tuple(one for one in candidates if one is not chosen)
