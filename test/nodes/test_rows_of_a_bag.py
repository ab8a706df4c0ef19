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
A bag that is recorded beside the recorder, over real DDS, gives the rows of the live recording.

Both hear the same robot, and the bag hears the recorder's events. Guards against an import that
is equal only to our own idea of a live recording.
"""

from __future__ import annotations

import json

import pytest

pytest.importorskip('rosbags', reason='bags need rosbags')

from bags import write_bag
from examples.demo.drawing import read_frame_number
from lerobot_streamrec.cli.main import main
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from recorder_rig.datasets import assert_whole, columns, pictures, record
from recorder_rig.parameters import COMMON, FRONT, FRONT_KEY, FRONT_TOPIC, JOINTS, STATE
from recorder_rig.pictures import NumberedPicture
from recorder_rig.surroundings import wait_until
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String
import yaml

pytestmark = [pytest.mark.ros]

JOINT_STATE = 'sensor_msgs/msg/JointState'
EVENTS = '/episode/events'
RATES_HZ = {'/joint_states': 50, '/leader': 60, '/force': 100, '/pose': 20}
FORCE, POSE = 'feature.observation.force', 'feature.observation.pose'
# The robot is silent while rows end, so that no message is on its way to one of the two alone.
PATIENT = ('camera.front', 'state', 'action', FORCE, POSE)
PARAMETERS = {
    **COMMON,
    **FRONT,
    **STATE,
    'action.topic': '/leader',
    'action.type': JOINT_STATE,
    'action.names': list(JOINTS),
    'action.policy': 'interpolate',
    'features': ['observation.force', 'observation.pose'],
    f'{FORCE}.topic': '/force',
    f'{FORCE}.type': JOINT_STATE,
    f'{FORCE}.names': list(JOINTS),
    f'{FORCE}.window': 5,
    f'{POSE}.topic': '/pose',
    f'{POSE}.type': JOINT_STATE,
    f'{POSE}.names': list(JOINTS),
    f'{POSE}.policy': 'nearest',
    'subtasks': 'index',
    **{f'{one}.max_age_s': 60.0 for one in PATIENT},
}
COMMANDS = ('start', 'subtask reach', 'pause', 'resume', 'rotate', 'subtask place', 'save')


class Session:
    """An operator who records two episodes while a bag is recorded as well."""

    def __init__(self, rig, parameters):
        self.robot = rig.robot(is_punctual=True)
        self.robot.add_camera(FRONT_TOPIC, NumberedPicture())
        for topic, hz in RATES_HZ.items():
            self.robot.add_joints(topic, JOINTS, hz=hz)
        topics = {FRONT_TOPIC: Image, **dict.fromkeys(RATES_HZ, JointState), EVENTS: String}
        self.bag = rig.bag_recorder(topics)
        self.robot.start()
        self.recorder = rig.recorder(parameters)
        self.operator = rig.operator()
        self.bag.wait_for_publishers()

    def record(self):
        for command in COMMANDS:
            if command not in ('start', 'resume'):
                self.operator.wait_for_rows(self.num_rows() + 8)
            if command in ('pause', 'rotate', 'save'):
                self.robot.hold()
                self.operator.wait_for_silence()
            self.give(command)
            self.robot.go_on()
        wait_until(lambda: len(self.events()) == len(COMMANDS) + 2, 90.0, self.events)
        assert self.recorder.end() == 0
        self.robot.close()

    def num_rows(self):
        status = self.operator.wait_for_status(lambda _: True, 'a status')
        return int(status.values['rows'])

    def give(self, command):
        verb, _, text = command.partition(' ')
        if verb == 'start':
            self.operator.start()
        elif text:
            self.operator.publish_text(verb, text, QoSProfile(depth=1))
            wait_until(lambda: self.events()[-1][1]['verb'] == verb, 90.0, self.events)
        else:
            self.operator.send(verb).succeed()

    def events(self):
        """Return the receive time and the content of each event that the bag has."""
        heard = [one for one in list(self.bag.messages) if one[0] == EVENTS]
        return [
            (received_ns, json.loads(deserialize_message(data, String).data))
            for _, _, received_ns, data in heard
        ]


@pytest.mark.parametrize('changes', [{}, {'sync.clock': 'front', 'preroll_s': 0.5}])
def test_the_bag_of_a_recording_gives_the_same_rows(
    changes, rig, tmp_path, keep_dataset, capsys
):
    parameters = {**PARAMETERS, **changes}
    session = Session(rig, parameters)
    session.record()
    assert_whole(rig.root, num_episodes=2)
    params = tmp_path / 'robot.yaml'
    params.write_text(yaml.safe_dump({'/**/episode': {'ros__parameters': parameters}}))
    messages = sorted(session.bag.messages, key=lambda one: one[2])
    bag, imported = write_bag(tmp_path / 'beside', messages), tmp_path / 'imported'
    given = ['--params', str(params), '--root', str(imported), '--episodes', 'events']
    assert main(['import', str(bag), *given]) == 0
    assert not capsys.readouterr().err
    assert_whole(imported, num_episodes=2)
    for index in range(2):
        live = columns(rig.root, index)
        found = columns(imported, index)
        assert found.keys() == live.keys()
        for key, values in live.items():
            assert found[key] == values, key
        assert len(set(live['subtask_index'])) > 1 or index
        shown = [
            [read_frame_number(one) for one in pictures(root, FRONT_KEY, index)]
            for root in (rig.root, imported)
        ]
        assert shown[0] == shown[1]
        assert len(set(shown[0])) > 10
        both = record(rig.root, index), record(imported, index)
        for key in ('start_stamp_ns', 'cuts', 'subtasks', 'task'):
            assert both[0].get(key) == both[1].get(key), key
    assert record(imported, 0)['cuts']
    keep_dataset(imported)
