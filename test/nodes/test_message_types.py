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
The message types that are known without their classes, held against the classes.

Guards against fields that are taken in another order than they are named, and against types that
change.
"""

from __future__ import annotations

from functools import reduce
import importlib
import importlib.util
from itertools import count

from lerobot_streamrec.conversions.elements import find_elements
from lerobot_streamrec.conversions.message_types import DEFAULT_TYPES, has_header, whole_type
from lerobot_streamrec.errors import VectorError
from message_definitions import DEFINITIONS, fields_of
import numpy as np
import pytest

pytestmark = [pytest.mark.ros]

XYZ = ('x', 'y', 'z')
XYZW = (*XYZ, 'w')


def under(path, *names):
    return tuple(f'{path}.{name}' for name in names)


def pairs(one, other, above=''):
    return under(f'{above}{one}', *XYZ) + under(f'{above}{other}', *XYZ)


def pose(above=''):
    return under(f'{above}position', *XYZ) + under(f'{above}orientation', *XYZW)


# Per type that is read without selectors or names: the names of its numbers.
FIXED = {
    **{
        f'std_msgs/msg/{name}': ('data',)
        for name in (
            *('Bool', 'Float32', 'Float64', 'Int8', 'Int16', 'Int32', 'Int64'),
            *('UInt8', 'UInt16', 'UInt32', 'UInt64'),
        )
    },
    'geometry_msgs/msg/Vector3': XYZ,
    'geometry_msgs/msg/Point': XYZ,
    'geometry_msgs/msg/Quaternion': XYZW,
    'geometry_msgs/msg/Pose': pose(),
    'geometry_msgs/msg/Transform': under('translation', *XYZ) + under('rotation', *XYZW),
    'geometry_msgs/msg/Twist': pairs('linear', 'angular'),
    'geometry_msgs/msg/Accel': pairs('linear', 'angular'),
    'geometry_msgs/msg/Wrench': pairs('force', 'torque'),
    'geometry_msgs/msg/PoseWithCovariance': pose('pose.'),
    'geometry_msgs/msg/TwistWithCovariance': pairs('linear', 'angular', 'twist.'),
    'geometry_msgs/msg/Vector3Stamped': under('vector', *XYZ),
    'geometry_msgs/msg/PointStamped': under('point', *XYZ),
    'geometry_msgs/msg/QuaternionStamped': under('quaternion', *XYZW),
    'geometry_msgs/msg/PoseStamped': pose('pose.'),
    'geometry_msgs/msg/PoseWithCovarianceStamped': pose('pose.pose.'),
    'geometry_msgs/msg/TransformStamped': (
        under('transform.translation', *XYZ) + under('transform.rotation', *XYZW)
    ),
    'geometry_msgs/msg/TwistStamped': pairs('linear', 'angular', 'twist.'),
    'geometry_msgs/msg/AccelStamped': pairs('linear', 'angular', 'accel.'),
    'geometry_msgs/msg/WrenchStamped': pairs('force', 'torque', 'wrench.'),
    'sensor_msgs/msg/Imu': (
        under('orientation', *XYZW) + pairs('angular_velocity', 'linear_acceleration')
    ),
    'sensor_msgs/msg/Range': ('range',),
    'sensor_msgs/msg/Temperature': ('temperature',),
    'sensor_msgs/msg/FluidPressure': ('fluid_pressure',),
    'sensor_msgs/msg/MagneticField': under('magnetic_field', *XYZ),
    'nav_msgs/msg/Odometry': pose('pose.pose.') + pairs('linear', 'angular', 'twist.twist.'),
}
ARRAYS = tuple(one for one in DEFAULT_TYPES if one.endswith('MultiArray'))


def load_class(message_type):
    """Return a message class; skip the test if its package is not installed."""
    package, _, name = message_type.split('/')
    if importlib.util.find_spec(package) is None:
        pytest.skip(f'{package} is not installed')
    return getattr(importlib.import_module(f'{package}.msg'), name)


def definitions(message_type):
    return load_class(whole_type(message_type)).get_fields_and_field_types()


def fill(message, numbers):
    """Give every number in a message another value, and every quaternion the norm 1."""
    if type(message).__name__ == 'Quaternion':
        message.x, message.y, message.z, message.w = 0.1, 0.5, 0.7, 0.5
        return message
    for name in message.get_fields_and_field_types():
        value = getattr(message, name)
        if isinstance(value, bool):
            setattr(message, name, True)
        elif isinstance(value, int | float):
            setattr(message, name, type(value)(next(numbers)))
        elif isinstance(value, np.ndarray):
            value[:] = [next(numbers) for _ in value]
        elif hasattr(value, 'get_fields_and_field_types'):
            fill(value, numbers)
    return message


@pytest.mark.parametrize('key', DEFINITIONS)
def test_the_fields_of_a_known_type_are_those_of_its_class(key):
    fields = definitions(key)
    assert list(fields_of(key).items()) == list(fields.items())
    assert has_header(fields) == ('header' in fields)


@pytest.mark.parametrize(('message_type', 'names'), FIXED.items(), ids=FIXED)
def test_numbers_of_a_fixed_type_stand_under_their_names(message_type, names):
    elements = find_elements('state', message_type, definitions=definitions)
    assert elements.names == names
    assert elements.quaternions == tuple(
        place - 3 for place, name in enumerate(names) if name.split('.')[-1] == 'w'
    )
    message = fill(load_class(message_type)(), count(1))
    reader = elements.make_reader()
    expected = [reduce(getattr, name.split('.'), message) for name in names]
    assert reader(message).tolist() == expected
    assert reader.quaternions == elements.quaternions


def test_every_type_that_is_read_without_selectors_is_looked_at_here():
    others = {
        'sensor_msgs/msg/JointState',
        'sensor_msgs/msg/Joy',
        'trajectory_msgs/msg/JointTrajectory',
    }
    assert set(DEFAULT_TYPES) == {*FIXED, *ARRAYS, *others}


@pytest.mark.parametrize('message_type', ARRAYS)
def test_arrays_are_taken_as_they_stand(message_type):
    reader = find_elements(
        'state', message_type, names=['a', 'b', 'c'], definitions=definitions
    ).make_reader()
    message_class = load_class(message_type)
    assert reader(message_class(data=[3, 1, 2])).tolist() == [3, 1, 2]
    with pytest.raises(VectorError, match='data has 2 numbers, 3 are needed'):
        reader(message_class(data=[3, 1]))


@pytest.mark.parametrize(
    ('message_type', 'message', 'selectors', 'expected'),
    [
        (
            'sensor_msgs/msg/JointState',
            {'name': ['a', 'b/c'], 'position': [1.0, 2.0], 'effort': [3.0, 4.0]},
            ['position[b/c]', 'effort[b/c]', 'effort[0]'],
            {'position[b/c]': 2.0, 'effort[b/c]': 4.0, 'effort[0]': 3.0},
        ),
        (
            'sensor_msgs/msg/Joy',
            {'axes': [0.5, -0.5], 'buttons': [0, 1, 1]},
            ['axes[1]', 'buttons[-2:]'],
            {'axes[1]': -0.5, 'buttons[-2]': 1, 'buttons[-1]': 1},
        ),
        (
            'sensor_msgs/msg/BatteryState',
            {'voltage': 12.5, 'present': True, 'cell_voltage': [4.0, 4.5]},
            ['voltage', 'present', 'cell_voltage[0]'],
            {'voltage': 12.5, 'present': 1.0, 'cell_voltage[0]': 4.0},
        ),
        (
            'sensor_msgs/msg/CameraInfo',
            {'k': [float(number) for number in range(9)], 'd': [0.5]},
            ['k[7:]', 'd[0]', 'roi.do_rectify'],
            {'k[7]': 7.0, 'k[8]': 8.0, 'd[0]': 0.5, 'roi.do_rectify': 0.0},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else '',
)
def test_selectors_take_numbers_of_any_type(message_type, message, selectors, expected):
    elements = find_elements('state', message_type, selectors, definitions=definitions)
    assert elements.names == tuple(expected)
    vector = elements.make_reader()(load_class(message_type)(**message))
    assert vector.tolist() == list(expected.values())


def test_a_list_of_messages_by_name_and_by_value():
    wrench = load_class('geometry_msgs/msg/Wrench')
    message_type = 'sensor_msgs/msg/MultiDOFJointState'
    message = load_class(message_type)(joint_names=['base', 'tool'], wrench=[wrench(), wrench()])
    message.wrench[1].force.x, message.wrench[1].torque.z = 2.0, 3.0
    elements = find_elements('state', message_type, ['wrench[tool]'], definitions=definitions)
    assert elements.names == tuple(f'wrench[tool].{name}' for name in pairs('force', 'torque'))
    assert elements.make_reader()(message).tolist() == [2, 0, 0, 0, 0, 3]


def test_a_trajectory_by_number_and_by_time():
    message_type = 'trajectory_msgs/msg/JointTrajectory'
    message_class = load_class(message_type)
    point_class = load_class('trajectory_msgs/msg/JointTrajectoryPoint')
    duration_class = load_class('builtin_interfaces/msg/Duration')
    message = message_class(
        joint_names=['a', 'b'],
        points=[
            point_class(positions=[1.0, 5.0], time_from_start=duration_class(sec=1)),
            point_class(positions=[2.0, 7.0], time_from_start=duration_class(nanosec=10**9 - 1)),
        ],
    )
    first = find_elements(
        'action', message_type, names=['b', 'a'], definitions=definitions
    ).make_reader()
    assert first(message).tolist() == [5.0, 1.0]
    by_time = find_elements(
        'action', message_type, ['points[time].positions[b]'], definitions=definitions
    ).make_reader()
    with pytest.raises(VectorError, match='not later than the 1 s'):
        by_time(message)
    message.points[1].time_from_start.sec = 1
    message.points[1].time_from_start.nanosec = 10**9 // 2
    assert by_time(message).at(1_250_000_000).tolist() == [6.0]
