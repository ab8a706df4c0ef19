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
What a vector is made of is known before the first message, or the settings are refused.

Guards against features of a dataset that the messages then do not fit.
"""

from __future__ import annotations

from array import array
from types import SimpleNamespace

from lerobot_streamrec.conversions.message_types import has_header, whole_type
from lerobot_streamrec.errors import ConfigError, VectorError
from message_definitions import find_elements, load_known
import pytest

JOINT_STATE = 'sensor_msgs/msg/JointState'
JOINT_TRAJECTORY = 'trajectory_msgs/msg/JointTrajectory'
ARRAY = 'std_msgs/msg/Float32MultiArray'
IMU = 'sensor_msgs/msg/Imu'
JOY = 'sensor_msgs/msg/Joy'

TYPES = {
    'my_msgs/msg/Hand': {
        'header': 'std_msgs/Header',
        'label': 'string<8>',
        'is_open': 'boolean',
        'forces': 'double[3]',
        'fingers': 'sequence<my_msgs/Finger, 5>',
        'history': 'sequence<float, 10>',
        'wrist': 'geometry_msgs/Pose',
    },
    'my_msgs/msg/Finger': {'tip': 'geometry_msgs/Point', 'id': 'uint8'},
}


def definitions(name):
    return TYPES[whole_type(name)]


def find(message_type, *selectors, names=(), **more):
    return find_elements('state', message_type, selectors, names, **more)


@pytest.mark.parametrize(
    ('message_type', 'selectors', 'names', 'quaternions'),
    [
        (JOINT_STATE, ['position[a]', 'effort[b]'], ['a', 'b'], ()),
        (JOINT_STATE, ['position[0:2]'], ['position[0]', 'position[1]'], ()),
        (JOINT_STATE, ['position[-2:]'], ['position[-2]', 'position[-1]'], ()),
        (JOINT_TRAJECTORY, ['points[0].positions[a]'], ['a'], ()),
        (ARRAY, ['data[3]', 'data[:2]'], ['data[3]', 'data[0]', 'data[1]'], ()),
        (
            IMU,
            ['linear_acceleration.x', 'orientation'],
            ['linear_acceleration.x', *(f'orientation.{one}' for one in 'xyzw')],
            (1,),
        ),
        (
            IMU,
            ['orientation_covariance[7:]', 'orientation_covariance[0]'],
            [f'orientation_covariance[{place}]' for place in (7, 8, 0)],
            (),
        ),
        (
            'tf2_msgs/msg/TFMessage',
            ['transforms[child_frame_id=tool0].transform.rotation'],
            [f'transforms[child_frame_id=tool0].transform.rotation.{one}' for one in 'xyzw'],
            (0,),
        ),
        (
            'my_msgs/msg/Hand',
            ['is_open', 'forces', 'fingers[1]', 'wrist.orientation'],
            [
                'is_open',
                *(f'forces[{place}]' for place in range(3)),
                *(f'fingers[1].tip.{one}' for one in 'xyz'),
                'fingers[1].id',
                *(f'wrist.orientation.{one}' for one in 'xyzw'),
            ],
            (8,),
        ),
    ],
)
def test_explicit_selectors_tell_names_and_rotations(message_type, selectors, names, quaternions):
    elements = find(message_type, *selectors, definitions=definitions)
    assert elements.names == tuple(names)
    assert elements.quaternions == quaternions
    assert not elements.is_timed
    reader = elements.make_reader()
    assert reader.names == elements.names


@pytest.mark.parametrize(
    ('field', 'of_points'),
    [('position', 'positions'), ('velocity', 'velocities'), ('effort', 'effort')],
)
def test_joints_are_read_by_their_names_without_selectors(field, of_points):
    values = array('d', [1.0, 2.0, 3.0])
    state = SimpleNamespace(name=['a', 'b', 'left arm/0'], **{field: values})
    names = ['left arm/0', 'a']
    elements = find(JOINT_STATE, names=names, field=field)
    assert elements.names == tuple(names)
    assert elements.make_reader()(state).tolist() == [3.0, 1.0]
    elements = find(JOINT_TRAJECTORY, names=names, field=field)
    point = SimpleNamespace(**{of_points: values})
    later = SimpleNamespace(**{of_points: array('d', [0.0, 0.0, 0.0])})
    message = SimpleNamespace(joint_names=state.name, points=[point, later])
    assert elements.make_reader()(message).tolist() == [3.0, 1.0]


def test_names_tell_the_length_of_one_array():
    elements = find(IMU, 'orientation', names=['x', 'y', 'z', 'w'])
    assert (elements.names, elements.quaternions) == (('x', 'y', 'z', 'w'), (0,))
    of_hand = find(
        'my_msgs/msg/Hand',
        'history',
        'wrist.orientation',
        names=['one', 'two', 'x', 'y', 'z', 'w'],
        definitions=definitions,
    )
    assert of_hand.quaternions == (2,)


def test_names_of_a_joystick_are_those_of_axes_and_then_of_buttons():
    elements = find(JOY, names=['x', 'y', 'fire'])
    message = SimpleNamespace(axes=array('f', [0.5, -1.0]), buttons=array('i', [1]))
    assert elements.make_reader()(message).tolist() == [0.5, -1.0, 1.0]


def test_names_are_enough_for_a_type_that_is_not_known():
    elements = find('my_msgs/msg/Grip', 'width', names=['gripper'])
    assert elements.names == ('gripper',)
    reader = elements.make_reader()
    assert reader(SimpleNamespace(width=0.5)).tolist() == [0.5]
    with pytest.raises(VectorError, match='has 2 numbers, 1 are named: gripper'):
        elements.make_reader()(SimpleNamespace(width=[0.5, 0.6]))


@pytest.mark.parametrize(
    ('setting', 'message_type', 'options', 'words'),
    [
        ('type', 'JointState', {}, 'a type is written as sensor_msgs/msg/JointState'),
        ('type', 'sensor_msgs/JointState', {}, 'a type is written as'),
        ('field', JOINT_STATE, {'names': ['a'], 'field': 'torque'}, 'position, velocity, effort'),
        ('names', JOINT_STATE, {}, f'name the joints of {JOINT_STATE} to record'),
        ('names', JOINT_TRAJECTORY, {}, f'name the joints of {JOINT_TRAJECTORY} to record'),
        ('names', JOINT_STATE, {'names': ['a', 'a']}, 'every name may occur only once'),
        ('names', ARRAY, {}, 'how many numbers data will have: name them in order'),
        ('names', JOY, {}, 'how many numbers axes and buttons will have'),
        ('names', JOY, {'names': ['x']}, 'at least 2 names are needed, for axes, buttons'),
        ('names', IMU, {'names': ['x']}, '10 names are needed, for orientation.x, orientation.y'),
        ('names', ARRAY, {'selectors': ['data[2:]']}, 'how many numbers data[2:] will have'),
        ('names', ARRAY, {'selectors': ['data[1:-1]']}, 'how many numbers data[1:-1] will have'),
        ('names', 'my_msgs/msg/Grip', {'selectors': ['width']}, 'how many numbers width will'),
        ('selectors', 'my_msgs/msg/Hand', {}, 'not among the types that are read without'),
        ('selectors', IMU, {'selectors': ['orientatio']}, 'no field orientatio; it has header'),
        ('selectors', IMU, {'selectors': ['header.frame_id']}, 'is string, not a number'),
        (
            'selectors',
            IMU,
            {'selectors': ['orientation_covariance[9]']},
            'out of range: orientation_covariance has 9 elements',
        ),
        ('selectors', IMU, {'selectors': ['orientation[x]']}, 'orientation is not a list'),
        (
            'selectors',
            ARRAY,
            {'selectors': ['data[elbow]']},
            'there is no list of names (name, names',
        ),
        ('selectors', IMU, {'selectors': ['orientation', 'orientation.x']}, 'more than once'),
        ('selectors', IMU, {'selectors': ['orientation..x']}, 'at character 13'),
        (
            'selectors',
            'my_msgs/msg/Hand',
            {
                'selectors': ['history', 'wrist.orientation', 'history[1:]'],
                'names': list('abcdefgh'),
                'definitions': definitions,
            },
            'beside a quaternion, give history and history[1:] a length',
        ),
    ],
)
def test_settings_that_cannot_be_used_are_refused(setting, message_type, options, words):
    with pytest.raises(ConfigError) as caught:
        find_elements('state', message_type, **options)
    assert caught.value.name == f'state.{setting}'
    assert words in str(caught.value)


def test_headers_are_known_by_type():
    for message_type in (JOINT_STATE, JOINT_TRAJECTORY, IMU, JOY, 'nav_msgs/msg/Odometry'):
        assert has_header(load_known(message_type))
    for message_type in (ARRAY, 'geometry_msgs/msg/Pose', 'std_msgs/msg/Bool'):
        assert not has_header(load_known(message_type))
    assert has_header(definitions('my_msgs/msg/Hand'))
    assert not has_header(definitions('my_msgs/msg/Finger'))
    assert not has_header({'header': 'string'})
