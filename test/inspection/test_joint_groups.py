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
"""Which joints belong together when several publishers share a topic."""

from __future__ import annotations

from lerobot_streamrec.inspection.observation import SeenPart
from lerobot_streamrec.inspection.vector_proposal import JointGroups, part_names
import pytest

PERIOD_NS = 10**8


def parts_of(*messages):
    groups = JointGroups()
    for place, (names, number, *field) in enumerate(messages):
        at_ns = place * PERIOD_NS
        info = {'publication_sequence_number': number}
        groups.push(names.split(), *(field or ['position']), at_ns, at_ns, info)
    return groups.parts


def in_turn(*names, times=4):
    return [(one, number) for number in range(1, times + 1) for one in names]


def test_joints_of_each_publisher_are_a_part_the_most_first():
    parts = parts_of(*in_turn('grip', 'a b c', 'wheel_r wheel_l'))
    assert [one.names for one in parts] == [('a', 'b', 'c'), ('wheel_r', 'wheel_l'), ('grip',)]
    assert not any(one.is_contested for one in parts)
    # Each has the rate of its own messages.
    assert all(one.heard.num_messages == 4 for one in parts)
    assert all(one.heard.rate_hz == pytest.approx(10 / 3) for one in parts)


def test_joints_that_came_up_one_after_the_other_are_one_part():
    (part,) = parts_of(('a', 1), ('a', 2), ('a b', 3), ('b a', 4), ('a b c', 5), ('a b c', 6))
    assert part.names == ('a', 'b', 'c')


def test_an_order_that_changes_makes_no_part():
    (part,) = parts_of(('b a', 1), ('a b', 2), ('b a', 3))
    assert part.names == ('b', 'a')


@pytest.mark.parametrize(
    'messages',
    [
        # The same joints, by two that number differently.
        [('a b', 1), ('a b', 70), ('a b', 2), ('a b', 71), ('a b', 3), ('a b', 72)],
        # Some of the same joints.
        in_turn('a b', 'b'),
    ],
)
def test_the_same_joints_of_two_publishers_are_told(messages):
    (part,) = parts_of(*messages)
    assert part.names == ('a', 'b')
    assert part.is_contested


def test_velocities_beside_positions_of_the_same_joints_are_no_fault():
    both = [('a b', 1, 'velocity'), ('a b', 70, 'position'), ('b', 7, 'effort')]
    (part,) = parts_of(*both, *[(names, number + 1, *field) for names, number, *field in both] * 3)
    assert (part.names, part.field) == (('a', 'b'), 'position')
    assert not part.is_contested


@pytest.mark.parametrize(
    ('joints', 'names'),
    [
        (['left_arm_1 left_arm_2', 'left_hand'], ('left_arm', 'left_hand')),
        (['joint1 joint2', 'gripper'], ('part1', 'gripper')),
        (['panda/j_1 panda/j_2', 'panda_j'], ('panda_j', 'part2')),
        (['a_1 a_2', '夹爪'], ('part1', 'part2')),
    ],
)
def test_parts_are_named_by_their_joints(joints, names):
    assert part_names([SeenPart(tuple(one.split())) for one in joints]) == names
