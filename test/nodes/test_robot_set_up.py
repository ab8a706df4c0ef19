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
The robot's calibrations, static transforms, description and parameters, over real DDS.

Guards against a robot that publishes them as drivers do (latched or not, from several nodes, in
types that are not installed here) and a dataset without them, or with those of another time.
"""

from __future__ import annotations

from cdr_writer import CdrWriter
from lerobot_streamrec.dataset.about.robot_files import names_in, slot_of
from lerobot_streamrec.dataset.check.check import check_dataset
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.nodes.graph.ros_start import given_parameters
from lerobot_streamrec.nodes.graph.topic_types import class_to_take
from lerobot_streamrec.settings.transports import camera_info_topic
import pytest
from recorder_rig.operator import LATCHED
from recorder_rig.parameters import COMMON, SMALL
from recorder_rig.pictures import Picture, quadrants
from recorder_rig.surroundings import wait_until
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import String
import yaml

pytestmark = [pytest.mark.ros]

URDF = '<robot name="arm">\n' + '<!-- a large mesh -->\n' * 100_000 + '</robot>\n'
WRIST = {
    'cameras': ['front', 'wrist'],
    'camera.wrist.topic': '/wrist/image_raw',
    'camera.wrist.camera_info': '/calibrations/wrist',
}
ALL = {
    ('calibration', 'front'),
    ('calibration', 'wrist'),
    ('parameters', '1'),
    ('parameters', '2'),
    ('robot_description', ''),
    ('tf_static', ''),
}
WHOLE_S = 120.0


class Info:
    """The calibration of a camera whose focal length may change at any time."""

    def __init__(self, focal_length):
        self.focal_length = focal_length

    def __call__(self, message, _stamp_ns):
        message.header.frame_id = 'optical'
        message.height, message.width, message.distortion_model = 480, 640, 'plumb_bob'
        message.k = [self.focal_length, 0.0, 320.0, 0.0, self.focal_length, 240.0, 0.0, 0.0, 1.0]
        message.d = [0.1, 0.2, 0.0, 0.0, 0.0]
        return ()


def add_transform(robot, parent, child, x):
    """Latch a static transform from a publisher of its own."""
    publisher = robot.publisher(class_to_take('tf2_msgs/msg/TFMessage'), '/tf_static', LATCHED)
    writer = CdrWriter('<')
    for kind, value in (('I', 1), ('i', 0), ('I', 0)):
        writer.scalar(kind, value)
    writer.text(parent)
    writer.text(child)
    for value in (x, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0):
        writer.scalar('d', value)
    publisher.publish(writer.data)


def latch(robot, kind, topic, message):
    robot.publisher(kind, topic, LATCHED).publish(message)


@pytest.fixture
def parameter_file(tmp_path):
    path = tmp_path / 'my robot.yaml'
    content = {'/**/episode': {'ros__parameters': {**COMMON, **SMALL, **WRIST}}}
    path.write_text(f'# my robot\n{yaml.safe_dump(content)}')
    return path


def names_of(rig):
    """Return the names of files that each episode has, by what they are about."""
    episodes = read_catalog(rig.root).episodes
    found = [names_in(one.texts['robot_files']) for one in episodes]
    return [{tuple(slot_of(name)): name for name in names} for names in found]


def test_what_the_robot_publishes_is_kept_and_a_change_is_told(rig, parameter_file, keep_dataset):
    robot, _ = rig.small_robot(is_started=False)
    robot.add_camera('/wrist/image_raw', Picture(quadrants()))
    front, wrist = Info(400.0), CameraInfo()
    # Drivers send the calibration with every picture; others latch it.
    robot.add_messages('/front/camera_info', CameraInfo, front, hz=30)
    Info(500.0)(wrist, 0)
    latch(robot, CameraInfo, '/calibrations/wrist', wrist)
    latch(robot, String, '/robot_description', String(data=URDF))
    add_transform(robot, 'base_link', 'tool', 0.25)
    add_transform(robot, 'tool', 'optical', 0.5)
    robot.start()
    given = ('--params-file', str(parameter_file), '-p', f'root:={rig.root}')
    recorder = rig.launch_bare('--ros-args', *given)
    recorder.wait_until_ready()
    operator = rig.operator()

    def has_all():
        operator.record(num_rows=5)
        return names_of(rig)[-1].keys() == ALL

    wait_until(has_all, WHOLE_S, lambda: f'an episode with everything: {names_of(rig)}')
    number, names = len(names_of(rig)) - 1, names_of(rig)[-1]
    folder = rig.root / 'meta/robot'
    contents = {about: (folder / name).read_bytes() for about, name in names.items()}
    assert contents['robot_description', ''] == URDF.encode()
    assert contents['parameters', '1'] == parameter_file.read_bytes()
    assert yaml.safe_load(contents['parameters', '2']) == {
        '/**': {'ros__parameters': {'root': str(rig.root)}}
    }
    calibration = yaml.safe_load(contents['calibration', 'front'])
    assert calibration['camera_matrix']['data'][0] == 400.0
    assert calibration['camera_name'] == 'front'
    assert yaml.safe_load(contents['calibration', 'wrist'])['camera_matrix']['data'][0] == 500.0
    transforms = yaml.safe_load(contents['tf_static', ''])['transforms']
    assert [one['child_frame_id'] for one in transforms] == ['optical', 'tool']
    assert [one['translation']['x'] for one in transforms] == [0.5, 0.25]

    front.focal_length = 401.0
    told = f'camera front: calibration changed since episode {number} '
    operator.wait_for_status(lambda one: told in one.values['problem_list'], told)
    assert told in recorder.log
    operator.send('start').succeed()
    operator.wait_for_rows(5)
    operator.save()
    operator.wait_for_status(lambda one: told not in one.values['problem_list'], 'no change')
    later = names_of(rig)[-1]
    assert later.keys() == ALL
    assert {about for about in ALL if later[about] != names[about]} == {('calibration', 'front')}
    assert recorder.end() == 0
    assert check_dataset(rig.root).findings == ()
    keep_dataset(rig.root)


def test_a_robot_without_any_of_it_is_recorded_with_one_notice(rig):
    rig.small_robot()
    recorder = rig.recorder(SMALL)
    operator = rig.operator()
    for _ in range(2):
        operator.record(num_rows=20)
    assert [names.keys() for names in names_of(rig)] == [{('parameters', '1')}] * 2
    notice = 'no calibration so far of front (/front/camera_info)'
    wait_until(lambda: notice in recorder.log, WHOLE_S, notice)
    assert recorder.log.count('no calibration so far') == 1


def test_it_can_be_turned_off(rig):
    robot, _ = rig.small_robot(is_started=False)
    robot.start()
    latch(robot, String, '/robot_description', String(data=URDF))
    rig.recorder({**SMALL, 'robot_files': False})
    operator = rig.operator()
    operator.record(num_rows=5)
    assert names_of(rig) == [{}]
    assert not (rig.root / 'meta/robot').exists()
    there = dict(operator.node.get_node_names_and_namespaces())
    assert 'episode_camera_front' in there
    assert 'episode_robot' not in there


@pytest.mark.parametrize(
    ('topic', 'beside'),
    [
        ('/camera/color/image_raw', '/camera/color/camera_info'),
        ('/camera/color/image_raw/compressed', '/camera/color/camera_info'),
        ('/camera/depth/image_rect_raw/compressedDepth', '/camera/depth/camera_info'),
        ('/front/image_raw/ffmpeg', '/front/camera_info'),
        ('/image', '/camera_info'),
    ],
)
def test_the_calibration_is_expected_where_image_transport_puts_it(topic, beside):
    assert camera_info_topic(topic) == beside


def test_parameters_are_given_in_the_order_in_which_they_count(tmp_path):
    first, second = tmp_path / 'a.yaml', tmp_path / 'b.yaml'
    first.write_text('# first')
    second.write_text('# second')
    words = ['-p', 'fps:=10', '--params-file', str(first), '--params-file', str(second)]
    words += ['-p', 'task:=pick it', '-p', 'episode:operator:=@da', '-r', '__ns:=/left']
    before, one, other, after = given_parameters(['--ros-args', *words])
    assert (one, other) == (b'# first', b'# second')
    assert yaml.safe_load(before) == {'/**': {'ros__parameters': {'fps': 10}}}
    assert yaml.safe_load(after) == {
        '/**': {'ros__parameters': {'task': 'pick it'}},
        'episode': {'ros__parameters': {'operator': '@da'}},
    }
