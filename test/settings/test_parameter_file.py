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
What a parameter file says, read without ROS.

``test/nodes/parameters/test_parameter_files.py`` holds the same reader against rclpy.
"""

from __future__ import annotations

from pathlib import Path
import subprocess
import sys

from lerobot_streamrec.errors import ConfigError
from message_definitions import load_known
import pytest

pytest.importorskip('yaml', reason='parameter files need PyYAML')
from lerobot_streamrec.settings.parameter_file import parameters_of
from lerobot_streamrec.settings.recorder_settings import settings_of

RECORD_YAML = Path(__file__).resolve().parents[2] / 'config' / 'record.yaml'
# Modules of ROS, any of which on the way would fail on a machine without it.
WITHOUT_ROS = """
import sys

class Refuse:
    def find_spec(self, name, *_):
        if name.partition('.')[0] == 'rclpy' or name.partition('.')[0].endswith('_msgs'):
            raise AssertionError(f'{name} was imported')

sys.meta_path.insert(0, Refuse())
from pathlib import Path
from lerobot_streamrec.settings.recorder_settings import settings_of
fields = {'header': 'std_msgs/Header', 'name': 'sequence<string>', 'position': 'sequence<double>'}
settings = settings_of(Path(sys.argv[1]), '/', lambda *_: '', lambda *_: fields)
print([one.stream.topic for one in settings.sources])
"""


@pytest.fixture
def given(tmp_path):
    """Return what a text gives the node, as the file of a recorder."""

    def given(text, node='/episode'):
        path = tmp_path / 'robot.yaml'
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return parameters_of(path, node)

    return given


def load_fields(parameter, message_type):
    fields = load_known(message_type)
    if fields is None:
        raise ConfigError(parameter, message_type, 'the bag does not define it')
    return fields


def test_the_parameter_file_of_the_package_is_read_on_a_machine_without_ros(tmp_path):
    path = tmp_path / 'robot.yaml'
    path.write_text(RECORD_YAML.read_text().replace("root: ''", 'root: /data'))
    run = subprocess.run(
        [sys.executable, '-c', WITHOUT_ROS, str(path)], capture_output=True, text=True, timeout=60
    )
    assert not run.returncode, run.stderr
    assert run.stdout.startswith("['/front/")


def test_settings_name_their_types_and_topics(tmp_path):
    path = tmp_path / 'robot.yaml'
    path.write_text(
        '/*/episode:\n'
        '  ros__parameters:\n'
        '    root: /data\n'
        '    state: {topic: joint_states, names: [elbow, wrist]}\n'
        '    teleop.joy: {topic: ~/joy, bindings: ["0: toggle"]}\n'
    )
    asked = []

    def type_of(parameter, topic):
        asked.append((parameter, topic))
        return 'sensor_msgs/msg/JointState'

    settings = settings_of(path, '/left', type_of, load_fields, {'fps': 15})
    assert asked == [('state.type', 'joint_states')]
    assert settings.recorder.fps == 15
    (source,) = settings.sources
    assert source.message_type == 'sensor_msgs/msg/JointState'
    assert source.stream.names == ('elbow', 'wrist')
    assert settings.teleop.joy_topic == '~/joy'


def test_a_type_that_nobody_defines_is_refused(tmp_path):
    path = tmp_path / 'robot.yaml'
    path.write_text('episode:\n  ros__parameters: {root: /data, state.topic: /joints}\n')
    with pytest.raises(ConfigError, match=r"state\.type is 'my_msgs/msg/Arm': the bag does not"):
        settings_of(path, '/', lambda *_: 'my_msgs/msg/Arm', load_fields)


def test_topics_of_a_namespace_are_told_apart(tmp_path):
    path = tmp_path / 'robot.yaml'
    path.write_text(
        '/**:\n'
        '  ros__parameters:\n'
        '    root: /data\n'
        '    cameras: [front]\n'
        '    camera.front.topic: image\n'
        '    state: {topic: /left/image, names: [a], type: sensor_msgs/msg/JointState}\n'
    )
    assert settings_of(path, '', None, load_fields).sources
    with pytest.raises(ConfigError, match='state would read it as sensor_msgs/msg/JointState'):
        settings_of(path, '/left', None, load_fields)


def test_an_unknown_parameter_is_told_as_by_the_node(tmp_path):
    path = tmp_path / 'robot.yaml'
    path.write_text('episode:\n  ros__parameters: {root: /data, fpz: 5}\n')
    with pytest.raises(ConfigError, match=r'fpz is 5: .* did you mean fps\?'):
        settings_of(path, '/', None, load_fields)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('a: [', ['ROS cannot read this YAML', 'line 1']),
        (b'a: \xff', ['ROS cannot read this YAML']),
        ('- 1\n', ['line 1 is not as ROS wants it', '/**/episode:']),
        ('episode:\n  fps: 5\n', ['line 2 is not as ROS wants it', 'ros__parameters:']),
        ('ros__parameters: {fps: 5}\n', ['line 1 is not as', '/**/episode:']),
        ('episode:\n  ros__parameters: 5\n', ['line 2 is not as']),
        ('episode:\n  ros__parameters:\n', ['line 2 is not as']),
        ('episode:\n  ros__parameters:\n    ? [a]\n    : 1\n', ['line 3 is not as']),
        ('', ['sets nothing for the node /episode: it names no node', '/**/episode stands']),
        ('other:\n  ros__parameters: {fps: 5}\n', ['/episode: it is for /other; the key']),
        (
            'episode:\n  ros__parameters:\n    task: &x a\n    robot_type: *x\n',
            ['ROS reads no aliases', 'line 4'],
        ),
    ],
)
def test_what_is_no_parameter_file_of_the_node_is_told_by_its_name(given, text, words):
    with pytest.raises(ConfigError) as caught:
        given(text)
    assert caught.value.name == 'PARAMS'
    assert all(word in str(caught.value) for word in ('robot.yaml', *words)), caught.value


@pytest.mark.parametrize(
    ('value', 'words'),
    [
        ('', ['p is', 'there is no value', 'line 3 of']),
        ('[a, 1]', ["p is ['a', 1]", 'the same type', 'line 3 of']),
        ('[1, 2.5]', ['p is [1, 2.5]', 'the same type']),
        ('[a, [b]]', ['p is', 'a list holds single values']),
        ('[{a: 1}]', ['p is', 'a list holds single values']),
        ('[a, ~, ""]', []),
    ],
)
def test_a_value_that_ros_does_not_take_is_told_with_its_line(given, value, words):
    text = f'episode:\n  ros__parameters:\n    p: {value}\n'
    if not words:
        assert given(text) == {'p': ['a', '~', '']}
        return
    with pytest.raises(ConfigError) as caught:
        given(text)
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize('values', [('5', "'5'"), ('5', '5.0'), ('[a]', '[]'), ('[1]', '[a]')])
def test_two_values_of_which_ros_does_not_take_the_last_are_refused(given, values):
    lines = [f'    p: {value}\n' for value in values]
    with pytest.raises(ConfigError, match=r'^p is .* leave one of them out$'):
        given('episode:\n  ros__parameters:\n' + ''.join(lines))


def test_a_file_that_is_not_there_or_a_folder_is_told(tmp_path):
    for path, why in ((tmp_path / 'none.yaml', 'No such file'), (tmp_path, 'Is a directory')):
        with pytest.raises(ConfigError, match=why) as caught:
            parameters_of(path, '/episode')
        assert str(path) in str(caught.value)
