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
"""Processes for the cost of receipt: joint states at a high rate, and a bare rclpy subscriber."""

from __future__ import annotations

import argparse
from collections.abc import Callable
import struct
import sys
import time

from examples.demo.motion import JOINT_NAMES
from examples.demo.simulated_arm import run, Ticker
from examples.demo.stop_flag import StopFlag
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import qos_profile_sensor_data, QoSProfile
from rclpy.serialization import serialize_message
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CompressedImage, JointState

from benchmarks.publisher import CAMERAS

TOPICS = tuple(f'/fast{number}/joint_states' for number in range(4))
RATE_HZ = 1000
PUBLISH, LISTEN, WATCH = 'publish', 'listen', 'watch'
_SECOND_NS = 10**9
_QOS = QoSProfile(depth=100)
_STAMP = struct.Struct('<iI')
_SPIN_S = 0.1


def publish(node: Node, stop: StopFlag) -> None:
    """Publish on all topics until the process is asked to stop."""
    tickers = []
    for number, topic in enumerate(TOPICS):
        publisher = node.create_publisher(JointState, topic, _QOS)
        message = JointState(name=list(JOINT_NAMES), position=[0.5] * len(JOINT_NAMES))
        first_ns = time.monotonic_ns() + number * _SECOND_NS // RATE_HZ // len(TOPICS)
        tickers.append(Ticker(RATE_HZ, first_ns, _sender(publisher, message)))
    run(tickers, stop, None, leaves_out=True)


def _sender(publisher: Publisher, message: JointState) -> Callable[[int], None]:
    """Return a function that publishes a message with the present time, without encoding it."""
    data = bytearray(serialize_message(message))

    def send(_due_ns: int) -> None:
        # The stamp comes first, after the four bytes that describe the encoding.
        _STAMP.pack_into(data, 4, *divmod(time.time_ns(), _SECOND_NS))
        publisher.publish(bytes(data))

    return send


def listen(node: Node, stop: StopFlag) -> None:
    """Subscribe to all topics as rclpy's examples do, and do nothing with the messages."""
    for topic in TOPICS:
        node.create_subscription(JointState, topic, lambda _message: None, _QOS)
    _spin(node, stop)


def watch(node: Node, stop: StopFlag) -> None:
    """Subscribe to the previews of three cameras, as a console does."""
    for camera in CAMERAS[:3]:
        topic = f'/episode/preview/{camera}/compressed'
        node.create_subscription(
            CompressedImage, topic, lambda _message: None, qos_profile_sensor_data
        )
    _spin(node, stop)


def _spin(node: Node, stop: StopFlag) -> None:
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while not stop.is_raised:
        executor.spin_once(timeout_sec=_SPIN_S)


def main() -> int:
    """Publish, listen or watch until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog='receipt')
    parser.add_argument('what', choices=(PUBLISH, LISTEN, WATCH))
    options = parser.parse_args()
    stop = StopFlag()
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = Node(f'benchmark_{options.what}', start_parameter_services=False)
    {PUBLISH: publish, LISTEN: listen, WATCH: watch}[options.what](node, stop)
    node.destroy_node()
    rclpy.shutdown()
    stop.ignore_signals()
    return 0


if __name__ == '__main__':
    sys.exit(main())
