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
Subscribers read all that waits, on their own topic or in the order of arrival on all of them.

Guards promises 1 and 3 on a machine that is busy: joints at 500 Hz may not fall behind cameras at
30 Hz, or rows would be closed before joints that have arrived are read. Nor may one topic be read
to its end while older messages wait on another one. Receive times and losses are the middleware's.
A topic that is faster than expected gets a longer history, and no message is lost or read twice
meanwhile. A message that is damaged, or of another type than its topic's, is only rejected.
"""

from __future__ import annotations

import itertools
import time
from types import SimpleNamespace

from lerobot_streamrec.nodes.graph.distributions import make_executor
from lerobot_streamrec.nodes.graph.topic_types import load_fields, load_message_class
from lerobot_streamrec.nodes.topics.reader import read_waiting
from lerobot_streamrec.nodes.topics.subscribers import subscribe
from lerobot_streamrec.settings.parameter_reader import ParameterReader
from lerobot_streamrec.settings.stream_settings import read_cameras, Source
from lerobot_streamrec.settings.transports import ENCODED, RAW_TYPE
from lerobot_streamrec.settings.vector_settings import read_vectors, vector_sources
from lerobot_streamrec.video.codecs.config import EncoderConfig
import pytest
import rclpy
from rclpy.context import Context
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile
from recorder_rig.surroundings import DISCOVERY_TIMEOUT_S, NODE_OPTIONS, wait_until
from sensor_msgs.msg import CompressedImage, Image, JointState

pytestmark = [pytest.mark.ros]

TOPIC, OTHER_TOPIC = '/busy_joints', '/busy_gripper'
NUM_MESSAGES = 40
CAMERA_TOPIC = '/busy_camera'
NUM_PICTURES = 60
TORN, BOOL = b'\0\1\0\0\1', b'\0\1\0\0\1\0\0\0'
# A writer that keeps a message until every reader has it.
RELIABLE = QoSProfile(depth=5000)


class Taker:
    """Stands where the recorder does."""

    def __init__(self):
        self.numbers = []
        self.stamps_ns = []
        self.num_lost = 0
        self.rejections = []

    def push_vector(self, _key, stamp_ns, values):
        self.numbers.append(values[0])
        self.stamps_ns.append(stamp_ns)

    def push_image(self, _key, stamp_ns, _picture):
        self.numbers.append(stamp_ns)

    def lose(self, _key, num_messages):
        self.num_lost += num_messages

    def reject(self, _key, reason):
        self.rejections.append(reason)


def make_source(topic=TOPIC) -> Source:
    given = {
        'state.topic': topic,
        'state.type': 'sensor_msgs/msg/JointState',
        'state.names': ['elbow'],
        'state.stamp': 'receive',
        'state.qos': 'reliable',
    }
    settings = read_vectors(ParameterReader(given))
    return vector_sources(settings, lambda *_: '', load_fields)[0]


def make_camera() -> Source:
    given = {'cameras': ['busy'], 'camera.busy.topic': CAMERA_TOPIC, 'camera.busy.qos': 'reliable'}
    (camera,) = read_cameras(ParameterReader(given), EncoderConfig())
    return camera


class Wire:
    """Publishers and subscribers that have found each other."""

    def __init__(self, context, topics):
        self._publishing = Node('test_busy', context=context, **NODE_OPTIONS)
        self._home, self.taker = Node('test_reading', context=context, **NODE_OPTIONS), Taker()
        self.publishers, self.subscribers = [], []
        for topic in topics:
            is_camera = topic == CAMERA_TOPIC
            source = make_camera() if is_camera else make_source(topic)
            kind = Image if is_camera else JointState
            publisher = self.publish_on(kind, topic)
            self.publishers.append(publisher)
            self.subscribers.append(subscribe(self._home, source, self.taker))
            wait_until(publisher.get_subscription_count, DISCOVERY_TIMEOUT_S, 'the subscriber')
        self.publisher, self.node = self.publishers[0], self.subscribers[0].node

    def publish(self, number, publisher=None):
        message = JointState(name=['elbow'], position=[float(number)])
        (publisher or self.publisher).publish(message)

    def wait(self, publisher=None):
        """Wait until all that was published has arrived."""
        publisher = publisher or self.publisher
        assert publisher.wait_for_all_acked(Duration(seconds=DISCOVERY_TIMEOUT_S))

    def publish_on(self, kind, topic):
        return self._publishing.create_publisher(kind, topic, RELIABLE)

    def stop_publishing(self):
        for one in self.publishers:
            self._publishing.destroy_publisher(one)

    def read(self):
        read_waiting(self.subscribers)
        return self.taker.numbers

    def close(self):
        for subscriber in self.subscribers:
            subscriber.node.destroy_node()
        self._home.destroy_node()
        self._publishing.destroy_node()


@pytest.fixture
def wire(ros_context, topics):
    wire = Wire(ros_context, topics)
    yield wire
    wire.close()


@pytest.fixture
def topics():
    return [TOPIC]


def test_what_waits_is_read_at_once(wire):
    for number in range(NUM_MESSAGES):
        wire.publish(number)
    wire.wait()
    assert wire.read() == list(range(NUM_MESSAGES))


@pytest.mark.parametrize('topics', [[TOPIC, OTHER_TOPIC]])
def test_what_waits_on_several_topics_is_read_in_the_order_of_arrival(wire):
    for number in range(NUM_MESSAGES):
        publisher = wire.publishers[number % 2]
        wire.publish(number, publisher)
        wire.wait(publisher)
    assert wire.read() == list(range(NUM_MESSAGES))


@pytest.mark.parametrize('topics', [[CAMERA_TOPIC]])
def test_two_seconds_of_pictures_may_wait_to_be_read(wire):
    image = Image(height=2, width=2, encoding='rgb8', step=6, data=bytes(12))
    for number in range(1, NUM_PICTURES + 1):
        image.header.stamp.nanosec = number
        wire.publisher.publish(image)
    wire.wait()
    assert wire.read() == list(range(1, NUM_PICTURES + 1))


def test_a_message_is_stamped_when_it_comes_and_not_when_it_is_read(wire):
    before_ns = time.time_ns()
    wire.publish(1)
    wire.wait()
    arrived_ns = time.time_ns()
    wire.read()
    assert before_ns <= wire.taker.stamps_ns[0] <= arrived_ns


def test_what_the_middleware_has_lost_is_counted(wire):
    (subscription,) = [one for one in wire.node.subscriptions if one.topic_name == TOPIC]
    (handler,) = subscription.event_handlers
    handler.callback(SimpleNamespace(total_count=5, total_count_change=3))
    wire.read()
    assert wire.taker.num_lost == 3


def test_the_executor_waits_for_losses_but_not_for_messages(wire):
    executor = make_executor(wire.node.context)
    (subscription,) = [one for one in wire.node.subscriptions if one.topic_name == TOPIC]
    assert not executor.can_execute(subscription)
    assert all(map(executor.can_execute, subscription.event_handlers))
    executor.add_node(wire.node)
    wire.publish(1)
    wire.wait()
    executor.spin_once(timeout_sec=0.1)
    executor.shutdown()
    assert wire.read() == [1]


def test_a_fast_topic_gets_a_longer_history_without_a_gap_or_a_twin(wire):
    """The first messages wait in the old subscription, and the last ones in both."""
    (subscriber,) = wire.subscribers
    subscriber.look()
    depth = subscriber.qos.depth
    numbers = itertools.count()
    deadline_s = time.monotonic() + DISCOVERY_TIMEOUT_S
    while subscriber.qos.depth == depth and time.monotonic() < deadline_s:
        for number in itertools.islice(numbers, 50):
            wire.publish(number)
        wire.wait()
        wire.read()
        subscriber.look()
    assert subscriber.qos.depth > depth
    wait_until(
        lambda: wire.publisher.get_subscription_count() == 2, DISCOVERY_TIMEOUT_S, 'both'
    )
    for number in itertools.islice(numbers, 50):
        wire.publish(number)
    wire.wait()
    wire.read()
    subscriber.look()
    num_before = len(wire.read())
    for number in itertools.islice(numbers, depth + 100):
        wire.publish(number)
    wire.wait()
    assert wire.read() == list(range(num_before + depth + 100))


@pytest.mark.parametrize('topics', [[CAMERA_TOPIC]])
def test_a_camera_that_turns_out_to_be_compressed_is_not_heard_as_raw_any_more(wire):
    """A raw message that still came would be read as a compressed one."""
    (camera,) = wire.subscribers
    wire.stop_publishing()
    compressed = wire.publish_on(CompressedImage, f'{CAMERA_TOPIC}/compressed')

    def is_found():
        camera.look()
        return camera.topic.endswith('/compressed')

    wait_until(is_found, DISCOVERY_TIMEOUT_S, 'the compressed images')
    assert [one.topic_name for one in camera.node.subscriptions] == [compressed.topic_name]


@pytest.mark.parametrize(
    ('topics', 'reason'),
    [([TOPIC], 'cannot be decoded as JointState'), ([CAMERA_TOPIC], 'its fields need')],
)
@pytest.mark.parametrize('data', [TORN, BOOL], ids=['torn', 'of_another_type'])
def test_a_damaged_message_is_only_rejected(wire, reason, data):
    wire.publisher.publish(data)
    wire.wait()
    assert wire.read() == []
    (rejection,) = wire.taker.rejections
    assert reason in rejection


@pytest.fixture
def home():
    """A node that shares no DDS participant with the publishers, as in a recorder."""
    context = Context()
    rclpy.init(args=[], context=context)
    node = Node('test_home', context=context, **NODE_OPTIONS)
    yield node
    node.destroy_node()
    rclpy.try_shutdown(context=context)


@pytest.mark.parametrize('message_type', ENCODED.values())
def test_a_topic_that_turns_out_to_be_of_another_type_is_read_as_that(wire, home, message_type):
    """A process cannot read a topic as two types, so the first subscription has to end before."""
    camera = subscribe(home, make_camera(), wire.taker)
    assert camera.target.message_type == RAW_TYPE
    publisher = wire.publish_on(load_message_class('camera', message_type), CAMERA_TOPIC)

    def is_found():
        camera.look()
        return camera.target.message_type == message_type

    wait_until(is_found, DISCOVERY_TIMEOUT_S, 'the publisher')
    assert [one.topic_name for one in camera.node.subscriptions] == [CAMERA_TOPIC]
    wait_until(publisher.get_subscription_count, DISCOVERY_TIMEOUT_S, 'the subscriber')
    camera.node.destroy_node()
