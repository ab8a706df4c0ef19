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
"""Message types that are read without selectors, and what names and fields tell of any type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lerobot_streamrec.conversions.selector import ByName, Field, Index, Selector, Steps, text_of

JOINT_STATE = 'sensor_msgs/msg/JointState'
JOINT_TRAJECTORY = 'trajectory_msgs/msg/JointTrajectory'
FLOAT64_ARRAY = 'std_msgs/msg/Float64MultiArray'
HEADER_TYPE = 'std_msgs/Header'
"""The type of a header, as fields name it."""

JOINT_FIELDS = ('position', 'velocity', 'effort')
_POINT_FIELDS = {'position': 'positions', 'velocity': 'velocities', 'effort': 'effort'}

_NUMBERS = (
    'Float32',
    'Float64',
    *(f'{sign}Int{bits}' for sign in ('', 'U') for bits in (8, 16, 32, 64)),
)


def whole_type(message_type: str) -> str:
    """Return a type's name with its ``msg``, which fields leave out: ``geometry_msgs/Point``."""
    return message_type if '/msg/' in message_type else message_type.replace('/', '/msg/', 1)


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

DEFAULT_TYPES = (JOINT_STATE, JOINT_TRAJECTORY, *map(whole_type, _DEFAULTS))
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


def has_header(fields: Mapping[str, str]) -> bool:
    """
    Return whether messages of a type have a header, and so a stamp of their own.

    :param fields: fields of the type and their types
    """
    return fields.get('header') == HEADER_TYPE


def _short(message_type: str) -> str:
    return message_type.replace('/msg/', '/', 1)


def _selector(steps: Steps) -> Selector:
    return Selector(text_of(steps), steps)
