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
State and action are the joints asked for, in that order, or the message is refused.

Guards against drivers that publish joints in another order, more of them, or in a new order
after a restart: numbers under the wrong names are learnt without an error anywhere.
"""

from __future__ import annotations

from array import array
import itertools
from types import SimpleNamespace

from lerobot_streamrec.conversions.message_types import FLOAT64_ARRAY, JOINT_FIELDS, JOINT_STATE
from lerobot_streamrec.errors import VectorError
from message_definitions import find_elements
import numpy as np
import pytest

VALUES = {'base': 1.0, 'elbow': -2.5, 'wrist': 3.25}
NAN, INF = float('nan'), float('inf')


def joint_reader(names, field='position'):
    return find_elements('state', JOINT_STATE, (), names, field).make_reader()


def array_reader(names):
    return find_elements('state', FLOAT64_ARRAY, (), names).make_reader()


def joint_state(names, field='position', values=None):
    """Make a sensor_msgs/JointState with numbers in one field alone."""
    values = [VALUES[name] for name in names] if values is None else values
    fields = {one: array('d') for one in JOINT_FIELDS}
    return SimpleNamespace(name=list(names), **{**fields, field: array('d', values)})


@pytest.mark.parametrize('field', JOINT_FIELDS)
@pytest.mark.parametrize('names', [('wrist', 'base'), ('base', 'elbow', 'wrist'), ('elbow',)])
def test_joints_are_taken_by_name_in_the_order_asked_for(names, field):
    vector = joint_reader(names, field)(joint_state(VALUES, field))
    assert vector.tolist() == [VALUES[name] for name in names]
    assert vector.dtype == np.float64


def test_the_order_of_a_message_may_change_from_one_to_the_next():
    reader = joint_reader(['wrist', 'base'])
    orders = list(itertools.permutations(VALUES))
    for names in [*orders, ('base', 'wrist'), *reversed(orders)]:
        assert reader(joint_state(names)).tolist() == [3.25, 1.0]


def test_a_vector_does_not_change_with_the_message():
    message = joint_state(VALUES)
    joints = joint_reader(list(VALUES))(message)
    numbers = SimpleNamespace(data=array('d', [1.0, 2.0]))
    vector = array_reader(['x', 'y'])(numbers)
    message.position[0] = numbers.data[0] = 99.0
    assert (joints[0], vector[0]) == (1.0, 1.0)


def test_missing_joints_are_named_and_so_are_those_that_are_there():
    reader = joint_reader(['base', 'gripper', 'thumb'])
    with pytest.raises(VectorError, match='lacks gripper, thumb; it has base, elbow, wrist'):
        reader(joint_state(VALUES))
    with pytest.raises(VectorError, match='it has no names'):
        reader(joint_state([]))


def test_a_message_in_between_without_the_joints_does_no_harm():
    reader = joint_reader(['base'])
    assert reader(joint_state(VALUES)).tolist() == [1.0]
    for _ in range(2):
        with pytest.raises(VectorError):
            reader(joint_state(['wrist']))
    assert reader(joint_state(VALUES)).tolist() == [1.0]


@pytest.mark.parametrize('values', [[], [1.0, 2.0], [1.0, 2.0, 3.0, 4.0]])
def test_a_field_with_another_count_than_the_names_is_refused(values):
    with pytest.raises(VectorError, match=f'3 names but velocity has {len(values)} values'):
        joint_reader(['base'], 'velocity')(joint_state(VALUES, 'velocity', values))


def test_large_numbers_are_numbers():
    data = array('d', [3e38, 1e300])
    assert array_reader(['x', 'y'])(SimpleNamespace(data=data)).tolist() == [3e38, 1e300]


def test_an_array_is_taken_as_it_stands():
    vector = array_reader(['x', 'y', 'z'])(SimpleNamespace(data=array('d', [3.0, 1.0, 2.0])))
    assert vector.tolist() == [3.0, 1.0, 2.0]


@pytest.mark.parametrize('values', [[], [1.0], [1.0, 2.0, 3.0]])
def test_an_array_with_another_count_than_the_names_is_refused(values):
    with pytest.raises(VectorError, match=f'{len(values)} numbers, 2 are named: x, y'):
        array_reader(['x', 'y'])(SimpleNamespace(data=array('d', values)))
