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
The end of an episode over real DDS: the gripper opens in the last half second before the save.

Guards promise 1 with a command that is published only when it changes. However it is published,
the last rows show it, and no row is later than the newest stamp.
"""

from __future__ import annotations

from builtin_interfaces.msg import Time
from examples.demo.dataset_files import read_instants
import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile
from recorder_rig.datasets import assert_whole, columns
from recorder_rig.parameters import SMALL
from recorder_rig.surroundings import wait_until
from sensor_msgs.msg import JointState

pytestmark = [pytest.mark.ros]

TOPIC = '/gripper_command'
SECOND_NS = 10**9
FPS = 30
PERIOD_NS = SECOND_NS // FPS
ACTION = {'action.topic': TOPIC, 'action.names': ['gripper'], 'fps': FPS}
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
OPEN_S = 0.4


class ToldOnChange:
    """A gripper whose command is published when it changes, latched."""

    max_age_s = 0.0

    def __init__(self, robot):
        self._robot = robot
        self._publisher = robot.publisher(JointState, TOPIC, LATCHED)
        self._tell(0.0)

    def open(self):
        return self._tell(1.0)

    def _tell(self, value):
        stamp_ns = self._robot.now_ns()
        message = JointState(name=['gripper'], position=[value])
        message.header.stamp = Time(sec=stamp_ns // SECOND_NS, nanosec=stamp_ns % SECOND_NS)
        self._publisher.publish(message)
        return stamp_ns


class ToldAllTheTime:
    """A gripper whose command is published at 50 Hz."""

    max_age_s = 1.0

    def __init__(self, robot):
        self._robot = robot
        self._value = 0.0
        self._opened_ns = []
        robot.add_messages(TOPIC, JointState, self._fill, hz=50)

    def _fill(self, message, stamp_ns):
        message.name, message.position = ['gripper'], [self._value]
        if self._value:
            self._opened_ns.append(stamp_ns)
        return message.position

    def open(self):
        self._value = 1.0
        wait_until(lambda: self._opened_ns, 90.0, 'the first command to open')
        return self._opened_ns[0]


def let_pass(robot, since_ns, operator):
    """
    Let the robot publish for a while, and the recorder hear it; return the last stamp.

    The recorder closes rows when messages come: then all is as it would be at once.
    """
    until_ns = since_ns + round(OPEN_S * SECOND_NS)
    wait_until(lambda: robot.now_ns() >= until_ns, 90.0, f'{OPEN_S} s of messages')
    robot.stop()
    operator.wait_for_silence()
    return robot.now_ns()


@pytest.mark.parametrize('end', ['save', 'signal'])
@pytest.mark.parametrize('kind', [ToldOnChange, ToldAllTheTime])
def test_the_gripper_opens_in_the_last_rows(kind, end, rig):
    robot, _ = rig.small_robot(is_started=False, is_punctual=True)
    gripper = kind(robot)
    robot.start()
    recorder = rig.recorder({**SMALL, **ACTION, 'action.max_age_s': kind.max_age_s})
    operator = rig.operator()
    operator.start()
    operator.wait_for_rows(10)
    opened_ns = gripper.open()
    last_ns = let_pass(robot, opened_ns, operator)
    if end == 'save':
        operator.save()
    assert recorder.end() == 0
    assert_whole(rig.root, num_episodes=1)
    values = columns(rig.root, 0)['action']
    instants = read_instants(rig.root, 0)
    assert values == [float(at >= opened_ns) for at in instants]
    # At most two rows may wait for pictures that are still on their way.
    assert last_ns - 3 * PERIOD_NS < instants[-1] <= last_ns


def test_a_camera_that_died_does_not_cut_the_end(rig):
    robot, camera = rig.small_robot(is_punctual=True)
    recorder = rig.recorder({**SMALL, 'fps': FPS})
    operator = rig.operator()
    operator.start()
    operator.wait_for_rows(10)
    camera.is_stalled = True
    last_ns = let_pass(robot, robot.now_ns(), operator)
    answer = operator.save()
    assert recorder.end() == 0
    assert_whole(rig.root, num_episodes=1)
    assert last_ns - 3 * PERIOD_NS < read_instants(rig.root, 0)[-1] <= last_ns
    assert ' repeated frames' in answer
