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
A policy and a human on one robot, over real topics: who drives, whose action, which subtask.

Guards against conditions that are read differently from those of triggers, and against a policy
that is not told to let go.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile
from recorder_rig.parameters import STATE
from recorder_rig.surroundings import wait_until
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Float64

pytestmark = [pytest.mark.ros]

NAMES = ('elbow', 'gripper')
JOINT_STATE = 'sensor_msgs/msg/JointState'
HIL = {
    **STATE,
    'hil.enabled': True,
    'action.topic': '/policy',
    'action.type': JOINT_STATE,
    'action.names': list(NAMES),
    'action.when_intervening.topic': '/leader',
    'action.when_intervening.type': JOINT_STATE,
    'action.when_intervening.names': list(NAMES),
}
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def add_drivers(robot):
    """Add a policy whose numbers are positive, and a leader whose numbers are negative."""
    for topic, sign in (('/policy', 1.0), ('/leader', -1.0)):

        def fill(message, stamp_ns, sign=sign):
            values = [sign * (1 + stamp_ns % 1000), sign]
            # The order of the names in a message does not matter.
            message.name, message.position = list(NAMES[::-1]), values[::-1]
            return values

        robot.add_messages(topic, JointState, fill)


def rows(root):
    (path,) = root.glob('data/*/*.parquet')
    table = pq.read_table(path)
    flags = np.array(table.column('intervention').to_pylist())
    actions = np.array(table.column('action').to_pylist())
    # Every row shows the action of whoever drives in it.
    assert (actions[:, 1] == np.where(flags, -1.0, 1.0)).all()
    assert (np.sign(actions[:, 0]) == actions[:, 1]).all()
    return flags


@pytest.mark.parametrize(
    ('kind', 'text', 'on', 'off'),
    [(Bool, '/takeover', True, False), (Float64, '/takeover data <= -0.5', -0.5, 0.0)],
)
def test_a_topic_says_who_drives(rig, kind, text, on, off, keep_dataset):
    robot = rig.robot()
    robot.add_joints('/joint_states', ('shoulder', 'elbow', 'gripper'))
    add_drivers(robot)
    value = [off]

    def fill(message, _):
        message.data = value[0]
        return [float(message.data)]

    robot.add_messages('/takeover', kind, fill)
    robot.start()
    rig.recorder({**HIL, 'hil.intervention': text})
    operator = rig.operator()
    operator.wait_for_streams()
    operator.start()
    operator.wait_for_rows(5)
    value[0] = on
    operator.wait_for_status(lambda one: one.values['takeover'] == 'human', 'a human drives')
    seen = int(operator.status.values['rows'])
    operator.wait_for_rows(seen + 5)
    value[0] = off
    operator.wait_for_status(lambda one: one.values['takeover'] == 'policy', 'the policy drives')
    operator.wait_for_rows(int(operator.status.values['rows']) + 3)
    operator.save()
    flags = rows(rig.root)
    assert np.count_nonzero(np.diff(flags.astype(int))) == 2
    assert flags.sum() >= 5
    keep_dataset(rig.root)


def test_commands_say_who_drives_and_which_subtask_it_is(rig, keep_dataset):
    robot = rig.robot()
    robot.add_joints('/joint_states', ('shoulder', 'elbow', 'gripper'))
    add_drivers(robot)
    robot.start()
    rig.recorder({**HIL, 'hil.pause_at_takeover': True, 'subtasks': 'index'})
    operator = rig.operator()
    told = []
    operator.node.create_subscription(
        Bool, '/episode/intervention', lambda message: told.append(message.data), LATCHED
    )
    operator.wait_for_streams()
    operator.start()
    operator.wait_for_rows(3)
    operator.publish_text('subtask', 'reach the cube', QoSProfile(depth=1))
    operator.wait_for_status(lambda one: one.values['subtask'] == 'reach the cube', 'the subtask')
    operator.publish_text('command', 'intervene', QoSProfile(depth=1))
    operator.wait_for_status(lambda one: one.values['takeover'] == 'taking over', 'the pause')
    # The policy lets go before the human has the leader in hand.
    wait_until(lambda: told == [False, True], 60.0, lambda: told)
    operator.publish_text('command', 'intervene on', QoSProfile(depth=1))
    operator.wait_for_status(lambda one: one.values['takeover'] == 'human', 'a human drives')
    operator.wait_for_rows(int(operator.status.values['rows']) + 5)
    operator.publish_text('command', 'intervene off', QoSProfile(depth=1))
    wait_until(lambda: told == [False, True, False], 60.0, lambda: told)
    operator.publish_text('command', 'save success', QoSProfile(depth=1))
    operator.wait_for_status(lambda one: one.values['saved_episodes'] == '1', 'the save')
    flags = rows(rig.root)
    assert np.count_nonzero(np.diff(flags.astype(int))) in (1, 2)
    assert not flags[0]
    (path,) = rig.root.glob('data/*/*.parquet')
    table = pq.read_table(path).to_pandas()
    assert table['next.success'].tolist() == [False] * (len(table) - 1) + [True]
    texts = pd.read_parquet(rig.root / 'meta/subtasks.parquet').index
    assert list(dict.fromkeys(texts[table['subtask_index']])) == ['', 'reach the cube']
    features = json.loads((rig.root / 'meta/info.json').read_text())['features']
    assert features['intervention'] == {'dtype': 'bool', 'shape': [1], 'names': None}
    keep_dataset(rig.root)


@pytest.mark.parametrize(
    ('parameters', 'told'),
    [
        ({'hil.intervention': '/joy buttons[5] >'}, 'a topic is needed, optionally with'),
        ({'hil.intervention': '/2joy'}, 'must not start with a number'),
        ({'hil.intervention': '/takeover', 'hil.enabled': False}, 'it needs hil.enabled: true'),
        ({'action.when_intervening.names': ['elbow']}, 'as many elements as action has'),
        ({'action.topic': ''}, 'set action.topic as well'),
        (
            {
                'hil.intervention': '/imu orientation > 0.5',
                'hil.intervention.type': 'sensor_msgs/msg/Imu',
            },
            'select one of the 4 numbers',
        ),
        ({'subtasks': 'yes'}, 'allowed are none, language, index, both'),
    ],
)
def test_wrong_settings_are_refused_at_the_start(rig, parameters, told):
    recorder = rig.launch({**HIL, **parameters})
    assert recorder.wait() == 2, recorder.log
    (line,) = [one for one in recorder.log.splitlines() if one.strip()]
    assert told in line
