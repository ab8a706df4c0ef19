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

Guards promises 1 and 3 on a machine that is busy: the executor by itself takes one message of
each topic in turn, so that joints at 500 Hz would fall behind cameras at 30 Hz, and rows would be
closed before joints that have arrived are read. Nor may one topic be read to its end while older
messages wait on another one. Receive times and losses are the middleware's.
"""

from __future__ import annotations

import time
from types import SimpleNamespace

from lerobot_streamrec.nodes.graph.distributions import make_executor
from lerobot_streamrec.nodes.parameters.stream_settings import read_cameras, Source
from lerobot_streamrec.nodes.parameters.vector_settings import read_vectors, vector_sources
from lerobot_streamrec.nodes.topics.subscriber import LATE_NS
from lerobot_streamrec.nodes.topics.subscribers import subscribe
from lerobot_streamrec.video.codecs.config import EncoderConfig
import pytest
from rclpy.duration import Duration
from rclpy.node import Node
from recorder_rig.given_parameters import GivenParameters
from recorder_rig.surroundings import DISCOVERY_TIMEOUT_S, NODE_OPTIONS, wait_until
from sensor_msgs.msg import Image, JointState

pytestmark = [pytest.mark.ros]

TOPIC, OTHER_TOPIC = '/busy_joints', '/busy_gripper'
NUM_MESSAGES = 40
CAMERA_TOPIC = '/busy_camera'
NUM_PICTURES = 60


class Taker:
    """Stands where the recorder does."""

    def __init__(self):
        self.numbers = []
        self.stamps_ns = []
        self.num_lost = 0

    def push_vector(self, _key, stamp_ns, values):
        self.numbers.append(values[0])
        self.stamps_ns.append(stamp_ns)

    def push_image(self, _key, stamp_ns, _picture):
        self.numbers.append(stamp_ns)

    def lose(self, _key, num_messages):
        self.num_lost += num_messages

    def reject(self, _key, reason):
        raise AssertionError(reason)


def make_source(topic=TOPIC) -> Source:
    given = {
        'state.topic': topic,
        'state.type': 'sensor_msgs/msg/JointState',
        'state.names': ['elbow'],
        'state.stamp': 'receive',
        'state.qos': 'reliable',
    }
    settings = read_vectors(GivenParameters(given))
    return vector_sources(settings, lambda *_: '')[0]


def make_camera() -> Source:
    given = {'cameras': ['busy'], 'camera.busy.topic': CAMERA_TOPIC, 'camera.busy.qos': 'reliable'}
    (camera,) = read_cameras(GivenParameters(given), EncoderConfig())
    return camera


class Wire:
    """Publishers and subscribers that have found each other, and the executor between them."""

    def __init__(self, context, topics):
        self._publishing = Node('test_busy', context=context, **NODE_OPTIONS)
        self._home, self.taker = Node('test_reading', context=context, **NODE_OPTIONS), Taker()
        self._executor = make_executor(context)
        self.publishers, self.subscribers = [], []
        for topic in topics:
            is_camera = topic == CAMERA_TOPIC
            source = make_camera() if is_camera else make_source(topic)
            kind = Image if is_camera else JointState
            publisher = self._publishing.create_publisher(kind, topic, 100)
            self.publishers.append(publisher)
            self.subscribers.append(subscribe(self._home, source, self.taker))
            self._executor.add_node(self.subscribers[-1].node)
            wait_until(publisher.get_subscription_count, DISCOVERY_TIMEOUT_S, 'the subscriber')
        self.publisher, self.node = self.publishers[0], self.subscribers[0].node

    def publish(self, number, publisher=None):
        message = JointState(name=['elbow'], position=[float(number)])
        (publisher or self.publisher).publish(message)

    def spin_until(self, count):
        """Spin until so many messages are taken; return how many were by each turn."""
        turns, deadline_s = [], time.monotonic() + DISCOVERY_TIMEOUT_S
        while len(self.taker.numbers) < count and time.monotonic() < deadline_s:
            before = len(self.taker.numbers)
            self._executor.spin_once(timeout_sec=0.1)
            turns.append(len(self.taker.numbers) - before)
        return turns

    def close(self):
        self._executor.shutdown()
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
    turns = wire.spin_until(NUM_MESSAGES)
    assert wire.taker.numbers == list(range(NUM_MESSAGES))
    # Some may still have been on their way.
    assert max(turns) > NUM_MESSAGES // 4


@pytest.mark.parametrize('topics', [[TOPIC, OTHER_TOPIC]])
@pytest.mark.parametrize(('count', 'wait_ns'), [(NUM_MESSAGES, LATE_NS), (4, 0)])
def test_what_waits_on_several_topics_is_read_in_the_order_of_arrival(wire, count, wait_ns):
    """After a pause of the recorder, and after one of all publishers."""
    for one in wire.subscribers:
        one.read_with(wire.subscribers)
    for number in range(count):
        publisher = wire.publishers[number % 2]
        wire.publish(number, publisher)
        assert publisher.wait_for_all_acked(Duration(seconds=DISCOVERY_TIMEOUT_S))
    last_ns = time.time_ns()
    wait_until(lambda: time.time_ns() > last_ns + wait_ns, DISCOVERY_TIMEOUT_S, 'a pause')
    wire.spin_until(count)
    assert wire.taker.numbers == list(range(count))


@pytest.mark.parametrize('topics', [[CAMERA_TOPIC]])
def test_two_seconds_of_pictures_may_wait_to_be_read(wire):
    image = Image(height=2, width=2, encoding='rgb8', step=6, data=bytes(12))
    for number in range(1, NUM_PICTURES + 1):
        image.header.stamp.nanosec = number
        wire.publisher.publish(image)
    assert wire.publisher.wait_for_all_acked(Duration(seconds=DISCOVERY_TIMEOUT_S))
    wire.spin_until(NUM_PICTURES)
    assert wire.taker.numbers == list(range(1, NUM_PICTURES + 1))


def test_a_message_is_stamped_when_it_comes_and_not_when_it_is_read(wire):
    before_ns = time.time_ns()
    wire.publish(1)
    assert wire.publisher.wait_for_all_acked(Duration(seconds=DISCOVERY_TIMEOUT_S))
    arrived_ns = time.time_ns()
    wire.spin_until(1)
    assert before_ns <= wire.taker.stamps_ns[0] <= arrived_ns


def test_what_the_middleware_has_lost_is_counted(wire):
    (subscription,) = [one for one in wire.node.subscriptions if one.topic_name == TOPIC]
    (handler,) = subscription.event_handlers
    handler.callback(SimpleNamespace(total_count=5, total_count_change=3))
    assert wire.taker.num_lost == 3
