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
A robot for the recorder: pictures from a ring, joint states at 100 Hz, a leader at 50 Hz.

``python -m benchmarks.publisher --ring FILE`` starts it. It does as little work as possible:
each picture is ready as the buffer of a message, and only the stamp is new.
"""

from __future__ import annotations

import argparse
import array
from pathlib import Path
import sys
import time

from builtin_interfaces.msg import Time
from examples.demo.motion import JOINT_NAMES, Motion
from examples.demo.simulated_arm import JOINT_STATE_HZ, LEADER_HZ, run, Ticker
from examples.demo.stop_flag import StopFlag
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.tools.thumbnail import jpeg_of
import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import Header

CAMERAS = ('front', 'top', 'wrist', *(f'camera{number}' for number in range(3, 64)))
STATE_TOPIC = '/joint_states'
ACTION_TOPIC = '/leader/joint_states'

_SECOND_NS = 10**9
# The QoS that ordinary drivers offer.
_QOS = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=5, reliability=ReliabilityPolicy.RELIABLE)


def image_topic(name: str) -> str:
    """Return the topic of a camera."""
    return f'/{name}/image_raw'


class Camera:
    """
    Publishes the ring's pictures one after the other.

    :param node: the robot
    :param name: name of the camera
    :param image: message of this camera alone, complete except for picture and stamp
    :param buffers: the ring
    :param place: place of the first picture in the ring
    """

    def __init__(
        self,
        node: Node,
        name: str,
        image: Image | CompressedImage,
        buffers: list[array.array],
        place: int,
    ) -> None:
        self._node = node
        self._image = image
        self._buffers = buffers
        self._place = place
        is_raw = isinstance(image, Image)
        topic = image_topic(name) if is_raw else f'{image_topic(name)}/compressed'
        self._publisher = node.create_publisher(type(image), topic, _QOS)
        self.num_published = 0

    def publish(self, _due_ns: int) -> None:
        """Publish the next picture, stamped with the present time."""
        self._image.header = _header(self._node)
        # The setter keeps an array.array without copying it.
        self._image.data = self._buffers[self._place]
        self._publisher.publish(self._image)
        self._place = (self._place + 1) % len(self._buffers)
        self.num_published += 1


class Joints:
    """
    Publishes joint states.

    :param node: the robot
    :param topic: topic to publish on
    :param motion: motion of the joints
    """

    def __init__(self, node: Node, topic: str, motion: Motion) -> None:
        self._node = node
        self._motion = motion
        self._publisher: Publisher = node.create_publisher(JointState, topic, _QOS)

    def publish(self, _due_ns: int) -> None:
        """Publish the positions of the joints, stamped with the present time."""
        header = _header(self._node)
        values = self._motion.leader(header.stamp.sec + header.stamp.nanosec / _SECOND_NS)
        message = JointState(header=header, name=list(JOINT_NAMES), position=values)
        self._publisher.publish(message)


def make_cameras(
    node: Node, ring_path: Path, num_cameras: int, *, is_jpeg: bool = False
) -> list[Camera]:
    """Make the cameras, which share the ring and start at different places in it."""
    ring = np.load(ring_path, mmap_mode='r')
    frames, height, width, channels = ring.shape
    buffers = [
        array.array('B', jpeg_of(Frame(picture, 'rgb24'), width) if is_jpeg else picture.tobytes())
        for picture in map(np.array, ring)
    ]
    return [
        Camera(
            node,
            name,
            CompressedImage(format='jpeg')
            if is_jpeg
            else Image(height=height, width=width, encoding='rgb8', step=width * channels),
            buffers,
            number * frames // num_cameras,
        )
        for number, name in enumerate(CAMERAS[:num_cameras])
    ]


def make_tickers(node: Node, cameras: list[Camera], fps: int) -> list[Ticker]:
    """Return the tickers of all publishers, the cameras' phases spread over the frame period."""
    motion = Motion()
    start_ns = time.monotonic_ns() + _SECOND_NS // 20
    tickers = [
        Ticker(JOINT_STATE_HZ, start_ns, Joints(node, STATE_TOPIC, motion).publish),
        Ticker(LEADER_HZ, start_ns + 5_000_000, Joints(node, ACTION_TOPIC, motion).publish),
    ]
    for number, camera in enumerate(cameras):
        first_ns = start_ns + 1_000_000 + number * _SECOND_NS // (fps * len(cameras))
        tickers.append(Ticker(fps, first_ns, camera.publish))
    return tickers


def parse_options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog='publisher', description='A robot for the recorder.')
    parser.add_argument('--ring', type=Path, required=True, metavar='FILE', help='.npy file')
    parser.add_argument('--cameras', type=int, default=1, choices=range(1, len(CAMERAS) + 1))
    parser.add_argument('--fps', type=int, default=30, help='pictures per second and camera')
    parser.add_argument('--jpeg', action='store_true', help='publish JPEGs instead of pixels')
    parser.add_argument('--duration', type=float, metavar='S', help='end after S seconds')
    return parser.parse_args()


def main() -> int:
    """Publish until SIGINT, SIGTERM or the end of the duration."""
    stop = StopFlag()
    options = parse_options()
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = Node('benchmark_publisher', start_parameter_services=False)
    cameras = make_cameras(node, options.ring, options.cameras, is_jpeg=options.jpeg)
    tickers = make_tickers(node, cameras, options.fps)
    run(tickers, stop, options.duration, leaves_out=True)
    num_due = sum(ticker.ticks for ticker in tickers[-len(cameras) :])
    num_published = sum(camera.num_published for camera in cameras)
    print(f'published {num_published} pictures, left out {num_due - num_published}', flush=True)
    node.destroy_node()
    rclpy.shutdown()
    stop.ignore_signals()
    return 0


def _header(node: Node) -> Header:
    seconds, nanoseconds = divmod(node.get_clock().now().nanoseconds, _SECOND_NS)
    return Header(stamp=Time(sec=seconds, nanosec=nanoseconds))


if __name__ == '__main__':
    sys.exit(main())
