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
"""State, action and other features from messages of any type, whose types the graph tells."""

from __future__ import annotations

import math

from builtin_interfaces.msg import Duration
from examples.demo.dataset_files import DatasetFiles, read_instants
from examples.demo.truth import read_truth
from geometry_msgs.msg import PoseStamped, Twist, WrenchStamped
from nav_msgs.msg import Odometry
import numpy as np
import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from recorder_rig.datasets import columns
from recorder_rig.robot import seconds_of
from sensor_msgs.msg import Joy
from std_msgs.msg import Bool, Float64
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

pytestmark = [pytest.mark.ros]

BEST_EFFORT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
WEIGHT = 1.25
HORIZON_S = 0.5


def fill_odometry(message, stamp_ns):
    message.twist.twist.linear.x = seconds_of(stamp_ns)
    message.twist.twist.angular.z = -seconds_of(stamp_ns)
    return message.twist.twist.linear.x, message.twist.twist.angular.z


def fill_pose(message, stamp_ns):
    angle = seconds_of(stamp_ns)
    pose = message.pose
    pose.position.x, pose.position.y, pose.position.z = angle, 2 * angle, 3 * angle
    pose.orientation.z, pose.orientation.w = math.sin(angle / 2), math.cos(angle / 2)
    return angle, 2 * angle, 3 * angle, 0.0, 0.0, pose.orientation.z, pose.orientation.w


def fill_twist(message, stamp_ns):
    message.linear.x = seconds_of(stamp_ns)
    return message.linear.x, 0.0, 0.0, 0.0, 0.0, 0.0


def fill_wrench(message, stamp_ns):
    message.wrench.force.z = seconds_of(stamp_ns)
    return (message.wrench.force.z,)


def fill_joy(message, stamp_ns):
    message.axes = [0.0, seconds_of(stamp_ns) % 1.0, 0.5]
    message.buttons = [0, 1]
    return float(np.float32(message.axes[1])), 1.0


def fill_trajectory(message, stamp_ns):
    """Go on as the clock does, for as long as the trajectory says."""
    message.joint_names = ['wrist', 'elbow']
    for after_s in (0.0, HORIZON_S):
        point = JointTrajectoryPoint(positions=[7.0, seconds_of(stamp_ns) + after_s])
        point.time_from_start = Duration(nanosec=int(after_s * 1e9))
        message.points.append(point)
    return (seconds_of(stamp_ns),)


def fill_done(message, stamp_ns):
    message.data = bool(stamp_ns // 10**8 % 2)
    return (float(message.data),)


PARAMETERS = {
    'state.parts': ['base', 'tcp'],
    'state.base.topic': '/odom',
    'state.base.selectors': ['twist.twist.linear.x', 'twist.twist.angular.z'],
    'state.base.names': ['forward', 'turn'],
    'state.tcp.topic': '/tcp_pose',
    'action.topic': '/cmd_vel',
    'features': [
        'observation.force',
        'observation.joy',
        'observation.goal',
        'next.done',
        'observation.weight',
    ],
    'feature.observation.goal.topic': '/goal',
    'feature.observation.goal.selectors': ['points[time].positions[elbow]'],
    'feature.observation.goal.dtype': 'float64',
    'feature.observation.force.topic': '/wrench',
    'feature.observation.force.selectors': ['wrench.force.z'],
    'feature.observation.joy.topic': '/joy',
    'feature.observation.joy.selectors': ['axes[1]', 'buttons[1]'],
    'feature.next.done.topic': '/done',
    'feature.next.done.dtype': 'bool',
    'feature.observation.weight.topic': '/weight',
    'feature.observation.weight.max_age_s': 0.0,
}


@pytest.fixture(scope='module')
def recording(shared_rig):
    """Record all of it at once; return the dataset's folder, the truth and the log."""
    truth_path = shared_rig.folder / 'truth.jsonl'
    robot = shared_rig.robot(truth_path)
    robot.add_messages('/odom', Odometry, fill_odometry)
    robot.add_messages('/tcp_pose', PoseStamped, fill_pose, qos=BEST_EFFORT)
    robot.add_messages('/cmd_vel', Twist, fill_twist)
    robot.add_messages('/wrench', WrenchStamped, fill_wrench, qos=BEST_EFFORT)
    robot.add_messages('/joy', Joy, fill_joy)
    robot.add_messages('/done', Bool, fill_done)
    robot.add_messages('/goal', JointTrajectory, fill_trajectory, hz=10)
    # Once, before anybody listens: who comes later has to ask for what was latched.
    robot.publisher(Float64, '/weight', LATCHED).publish(Float64(data=WEIGHT))
    robot.start()
    recorder = shared_rig.recorder(PARAMETERS)
    shared_rig.operator().record(num_rows=40)
    assert recorder.end() == 0
    robot.close()
    return shared_rig.root, read_truth(truth_path), recorder.log


def test_the_features_are_named_after_what_they_hold(recording):
    features = DatasetFiles(recording[0]).info['features']
    assert features['observation.state']['names'] == [
        'forward',
        'turn',
        'pose.position.x',
        'pose.position.y',
        'pose.position.z',
        'pose.orientation.x',
        'pose.orientation.y',
        'pose.orientation.z',
        'pose.orientation.w',
    ]
    assert features['action']['names'][::5] == ['linear.x', 'angular.z']
    assert features['observation.joy']['names'] == ['axes[1]', 'buttons[1]']
    assert features['next.done'] == {'dtype': 'bool', 'shape': [1], 'names': ['data']}
    assert features['observation.weight']['dtype'] == 'float32'


@pytest.mark.parametrize(
    ('key', 'topics'),
    [
        ('observation.state', ('/odom', '/tcp_pose')),
        ('observation.force', ('/wrench',)),
        ('observation.joy', ('/joy',)),
    ],
)
def test_every_row_shows_what_the_stamps_say(recording, key, topics):
    root, truth, _ = recording
    values = columns(root, 0)[key]
    for value, instant_ns in zip(values, read_instants(root, 0), strict=True):
        right = np.concatenate([truth[topic].newest_at(instant_ns) for topic in topics])
        np.testing.assert_array_equal(np.float32(value), np.float32(right))


def test_messages_without_a_header_stand_in_the_rows_after_they_came(recording):
    root, truth, _ = recording
    sent = np.float32([values[0] for values in truth['/cmd_vel'].samples])
    shown = [np.float32(value[0]) for value in columns(root, 0)['action']]
    places = [int(np.flatnonzero(sent == value)[0]) for value in shown]
    assert places == sorted(places)
    assert len(set(places)) > 2
    flags = columns(root, 0)['next.done']
    assert set(flags) == {True, False}


def test_a_trajectory_says_what_was_to_be_at_each_row(recording):
    """Between two messages it goes on; only the last one's end holds."""
    root, truth, _ = recording
    values = columns(root, 0)['observation.goal']
    for value, instant_ns in zip(values, read_instants(root, 0), strict=True):
        (begin,) = truth['/goal'].newest_at(instant_ns)
        assert value == pytest.approx(min(seconds_of(instant_ns), begin + HORIZON_S), abs=1e-6)


def test_what_was_latched_is_in_every_row(recording):
    assert set(columns(recording[0], 0)['observation.weight']) == {WEIGHT}


def test_nothing_is_complained_of(recording):
    assert 'cannot be heard' not in recording[2]
