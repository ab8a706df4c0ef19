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
"""Message definitions for tests without ROS; test_message_types.py compares them with ROS."""

from __future__ import annotations

from lerobot_streamrec.conversions import elements

NUMBERS = {
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
DEFINITIONS = {
    'std_msgs/Header': 'builtin_interfaces/Time stamp, string frame_id',
    'std_msgs/Bool': 'boolean data',
    **{f'std_msgs/{name}': f'{number} data' for name, number in NUMBERS.items()},
    **{
        f'std_msgs/{name}MultiArray': f'std_msgs/MultiArrayLayout layout, sequence<{number}> data'
        for name, number in NUMBERS.items()
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
    'sensor_msgs/PointField': 'string name, uint32 offset, uint8 datatype, uint32 count',
    'sensor_msgs/PointCloud2': (
        'std_msgs/Header header, uint32 height, uint32 width, '
        'sequence<sensor_msgs/PointField> fields, boolean is_bigendian, uint32 point_step, '
        'uint32 row_step, sequence<uint8> data, boolean is_dense'
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


def fields_of(key):
    """Return the fields of a type such as ``geometry_msgs/Point`` and their types, in order."""
    pairs = (one.split(' ') for one in DEFINITIONS[key].split(', '))
    return {name: type_name for type_name, name in pairs}


def load_known(message_type):
    """Return the fields of a type, whichever way it is named; None: it is not known here."""
    key = message_type.replace('/msg/', '/', 1)
    return fields_of(key) if key in DEFINITIONS else None


def find_elements(*arguments, definitions=lambda _: None, **options):
    """Find elements with these definitions, and those of ``definitions`` for other types."""

    def load(message_type):
        return load_known(message_type) or definitions(message_type)

    return elements.find_elements(*arguments, definitions=load, **options)
