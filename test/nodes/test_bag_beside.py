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
A bag beside a recorder: topics, the column `bag`, and a recording that nothing of it disturbs.

The recorder, the robot and record_bag are real, over real DDS. `ros2 bag` is not on the package
index, so a FAKE takes its place (test/helpers/fake_ros2_bag.py), which records nothing: these
tests show how the bag is started, named and ended, not that it has the messages.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
import shutil
import signal
import sys

import fake_ros2_bag
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.nodes.clients import record_bag
from picture_files import jpeg_file
import pytest
from recorder_rig.parameters import JOINTS, SMALL
from recorder_rig.pictures import NumberedFile
from recorder_rig.process import ros_arguments
from recorder_rig.surroundings import NeverStop, wait_until
import yaml

pytestmark = [pytest.mark.ros]

MODULE = 'lerobot_streamrec.nodes.clients.record_bag_main'
NO_BAG = 'no bag is recorded beside'
WANTED = {'metadata.bag': ''}
WAIT_S = 120.0


def put_program(folder, monkeypatch, command):
    """Make a program `ros2` that runs a command of the shell, and nothing else of that name."""
    folder.mkdir()
    program = folder / 'ros2'
    program.write_text(f'#!/bin/sh\n{command}\n')
    program.chmod(0o755)
    monkeypatch.setenv('PATH', f'{folder}:{os.environ["PATH"]}')


@pytest.fixture
def fake_bag(tmp_path, monkeypatch):
    monkeypatch.setenv('ROS_DISTRO', 'jazzy')
    file = Path(fake_ros2_bag.__file__)
    put_program(tmp_path / 'bin', monkeypatch, f'exec {sys.executable} {file} "$@"')


def started(folder):
    """Wait for the only bag in a folder; return its path, and the fake's account of itself."""
    wait_until(lambda: list(folder.glob('*/started.json')), WAIT_S, f'a bag in {folder}')
    (file,) = folder.glob('*/started.json')
    return file.parent, json.loads(file.read_text())


def bags_of(root):
    return [one.texts.get('bag') or '' for one in read_catalog(root).episodes]


def has_problem(status):
    return NO_BAG in status.values['problem_list']


def test_the_bag_has_the_topics_that_are_read_and_each_episode_names_it(
    rig, fake_bag, tmp_path, keep_dataset
):
    # Relative names without types or transports, in a namespace, and topics that nobody publishes.
    path = tmp_path / 'left.yaml'
    settings = {
        'root': str(rig.root),
        'task': 'look',
        'encoder.vcodec': 'h264',
        'limits.min_episode_s': 0.0,
        'cameras': ['front'],
        'camera.front.topic': 'front/image_raw',
        'camera.front.camera_info': 'calibrations/front',
        'state.topic': 'joint_states',
        'state.names': list(JOINTS),
        'teleop.triggers': ['/pedal/pressed: toggle'],
        **WANTED,
    }
    path.write_text(yaml.safe_dump({'/**/episode': {'ros__parameters': settings}}))
    robot = rig.robot()
    robot.add_joints('/left/joint_states', JOINTS)
    robot.start()
    in_left = ('-r', '__ns:=/left')
    recorder = rig.launch_bare('--ros-args', '--params-file', str(path), *in_left)
    recorder.wait_until_ready()
    program = rig.program(MODULE, {}, '--ros-args', *in_left)
    operator = rig.operator(recorder='/left/episode')
    operator.wait_for_status(has_problem, 'a warning that there is no bag yet')
    folder = rig.root.with_name('dataset.bags')
    assert not folder.exists(), 'the transport of the camera is not known yet'

    camera = rig.robot(name='camera')
    picture = NumberedFile(jpeg_file, 'bgr8; jpeg compressed bgr8')
    camera.add_camera('/left/front/image_raw/compressed', picture)
    camera.start()
    bag, about = started(folder)
    assert bag.name.endswith('Z_left')
    command = about['arguments']
    at = command.index('--topics')
    topics = set(command[at + 1 :])
    assert command[:at] == ['bag', 'record', '-o', str(bag), '--max-bag-duration', '600']
    assert len(command[at + 1 :]) == len(topics)
    own = ('events', 'command', 'task', 'verdict', 'notes', 'subtask')
    assert topics == {
        '/left/front/image_raw/compressed',
        '/left/joint_states',
        '/left/calibrations/front',
        '/tf_static',
        '/left/robot_description',
        '/pedal/pressed',
        *(f'/left/episode/{name}' for name in own),
    }
    operator.wait_for_status(lambda one: not has_problem(one), 'the bag')
    operator.record(num_rows=5)

    os.kill(about['pid'], signal.SIGKILL)
    assert program.wait() == 1
    assert f'has ended with status -9; {bag} has what was written' in program.log
    operator.wait_for_status(has_problem, 'a warning that there is no bag any more')
    operator.send('start').succeed()
    operator.wait_for_rows(5)
    operator.save()
    assert recorder.end() == 0
    assert bags_of(rig.root) == [str(bag), '']
    keep_dataset(rig.root)


def test_the_bag_ends_after_its_recorder_and_a_new_recorder_gets_a_new_one(
    rig, fake_bag, tmp_path
):
    rig.small_robot()
    folder = tmp_path / 'my bags'
    program = rig.program(MODULE, {'bag_dir': str(folder)})
    recorder = rig.recorder({**SMALL, **WANTED})
    bag, _ = started(folder)
    # As when the recorder is started again, without a launch.
    assert recorder.end() == 0
    wait_until((bag / 'ended').exists, WAIT_S, 'the end of the bag')
    bag.rename(tmp_path / 'first')
    recorder = rig.recorder({**SMALL, **WANTED})
    bag, about = started(folder)
    # A launch signals both at once.
    program.send(signal.SIGINT)
    wait_until(lambda: 'the bag ends after /episode has ended' in program.log, WAIT_S, 'the wait')
    assert not (bag / 'ended').exists()
    assert recorder.end() == 0
    assert program.wait() == 0
    assert (bag / 'ended').exists()
    assert not Path(f'/proc/{about["pid"]}').exists()


@pytest.mark.skipif(not shutil.which('setpriv'), reason='util-linux is too old, or missing')
def test_a_killed_program_leaves_no_bag_that_grows_for_ever(rig, fake_bag):
    rig.small_robot()
    # This recorder was not started for a bag, so it has no parameter for the name.
    rig.recorder(SMALL)
    program = rig.program(MODULE, {})
    bag, _ = started(rig.root.with_name('dataset.bags'))
    refused = f"/episode does not take '{bag}' as the name of its bag: "
    wait_until(lambda: refused in program.log, WAIT_S, refused)
    assert not has_problem(rig.operator().status)
    program.send(signal.SIGKILL)
    wait_until((bag / 'ended').exists, WAIT_S, 'the end of the bag')


# --- without a bag -----------------------------------------------------------------------------


@pytest.fixture(scope='module')
def operator(shared_rig):
    shared_rig.small_robot()
    shared_rig.recorder({**SMALL, **WANTED})
    operator = shared_rig.operator()
    operator.wait_for_status(lambda one: one.values['topics'], 'the topics')
    return operator


@pytest.fixture
def run(operator, shared_rig, monkeypatch, caplog):
    """Run the program in this process beside a recorder; return its exit status and its log."""
    monkeypatch.setattr(record_bag, 'forward_logs', lambda _: None)

    def run(**parameters):
        status = record_bag.run(ros_arguments(parameters), NeverStop())
        # Nothing of it keeps anybody from recording.
        operator.send('start').succeed()
        operator.wait_for_rows(2)
        operator.save()
        assert bags_of(shared_rig.root)[-1] == ''
        assert has_problem(operator.status)
        return status, caplog.text

    return run


def test_a_computer_without_ros2_gets_told_the_package(run, monkeypatch):
    monkeypatch.setattr(record_bag.shutil, 'which', lambda _: None)
    monkeypatch.setenv('ROS_DISTRO', 'humble')
    status, log = run()
    assert status == 1
    assert NO_BAG in log
    assert 'no program ros2 here; `ros2 bag` comes with the package ros-humble-rosbag2' in log


def test_a_ros2_without_bag_gets_told_the_package(run, monkeypatch, tmp_path):
    put_program(tmp_path / 'bin', monkeypatch, "echo 'invalid choice: bag' >&2; exit 2")
    status, log = run(bag_dir=str(tmp_path / 'bags'))
    assert status == 1
    assert '`ros2 bag record` has ended with status 2; `ros2 bag` comes with the package' in log


def test_a_folder_that_cannot_be_used_is_named(run, fake_bag, tmp_path, shared_rig):
    file = tmp_path / 'file'
    file.touch()
    status, log = run(bag_dir=str(file / 'bags'))
    assert status == 1
    assert f"bag_dir is '{file / 'bags'}': Not a directory: name a folder" in log
    # The dataset may be reached by another way.
    (tmp_path / 'link').symlink_to(shared_rig.root)
    status, log = run(bag_dir=str(tmp_path / 'link' / 'bags'))
    assert status == 1
    assert 'it is in the dataset, which is published as a whole' in log


def test_the_bag_leaves_the_recorder_room_on_the_disk(run, fake_bag, tmp_path, monkeypatch):
    asked = []

    def free_bytes(_folder):
        asked.append(list(tmp_path.glob('bags/*/started.json')))
        return 10**9 if asked[-1] else 10**10

    monkeypatch.setattr(record_bag, 'free_bytes', free_bytes)
    status, log = run(bag_dir=str(tmp_path / 'bags'))
    assert status == 1
    assert 'only 1.0 GB are free' in log
    bag, _ = started(tmp_path / 'bags')
    assert (bag / 'ended').exists()


@pytest.mark.parametrize('distribution', ['humble', 'jazzy'])
def test_old_and_new_distributions_get_the_options_they_know(monkeypatch, distribution):
    monkeypatch.setenv('ROS_DISTRO', distribution)
    command = record_bag.bag_command(Path('/bags/1'), ['/a', '/clock'], is_simulated=True)
    assert command[command.index('ros2') :] == [
        *('ros2', 'bag', 'record', '-o', '/bags/1', '--max-bag-duration', '600'),
        *('--use-sim-time', *([] if distribution == 'humble' else ['--topics'])),
        *('/a', '/clock'),
    ]
