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
"""The built-in message types, with their fields and their default selectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lerobot_streamrec.conversions.selector import ByName, Field, Index, Selector, Steps, text_of

JOINT_STATE = 'sensor_msgs/msg/JointState'
JOINT_TRAJECTORY = 'trajectory_msgs/msg/JointTrajectory'
FLOAT64_ARRAY = 'std_msgs/msg/Float64MultiArray'

JOINT_FIELDS = ('position', 'velocity', 'effort')
_POINT_FIELDS = {'position': 'positions', 'velocity': 'velocities', 'effort': 'effort'}

_NUMBERS = {
    'Float32': 'float',
    'Float64': 'double',
    'Int8': 'int8',
    'Int16': 'int16',
    'Int32': 'int32',
    'Int64': 'int64',
    'UInt8': 'uint8',
    'UInt16': 'uint16',
    'UInt32': 'uint32',
    'UInt64': 'uint64',
}

# The fields of each type in order, each after its type as the generated class names it.
_DEFINITIONS = {
    'std_msgs/Header': 'builtin_interfaces/Time stamp, string frame_id',
    'std_msgs/Bool': 'boolean data',
    **{f'std_msgs/{name}': f'{number} data' for name, number in _NUMBERS.items()},
    **{
        f'std_msgs/{name}MultiArray': f'std_msgs/MultiArrayLayout layout, sequence<{number}> data'
        for name, number in _NUMBERS.items()
    },
    'builtin_interfaces/Time': 'int32 sec, uint32 nanosec',
    'builtin_interfaces/Duration': 'int32 sec, uint32 nanosec',
    'geometry_msgs/Vector3': 'double x, double y, double z',
    'geometry_msgs/Point': 'double x, double y, double z',
    'geometry_msgs/Quaternion': 'double x, double y, double z, double w',
    'geometry_msgs/Pose': 'geometry_msgs/Point position, geometry_msgs/Quaternion orientation',
    'geometry_msgs/Transform': (
        'geometry_msgs/Vector3 translation, geometry_msgs/Quaternion rotation'
    ),
    'geometry_msgs/Twist': 'geometry_msgs/Vector3 linear, geometry_msgs/Vector3 angular',
    'geometry_msgs/Accel': 'geometry_msgs/Vector3 linear, geometry_msgs/Vector3 angular',
    'geometry_msgs/Wrench': 'geometry_msgs/Vector3 force, geometry_msgs/Vector3 torque',
    'geometry_msgs/PoseWithCovariance': 'geometry_msgs/Pose pose, double[36] covariance',
    'geometry_msgs/TwistWithCovariance': 'geometry_msgs/Twist twist, double[36] covariance',
    'geometry_msgs/Vector3Stamped': 'std_msgs/Header header, geometry_msgs/Vector3 vector',
    'geometry_msgs/PointStamped': 'std_msgs/Header header, geometry_msgs/Point point',
    'geometry_msgs/QuaternionStamped': (
        'std_msgs/Header header, geometry_msgs/Quaternion quaternion'
    ),
    'geometry_msgs/PoseStamped': 'std_msgs/Header header, geometry_msgs/Pose pose',
    'geometry_msgs/PoseWithCovarianceStamped': (
        'std_msgs/Header header, geometry_msgs/PoseWithCovariance pose'
    ),
    'geometry_msgs/TransformStamped': (
        'std_msgs/Header header, string child_frame_id, geometry_msgs/Transform transform'
    ),
    'geometry_msgs/TwistStamped': 'std_msgs/Header header, geometry_msgs/Twist twist',
    'geometry_msgs/AccelStamped': 'std_msgs/Header header, geometry_msgs/Accel accel',
    'geometry_msgs/WrenchStamped': 'std_msgs/Header header, geometry_msgs/Wrench wrench',
    'sensor_msgs/JointState': (
        'std_msgs/Header header, sequence<string> name, sequence<double> position, '
        'sequence<double> velocity, sequence<double> effort'
    ),
    'sensor_msgs/Imu': (
        'std_msgs/Header header, '
        'geometry_msgs/Quaternion orientation, double[9] orientation_covariance, '
        'geometry_msgs/Vector3 angular_velocity, double[9] angular_velocity_covariance, '
        'geometry_msgs/Vector3 linear_acceleration, double[9] linear_acceleration_covariance'
    ),
    'sensor_msgs/Joy': 'std_msgs/Header header, sequence<float> axes, sequence<int32> buttons',
    'sensor_msgs/Range': (
        'std_msgs/Header header, uint8 radiation_type, float field_of_view, float min_range, '
        'float max_range, float range, float variance'
    ),
    'sensor_msgs/Temperature': 'std_msgs/Header header, double temperature, double variance',
    'sensor_msgs/FluidPressure': 'std_msgs/Header header, double fluid_pressure, double variance',
    'sensor_msgs/MagneticField': (
        'std_msgs/Header header, geometry_msgs/Vector3 magnetic_field, '
        'double[9] magnetic_field_covariance'
    ),
    'nav_msgs/Odometry': (
        'std_msgs/Header header, string child_frame_id, '
        'geometry_msgs/PoseWithCovariance pose, geometry_msgs/TwistWithCovariance twist'
    ),
    'trajectory_msgs/JointTrajectoryPoint': (
        'sequence<double> positions, sequence<double> velocities, sequence<double> accelerations, '
        'sequence<double> effort, builtin_interfaces/Duration time_from_start'
    ),
    'trajectory_msgs/JointTrajectory': (
        'std_msgs/Header header, sequence<string> joint_names, '
        'sequence<trajectory_msgs/JointTrajectoryPoint> points'
    ),
    'tf2_msgs/TFMessage': 'sequence<geometry_msgs/TransformStamped> transforms',
}

# Paths that are read of a type without selectors. For arrays, names must tell the length.
_DEFAULTS = {
    'std_msgs/Bool': ('data',),
    **{f'std_msgs/{name}': ('data',) for name in _NUMBERS},
    **{f'std_msgs/{name}MultiArray': ('data',) for name in _NUMBERS},
    'geometry_msgs/Vector3': ('x', 'y', 'z'),
    'geometry_msgs/Point': ('x', 'y', 'z'),
    'geometry_msgs/Quaternion': ('x', 'y', 'z', 'w'),
    'geometry_msgs/Pose': ('position', 'orientation'),
    'geometry_msgs/Transform': ('translation', 'rotation'),
    'geometry_msgs/Twist': ('linear', 'angular'),
    'geometry_msgs/Accel': ('linear', 'angular'),
    'geometry_msgs/Wrench': ('force', 'torque'),
    'geometry_msgs/PoseWithCovariance': ('pose',),
    'geometry_msgs/TwistWithCovariance': ('twist',),
    'geometry_msgs/Vector3Stamped': ('vector',),
    'geometry_msgs/PointStamped': ('point',),
    'geometry_msgs/QuaternionStamped': ('quaternion',),
    'geometry_msgs/PoseStamped': ('pose',),
    'geometry_msgs/PoseWithCovarianceStamped': ('pose.pose',),
    'geometry_msgs/TransformStamped': ('transform',),
    'geometry_msgs/TwistStamped': ('twist',),
    'geometry_msgs/AccelStamped': ('accel',),
    'geometry_msgs/WrenchStamped': ('wrench',),
    'sensor_msgs/Imu': ('orientation', 'angular_velocity', 'linear_acceleration'),
    'sensor_msgs/Joy': ('axes', 'buttons'),
    'sensor_msgs/Range': ('range',),
    'sensor_msgs/Temperature': ('temperature',),
    'sensor_msgs/FluidPressure': ('fluid_pressure',),
    'sensor_msgs/MagneticField': ('magnetic_field',),
    'nav_msgs/Odometry': ('pose.pose', 'twist.twist'),
}

LoadClass = Callable[[str], Any]
"""A function that returns the class of a type such as ``geometry_msgs/msg/Point``."""


def _long(key: str) -> str:
    return key.replace('/', '/msg/', 1)


DEFAULT_TYPES = (JOINT_STATE, JOINT_TRAJECTORY, *map(_long, _DEFAULTS))
"""Message types that are read without selectors."""


def default_selectors(
    message_type: str, names: Sequence[str], field: str
) -> tuple[Selector, ...] | None:
    """
    Return the selectors of a type for which the user gives none; None if it has no defaults.

    :param message_type: type of the messages, such as ``sensor_msgs/msg/JointState``
    :param names: names of the joints, for types that have joints
    :param field: one of ``JOINT_FIELDS``, for types that have joints
    """
    if message_type == JOINT_STATE:
        return tuple(_selector((Field(field), ByName(name))) for name in names)
    if message_type == JOINT_TRAJECTORY:
        values = (Field('points'), Index(0), Field(_POINT_FIELDS[field]))
        return tuple(_selector((*values, ByName(name))) for name in names)
    paths = _DEFAULTS.get(_short(message_type))
    if paths is None:
        return None
    return tuple(_selector(tuple(map(Field, path.split('.')))) for path in paths)


def definition(message_type: str, load_class: LoadClass | None = None) -> Mapping[str, str] | None:
    """
    Return the fields of a message type and their types, in order; None if it is unknown.

    :param message_type: name such as ``geometry_msgs/msg/Point`` or ``geometry_msgs/Point``
    :param load_class: function that loads types that are not built in; None for no such function
    """
    key = _short(message_type)
    if key in _DEFINITIONS:
        pairs = (one.split(' ') for one in _DEFINITIONS[key].split(', '))
        return {name: type_name for type_name, name in pairs}
    if load_class is None:
        return None
    fields: Mapping[str, str] = load_class(_long(key)).get_fields_and_field_types()
    return fields


def has_header(message_type: str, message: Any = None) -> bool:
    """
    Return whether messages of a type have a header, and so a stamp of their own.

    :param message: a message of the type or its class, for types that are not built in
    """
    known = definition(message_type)
    if known is None and hasattr(message, 'get_fields_and_field_types'):
        known = message.get_fields_and_field_types()
    if known is not None:
        return known.get('header') == 'std_msgs/Header'
    return hasattr(getattr(message, 'header', None), 'stamp')


def _short(message_type: str) -> str:
    return message_type.replace('/msg/', '/', 1)


def _selector(steps: Steps) -> Selector:
    return Selector(text_of(steps), steps)
