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
Previews over real DDS: small JPEGs of every kind of camera, and the newest numbers of vectors.

Guards promise 3: nothing is made without a subscriber, previews cost no row of a recording, and a
broken picture stops neither of the two.
"""

from __future__ import annotations

import array
import io
import struct
import threading
from types import SimpleNamespace

from depth_pictures import rvl
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.live.graph_watch import GraphWatch
from lerobot_streamrec.nodes.topics import previews
from lerobot_streamrec.nodes.topics.previews import preview_names, Previews
from lerobot_streamrec.nodes.topics.sample_sink import Newest
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.settings.recorder_settings import PreviewConfig
from lerobot_streamrec.settings.transports import FFMPEG_TYPE
from lerobot_streamrec.video.tools.thumbnail import JpegMaker
import numpy as np
from picture_files import jpeg_file, png_file
from PIL import Image as Picture
import pytest
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from recorder_rig.parameters import JOINTS, STATE, STATE_TOPIC
from recorder_rig.pictures import NumberedPacket, QUADRANTS, quadrants, quarters
from recorder_rig.robot import seconds_of
from recorder_rig.surroundings import DISCOVERY_TIMEOUT_S, NODE_OPTIONS, wait_until
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Float64MultiArray

pytestmark = [pytest.mark.ros]

BEST_EFFORT = QoSProfile(depth=20, reliability=ReliabilityPolicy.BEST_EFFORT)
WIDTH, HEIGHT = 400, 300
SMALL_SIZE = (320, 240)
LENS = 'lens_optical_frame'
SCENE = quadrants(WIDTH, HEIGHT)
PREVIEW_TIMEOUT_S = 60.0


def raw(encoding, pixels):
    return {
        'height': pixels.shape[0],
        'width': pixels.shape[1],
        'encoding': encoding,
        'step': pixels[0].nbytes,
        'data': array.array('B', pixels.tobytes()),
    }


def compressed(text, data):
    return {'format': text, 'data': array.array('B', data)}


def depth_mm():
    depth = np.full((HEIGHT, WIDTH), 2000, np.uint16)
    depth[:, : WIDTH // 2] = 500
    return depth


CAMERAS = {
    'front': ('/front/image_raw', Image, raw('rgb8', SCENE)),
    'yuv.left': ('/left/image_raw', Image, raw('mono8', np.ascontiguousarray(SCENE[..., 0]))),
    'jpeg': ('/jpeg/compressed', CompressedImage, compressed('jpeg', jpeg_file(SCENE))),
    'png': ('/png/compressed', CompressedImage, compressed('png', png_file(SCENE))),
    'depth': ('/depth', Image, raw('16UC1', depth_mm())),
    'metres': ('/metres', Image, raw('32FC1', depth_mm().astype(np.float32) / 1000)),
    'rvl': (
        '/rvl/compressedDepth',
        CompressedImage,
        compressed(
            '16UC1; compressedDepth rvl',
            struct.pack('<iffii', 0, 0.0, 0.0, WIDTH, HEIGHT) + rvl(depth_mm()),
        ),
    ),
}
DEPTH = ('depth', 'metres', 'rvl')
NAMES = {name: name for name in CAMERAS} | {'yuv.left': 'yuv_left', 'video': 'video'}


def parameters(*names):
    wanted = {'fps': 10, **STATE, 'cameras': list(names)}
    for name in names:
        wanted[f'camera.{name}.topic'] = CAMERAS[name][0]
        if name in DEPTH:
            wanted[f'camera.{name}.depth'] = True
    if 'rvl' in names:
        wanted |= {'camera.rvl.topic': '/rvl', 'camera.rvl.transport': 'compressed'}
    return wanted


def add_cameras(robot, *names):
    """Add cameras; return the stamps of their pictures."""
    stamps = {name: set() for name in names}

    def fill_of(name, fields):
        def fill(message, stamp_ns):
            message.header.frame_id = LENS
            for field, value in fields.items():
                setattr(message, field, value)
            stamps[name].add(stamp_ns)
            return ()

        return fill

    for name in names:
        topic, kind, fields = CAMERAS[name]
        robot.add_messages(topic, kind, fill_of(name, fields), hz=10)
    return stamps


class Viewer:
    """Subscribes to previews as a console does."""

    def __init__(self, operator):
        self._node = operator.node
        self.heard = {}
        self._subscriptions = []

    def look(self, topic, kind=CompressedImage):
        heard = self.heard.setdefault(topic, [])
        self._subscriptions.append(
            self._node.create_subscription(kind, topic, heard.append, BEST_EFFORT)
        )
        return heard

    def look_away(self):
        for one in self._subscriptions:
            self._node.destroy_subscription(one)
        self._subscriptions.clear()


def wait_for(heard, count):
    begin = len(heard)
    wait_until(
        lambda: len(heard) >= begin + count,
        PREVIEW_TIMEOUT_S,
        lambda: f'{count} previews; there are {len(heard) - begin}',
    )
    return heard[-1]


def pixels_of(message):
    assert message.format == 'jpeg'
    return np.asarray(Picture.open(io.BytesIO(bytes(message.data))).convert('RGB'))


def stamp_ns(message):
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def size_of(pixels):
    return pixels.shape[1::-1]


def topic_of(name):
    return f'/episode/preview/{NAMES[name]}/compressed'


def assert_shows_the_scene(name, pixels):
    if name in DEPTH:
        near, far = pixels[120, 60, 0], pixels[120, 260, 0]
        assert near < 60
        assert far > 230
        return
    wanted = QUADRANTS if name != 'yuv.left' else [(one[0],) * 3 for one in QUADRANTS]
    for found, colour in zip(quarters(pixels), wanted, strict=True):
        assert found == pytest.approx(colour, abs=12)


def test_every_kind_of_camera_and_vector_has_a_preview_with_its_stamp(rig):
    robot = rig.robot()
    stamps = add_cameras(robot, *CAMERAS)
    robot.add_camera('/video/ffmpeg', NumberedPacket(FFMPEG_TYPE, 'h264'), hz=10)
    robot.add_joints(STATE_TOPIC, JOINTS)
    robot.start()
    wanted = parameters(*CAMERAS)
    wanted |= {'cameras': [*CAMERAS, 'video'], 'camera.video.topic': '/video'}
    recorder = rig.recorder(wanted)
    operator = rig.operator()
    viewer = Viewer(operator)
    heard = {name: viewer.look(topic_of(name)) for name in NAMES}
    numbers = viewer.look('/episode/preview/observation_state', Float64MultiArray)
    # No episode runs, and none has to.
    for name in CAMERAS:
        message = wait_for(heard[name], 2)
        pixels = pixels_of(message)
        assert size_of(pixels) == SMALL_SIZE, name
        assert message.header.frame_id == LENS
        assert stamp_ns(message) in stamps[name]
        assert_shows_the_scene(name, pixels)
    # Its pictures are narrower than a preview.
    assert size_of(pixels_of(wait_for(heard['video'], 2)))[0] <= SMALL_SIZE[0]
    values = wait_for(numbers, 2)
    assert [one.label for one in values.layout.dim] == list(JOINTS)
    assert [one.size for one in values.layout.dim] == [1] * len(JOINTS)
    first, second, third = values.data
    assert (second - first, third - first) == pytest.approx((10_000, 20_000))
    assert 0 <= seconds_of(robot.now_ns()) - first < PREVIEW_TIMEOUT_S
    assert recorder.end() == 0
    assert 'has no preview' not in recorder.log


def test_previews_beside_a_recording_cost_no_row(rig):
    robot = rig.robot(is_punctual=True)
    names = ('front', 'jpeg', 'depth')
    add_cameras(robot, *names)
    robot.add_joints(STATE_TOPIC, JOINTS)
    robot.start()
    recorder = rig.recorder({**parameters(*names), 'preview.rate_hz': 20.0, 'preview.width': 128})
    operator = rig.operator()
    viewer = Viewer(operator)
    heard = [viewer.look(topic_of(name)) for name in names]
    for one in heard:
        wait_for(one, 1)
    operator.start()
    for one in heard:
        assert size_of(pixels_of(wait_for(one, 10))) == (128, 96)
    operator.wait_for_rows(30)
    answer = operator.save()
    assert ', 0 repeated frames' in answer
    viewer.look_away()
    assert recorder.end() == 0


def test_broken_pictures_are_left_out_and_logged_once(rig):
    robot = rig.robot()
    add_cameras(robot, 'front')
    data, turn = jpeg_file(SCENE), iter(range(10**6))

    def fill(message, _stamp_ns):
        is_whole = next(turn) % 2
        message.format = 'jpeg'
        message.data = array.array('B', data if is_whole else data[:-60])
        return ()

    robot.add_messages('/jpeg/compressed', CompressedImage, fill, hz=13)
    robot.add_joints(STATE_TOPIC, JOINTS)
    robot.start()
    recorder = rig.recorder(parameters('front', 'jpeg'))
    viewer = Viewer(rig.operator())
    other, heard = viewer.look(topic_of('front')), viewer.look(topic_of('jpeg'))
    complaint = 'observation.images.jpeg has no preview for now: mjpeg picture of'
    wait_until(lambda: complaint in recorder.log, PREVIEW_TIMEOUT_S, 'a complaint')
    assert_shows_the_scene('jpeg', pixels_of(wait_for(heard, 8)))
    assert_shows_the_scene('front', pixels_of(wait_for(other, 4)))
    assert recorder.log.count('has no preview') == 1


def test_a_rate_of_0_makes_no_topics(rig):
    rig.small_robot()
    rig.recorder({'preview.rate_hz': 0.0, **STATE})
    operator = rig.operator()
    operator.wait_for_streams()
    topics = [name for name, _ in operator.node.get_topic_names_and_types()]
    assert '/episode/status' in topics
    assert not [name for name in topics if '/preview/' in name]
    wait_until(lambda: operator.diagnostics, DISCOVERY_TIMEOUT_S, 'diagnostics')
    assert [one.values['preview'] for one in operator.diagnostics[-1][1:]] == ['']


# --- without a recorder ------------------------------------------------------------------------


class CountingMaker(JpegMaker):
    """Counts the pictures that become JPEGs."""

    num_made = 0

    def jpeg(self, picture):
        type(self).num_made += 1
        return super().jpeg(picture)


@pytest.fixture
def counted(monkeypatch):
    monkeypatch.setattr(CountingMaker, 'num_made', 0)
    monkeypatch.setattr(previews, 'JpegMaker', CountingMaker)
    return CountingMaker


@pytest.fixture
def studio(ros_context, counted):
    """Run the previews of one camera in this process, and a node that may subscribe to them."""
    node = Node('studio', context=ros_context, **NODE_OPTIONS)
    viewer = Node('viewer', context=ros_context, **NODE_OPTIONS)
    executor = SingleThreadedExecutor(context=ros_context)
    executor.add_node(viewer)
    spinner = threading.Thread(target=executor.spin)
    stream = StreamConfig('observation.images.front', '/front')
    subscriber = SimpleNamespace(
        key=stream.key, newest=Newest(), source=SimpleNamespace(stream=stream)
    )
    made = Previews(node, PreviewConfig(rate_hz=30.0), [subscriber])
    made.start()
    spinner.start()
    yield SimpleNamespace(newest=subscriber.newest, viewer=viewer, previews=made)
    assert made.close(10.0)
    executor.shutdown()
    spinner.join()
    viewer.destroy_node()
    node.destroy_node()


# A header with the time 5 s and 0 ns, and an empty frame id.
DATA = b'\0\1\0\0' + struct.pack('<iII', 5, 0, 1) + b'\0'


def push(studio, number):
    pixels = np.full((48, 64, 3), number % 256, np.uint8)
    studio.newest.put(number, Frame(pixels, 'rgb24'), DATA)


def test_nothing_is_kept_or_made_without_a_subscriber(studio, counted):
    heard = []
    for number in range(100):
        push(studio, number)
    assert studio.newest.take() is None
    for come in range(2):
        subscription = studio.viewer.create_subscription(
            CompressedImage, studio.newest.topic, heard.append, BEST_EFFORT
        )
        wait_until(lambda: studio.newest.is_wanted, DISCOVERY_TIMEOUT_S, 'the subscriber')
        before = len(heard)

        def has_arrived(before=before, come=come):
            push(studio, come)
            return len(heard) > before

        wait_until(has_arrived, PREVIEW_TIMEOUT_S, 'a preview')
        studio.viewer.destroy_subscription(subscription)
        wait_until(lambda: not studio.newest.is_wanted, DISCOVERY_TIMEOUT_S, 'nobody')
        made = counted.num_made
        push(studio, come)
        assert studio.newest.take() is None
    assert counted.num_made == made >= len(heard) >= 2


def test_who_looks_for_topics_to_record_leaves_previews_alone(studio):
    watch, own = GraphWatch(studio.viewer), studio.newest.topic
    other = studio.viewer.create_publisher(CompressedImage, '/arm/preview/compressed', 1)

    def names():
        watch.look()
        return {one.name for one in watch.topics()}

    wait_until(lambda: '/arm/preview/compressed' in names(), DISCOVERY_TIMEOUT_S, 'a topic')
    wait_until(
        lambda: own in dict(studio.viewer.get_topic_names_and_types()) and own not in names(),
        DISCOVERY_TIMEOUT_S,
        'a preview that is left alone',
    )
    assert not studio.newest.is_wanted
    studio.viewer.destroy_publisher(other)


def test_only_the_newest_picture_is_kept():
    newest = Newest()
    newest.is_wanted = True
    for number in range(5):
        newest.put(number, 'picture', DATA)
    assert newest.take() == (4, 'picture', DATA)
    assert newest.take() is None


def test_previews_end_without_having_begun(ros_context):
    node = Node('studio', context=ros_context, **NODE_OPTIONS)
    assert Previews(node, PreviewConfig(), []).close(0.0)
    node.destroy_node()


@pytest.mark.parametrize(
    ('keys', 'names'),
    [
        (['observation.images.front', 'observation.state'], ['front', 'observation_state']),
        (['observation.state.left-arm', 'action'], ['observation_state_left_arm', 'action']),
        (['observation.images.a.b', 'observation.images.a_b'], ['a_b', 'a_b_2']),
        (['observation.images.2nd'], ['_2nd']),
    ],
)
def test_names_are_allowed_in_topics_and_differ(keys, names):
    assert preview_names(keys) == names
