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
Readers refuse messages that do not hold what selectors say, and tell what is wrong with them.

Guards against numbers under wrong names: lists that change their length or make, texts taken for
numbers, numbers that cannot be stored.
"""

from __future__ import annotations

from types import SimpleNamespace

from lerobot_streamrec.errors import VectorError
import pytest
from reading import MIXED, NUMBERS, quaternion, read, reader, STATES, TREE

OUT_OF_RANGE = 'data has 7 elements'


@pytest.mark.parametrize(
    ('message', 'text', 'words'),
    [
        (MIXED, 'pos', 'the message has no field pos; it has flag, count, label'),
        (MIXED, 'pose.position.q', 'pose.position has no field q; it has x, y, z'),
        (MIXED, 'flag.x', 'flag is a number and has no field x'),
        (MIXED, 'fixed.x', 'fixed is a list and has no field x'),
        (MIXED, 'label.x', 'label is not a message and has no field x'),
        (MIXED, 'pose[0]', 'pose is not a list, so [0] selects nothing'),
        (MIXED, 'label', 'label is str, not a number; select numbers, bools, arrays'),
        (MIXED, 'words[0]', 'words[0] is str, not a number'),
        (MIXED, 'words', 'words is a list of messages or texts; choose numbers of one element'),
        (MIXED, 'bytes[0]', 'bytes[0] is bytes, not a number'),
        (MIXED, 'some[0]', 'some[1] is NoneType, not a number'),
        (MIXED, 'nothing', 'nothing is NoneType, not a number'),
        (MIXED, 'empty', 'message has 0 numbers'),
        (MIXED, 'empty[0]', 'empty[0] is out of range: empty has 0 elements'),
        (MIXED, 'empty[id=1].x', 'empty is empty'),
        (MIXED, 'empty[id=1]', 'empty is empty'),
        (
            MIXED,
            'fixed[a]',
            'there is no list of names (name, names, joint_names, interface_names)',
        ),
        (NUMBERS, 'data[7]', f'data[7] is out of range: {OUT_OF_RANGE}'),
        (NUMBERS, 'data[-8]', f'data[-8] is out of range: {OUT_OF_RANGE}'),
        (NUMBERS, 'data[0:8]', f'data[0:8] is out of range: {OUT_OF_RANGE}'),
        (NUMBERS, 'data[8:]', f'data[8:] is out of range: {OUT_OF_RANGE}'),
        (NUMBERS, 'data[-8:]', f'data[-8:] is out of range: {OUT_OF_RANGE}'),
        (NUMBERS, 'data[id=1].x', 'data[0] is a number and has no field id'),
        (TREE, 'transforms', 'transforms is a list of messages or texts; choose'),
        (TREE, 'transforms[0:2]', 'transforms is a list of messages, which cannot be sliced'),
        (TREE, 'transforms[2].transform', 'transforms[2] is out of range'),
        (TREE, 'transforms[0].header.frame_id', 'is str, not a number'),
        (
            TREE,
            'transforms[child_frame_id=hand].transform',
            'no element whose child_frame_id is hand; found camera, tool0',
        ),
        (TREE, 'transforms[parent=base].transform', 'has no field parent; it has header, child'),
        (TREE, 'transforms[header.frame_id=base].transform', '2 elements whose header.frame_id'),
        (STATES, 'interface_values[thumb].values[effort]', 'lacks thumb; it has elbow, wrist'),
        (
            STATES,
            'interface_values[elbow].values[mass]',
            'interface_values[elbow].interface_names lacks mass; it has position, effort',
        ),
        (
            SimpleNamespace(name=['a', 'b', 'a'], position=[1.0, 2.0, 3.0]),
            'position[a]',
            'name has a more than once',
        ),
        (
            SimpleNamespace(name=['a', 'b'], position=[1.0]),
            'position[a]',
            'name has 2 names but position has 1 values',
        ),
        (
            SimpleNamespace(name=['a', 'b'], parts=[quaternion()]),
            'parts[b].x',
            'name has 2 names but parts has 1 values',
        ),
    ],
)
def test_what_is_wrong_is_said_at_the_first_message_and_at_every_later_one(message, text, words):
    read = reader(text)
    for _ in range(2):
        with pytest.raises(VectorError) as caught:
            read(message)
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ('good', 'bad', 'text', 'words'),
    [
        (NUMBERS, SimpleNamespace(data=[1.0]), 'data[6]', 'data[6] is out of range: data has 1'),
        (NUMBERS, SimpleNamespace(date=[1.0]), 'data[6]', 'no field data; it has date'),
        (NUMBERS, SimpleNamespace(data=['a'] * 7), 'data[6]', 'data[0] is str, not a number'),
        (NUMBERS, SimpleNamespace(data=None), 'data[6]', 'data is not a list'),
        (NUMBERS, SimpleNamespace(data=[1.0, 2.0]), 'data', 'data has 2 numbers, 7 are needed'),
        (MIXED, SimpleNamespace(flag='true'), 'flag', 'flag is str, not a number'),
        (MIXED, SimpleNamespace(flag='1.5'), 'flag', 'flag is str, not a number'),
        (NUMBERS, SimpleNamespace(data=['1.5'] * 7), 'data', 'data[0] is str, not a number'),
        (MIXED, SimpleNamespace(pose=SimpleNamespace()), 'pose.position', 'pose is'),
        (TREE, SimpleNamespace(transforms=[]), 'transforms[0].transform', 'out of range'),
        (
            TREE,
            SimpleNamespace(transforms=[]),
            'transforms[child_frame_id=tool0].transform',
            'no element whose child_frame_id is tool0; found none',
        ),
    ],
)
def test_a_later_message_that_differs_is_refused_and_does_no_harm(good, bad, text, words):
    read = reader(text)
    expected = read(good).tolist()
    for _ in range(2):
        with pytest.raises(VectorError) as caught:
            read(bad)
        assert words in str(caught.value)
    assert read(good).tolist() == expected


def test_two_arrays_keep_the_lengths_of_the_first_message():
    def joy(num_axes, num_buttons):
        return SimpleNamespace(axes=[0.5] * num_axes, buttons=[1] * num_buttons)

    read = reader('axes', 'buttons', names=['x', 'y', 'a', 'b', 'c'])
    with pytest.raises(VectorError, match='has 4 numbers, 5 are named: x, y, a, b, c; selected'):
        read(joy(2, 2))
    assert read(joy(2, 3)).tolist() == [0.5, 0.5, 1, 1, 1]
    # As many numbers, and each would stand under another one's name.
    with pytest.raises(VectorError, match='axes has 3 numbers, 2 are needed'):
        read(joy(3, 2))
    with pytest.raises(VectorError, match='selected are axes: 1, buttons: 4'):
        read(SimpleNamespace(axes=0.5, buttons=[1] * 4))


def test_lengths_are_those_of_the_first_message_that_fits():
    def message(num_left, num_right, name):
        return SimpleNamespace(
            left=[1.0] * num_left, right=[2.0] * num_right, name=[name], position=[3.0]
        )

    read = reader('left', 'right', 'position[elbow]', names=['a', 'b', 'c', 'elbow'])
    with pytest.raises(VectorError, match='lacks elbow'):
        read(message(2, 1, 'wrist'))
    assert read(message(1, 2, 'elbow')).tolist() == [1, 2, 2, 3]


def test_a_number_that_is_selected_twice_needs_names():
    with pytest.raises(VectorError, match=r'data\[1\] is selected more than once'):
        read(NUMBERS, 'data[0:3]', 'data[1]')
    assert reader('data[1]', 'data[1]', names=['a', 'b'])(NUMBERS).tolist() == [1, 1]
