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
A subscriber reads all that waits on its topic before others have their turn.

Guards promises 1 and 3 on a machine that is busy: the executor by itself takes one message of
each topic in turn, so that joints at 500 Hz would fall behind cameras at 30 Hz, and rows would be
closed before joints that have arrived are read.
"""

from __future__ import annotations

import time

from lerobot_streamrec.nodes.stream_settings import Source
from lerobot_streamrec.nodes.subscribers import subscribe
from lerobot_streamrec.nodes.vector_settings import read_vectors, vector_sources
import pytest
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from recorder_rig.surroundings import DISCOVERY_TIMEOUT_S, NODE_OPTIONS, wait_until
from sensor_msgs.msg import JointState

pytestmark = [pytest.mark.ros]

TOPIC = '/busy_joints'
NUM_MESSAGES = 40


class GivenParameters:
    """Parameters without a node."""

    def __init__(self, **given):
        self._given = given

    def is_given(self, name):
        return name in self._given

    def read(self, spec):
        return self._given.get(spec.name, spec.default)


class Taker:
    """Stands where the recorder does."""

    def __init__(self):
        self.numbers = []

    def push_vector(self, _key, _stamp_ns, values):
        self.numbers.append(values[0])

    def reject(self, _key, reason):
        raise AssertionError(reason)


@pytest.fixture
def source() -> Source:
    given = {
        'state.topic': TOPIC,
        'state.type': 'sensor_msgs/msg/JointState',
        'state.names': ['elbow'],
        'state.stamp': 'receive',
    }
    settings = read_vectors(GivenParameters(**given))
    return vector_sources(settings, lambda *_: '')[0]


def test_what_waits_is_read_at_once(ros_context, source):
    publishing = Node('test_busy', context=ros_context, **NODE_OPTIONS)
    publisher = publishing.create_publisher(JointState, TOPIC, QoSProfile(depth=100))
    node, taker = Node('test_reading', context=ros_context, **NODE_OPTIONS), Taker()
    subscriber = subscribe(node, source, taker)
    executor = SingleThreadedExecutor(context=ros_context)
    executor.add_node(node)
    try:
        wait_until(publisher.get_subscription_count, DISCOVERY_TIMEOUT_S, 'the subscriber')
        for number in range(NUM_MESSAGES):
            publisher.publish(JointState(name=['elbow'], position=[float(number)]))
        turns, deadline_s = [], time.monotonic() + DISCOVERY_TIMEOUT_S
        while len(taker.numbers) < NUM_MESSAGES and time.monotonic() < deadline_s:
            before = len(taker.numbers)
            executor.spin_once(timeout_sec=0.1)
            turns.append(len(taker.numbers) - before)
        assert taker.numbers == list(range(NUM_MESSAGES))
        # Some may still have been on their way.
        assert max(turns) > NUM_MESSAGES // 4
    finally:
        executor.shutdown()
        subscriber.node.destroy_node()
        publishing.destroy_node()
