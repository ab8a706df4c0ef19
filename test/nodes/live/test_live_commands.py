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
`streamrec init` and `streamrec doctor` over real DDS.

Guards the way of a new user: what runs becomes a file, the file is found to be good and records;
and what is wrong with a robot is named before anybody tries to record it.
"""

from __future__ import annotations

from functools import partial
import json
import signal
import subprocess
import time

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.inspection.arrivals import Stamps
from lerobot_streamrec.inspection.diagnosis import Level, Remark
from lerobot_streamrec.installed import streamrec_command
from lerobot_streamrec.live.init import propose_file as look
import numpy as np
from picture_files import jpeg_file
from PIL import Image
import pytest
from rclpy.qos import QoSProfile, ReliabilityPolicy
from recorder_rig.datasets import assert_whole, pictures
from recorder_rig.examining import examine, problems_in
from recorder_rig.fake_humble import python_module
from recorder_rig.parameters import JOINTS
from recorder_rig.pictures import NumberedFile, Picture, QUADRANTS, quadrants, quarters
from recorder_rig.surroundings import NeverStop, wait_until
from sensor_msgs.msg import JointState

pytestmark = [pytest.mark.ros]

BEST_EFFORT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
HOUR_NS = 3600 * 10**9
TIMEOUT_S = 120.0


def command(folder, *arguments):
    return subprocess.Popen(
        [*python_module('lerobot_streamrec.cli'), *map(str, arguments)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(folder, *arguments):
    """Run a command to its end; status, standard output, standard error."""
    process = command(folder, *arguments)
    output, errors = process.communicate(timeout=TIMEOUT_S)
    assert 'Traceback' not in errors, errors
    return process.returncode, output, errors


def doctor(folder, file, *more):
    """Return a report, and the exit status."""
    status, output, errors = run(folder, 'doctor', file, '--seconds', 1, '--json', *more)
    assert output, errors
    report = json.loads(output)
    return status, report, {one['parameter']: one for one in report['topics']}


def problems_of(report):
    """Return the problems that a report in JSON names."""
    remarks = [one for topic in report['topics'] for one in topic['remarks']] + report['checks']
    levels = {level.word: level for level in Level}
    return problems_in(Remark(levels[one['level']], one['text']) for one in remarks)


def test_from_a_running_robot_to_an_episode(rig, tmp_path, keep_dataset):
    robot = rig.robot()
    # Blue first: colours that are swapped would be seen.
    robot.add_camera('/camera/front/image_raw', Picture(quadrants(), 'bgr8'))
    wrist = NumberedFile(lambda _: jpeg_file(quadrants(96, 64)), 'rgb8; jpeg compressed bgr8')
    robot.add_camera('/wrist_cam/image_raw/compressed', wrist)
    robot.add_joints('/joint_states', JOINTS)
    robot.add_joints('/leader/joint_states', JOINTS)
    robot.start()

    status, output, errors = run(tmp_path, 'init', 'robot.yaml', '--seconds', 2)
    assert status == 0, errors
    for words in ('camera  front: /camera/front/image_raw', 'wrist_cam', '30 rows per second'):
        assert words in output

    file = tmp_path / 'robot.yaml'
    root, task = rig.root, 'Pick up the cube'
    file.write_text(
        file.read_text()
        .replace('~/datasets/my_dataset', str(root))
        .replace('Say here what the robot is to do', task)
    )
    status, report, topics = doctor(tmp_path, file, '--pictures', tmp_path / 'pictures')
    # The exit status tells what the report does.
    assert status == (report['verdict'] == 'problem'), report
    assert problems_of(report) == []
    assert set(topics) == {'camera.front', 'camera.wrist_cam', 'state', 'action'}
    for topic in topics.values():
        assert topic['heard']['stamps'] == 'good'
        assert topic['offered'] == ['/test_robot: RELIABLE, VOLATILE']
        assert topic['asked'] == 'RELIABLE, VOLATILE'
    assert tuple(topics['state']['values']) == JOINTS
    for name, size in (('front', (64, 48)), ('wrist_cam', (96, 64))):
        image = Image.open(tmp_path / 'pictures' / f'{name}.png')
        assert image.size == size
        np.testing.assert_allclose(quarters(np.asarray(image)), QUADRANTS, atol=6)
    # Nothing was made to find out whether it can be.
    assert not root.exists()

    recorder = rig.launch({}, '--ros-args', '--params-file', str(file), root=root)
    recorder.wait_until_ready()
    operator = rig.operator()
    operator.record(num_rows=20)
    # The doctor is no trouble to a recorder that runs, nor the other way round.
    status, report, topics = doctor(tmp_path, file)
    assert problems_of(report) == []
    checks = {check['name']: check for check in report['checks']}
    assert 'one is running' in checks['recorder']['text']
    assert 'being written by process' in checks['dataset']['text']
    operator.record(num_rows=10)
    assert recorder.end() == 0
    assert_whole(root, 2)
    shown = pictures(root, 'observation.images.front')[0]
    np.testing.assert_allclose(quarters(shown), QUADRANTS, atol=8)
    keep_dataset(root)


BROKEN = """
/**:
  ros__parameters:
    root: dataset
    task: Pick up the cube
    encoder: {vcodec: h264}
    cameras: [good, blind, ahead, behind, zero, odd, gone]
    camera:
      good: {topic: /good/image_raw}
      blind: {topic: /blind/compressed}
      ahead: {topic: /ahead/image_raw}
      behind: {topic: /behind/image_raw}
      zero: {topic: /zero/image_raw}
      odd: {topic: /odd/image_raw}
      gone: {topic: /god/image_raw}
    state:
      topic: /joint_states
      names: [a]
      type: sensor_msgs/msg/JointState
      qos: reliable
    action:
      topic: /leader/joint_states
      type: std_msgs/msg/Float64MultiArray
      names: [a]
    features: [observation.force, observation.strange]
    feature:
      observation:
        force: {topic: /nobody}
        strange: {topic: /gripper/joint_states, names: [nobody]}
"""


def fill(message, _stamp_ns):
    message.name, message.position = ['a'], [1.0]
    return [1.0]


def test_whatever_is_wrong_is_named(rig, tmp_path):
    robot = rig.robot()
    robot.add_camera('/good/image_raw', Picture(quadrants()))
    robot.add_camera('/odd/image_raw', Picture(quadrants(), '8SC1'))
    cut_short = NumberedFile(lambda _: jpeg_file(quadrants(96, 64))[:-60], 'jpeg')
    robot.add_camera('/blind/compressed', cut_short)
    robot.add_messages('/joint_states', JointState, fill, qos=BEST_EFFORT)
    robot.add_joints('/leader/joint_states', ['a', 'b'])
    robot.add_joints('/gripper/joint_states', ['a'])
    robot.start()
    for topic, now_ns in (
        ('/ahead/image_raw', lambda: time.time_ns() + HOUR_NS),
        ('/behind/image_raw', lambda: time.time_ns() - HOUR_NS),
        ('/zero/image_raw', lambda: 0),
    ):
        other = rig.robot(now_ns=now_ns)
        other.add_camera(topic, Picture(quadrants()))
        other.start()
    text = BROKEN.replace('root: dataset', f'root: {tmp_path / "dataset"}')
    report = examine(tmp_path, text, seconds=1.5)
    assert report.level is Level.PROBLEM
    topics = {one.seen.parameter: one for one in report.topics}
    assert problems_in(topics['camera.good'].remarks) == []
    expected = {
        'camera.blind': ['sends pictures, but none of them decodes', 'its end is missing'],
        'camera.ahead': [
            '1.0 h ahead of the clock of the computer',
            'camera.ahead.stamp: receive',
        ],
        'camera.behind': [
            '1.0 h behind the clock of the computer',
            'camera.behind.stamp: receive',
        ],
        'camera.zero': ['stamps are zero', 'camera.zero.stamp: receive'],
        'camera.odd': ["'8SC1' is not supported"],
        'camera.gone': ['nobody publishes /god/image_raw', 'did you mean /good/image_raw'],
        'state': ['offers BEST_EFFORT', 'RELIABLE', 'state.qos: auto'],
        'action': ['publishes sensor_msgs/msg/JointState, not std_msgs/msg/Float64MultiArray'],
        'feature.observation.force': ['nobody publishes /nobody'],
        'feature.observation.strange': ['messages cannot be recorded', 'nobody'],
    }
    for parameter, words in expected.items():
        topic = topics[parameter]
        problems = problems_in(topic.remarks)
        assert len(problems) == 1, topic.remarks
        assert all(word in problems[0] for word in words), problems
    assert not (tmp_path / 'dataset').exists()


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('episode: [', ["Couldn't parse params file"]),
        (BROKEN + '    fpz: 30\n', ['fpz is 30', 'did you mean fps?']),
        (BROKEN.replace('root: dataset', "root: ''"), ["root is ''"]),
        (
            BROKEN.replace('topic: /joint_states', 'topic: /leader/joint_states'),
            ['action.topic is', 'state reads it as sensor_msgs/msg/JointState'],
        ),
    ],
    ids=['no-yaml', 'unknown-name', 'no-root', 'two-types'],
)
def test_a_file_that_the_recorder_would_not_take(ros_surroundings, tmp_path, text, words):
    with pytest.raises(ConfigError) as error:
        examine(tmp_path, text, seconds=0.1)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    status, output, errors = run(tmp_path, 'doctor', 'robot.yaml')
    assert (status, output) == (2, '')
    assert f'the file does not exist; `{streamrec_command("init", "robot.yaml")}`' in errors


def test_a_simulation_is_told_by_its_clock(rig, tmp_path):
    """Its stamps begin at 0, and are right as long as all go by /clock."""
    begin_ns = time.time_ns() - 100 * 10**9
    robot = rig.robot(now_ns=lambda: time.time_ns() - begin_ns)
    robot.add_joints('/joint_states', JOINTS)
    robot.add_clock()
    robot.start()
    file = tmp_path / 'robot.yaml'
    look(file, seconds=1, fps=None, force=False, ros_arguments=(), stop=NeverStop())
    assert 'use_sim_time: true' in file.read_text()
    (state,) = examine(tmp_path, file.read_text(), seconds=1).topics
    assert state.seen.heard.stamps is Stamps.GOOD
    wrong = examine(tmp_path, file.read_text().replace('time: true', 'time: false'), seconds=1)
    assert wrong.topics[0].seen.heard.stamps is Stamps.FOREIGN
    assert 'set use_sim_time: true' in wrong.topics[0].remarks[0].text


def test_a_graph_with_nothing_to_record(ros_surroundings, tmp_path):
    status, output, _ = run(tmp_path, 'init', '--seconds', 1)
    assert status == 1
    assert 'found nothing to record in 1 s: my_robot.yaml was not written' in output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('name', ['init', 'doctor', 'layout'])
def test_a_signal_ends_them_at_once(ros_surroundings, ros_context, rig, tmp_path, name):
    (tmp_path / 'robot.yaml').write_text(BROKEN)
    operand = 'new.yaml' if name == 'init' else 'robot.yaml'
    process = command(tmp_path, name, operand, '--seconds', 600)
    watcher = rig.robot().node
    wait_until(
        partial(is_in_graph, watcher, f'streamrec_{name}'), 90.0, f'the node of streamrec {name}'
    )
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=90.0)
    assert (process.returncode, output) == (1, '')
    assert errors == 'streamrec: interrupted\n'
    assert [one.name for one in tmp_path.iterdir()] == ['robot.yaml']


def is_in_graph(node, name):
    return name in node.get_node_names()
