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
What a recorder on a robot must expect of the graph: messages that lie, and names that lead away.

Each is refused with a clear message, nothing is written outside of the root, and the recorder
goes on. Links below the root stand in test/dataset/format/test_symlink_guard.py, YAML that is no
mapping in test_refused_settings.py, what each kind of message can have wrong in test/conversions.
"""

from __future__ import annotations

from builtin_interfaces.msg import Time
import pytest
from recorder_rig.datasets import assert_whole, record
from recorder_rig.parameters import FRONT_KEY, FRONT_TOPIC, JOINTS, SMALL, STATE_KEY, STATE_TOPIC
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Header

pytestmark = [pytest.mark.ros]

EXIT_CONFIG = 2


def stamp_of(message_stamp):
    return Header(stamp=Time(sec=message_stamp // 10**9, nanosec=message_stamp % 10**9))


def image(robot, **changes):
    fields = {
        'header': stamp_of(robot.now_ns()),
        'height': 2,
        'width': 2,
        'step': 6,
        'encoding': 'rgb8',
        'data': bytes(12),
        **changes,
    }
    return Image(**fields)


def joints(robot, **changes):
    fields = {
        'header': stamp_of(robot.now_ns()),
        'name': list(JOINTS),
        'position': [0.0] * len(JOINTS),
        **changes,
    }
    return JointState(**fields)


LARGEST = 2**32 - 1
LYING_IMAGES = {
    '0x0': {'height': 0, 'width': 0, 'step': 0, 'data': b''},
    '100k x 100k of nothing': {'height': 100_000, 'width': 100_000, 'step': 300_000},
    'sizes that overflow': {'height': LARGEST, 'width': LARGEST, 'step': LARGEST},
    'no data': {'data': b''},
    'a byte too few': {'data': bytes(11)},
    'a step that is too short': {'step': 5},
    'an encoding of another world': {'encoding': '../../etc/passwd'},
    'an encoding of control characters': {'encoding': '\x1b[2J\n' * 50},
    'a stamp that is none': {'header': Header(stamp=Time(sec=1, nanosec=4_000_000_000))},
    'a stamp before time': {'header': Header(stamp=Time(sec=-5, nanosec=0))},
    'a stamp of the year 2038': {'header': Header(stamp=Time(sec=2**31 - 1, nanosec=0))},
}
LYING_JOINTS = {
    'fewer numbers than names': {'position': [0.0]},
    'not a number': {'position': [float('nan')] * len(JOINTS)},
    'infinite': {'position': [float('inf')] * len(JOINTS)},
    'beyond float32': {'position': [1e300] * len(JOINTS)},
}
# A message without any wanted name is meant for somebody else, and not counted.
FOREIGN_JOINTS = {
    'no names': {'name': [], 'position': []},
    'a hundred thousand names': {'name': ['x'] * 100_000, 'position': [0.0] * 100_000},
}


def test_messages_that_lie_are_counted_and_the_episode_goes_on(rig):
    robot, _ = rig.small_robot()
    recorder = rig.recorder(SMALL)
    liar_of_images = robot.publisher(Image, FRONT_TOPIC)
    liar_of_joints = robot.publisher(JointState, STATE_TOPIC)
    robot.wait_for_recorder()
    operator = rig.operator()
    operator.start()
    operator.wait_for_rows(5)
    for changes in LYING_IMAGES.values():
        liar_of_images.publish(image(robot, **changes))
    for changes in (*LYING_JOINTS.values(), *FOREIGN_JOINTS.values()):
        liar_of_joints.publish(joints(robot, **changes))
    rows = operator.status.values['rows']
    operator.wait_for_rows(int(rows) + 20)
    answer = operator.save()
    assert f'{FRONT_KEY}: {len(LYING_IMAGES)} messages rejected' in answer
    assert f'{STATE_KEY}: {len(LYING_JOINTS)} messages rejected' in answer
    counts = record(rig.root, 0)['streams']
    assert counts[FRONT_KEY]['rejected'] == len(LYING_IMAGES)
    assert counts[STATE_KEY]['rejected'] == len(LYING_JOINTS)
    assert_whole(rig.root, num_episodes=1)
    assert recorder.is_running
    assert '\x1b' not in recorder.log
    operator.record(num_rows=5)
    assert_whole(rig.root, num_episodes=2)


@pytest.mark.parametrize(
    ('parameters', 'named'),
    [
        ({'cameras': ['../../escape'], 'camera.../../escape.topic': '/a'}, '../../escape'),
        ({'cameras': ['/etc'], 'camera./etc.topic': '/a'}, '/etc'),
        ({'cameras': ['..'], 'camera....topic': '/a'}, '..'),
        ({'cameras': ['a/b'], 'camera.a/b.topic': '/a'}, 'a/b'),
        ({'cameras': ['a\nb'], 'camera.a\nb.topic': '/a'}, 'cannot start'),
        ({'cameras': ['front'], 'camera.front.topic': '/../../a'}, '/../../a'),
        ({'cameras': ['front'], 'camera.front.topic': '/a', 'repo_id': '../../x', 'root': ''}, ''),
    ],
    ids=['up', 'absolute', 'parent', 'below', 'newline', 'topic', 'repo'],
)
def test_names_that_lead_away_are_refused_and_nothing_is_written(parameters, named, rig):
    before = sorted(rig.folder.parent.rglob('*'))
    recorder = rig.launch(parameters)
    assert recorder.wait() == EXIT_CONFIG, recorder.log
    assert named in recorder.log
    after = set(rig.folder.parent.rglob('*')) - set(before)
    logs = {path for path in after if path.relative_to(rig.folder.parent).parts[0][:3] == 'ros'}
    assert {path.parent for path in after - logs} <= {rig.folder}, 'only the log'
    assert not rig.root.exists()
