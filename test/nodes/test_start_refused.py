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
"""When an episode may not start, and what is said then."""

from __future__ import annotations

import pytest
from recorder_rig.operator import LATCHED
from recorder_rig.parameters import FRONT_TOPIC, SMALL, STATE
from recorder_rig.pictures import Picture, quadrants
from recorder_rig.surroundings import wait_until
from sensor_msgs.msg import JointState
from std_msgs.msg import String

pytestmark = [pytest.mark.ros]


def test_start_is_refused_while_topics_are_missing(rig):
    robot = rig.robot()
    robot.add_joints('/joint_states', STATE['state.names'])
    # A driver that is up, but sends nothing.
    robot.publisher(JointState, '/command')
    robot.start()
    action = {'action.topic': '/command', 'action.names': ['a']}
    rig.recorder({**SMALL, **action})
    operator = rig.operator()
    robot.wait_for_recorder()
    operator.wait_for_status(
        lambda one: 'observation.state' not in one.message and 'action' in one.message,
        'joint states arrive, a picture and a command do not',
    )
    refusal = operator.send('start').fail()
    assert 'observation.images.front (/front/image_raw) is missing' in refusal
    assert '/front/image_raw has 0 publishers' in refusal
    assert 'action (/command) is missing' in refusal
    assert '/command has 1 publisher' in refusal
    assert 'observation.state' not in refusal
    assert not (rig.root / 'meta').exists()


def test_ready_is_said_when_a_start_would_succeed_and_not_before(rig):
    robot = rig.robot()
    robot.add_joints('/joint_states', STATE['state.names'])
    robot.start()
    recorder = rig.recorder(SMALL)
    missing = 'observation.images.front (/front/image_raw) is missing'
    wait_until(lambda: missing in recorder.log, 90.0, 'the log says what is missing')
    assert recorder.log.count('not ready to record: ') == 1
    assert 'ready to record to' not in recorder.log
    driver = rig.robot()
    driver.add_camera(FRONT_TOPIC, Picture(quadrants()))
    driver.start()
    wait_until(lambda: 'ready to record to' in recorder.log, 90.0, 'the log says ready')
    assert rig.operator().send('start').succeed().startswith('recording episode 0')
    assert recorder.log.count('ready to record to') == 1


def test_start_is_refused_without_a_task(rig):
    rig.small_robot()
    recorder = rig.recorder({**SMALL, 'task': ''})
    operator = rig.operator()
    operator.wait_for_streams()
    assert 'ready to record to' not in recorder.log
    assert 'there is no task' in operator.send('start').fail()
    assert operator.set_parameter('task', 'Stack the blocks').successful
    assert operator.send('start').succeed() == 'recording episode 0: Stack the blocks'


def test_a_latched_task_is_heard_by_a_recorder_that_comes_later(rig):
    robot, _ = rig.small_robot()
    robot.publisher(String, '/episode/task', LATCHED).publish(String(data='Water the plants'))
    rig.recorder({**SMALL, 'task': ''})
    operator = rig.operator()
    operator.wait_for_status(lambda one: one.values['task'] == 'Water the plants', 'the task')
