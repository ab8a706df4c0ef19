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
"""Which topics of numbers are state and action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import re

from lerobot_streamrec.conversions.message_types import (
    FLOAT64_ARRAY,
    JOINT_STATE,
    JOINT_TRAJECTORY,
)
from lerobot_streamrec.live.topic_observation import (
    CONTESTED,
    SeenPart,
    SeenTopic,
    VECTOR_TYPES,
)

_COMMAND = re.compile(r'command|cmd|target|goal|leader|action|teleop|desired|reference|setpoint')
_LEADER = re.compile(r'leader')
_FOLLOWER = re.compile(r'follower')
# What tells most of what the robot is to do comes first.
_ACTION_TYPES = (JOINT_STATE, JOINT_TRAJECTORY, FLOAT64_ARRAY)


@dataclass(frozen=True, slots=True)
class VectorProposal:
    """
    State or action.

    :param seen: the topic
    :param names: names of its numbers, those of several parts in the order of the parts; none: the
        names that the type has
    :param others: topics that could be it instead, the best first
    :param remarks: what the user should know of it
    """

    seen: SeenTopic
    names: tuple[str, ...] = ()
    others: tuple[SeenTopic, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[SeenPart, ...]:
        """Joints of each publisher, if several share the topic; none otherwise."""
        return self.seen.parts if len(self.seen.parts) > 1 else ()


def propose_vectors(
    topics: Sequence[SeenTopic],
) -> tuple[VectorProposal | None, VectorProposal | None]:
    """
    Choose state and action.

    :param topics: all that were seen; without what they offer, nobody publishes them
    :return: state, action; None: nothing fits
    """
    known = [one for one in topics if one.message_type in VECTOR_TYPES]
    states = sorted(
        (one for one in known if one.message_type == JOINT_STATE and not _is_command(one)),
        key=_state_rank,
    )
    state = _state(states)
    joints = state.names if state else ()
    actions = sorted(
        (one for one in known if _may_be_action(one)), key=lambda one: _action_rank(one, joints)
    )
    return state, _action(actions, joints)


def _is_command(one: SeenTopic) -> bool:
    return bool(_COMMAND.search(one.name.lower()))


def _may_be_action(one: SeenTopic) -> bool:
    return one.message_type == JOINT_TRAJECTORY or _is_command(one)


def _state_rank(one: SeenTopic) -> tuple[bool, bool, int, str]:
    return (
        not one.qos,
        not _FOLLOWER.search(one.name.lower()),
        # /joint_states is above the topics of single parts.
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
        # Of what nobody publishes, nothing can be said.
        if not best.qos:
            continue
        names, remarks = _action_names(best, joints)
        if names or best.message_type not in (JOINT_STATE, JOINT_TRAJECTORY, FLOAT64_ARRAY):
            return VectorProposal(best, names, _others(actions, best), remarks)
    return None


def _action_names(
    one: SeenTopic, joints: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the numbers, and what to know of them."""
    if one.message_type in (JOINT_STATE, JOINT_TRAJECTORY):
        if one.names:
            return one.names, _joint_remarks(one)
        return tuple(joints), (
            ("No message came, so that its joints are not known: these are the state's.",)
            if joints
            else ()
        )
    if one.message_type != FLOAT64_ARRAY:
        return (), ()
    if not one.heard.num_messages:
        return tuple(joints), (
            ("No message came: whether it has a number for each of the state's joints, and in "
             'this order, is not known.',)
            if joints
            else ()
        )
    if one.size == len(joints):
        return tuple(joints), (
            "An array has no names: these are the state's, of which there are as many. See "
            'whether the order is the same.',
        )
    return tuple(f'joint_{number}' for number in range(one.size)), (
        'An array has no names: say what its numbers are.',
    )


def _joint_remarks(one: SeenTopic) -> tuple[str, ...]:
    remarks = []
    if len(one.parts) > 1:
        remarks.append('Several publishers share this topic, each with joints of its own.')
    fields = sorted({part.field for part in one.parts} - {'position'})
    if fields:
        remarks.append(f'Its messages have no positions: {" and ".join(fields)} is taken.')
    if one.is_contested:
        remarks.append(CONTESTED)
    return tuple(remarks)


def _others(candidates: Sequence[SeenTopic], chosen: SeenTopic) -> tuple[SeenTopic, ...]:
    return tuple(one for one in candidates if one is not chosen)

