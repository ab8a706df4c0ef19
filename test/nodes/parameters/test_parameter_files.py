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
"""A parameter file gives the same settings with ROS and without it."""

from __future__ import annotations

from pathlib import Path
import re

from hypothesis import given, HealthCheck, settings, strategies
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.live.session import Session
from lerobot_streamrec.nodes.graph.ros_start import empty_parameters, given_node, quiet, start_ros
from lerobot_streamrec.nodes.graph.topic_types import load_fields
from lerobot_streamrec.settings.parameter_file import parameters_of
from lerobot_streamrec.settings.recorder_settings import PreviewConfig, settings_of
import pytest
import rclpy
from rclpy.context import Context
from recorder_rig.surroundings import NeverStop

pytestmark = [pytest.mark.ros]

RECORD_YAML = Path(__file__).resolve().parents[3] / 'config' / 'record.yaml'
EVERY_KIND = """\
/**:
  ros__parameters:
    root: /data/towels
    repo_id: me/towels
    robot_type: ~arm
    fps: 25
    resume: yes
    cameras: [front, 'top']
    camera:
      front: {topic: front/image, transport: foxglove, offset_ms: -1e1, encoder.vcodec: h264}
      top:
        topic: /top/depth
        depth: On
        depth_max: 4
        camera_info: ~/top/info
    state.parts: [left, right]
    state:
      left: {topic: /left/joint_states, names: [a, b], type: sensor_msgs/msg/JointState}
      right:
        topic: /right/joint_states
        names: [a, b]
        max_age_s: 0.25
    features: [wrench, gripper]
    feature:
      wrench: {topic: /wrench, type: geometry_msgs/msg/WrenchStamped, selectors: []}
      gripper:
        topic: /gripper
        selectors: ['position[finger]']
        type: sensor_msgs/msg/JointState
        stamp: receive
        qos: best_effort
    teleop:
      triggers: ['/pedal: toggle', '']
      joy: {topic: joy, bindings: ['']}
    encoder: {crf: 0x10, extra_options: []}
    hil.enabled: true
    hil.intervention: /joy buttons[5] > 0.5
    hil.intervention.type: sensor_msgs/msg/Joy
    teleop.debounce_s: 0.2
    metadata: {site: '12', table: 12, is_left: on}
    preview.rate_hz: 0
    sync.clock: top
/left/episode:
  ros__parameters:
    fps: 30
    task: |-
      Fold the towel:
      slowly
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / 'robot.yaml'
        path.write_text(text, 'utf-8')
        return path

    return write


def told_by_ros(path, namespace='/'):
    """Return the parameters that rclpy gives a node from a file, or the class of its refusal."""
    context = Context()
    try:
        rule = f'__ns:={namespace}'
        start_ros(['--ros-args', '-r', rule, '--params-file', str(path)], context)
        node = given_node('episode', context=context, **quiet())
        values = {name: one.value for name, one in node.get_parameters_by_prefix('').items()}
        values |= {name: [] for name in empty_parameters(node)}
        node.destroy_node()
    except ConfigError:
        return ConfigError
    finally:
        rclpy.try_shutdown(context=context)
    own = ('use_sim_time', 'start_type_description_service')
    return {name: value for name, value in values.items() if name not in own}


def told_without_ros(path, namespace='/'):
    node_name = f'{namespace.rstrip("/")}/episode'
    try:
        return parameters_of(path, node_name)
    except ConfigError as error:
        return {} if 'sets nothing for the node' in str(error) else ConfigError


@pytest.mark.parametrize('name', ['record.yaml', 'every kind'])
def test_settings_are_the_same(ros_surroundings, write, name):
    text = EVERY_KIND
    if name == 'record.yaml':
        text = RECORD_YAML.read_text().replace("root: ''", 'root: /data')
    path, namespace = write(text), '/left'

    def type_of(parameter, topic):
        assert parameter.endswith('.type')
        return 'sensor_msgs/msg/JointState'

    arguments = ['--ros-args', '-r', f'__ns:={namespace}', '--params-file', str(path)]
    with Session(arguments, NeverStop()) as session:
        with_ros = session.read_settings().complete(type_of, load_fields)
    assert settings_of(path, namespace, type_of, load_fields) == with_ros
    assert len(with_ros.sources) >= 3


def test_the_file_of_every_kind_says_something_of_everything(write):
    joints = 'sensor_msgs/msg/JointState'
    read = settings_of(write(EVERY_KIND), '/left', lambda *_: joints, load_fields)
    assert (read.recorder.fps, read.recorder.task) == (30, 'Fold the towel:\nslowly')
    assert read.recorder.metadata == {'site': '12', 'table': '12', 'is_left': 'true'}
    assert read.previews == PreviewConfig(rate_hz=0.0)


VALUES = """
    1 010 08 0 -0 +5 -5 0x10 -0x10 0X1F 0x 0b1 0o17 1_000 1:30 1,5 99999999999999999999
    -9223372036854775808 9223372036854775808 1e3 1E+3 1. .5 . -.5e-1 1e400 1e-400 1d 1.5f 1.2.3
    00 -010 .inf .Inf -.inf +.INF .iNf inf -Inf infinity nan NaN -nan .nan .NaN -.nan
    yes Y y n No OFF on On oN true True tRue false ~ null Null << = 2020-01-01 a+b ٣
    "" '' "5" 'yes' "a\\nb" !!str 5 !!int 5 !!float 1 !!bool yes !!foo 5 &x 5
    [] {} [1,2] [1.5,2.0] [yes,n] ["1",a] [~] [""] [1,2.5] [a,1] [1,"a"] [yes,"y"] [a,] {x:1}
"""
# Tags and anchors are written before their value.
WORDS = [one.replace('\x01', ' ') for one in re.sub(r'([!&]\S+) ', '\\1\x01', VALUES).split()]


@pytest.mark.parametrize(
    'value', [*WORDS, '', '{x: 1, y.z: {a: 2}}', '|\n      5\n', '>-\n      5']
)
def test_a_value_is_what_ros_makes_of_it(ros_surroundings, write, value):
    path = write(f'/**:\n  ros__parameters:\n    p: {value}\n')
    assert repr(told_without_ros(path)) == repr(told_by_ros(path))


SCALARS = strategies.text('0123456789+-._eExXaAfFiInNyYoOtTrRuUsS~', min_size=1, max_size=6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(strategies.lists(SCALARS, min_size=20, max_size=60))
def test_texts_without_quotes_are_what_ros_makes_of_them(ros_surroundings, write, texts):
    lines = [f'    p{number}: {text}\n' for number, text in enumerate(texts)]
    # A dash alone, or three of them, are of the syntax.
    lines = [line for line in lines if not re.search(r': (-|---|\.\.\.)$', line)]
    path = write('/**:\n  ros__parameters:\n' + ''.join(lines))
    assert repr(told_without_ros(path)) == repr(told_by_ros(path))


@pytest.mark.parametrize(
    ('namespace', 'sections'),
    [
        ('/', ['/episode', '/**']),
        ('/', ['/**', '/episode']),
        ('/', ['/**/episode', '/episode', '/**']),
        ('/', ['episode', '/episode', '/*', '/*/episode', '/other']),
        ('/', ['/episode', '/**', '/episode']),
        ('/', ['/**', '/episode', '/**']),
        ('/left', ['/left/episode', '/*/episode', '/**/episode', '/**']),
        ('/left', ['/**', '/left/episode', '/*/episode']),
        ('/left', ['left/episode', 'episode', '/episode', '/right/episode']),
        ('/left', ['/left/*', '/left/**', '/**/*']),
        ('/a/b', ['/a/*/episode', '/*/episode', '/a/**', '/**/b/episode', '/*/*/episode']),
        ('/a/b', ['/a/**/episode', '/*/**/episode', '/**/**/episode']),
    ],
)
def test_sections_replace_each_other_in_the_order_of_the_file(
    ros_surroundings, write, namespace, sections
):
    path = write(
        ''.join(
            f'{name}:\n  ros__parameters: {{p: {number}, q{number}: 1, list: []}}\n'
            for number, name in enumerate(sections)
        )
    )
    told = told_by_ros(path, namespace)
    assert 'p' in told or sections[0] == 'left/episode'
    assert told_without_ros(path, namespace) == told


@pytest.mark.parametrize(
    'text',
    [
        '/left:\n  episode:\n    ros__parameters: {p: 1}\n',
        'left: {episode: {ros__parameters: {p: 1}}}\n',
        '/**:\n  episode:\n    ros__parameters: {p: 1}\n',
        '/:\n  left/episode:\n    ros__parameters: {p: 1}\n',
        '/**:\n  ros__parameters:\n    p: 1\n    p: 2\n    p.a: 3\n',
        '/**:\n  ros__parameters:\n    p: {b: 4}\n    p.c.d: {e.f: 5}\n    p: {g: 6}\n',
        '/**:\n  ros__parameters: {a..b: 1, .c: 2, 5: 3, "d e": 4, yes: 5}\n',
        '/**:\n  ros__parameters:\n    ros__parameters: {p: 1}\n',
        '/**:\n  ros__parameters: {}\n',
        '/**: {}\n',
        '# nothing\n',
        '---\n/**:\n  ros__parameters: {p: 1}\n---\n/**:\n  ros__parameters: {q: 1}\n',
        '\ufeff/**:\n  ros__parameters: {p: 1}\n',
        '/**:\n  ros__parameters:\n',
        '/**:\n  ros__parameters: 5\n',
        '/**:\n  p: 5\n',
        'ros__parameters:\n  p: 5\n',
        '- 1\n',
        '/**:\n  ros__parameters: {p: &x 1, q: *x}\n',
        '/**:\n  ros__parameters: {"": 1}\n',
        '/**:\n  ros__parameters: {? [a] : 1}\n',
        '/**:\n  ros__parameters:\n\tp: 1\n',
    ],
)
def test_files_of_any_form_are_read_or_refused_as_by_ros(ros_surroundings, write, text):
    path = write(text)
    assert told_without_ros(path, '/left') == told_by_ros(path, '/left')
