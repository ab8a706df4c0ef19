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
One topic with several publishers, over real DDS.

Guards against both mistakes: joints that two broadcasters bring are called a fault, or two
publishers that bring the same joints are recorded in turn without a word.
"""

from __future__ import annotations

from pathlib import Path

from geometry_msgs.msg import Twist
from lerobot_streamrec.inspection.diagnosis import Level
from lerobot_streamrec.live.doctor import diagnose
from lerobot_streamrec.live.init import propose_file
import pytest
from recorder_rig.datasets import assert_whole, columns, record
from recorder_rig.examining import problems_in
from recorder_rig.parameters import FRONT, FRONT_TOPIC, STATE_KEY, STATE_TOPIC
from recorder_rig.pictures import Picture, quadrants
from recorder_rig.surroundings import NeverStop
from sensor_msgs.msg import JointState
import yaml

pytestmark = [pytest.mark.ros]

ARM = ('arm_shoulder', 'arm_elbow')
GRIPPER = ('gripper',)
WHOLE = {
    **FRONT,
    'state.topic': STATE_TOPIC,
    'state.type': 'sensor_msgs/msg/JointState',
    'state.names': [*ARM],
}
LIMIT_S = 90.0


def velocities(message, _stamp_ns):
    message.name, message.velocity = list(ARM), [0.0, 0.0]
    return []


def split_robot(rig):
    """Start a camera, and publishers of joints that share a topic, one of velocities alone."""
    arm = rig.robot(name='arm_broadcaster')
    arm.add_camera(FRONT_TOPIC, Picture(quadrants()))
    arm.add_joints(STATE_TOPIC, ARM, hz=50)
    gripper = rig.robot(name='gripper_broadcaster')
    gripper.add_joints(STATE_TOPIC, GRIPPER, hz=20)
    gripper.add_messages(STATE_TOPIC, JointState, velocities, hz=15)
    for one in (arm, gripper):
        one.start()
    return arm, gripper


def proposed(path: Path, root: Path):
    """Let `init` write a file for what is there, and return it as a mapping."""
    propose_file(path, seconds=2.0, fps=30, force=False, ros_arguments=(), stop=NeverStop())
    text = path.read_text()
    path.write_text(text.replace('~/datasets/my_dataset', str(root)))
    (settings,) = yaml.safe_load(text).values()
    return settings['ros__parameters']


def examined(path: Path):
    """Let the doctor look at a file for a moment."""
    return diagnose(path, seconds=2.0, pictures=None, ros_arguments=(), stop=NeverStop())


def zeros(message, _stamp_ns):
    message.name, message.position = list(ARM), [0.0, 0.0]
    return []


def test_joints_of_two_broadcasters_are_proposed_recorded_and_no_fault(rig, tmp_path):
    split_robot(rig)
    path = tmp_path / 'robot.yaml'
    state = proposed(path, rig.root)['state']
    assert state['parts'] == ['arm', 'gripper']
    assert {name: state[name]['names'] for name in state['parts']} == {
        'arm': [*ARM],
        'gripper': [*GRIPPER],
    }

    report = examined(path)
    assert problems_in(report.remarks) == [], report.as_json()
    parts = [one.seen for one in report.topics if not one.seen.is_camera]
    # The rate of each part is that of its own messages.
    assert [one.num_rejected for one in parts] == [0, 0]
    fast, slow = (one.heard.rate_hz for one in parts)
    assert fast > 1.5 * slow

    recorder = rig.launch({}, '--ros-args', '--params-file', str(path))
    recorder.wait_until_ready()
    operator = rig.operator()
    answer = operator.record(num_rows=20)
    assert 'rejected' not in answer
    assert 'publishers' not in answer
    assert recorder.end() == 0
    assert_whole(rig.root, 1)
    streams = record(rig.root, 0)['streams']
    for key in (f'{STATE_KEY}.arm', f'{STATE_KEY}.gripper'):
        assert streams[key]['rejected'] == streams[key]['contested'] == 0
        assert streams[key]['received'] > 0
    # The gripper's numbers are those of its own first joint, and never the arm's second one.
    rows = columns(rig.root, 0)[STATE_KEY]
    for shoulder, elbow, grip in rows:
        assert shoulder < 1000
        assert elbow >= 10_000
        assert grip < 1000
    assert 'lacks' not in recorder.log


def test_a_message_with_some_of_the_names_is_refused_with_what_to_do(rig):
    split_robot(rig)
    rig.recorder({**WHOLE, 'state.names': [*ARM, *GRIPPER]})
    operator = rig.operator()
    status = operator.wait_for_status(
        lambda one: 'read each as a part' in one.message, 'a hint to parts'
    )
    assert f'{STATE_KEY} ({STATE_TOPIC}) is missing' in status.message
    assert 'read each as a part (docs/selectors.md)' in operator.send('start').fail()


def test_joints_that_nobody_brings_are_missed_by_what_is_there(rig):
    split_robot(rig)
    rig.recorder({**WHOLE, 'state.names': ['wheel']})
    operator = rig.operator()
    words = 'messages arrive that contain none of its elements: name lacks wheel; it has '
    operator.wait_for_status(lambda one: words in one.message, 'other names')
    assert words in operator.send('start').fail()


@pytest.mark.parametrize('is_before', [True, False], ids=['before', 'during'])
def test_two_publishers_of_the_same_joints_are_told(rig, tmp_path, is_before):
    robot = rig.robot(name='driver')
    robot.add_camera(FRONT_TOPIC, Picture(quadrants()))
    robot.add_joints(STATE_TOPIC, ARM, hz=50)
    robot.start()
    path = tmp_path / 'robot.yaml'
    proposed(path, rig.root)
    recorder = rig.launch({}, '--ros-args', '--params-file', str(path))
    recorder.wait_until_ready()
    operator = rig.operator()
    left_over = rig.robot(name='joint_state_publisher')
    left_over.add_messages(STATE_TOPIC, JointState, zeros, hz=10)
    who = '/driver, /joint_state_publisher'
    if is_before:
        left_over.start()
        status = operator.wait_for_status(lambda one: who in one.message, 'two publishers')
        assert status.level == 1
        assert f'several publishers ({who}) that send the same' in operator.send('start').fail()
        assert f'several publishers ({who})' in recorder.log
        report = examined(path)
        assert report.level is Level.PROBLEM
        assert any(f'several publishers ({who})' in one.text for one in report.remarks)
        # And a file that is made now says so.
        proposed(tmp_path / 'other.yaml', rig.root)
        made = (tmp_path / 'other.yaml').read_text()
        assert 'Several publishers send the same data in turn' in made
        # Whoever ends the other one can record.
        left_over.close()
        operator.wait_for_status(lambda one: who not in one.message, 'one publisher', LIMIT_S)
        assert 'publishers' not in operator.record(num_rows=5)
        return
    operator.start()
    left_over.start()
    status = operator.wait_for_status(lambda one: who in one.message, 'two publishers')
    assert status.values['state'] == 'recording'
    answer = operator.save()
    assert 'came while several publishers sent the same data in turn' in answer
    assert record(rig.root, 0)['streams'][STATE_KEY]['contested'] > 0


def test_two_publishers_of_a_type_without_names_are_told(rig):
    topic = '/cmd_vel'

    def fill(message, _stamp_ns):
        message.linear.x = 1.0
        return []

    for name in ('joystick', 'navigation'):
        one = rig.robot(name=name)
        one.add_messages(topic, Twist, fill, hz=20)
        one.start()
    rig.recorder({'action.topic': topic, 'action.type': 'geometry_msgs/msg/Twist'})
    operator = rig.operator()
    operator.wait_for_status(lambda one: '/joystick, /navigation' in one.message, 'both')
    assert 'send the same data in turn' in operator.send('start').fail()


def test_a_publisher_that_is_silent_or_starts_anew_is_no_rival(rig):
    first = rig.robot(name='driver')
    first.add_camera(FRONT_TOPIC, Picture(quadrants()))
    first.add_joints(STATE_TOPIC, ARM)
    first.start()
    silent = rig.robot(name='idle')
    silent.publisher(JointState, STATE_TOPIC)
    rig.recorder(WHOLE)
    operator = rig.operator()
    operator.record(num_rows=10)
    first.close()
    second = rig.robot(name='driver_again')
    second.add_camera(FRONT_TOPIC, Picture(quadrants()))
    second.add_joints(STATE_TOPIC, ARM)
    second.start()
    operator.wait_for_streams()
    answer = operator.record(num_rows=10)
    assert 'publishers' not in answer
    assert record(rig.root, 1)['streams'][STATE_KEY]['contested'] == 0
