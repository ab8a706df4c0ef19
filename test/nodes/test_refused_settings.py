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
A setting that cannot be used ends the recorder at once: status 2, and one line that helps.

The line names the parameter, what it was set to, and what is allowed.
"""

from __future__ import annotations

import re

import pytest
from recorder_rig.parameters import FRONT, STATE

pytestmark = [pytest.mark.ros]

EXIT_CONFIG = 2


def only_complaint(recorder, of_codec=''):
    """
    Return what the recorder says of the settings, which has to be one line and no more.

    :param of_codec: how lines begin that a codec library prints by itself
    """
    status = recorder.wait()
    lines = [line for line in recorder.log.splitlines() if line.strip()]
    if of_codec:
        lines = [line for line in lines if not line.startswith(of_codec)]
    assert len(lines) == 1, recorder.log
    assert status == EXIT_CONFIG, recorder.log
    return re.sub(r'^\[FATAL\] \[[0-9.]+\] \[episode\]: ', '', lines[0])


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        ({'fps': 'thirty'}, ["fps is 'thirty'", 'a whole number']),
        ({'resume': 1}, ['resume is 1', 'true or false']),
        ({'cameras': [1, 2]}, ['cameras is [1, 2]', 'a list of texts']),
        ({'encoder.crf': 'low'}, ["encoder.crf is 'low'", 'a number']),
        ({'task': 5}, ['task is 5', 'a text']),
        ({'task': None}, ["task is 'null'", 'leave the parameter out']),
    ],
    ids=lambda value: '-'.join(value) if isinstance(value, dict) else '',
)
def test_a_wrong_type(rig, parameters, words):
    complaint = only_complaint(rig.launch({**STATE, **parameters}))
    assert all(word in complaint for word in words), complaint


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        ({'fps': 0}, ['fps is 0', '1 to 1000']),
        ({**FRONT, 'encoder.crf': 60.0}, ['encoder.crf is 60', '0 to 51']),
        ({'queue_mib': 0}, ['queue_mib is 0', '1 to 1048576', 'MiB']),
        ({'state.max_age_s': -1.0}, ['state.max_age_s is -1', '0 to 1e+06']),
        ({'on_shutdown': 'keep'}, ["on_shutdown is 'keep'", 'save, discard']),
        (
            {**FRONT, 'camera.front.transport': 'zipped'},
            ["camera.front.transport is 'zipped'", 'auto, raw, compressed'],
        ),
        (
            {**FRONT, 'camera.front.depth': True, 'camera.front.depth_max': 0.005},
            ['camera.front.depth_max is 0.005', 'above depth_min (0.01 m)'],
        ),
        ({'state.stamp': 'arrival'}, ["state.stamp is 'arrival'", 'header, receive']),
        (
            {'state.type': 'sensor_msgs/msg/Imago'},
            ["state.type is 'sensor_msgs/msg/Imago'", 'not installed', 'sensor_msgs/msg/JointS'],
        ),
        ({'encoder.vcodec': 'vp9'}, ["encoder.vcodec is 'vp9'", 'libsvtav1, h264, hevc']),
        (
            {**FRONT, 'encoder.pix_fmt': 'rgb565'},
            ["encoder.pix_fmt is 'rgb565'", 'libx264 accepts yuv420p'],
        ),
        ({'encoder.extra_options': ['crf']}, ["encoder.extra_options is 'crf'", 'name=value']),
        (
            {**FRONT, 'encoder.extra_options': ['crff=3']},
            ["encoder.extra_options is 'crff=3'", 'libx264 has no option crff'],
        ),
        (
            {**FRONT, 'camera.front.encoder.vcodec': 'vp9'},
            ["camera.front.encoder.vcodec is 'vp9'", 'libsvtav1, h264, hevc'],
        ),
        # No middleware reads a topic as two types, whatever name it goes by.
        (
            {**FRONT, 'camera.front.topic': '/joint_states'},
            ["state.topic is '/joint_states'", 'camera.front reads it as sensor_msgs/msg/Image'],
        ),
        (
            {'action.topic': 'joint_states', 'action.type': 'geometry_msgs/msg/Twist'},
            ['would read it as geometry_msgs/msg/Twist, but state reads it as sensor_msgs/msg/J'],
        ),
        (
            {'teleop.joy.bindings': ['0: tuggle']},
            ["teleop.joy.bindings is '0: tuggle'", 'did you mean toggle?'],
        ),
        (
            {'teleop.triggers': ['/pedal toggle']},
            ["teleop.triggers is '/pedal toggle'", "'/pedal/pressed: toggle'"],
        ),
        (
            {'teleop.joy.bindings': ['0: toggle'], 'teleop.joy.topic': 'joint_states'},
            ["teleop.joy.topic is '/joint_states'", 'a gamepad publishes sensor_msgs/msg/Joy'],
        ),
        ({'teleop.debounce_s': 1.0}, ['teleop.debounce_s is 1.0', 'less than', 'long_press_s']),
    ],
    ids=lambda value: '-'.join(value) if isinstance(value, dict) else '',
)
def test_a_value_that_is_not_allowed(rig, parameters, words):
    complaint = only_complaint(rig.launch({**STATE, **parameters}))
    assert all(word in complaint for word in words), complaint


def test_a_preset_that_the_codec_does_not_know(rig):
    recorder = rig.launch({**FRONT, 'encoder.preset': 'warp'})
    complaint = only_complaint(recorder, of_codec='x264 ')
    assert all(word in complaint for word in ('encoder is', 'warp', 'encoder.preset'))


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        ({'fpz': 30}, ['fpz is 30', 'no such parameter', 'did you mean fps?']),
        ({'encoder.codec': 'h264'}, ['encoder.codec is', 'did you mean encoder.vcodec?']),
        (
            {**FRONT, 'camera.frnt.topic': '/x'},
            ["camera.frnt.topic is '/x'", "cameras is ['front'], and names no such camera"],
        ),
        ({'feature.effort.topic': '/x'}, ['features is [], and names no such feature']),
        ({**FRONT, 'camera.front.topics': '/x'}, ['did you mean camera.front.topic?']),
        ({'action': '/command'}, ["action is '/command'", 'did you mean action.topic?']),
        ({'FPS': 30}, ['FPS is 30', 'did you mean fps?']),
        ({'metadata.length': 'x'}, ['metadata.length is', 'has a column of this name']),
        ({'metadata.tables': [1, 2]}, ['metadata.tables is [1, 2]', 'a text']),
        ({'zzz': 1}, ['zzz is 1', 'no such parameter', 'known are', 'fps', 'root']),
    ],
    ids=lambda value: '-'.join(value) if isinstance(value, dict) else '',
)
def test_an_unknown_name(rig, parameters, words):
    complaint = only_complaint(rig.launch({**STATE, **parameters}))
    assert all(word in complaint for word in words), complaint


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        ({'cameras': ['front']}, ["camera.front.topic is ''", 'front needs a topic']),
        ({'cameras': ['a b']}, ['a b', 'letters, digits']),
        ({'state.names': ['a', 'a']}, ["state.names is ['a', 'a']", 'once']),
        (
            {'action.topic': '/command', 'action.type': 'sensor_msgs/msg/JointState'},
            ['action.names is []', 'name the joints'],
        ),
        (
            {'action.topic': '/nobody', 'graph_timeout_s': 0.3},
            ["action.type is ''", 'nobody has published /nobody for 0.3 s'],
        ),
        ({'state.parts': ['arm']}, ['state.topic', 'set either this topic or state.parts, not']),
        ({'features': ['next.reward']}, ["feature.next.reward.topic is ''", 'needs a topic']),
        ({**FRONT, 'sync.clock': 'top'}, ["sync.clock is 'top'", 'allowed are front']),
        (
            {
                'action.topic': '/command',
                'action.names': ['a'],
                'action.type': 'std_msgs/msg/Float64MultiArray',
                'action.stamp': 'header',
            },
            ["action.stamp is 'header'", 'receive'],
        ),
        ({'state.topic': 'joint states'}, ['state.topic', 'joint states']),
        ({'state.topic': '/joint_states/'}, ['state.topic', '/joint_states/', 'slash']),
    ],
    ids=[
        'camera-without-topic',
        'camera-name',
        'names-twice',
        'no-names',
        'no-publisher',
        'parts-and-topic',
        'feature-without-topic',
        'clock',
        'no-header',
        'topic-name',
        'topic-name-with-an-end',
    ],
)
def test_what_cannot_be_recorded(rig, parameters, words):
    complaint = only_complaint(rig.launch({**STATE, **parameters}))
    assert all(word in complaint for word in words), complaint


def test_nothing_to_record(rig):
    complaint = only_complaint(rig.launch({}))
    assert all(word in complaint for word in ('cameras', 'state.topic', 'action.topic'))


def test_neither_root_nor_repo_id(rig):
    complaint = only_complaint(rig.launch({**STATE, 'root': ''}))
    assert all(word in complaint for word in ("root is ''", 'folder', 'repo_id', 'owner/name'))


def test_a_repo_id_that_leads_elsewhere(rig):
    complaint = only_complaint(rig.launch({**STATE, 'root': '', 'repo_id': '../outside'}))
    assert all(word in complaint for word in ("repo_id is '../outside'", 'owner/name'))


def test_a_root_in_the_home_of_nobody(rig):
    complaint = only_complaint(rig.launch({**STATE, 'root': '~nobody_at_all/dataset'}))
    assert "root is '~nobody_at_all/dataset'" in complaint
    assert 'give an absolute path' in complaint


def test_a_root_that_cannot_be_written_to(rig, tmp_path):
    file = tmp_path / 'file'
    file.write_text('not a folder')
    for root in (file, file / 'dataset'):
        complaint = only_complaint(rig.launch({**STATE, 'root': str(root)}))
        assert f"root is '{root}'" in complaint
        assert 'Not a directory' in complaint
        assert 'choose a folder that can be written to' in complaint
    assert file.read_text() == 'not a folder'


def test_a_root_with_foreign_files(rig):
    rig.root.mkdir()
    (rig.root / 'holiday.jpg').write_bytes(b'precious')
    complaint = only_complaint(rig.launch(STATE))
    assert all(word in complaint for word in (str(rig.root), 'holiday.jpg', 'another root'))
    assert [path.name for path in rig.root.iterdir()] == ['holiday.jpg']


def last_complaint(recorder):
    """Return what we say, where ROS has said something of its own before it."""
    assert recorder.wait() == EXIT_CONFIG, recorder.log
    assert 'Traceback' not in recorder.log
    return recorder.log.partition('cannot start: ')[2]


def file_of(folder, text):
    path = folder / 'robot.yaml'
    path.write_text(text)
    return path


def launch_with(rig, *arguments):
    """Start a recorder that is told nothing but these arguments."""
    return rig.launch_bare(*map(str, arguments))


@pytest.mark.parametrize(
    ('key', 'of'),
    [('/robot/episode', '/robot/episode'), ('other', '/other'), ('/*/episode', '/*/episode')],
)
def test_a_file_for_another_node_is_named_with_what_was_looked_for(rig, tmp_path, key, of):
    path = file_of(tmp_path, f'{key}:\n  ros__parameters:\n    root: /data\n')
    complaint = only_complaint(launch_with(rig, '--ros-args', '--params-file', path))
    assert "root is ''" in complaint
    assert f'{path} sets nothing for the node /episode: it is for {of};' in complaint
    assert '/**/episode' in complaint


@pytest.mark.parametrize('key', ['episode', '/episode', '/**', '/**/episode', '/robot/episode'])
def test_a_file_for_this_node_is_not_blamed(rig, tmp_path, key):
    path = file_of(tmp_path, f'{key}:\n  ros__parameters:\n    fps: 30\n')
    namespace = ['-r', '__ns:=/robot'] if key == '/robot/episode' else []
    recorder = launch_with(rig, '--ros-args', *namespace, '--params-file', path)
    assert "root is ''" in last_complaint(recorder)
    assert 'sets nothing' not in recorder.log


def test_a_recorder_that_is_told_nothing_says_so(rig):
    complaint = only_complaint(launch_with(rig))
    assert 'No parameter was given for the node /episode' in complaint
    assert '--ros-args --params-file FILE' in complaint


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (['robot.yaml'], 'did you mean --ros-args --params-file robot.yaml?'),
        (['--fps', '30'], "the command line is '--fps 30'"),
        (['fps:=30'], 'did you mean --ros-args -p fps:=30?'),
        (['-p', 'fps:=30'], 'did you mean --ros-args -p fps:=30?'),
        (['--ros-args', '-p', 'root:='], "--ros-args -p root:='"),
        (['--ros-args', '-r', '__node:=a b'], '__node:=a b'),
        (['--ros-args', '--log-level', 'loud'], 'loud'),
        (['--ros-args', '--loud'], "ROS does not know ['--loud']"),
        (['--ros-args', '--params-file'], 'No file path provided'),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else '',
)
def test_arguments_that_nobody_reads_are_refused(rig, words, said):
    assert said in last_complaint(launch_with(rig, *words))


@pytest.mark.parametrize('empty', ['[]', '{}'])
def test_an_empty_list_in_a_file_is_one(rig, tmp_path, empty):
    parameters = f'    root: {rig.root}\n    cameras: {empty}\n'
    path = file_of(tmp_path, f'episode:\n  ros__parameters:\n{parameters}')
    complaint = only_complaint(launch_with(rig, '--ros-args', '--params-file', path))
    assert complaint.startswith('cannot start: cameras is []: there is nothing to record')


def test_a_value_that_is_an_empty_list_is_refused_by_its_name(rig, tmp_path):
    path = file_of(tmp_path, 'episode:\n  ros__parameters:\n    fps: []\n')
    complaint = only_complaint(launch_with(rig, '--ros-args', '--params-file', path))
    assert 'fps is []: a whole number is needed' in complaint


def test_a_value_that_rclpy_itself_refuses_is_told_in_a_sentence(rig, tmp_path):
    path = file_of(tmp_path, 'episode:\n  ros__parameters:\n    use_sim_time: []\n')
    recorder = launch_with(rig, '--ros-args', '--params-file', path)
    assert "the node is 'episode': ROS refuses its parameters" in last_complaint(recorder)
    assert 'use_sim_time' in recorder.log


def test_states_alone_are_recorded_with_an_empty_list_of_cameras(rig, tmp_path):
    path = file_of(tmp_path, 'episode:\n  ros__parameters:\n    cameras: []\n')
    recorder = rig.recorder(STATE, '--ros-args', '--params-file', str(path))
    assert recorder.end() == 0


def test_a_parameter_file_that_is_not_there(rig, tmp_path):
    missing = tmp_path / 'nowhere.yaml'
    recorder = rig.launch(STATE, '--ros-args', '--params-file', str(missing))
    assert str(missing) in last_complaint(recorder)


def test_a_folder_of_parameter_files_is_no_file(rig, tmp_path):
    complaint = last_complaint(rig.launch(STATE, '--ros-args', '--params-file', str(tmp_path)))
    assert f"--params-file is '{tmp_path}': it is a folder" in complaint


def test_a_parameter_file_without_the_names_above_is_told_how_one_begins(rig, tmp_path):
    path = file_of(tmp_path, 'episode:\n  root: /data\n')
    complaint = last_complaint(launch_with(rig, '--ros-args', '--params-file', path))
    assert '"/**/episode:", then "  ros__parameters:"' in complaint


@pytest.mark.parametrize('text', ['a: [', '- 1', '/**:\n  ros__parameters: 5\n'])
def test_a_parameter_file_that_is_none(rig, tmp_path, text):
    broken = tmp_path / 'broken.yaml'
    broken.write_text(text)
    recorder = rig.launch(STATE, '--ros-args', '--params-file', str(broken))
    assert str(broken) in last_complaint(recorder)


def test_use_sim_time_of_a_wrong_type(rig):
    complaint = last_complaint(rig.launch({**STATE, 'use_sim_time': 5}))
    assert 'use_sim_time is 5: true or false' in complaint


def test_refused_settings_leave_nothing_behind(rig):
    only_complaint(rig.launch({**STATE, 'fps': 0}))
    assert not rig.root.exists()
