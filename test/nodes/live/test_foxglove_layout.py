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
`streamrec layout`: what Foxglove is told of a robot and its recorder.

Foxglove itself is not here. The structure is CHECKED by rules written down from what is published:
the test that Lichtblick, the open continuation of Foxglove Studio, puts imported layouts to
(2026-08), the settings of panels in foxglove-sdk's `foxglove.layouts` (0.50), exported layouts
in its examples, and the grammar of message paths.
"""

from __future__ import annotations

import json
import re
import socket

from command_line import streamrec_process
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import Twist
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.live.foxglove import foxglove_layout, RobotView, Series
from lerobot_streamrec.live.layout import lay_out
from lerobot_streamrec.nodes.episode_node import SERVICES
from lerobot_streamrec.recording.operating.command import parse_command, Verb
from lerobot_streamrec.recording.operating.status import Phase
import pytest
from recorder_rig.operator import LATCHED
from recorder_rig.pictures import NumberedFile, Picture, quadrants
from recorder_rig.surroundings import NeverStop

pytestmark = [pytest.mark.ros]

_NAME = r'[A-Za-z0-9_-]+'
_SLICE = r'\[(-?\d+|(-?\d+)?:(-?\d+)?)\]'
_FILTER = rf'\{{{_NAME}(\.{_NAME})*==("[^"]*"|\'[^\']*\'|-?\d+)\}}'
MESSAGE_PATH = re.compile(rf'(/{_NAME})+(\.{_NAME}({_SLICE})?({_FILTER})?)*')

# Settings of each kind of panel that are read, and the type of each.
SETTINGS = {
    'Image': {'imageMode': dict},
    'Plot': {
        'paths': list,
        'showLegend': bool,
        'legendDisplay': str,
        'showPlotValuesInLegend': bool,
        'showXAxisLabels': bool,
        'showYAxisLabels': bool,
        'isSynced': bool,
        'xAxisVal': str,
        'followingViewWidth': int,
        'sidebarDimension': int,
    },
    'RawMessages': {
        'topicPath': str,
        'diffEnabled': bool,
        'diffMethod': str,
        'diffTopicPath': str,
        'showFullMessageForDiff': bool,
    },
    'Indicator': {
        'path': str,
        'style': str,
        'fallbackColor': str,
        'fallbackLabel': str,
        'rules': list,
    },
    'CallService': {
        'serviceName': str,
        'requestPayload': str,
        'layout': str,
        'buttonText': str,
        'buttonTooltip': str,
        'buttonColor': str,
        'editingMode': bool,
        'timeoutSeconds': float,
    },
    'Publish': {
        'topicName': str,
        'datatype': str,
        'value': str,
        'buttonText': str,
        'buttonTooltip': str,
        'advancedView': bool,
    },
    'DiagnosticSummary': {
        'topicToRender': str,
        'hardwareIdFilter': str,
        'minLevel': int,
        'pinnedIds': list,
        'sortByLevel': bool,
    },
    'DiagnosticStatusPanel': {'topicToRender': str, 'selectedHardwareId': str},
    'RosOut': {'topicToRender': str, 'searchTerms': list, 'minLogLevel': int, 'nameFilter': dict},
}


def check_layout(layout):
    """Fail if Foxglove would not take a layout, or would show less than it holds."""
    assert layout.keys() == {
        'configById',
        'globalVariables',
        'userNodes',
        'playbackConfig',
        'layout',
    }
    assert all(isinstance(layout[name], dict) for name in layout.keys() - {'layout'})
    assert isinstance(layout['playbackConfig']['speed'], int | float)
    panels = list(leaves(layout['layout']))
    assert sorted(panels) == sorted(layout['configById']), 'each panel has one place'
    for panel, settings in layout['configById'].items():
        kind, _, name = panel.partition('!')
        assert name
        assert isinstance(settings.pop('foxglovePanelTitle'), str)
        assert {key: type(value) for key, value in settings.items()} == SETTINGS[kind]
    for path in message_paths(layout):
        assert MESSAGE_PATH.fullmatch(path), path


def leaves(tree):
    """Yield the panels of a tree of splits."""
    if isinstance(tree, str):
        yield tree
        return
    assert tree.keys() == {'direction', 'first', 'second', 'splitPercentage'}
    assert tree['direction'] in ('row', 'column')
    assert 0 < tree['splitPercentage'] < 100
    yield from leaves(tree['first'])
    yield from leaves(tree['second'])


def message_paths(layout):
    for settings in layout['configById'].values():
        yield from (settings[key] for key in ('path', 'topicPath') if key in settings)
        for path in settings.get('paths', ()):
            assert path['enabled'] is True
            assert path['timestampMethod'] == 'receiveTime'
            assert path.get('arrayExpansion', 'byIndex') == 'byIndex'
            yield path['value']


def values(layout, kind, key):
    """Return a setting of all panels of a kind."""
    return {
        panel.partition('!')[2]: settings[key]
        for panel, settings in layout['configById'].items()
        if panel.startswith(f'{kind}!')
    }


def plotted(layout):
    return {
        key: [(one['value'], one.get('label')) for one in paths]
        for key, paths in values(layout, 'Plot', 'paths').items()
    }


@pytest.mark.parametrize('num_cameras', [0, 1, 2, 5])
@pytest.mark.parametrize('num_plots', [0, 1, 3])
def test_any_robot_makes_a_layout(num_cameras, num_plots):
    view = RobotView(
        recorder='/left/episode',
        hardware_id='arm-pc/left/episode',
        cameras={f'c{k}': f'/c{k}/image_raw' for k in range(num_cameras)},
        plots={f'p{k}': [Series(f'/p{k}.data[0]', 'x')] for k in range(num_plots)},
        messages={'state': '/unknown'} if num_plots == 1 else {},
        timeout_s=70.0,
    )
    layout = foxglove_layout(view)
    buttons = values(layout, 'CallService', 'serviceName')
    assert buttons == {
        verb.value: f'/left/episode/{verb.value}' for verb in SERVICES if verb is not Verb.FINALIZE
    }
    assert values(layout, 'DiagnosticStatusPanel', 'selectedHardwareId') == {
        'recorder': 'arm-pc/left/episode'
    }
    assert values(layout, 'DiagnosticSummary', 'hardwareIdFilter') == {
        'recorder': 'left.episode: recorder'
    }
    (rules,) = values(layout, 'Indicator', 'rules').values()
    assert [one['rawValue'] for one in rules] == [phase.value for phase in Phase]
    (message,) = map(json.loads, values(layout, 'Publish', 'value').values())
    assert parse_command(message['data']).verb is Verb.NOTE
    assert len(values(layout, 'Image', 'imageMode')) == num_cameras
    assert len(plotted(layout)) == num_plots
    check_layout(layout)


ROBOT = """
{node}:
  ros__parameters:
    root: dataset
    task: look
    save_timeout_s: 20.0
    cameras: [front, wrist]
    camera:
      front: {{topic: front/image_raw}}
      wrist: {{topic: /wrist, depth: true, transport: compressed}}
    state:
      parts: [arm, base]
      arm: {{topic: joint_states, type: sensor_msgs/msg/JointState, names: [b, a]}}
      base: {{topic: /odom, type: geometry_msgs/msg/Twist, selectors: [linear.x]}}
    action: {{topic: /cmd, names: [x]}}
"""


def made(folder, text, seconds=0.0, ros_arguments=()):
    (folder / 'robot.yaml').write_text(text)
    return lay_out(
        folder / 'robot.yaml', seconds=seconds, ros_arguments=ros_arguments, stop=NeverStop()
    )


@pytest.mark.parametrize(
    ('node', 'recorder', 'ros_arguments'),
    [
        ('/**', '/episode', ()),
        ('episode', '/episode', ()),
        ('/left/episode', '/left/episode', ()),
        ('/lab/left/recorder', '/lab/left/recorder', ()),
        ('/**/episode', '/left/episode', ('--ros-args', '-r', '__ns:=/left')),
    ],
)
def test_what_the_file_says_needs_no_robot(
    ros_surroundings, tmp_path, node, recorder, ros_arguments
):
    done = made(tmp_path, ROBOT.format(node=node), ros_arguments=ros_arguments)
    layout, space = done.content, recorder.rpartition('/')[0]
    assert done.recorder == recorder
    assert values(layout, 'Image', 'imageMode') == {
        'front': {'imageTopic': f'{space}/front/image_raw'},
        'wrist': {'imageTopic': '/wrist/compressedDepth'},
    }
    assert plotted(layout) == {
        'observation.state': [
            (f'{space}/joint_states.position[:]', None),
            ('/odom.linear.x', 'linear.x'),
        ]
    }
    assert values(layout, 'RawMessages', 'topicPath')['action'] == '/cmd'
    assert values(layout, 'CallService', 'timeoutSeconds')['save'] == 30.0
    hardware_id = f'{socket.gethostname()}{recorder}'
    assert values(layout, 'DiagnosticStatusPanel', 'selectedHardwareId')['recorder'] == hardware_id
    check_layout(layout)
    beginnings = ('state.arm: the places of a, b', 'action: the type of /cmd', 'camera.wrist is')
    for beginning in (*beginnings, f'no recorder {recorder} runs'):
        assert any(one.startswith(beginning) for one in done.remarks), done.remarks


def test_the_graph_tells_the_rest(rig, tmp_path):
    robot = rig.robot()
    wrist = NumberedFile(lambda _: b'', 'rgb8; jpeg compressed bgr8')
    robot.add_camera('/front/image_raw', Picture(quadrants()))
    robot.add_camera('/wrist/compressed', wrist)
    robot.add_joints('/joint_states', ('a', 'c', 'b'))
    robot.add_joints('/cmd', ('x', 'y'))
    robot.add_messages('/odom', Twist, lambda _message, _stamp_ns: [])
    status = robot.publisher(DiagnosticStatus, '/episode/status', LATCHED)
    status.publish(DiagnosticStatus(hardware_id='arm-pc/episode'))
    robot.start()
    text = ROBOT.format(node='/**').replace('depth: true, transport: compressed', 'depth: false')
    done = made(tmp_path, text.replace('[linear.x]', '[angular.z]'), seconds=90.0)
    assert done.remarks == ()
    assert values(done.content, 'Image', 'imageMode') == {
        'front': {'imageTopic': '/front/image_raw'},
        'wrist': {'imageTopic': '/wrist/compressed'},
    }
    assert plotted(done.content) == {
        'observation.state': [
            ('/joint_states.position[2]', 'b'),
            ('/joint_states.position[0]', 'a'),
            ('/odom.angular.z', 'angular.z'),
        ],
        'action': [('/cmd.position[0]', 'x')],
    }
    assert values(done.content, 'DiagnosticStatusPanel', 'selectedHardwareId') == {
        'recorder': 'arm-pc/episode'
    }
    check_layout(done.content)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('episode: [', "Couldn't parse params file"),
        (ROBOT.format(node='/**') + '    fpz: 30\n', 'did you mean fps?'),
        (ROBOT.format(node='/**').replace('root: dataset', "root: ''"), "root is ''"),
    ],
    ids=['no-yaml', 'unknown-name', 'no-root'],
)
def test_a_file_that_the_recorder_would_not_take(ros_surroundings, tmp_path, text, words):
    with pytest.raises(ConfigError) as error:
        made(tmp_path, text)
    assert words in str(error.value)


def test_a_file_for_another_node_than_the_one_that_is_asked_for(ros_surroundings, tmp_path):
    arguments = ('--ros-args', '-r', '__ns:=/right')
    with pytest.raises(ConfigError) as error:
        made(tmp_path, ROBOT.format(node='/left/episode'), ros_arguments=arguments)
    assert 'sets nothing for the node /right/episode' in str(error.value)


def test_the_file_is_written_once(ros_surroundings, tmp_path):
    robot, target = tmp_path / 'robot.yaml', tmp_path / 'robot.json'
    robot.write_text(ROBOT.format(node='/**'))
    arguments = ('layout', robot, '--seconds', 0)
    printed = streamrec_process(*arguments)
    assert printed.returncode == 0, printed.stderr
    check_layout(json.loads(printed.stdout))
    target.write_text('mine')
    refused = streamrec_process(*arguments, '--foxglove', target)
    assert (refused.returncode, refused.stdout) == (2, '')
    assert f"--foxglove is '{target}': it exists already; add --force" in refused.stderr
    assert target.read_text() == 'mine'
    written = streamrec_process(*arguments, '--foxglove', target, '--force')
    assert written.returncode == 0, written.stderr
    assert written.stdout == f'{target} is a Foxglove layout for the recorder /episode\n'
    assert target.read_text() == printed.stdout
    assert {one.name for one in tmp_path.iterdir()} == {'robot.yaml', 'robot.json'}
