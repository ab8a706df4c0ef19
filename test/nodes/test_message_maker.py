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
Messages are made of numbers so that the same numbers are read from them.

Guards replay against elements that change places, lists that are too short, and selectors that may
mean one element or two.
"""

from __future__ import annotations

from lerobot_streamrec.conversions.elements import find_elements
from lerobot_streamrec.conversions.message_maker import MessageMaker
from lerobot_streamrec.conversions.message_types import DEFAULT_TYPES
from lerobot_streamrec.conversions.parts import TimedVector
from lerobot_streamrec.errors import ConfigError, VectorError
from lerobot_streamrec.nodes.graph.topic_types import fields_of, load_message_class
import numpy as np
import pytest

pytestmark = [pytest.mark.ros]

JOINT_STATE = 'sensor_msgs/msg/JointState'
TRAJECTORY = 'trajectory_msgs/msg/JointTrajectory'
ARRAY = 'std_msgs/msg/Float64MultiArray'
JOY = 'sensor_msgs/msg/Joy'
CLOUD = 'sensor_msgs/msg/PointCloud2'


def load(message_type):
    return load_message_class('type', message_type)


def elements_of(message_type, selectors=(), names=()):
    try:
        return find_elements('state', message_type, selectors, names, definitions=fields_of)
    except ConfigError:
        # Types with lists need names, whose number tells their length.
        return find_elements('state', message_type, selectors, 'abcd', definitions=fields_of)


def make(message_type, *vectors):
    """Make a message of the vectors' numbers, and read each of them back."""
    maker = MessageMaker(message_type, [(one.selectors, len(one.names)) for one in vectors], load)
    count = 0
    for repeat in range(2):
        wanted = []
        for one in vectors:
            values = np.arange(1.0, len(one.names) + 1) + count + 10 * repeat
            for place in one.quaternions:
                values[place : place + 4] = 0.0, 0.0, 0.6, 0.8
            wanted.append(values)
            count += len(values)
        columns = maker.stored([np.array([one]) for one in np.concatenate(wanted)])
        message = maker([one[0].item() for one in columns])
        stored = iter(columns)
        for one in vectors:
            read = one.make_reader()(message)
            found = read.values[0] if isinstance(read, TimedVector) else read
            assert found.tolist() == [next(stored)[0] for _ in one.names]
    return message


@pytest.mark.parametrize('message_type', [one for one in DEFAULT_TYPES if one != JOY])
def test_every_type_that_is_read_without_selectors_is_made(message_type):
    one = elements_of(message_type)
    make(message_type, one)


@pytest.mark.parametrize(
    ('message_type', 'selectors', 'names'),
    [
        (JOINT_STATE, ['velocity[a]', 'position["0"]', 'effort[c]'], ()),
        (TRAJECTORY, ['points[time].positions[elbow]', 'points[time].positions[wrist]'], ()),
        (TRAJECTORY, ['points[0].velocities[-2]', 'points[0].effort[w]'], ()),
        (ARRAY, ['data[2:]'], 'xyz'),
        (ARRAY, ['data[1:-1]'], 'xyz'),
        (ARRAY, ['data[-5:3]'], 'xyz'),
        (ARRAY, ['data[7]', 'data[0:2]'], ()),
        (CLOUD, ['fields[name=x].offset', 'fields[datatype=7].count', 'height'], ()),
        (JOY, ['axes[1]', 'buttons[3]'], ()),
        ('geometry_msgs/msg/PoseWithCovariance', ['covariance[3:9]', 'pose'], ()),
    ],
)
def test_what_selectors_read_is_put_where_they_look(message_type, selectors, names):
    make(message_type, elements_of(message_type, selectors, names))


def test_one_message_serves_several_vectors():
    position = elements_of(JOINT_STATE, names=['a', 'b'])
    velocity = elements_of(JOINT_STATE, ['velocity[c]', 'velocity[a]'])
    message = make(JOINT_STATE, position, velocity)
    assert message.name == ['a', 'b', 'c']
    assert len(message.position) == len(message.velocity) == 3
    assert len(message.effort) == 0


@pytest.mark.parametrize(
    ('message_type', 'selectors'),
    [
        (ARRAY, ['data[0]', 'data[-1]']),
        (ARRAY, ['data[0:2]', 'data[-2:]']),
        (JOINT_STATE, ['position[elbow]', 'position[0]']),
    ],
)
def test_what_may_be_one_number_or_two_is_refused(message_type, selectors):
    one = elements_of(message_type, selectors)
    with pytest.raises(VectorError, match='may be the same number'):
        make(message_type, one)


def test_points_of_a_cloud_are_not_made():
    one = elements_of(CLOUD, ['width', 'points[0:2].z'])
    with pytest.raises(VectorError, match=r'points\[0:2\].z selects points of a cloud, which'):
        make(CLOUD, one)


def test_two_lists_of_unknown_length_are_refused():
    one = find_elements('state', JOY, names='abcd', definitions=fields_of)
    with pytest.raises(VectorError, match='4 numbers cannot be distributed over axes, buttons'):
        make(JOY, one)


def test_whole_numbers_are_rounded_and_kept_within_their_type():
    one = elements_of('std_msgs/msg/UInt8')
    maker = MessageMaker('std_msgs/msg/UInt8', [(one.selectors, 1)], load)
    (column,) = maker.stored([np.array([0.6, -3.0, 300.0, np.nan, np.inf])])
    assert column.tolist() == [1, 0, 255, 0, 255]
    assert maker([column[0].item()]).data == 1
    for limit in (2**63 - 1, -(2**63)):
        one = elements_of('std_msgs/msg/Int64')
        maker = MessageMaker('std_msgs/msg/Int64', [(one.selectors, 1)], load)
        for exact in (np.array([limit]), np.array([float(limit)], np.float32)):
            (column,) = maker.stored([exact])
            assert maker([column[0].item()]).data == limit
