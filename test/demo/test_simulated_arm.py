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
"""The simulated arm as its own process: what it publishes arrives, and what it says is true."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
import os
from pathlib import Path
import signal
import subprocess
import sys
import time

from examples.demo.drawing import read_frame_number
from examples.demo.ros_domain import claim_domain_id
from examples.demo.settings import ros_environment
from examples.demo.truth import read_truth
import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy')

from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.qos import QoSProfile  # noqa: E402
from sensor_msgs.msg import Image, JointState  # noqa: E402

pytestmark = pytest.mark.ros

CHECKOUT = Path(__file__).resolve().parents[2]
CAMERAS = ('front', 'top', 'wrist')
NUM_PICTURES, NUM_JOINTS = 45, 150
TIMEOUT_S = 90.0


class Listener:
    """Receives the arm's messages in a ROS context of its own."""

    def __init__(self, domain_id):
        self.received = defaultdict(list)
        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=domain_id)
        self.node = Node('listener', context=self._context, start_parameter_services=False)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        # Seconds of what is published: a busy machine reads late.
        qos = QoSProfile(depth=300)
        for camera in CAMERAS:
            self._subscribe(Image, f'/{camera}/image_raw', self._number, qos)
        for topic in ('/joint_states', '/leader/joint_states'):
            self._subscribe(JointState, topic, lambda message: list(message.position), qos)

    def listen(self, is_done):
        deadline_s = time.monotonic() + TIMEOUT_S
        while not is_done():
            assert time.monotonic() < deadline_s, f'only heard {sorted(self.received)}'
            self._executor.spin_once(timeout_sec=0.05)

    def close(self):
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)

    @staticmethod
    def _number(message):
        assert message.encoding == 'rgb8'
        pixels = np.frombuffer(message.data, np.uint8)
        return read_frame_number(pixels.reshape(message.height, message.width, 3))

    def _subscribe(self, kind, topic, read, qos):
        def callback(message):
            stamp = message.header.stamp
            self.received[topic].append((stamp.sec * 10**9 + stamp.nanosec, read(message)))

        self.node.create_subscription(kind, topic, callback, qos)


@pytest.fixture
def domain_id(monkeypatch):
    domain_id = claim_domain_id()
    for name, value in ros_environment({'ROS_DOMAIN_ID': str(domain_id)}).items():
        monkeypatch.setenv(name, value)
    return domain_id


@pytest.fixture
def listener(domain_id):
    listener = Listener(domain_id)
    yield listener
    listener.close()


@pytest.fixture
def arm(domain_id, tmp_path):
    process = subprocess.Popen(
        [sys.executable, '-m', 'examples.demo.simulated_arm', '--truth', 'truth.jsonl'],
        cwd=tmp_path,
        env=os.environ | {'PYTHONPATH': str(CHECKOUT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    # Killed at once it would leave its shared memory behind.
    process.terminate()
    try:
        process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def test_everything_arrives_in_order_and_stands_in_the_truth(listener, arm, tmp_path):
    assert arm.stdout.readline() == 'simulated arm is publishing\n'
    listener.listen(lambda: len(listener.received) == len(CAMERAS) + 2)
    listener.received.clear()
    listener.listen(
        lambda: all(
            len(received) >= (NUM_PICTURES if 'image' in topic else NUM_JOINTS)
            for topic, received in listener.received.items()
        )
        and len(listener.received) == len(CAMERAS) + 2
    )
    arm.send_signal(signal.SIGINT)
    arm.send_signal(signal.SIGTERM)

    assert arm.wait(TIMEOUT_S) == 0
    truth = read_truth(tmp_path / 'truth.jsonl')
    for camera in CAMERAS:
        topic = f'/{camera}/image_raw'
        numbers = [number for _, number in listener.received[topic]]
        assert all(after == before + 1 for before, after in pairwise(numbers))
    for topic, received in listener.received.items():
        published = list(zip(truth[topic].stamps_ns, truth[topic].samples, strict=True))
        first = published.index(received[0])
        assert published[first : first + len(received)] == received
    assert truth['/leader/command'].samples == truth['/leader/joint_states'].samples
