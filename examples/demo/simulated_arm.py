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
A simulated robot arm: cameras, joint states and leader commands on ROS topics.

Run it with ``python -m examples.demo.simulated_arm``. With ``--truth FILE`` it also writes down
what it published, so that a recording can be checked against it.

Like hardware that stamps its samples, it keeps to its schedule: every sample has the stamp of the
instant at which it was due, and none is left out. On a busy machine messages leave late.
"""

from __future__ import annotations

import argparse
import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
import sys
import time

from builtin_interfaces.msg import Time
from examples.demo.drawing import CameraView, NUMBERS, VIEWS
from examples.demo.motion import JOINT_NAMES, Motion
from examples.demo.stop_flag import StopFlag
from examples.demo.truth import TruthWriter
import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Float64MultiArray, Header

JOINT_STATE_HZ = 100
LEADER_HZ = 50
NUMBERS_PER_CAMERA = 100_003
"""Each camera counts from a number of its own, so that swapped cameras cannot look right."""

_SECOND_NS = 10**9
# The longest single sleep, which bounds how late a stop signal is seen.
_NAP_S = 0.05
# Deep: on a busy machine a reader may be late, and no message may be overwritten before it has it.
_QOS = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=200, reliability=ReliabilityPolicy.RELIABLE
)


@dataclass
class Ticker:
    """One thing to do regularly; tick k is due at first_ns + k / rate_hz, without drift."""

    rate_hz: int
    first_ns: int
    action: Callable[[int], None]
    """Is told when its tick was due, on the monotonic clock."""
    ticks: int = 0

    @property
    def due_ns(self) -> int:
        """When the next tick is due, on the monotonic clock."""
        return self.first_ns + self.ticks * _SECOND_NS // self.rate_hz

    def run(self) -> None:
        """Act for the next tick, however late it is."""
        due_ns = self.due_ns
        self.ticks += 1
        self.action(due_ns)

    def run_newest(self, now_ns: int) -> None:
        """Act for the newest tick that is due; those that were missed before it are left out."""
        self.ticks += (now_ns - self.due_ns) * self.rate_hz // _SECOND_NS
        self.run()


class SimulatedArm(Node):
    """Publishes joints and leader commands; owned by the main thread, never spun."""

    def __init__(self, truth: TruthWriter, seed: int) -> None:
        """
        Create the publishers.

        :param truth: where everything published is noted
        :param seed: of the motion
        """
        super().__init__('simulated_arm', start_parameter_services=False)
        self.truth = truth
        self._motion = Motion(seed)
        self._start_ns = self.get_clock().now().nanoseconds - time.monotonic_ns()
        self._joint_states = self.create_publisher(JointState, '/joint_states', _QOS)
        self._leader_states = self.create_publisher(JointState, '/leader/joint_states', _QOS)
        self._commands = self.create_publisher(Float64MultiArray, '/leader/command', _QOS)

    def stamp_ns(self, due_ns: int) -> int:
        """Return the ROS time of an instant on the monotonic clock."""
        return self._start_ns + due_ns

    def joints(self, stamp_ns: int) -> list[float]:
        """Return the arm's joint angles at a ROS time."""
        return self._motion.follower(stamp_ns / _SECOND_NS)

    def publish_joint_states(self, due_ns: int) -> None:
        """Publish where the arm is."""
        stamp_ns = self.stamp_ns(due_ns)
        values = self.joints(stamp_ns)
        self._joint_states.publish(_joint_state(stamp_ns, values))
        self.truth.add_values('/joint_states', stamp_ns, values)

    def publish_leader(self, due_ns: int) -> None:
        """Publish where the leader is, once with a header and once without."""
        stamp_ns = self.stamp_ns(due_ns)
        values = self._motion.leader(stamp_ns / _SECOND_NS)
        self._leader_states.publish(_joint_state(stamp_ns, values))
        self._commands.publish(Float64MultiArray(data=array.array('d', values)))
        self.truth.add_values('/leader/joint_states', stamp_ns, values)
        self.truth.add_values('/leader/command', stamp_ns, values)


class SimulatedCamera:
    """Publishes one camera's pictures; draws straight into the message's own buffer."""

    def __init__(self, arm: SimulatedArm, view: CameraView, first_number: int) -> None:
        """
        Create the publisher and the one message that is sent again and again.

        :param arm: what the camera looks at
        :param view: what it sees of it
        :param first_number: the first picture's number
        """
        self._arm = arm
        self._view = view
        self._number = first_number
        self._topic = f'/{view.name}/image_raw'
        self._publisher = arm.create_publisher(Image, self._topic, _QOS)
        step = view.width * 3
        self._image = Image(height=view.height, width=view.width, encoding='rgb8', step=step)
        # The setter takes an array.array as it is, where the constructor would copy it, and
        # would test each byte of anything else.
        self._image.data = array.array('B', bytes(view.height * step))
        pixels = np.frombuffer(self._image.data, dtype=np.uint8)
        self._canvas = pixels.reshape(view.height, view.width, 3)

    def publish(self, due_ns: int) -> None:
        """Take a picture and publish it."""
        stamp_ns = self._arm.stamp_ns(due_ns)
        number = self._number % NUMBERS
        self._view.draw(self._canvas, self._arm.joints(stamp_ns), number)
        self._image.header = _header(stamp_ns, f'{self._view.name}_optical_frame')
        self._publisher.publish(self._image)
        self._arm.truth.add_image(self._topic, stamp_ns, number)
        self._number += 1


def make_tickers(arm: SimulatedArm, cameras: Sequence[SimulatedCamera], fps: int) -> list[Ticker]:
    """
    Return everything to do.

    The cameras' phases are spread over the frame period: real cameras are not synchronised
    either, and drawing one picture right after the other would delay the joint states.
    """
    start_ns = time.monotonic_ns() + _SECOND_NS // 20
    tickers = [
        Ticker(JOINT_STATE_HZ, start_ns, arm.publish_joint_states),
        Ticker(LEADER_HZ, start_ns + _SECOND_NS // JOINT_STATE_HZ // 2, arm.publish_leader),
    ]
    for place, camera in enumerate(cameras):
        # Just after a joint state, and not together with it.
        first_ns = start_ns + _SECOND_NS // 1000 + place * _SECOND_NS // (fps * len(cameras))
        tickers.append(Ticker(fps, first_ns, camera.publish))
    return tickers


def run(
    tickers: Sequence[Ticker],
    stop: StopFlag,
    duration_s: float | None,
    *,
    leaves_out: bool,
) -> None:
    """
    Do everything when it is due until stopped, by absolute deadlines.

    :param tickers: what to do
    :param stop: ends it
    :param duration_s: how long at most; None: until stopped
    :param leaves_out: True: ticks that were missed altogether are left out; False: they are made
        up for, one after the other
    """
    end_ns = None if duration_s is None else time.monotonic_ns() + round(duration_s * _SECOND_NS)
    while not stop.is_raised:
        ticker = min(tickers, key=lambda ticker: ticker.due_ns)
        now_ns = time.monotonic_ns()
        if end_ns is not None and now_ns >= end_ns:
            return
        if ticker.due_ns > now_ns:
            time.sleep(min((ticker.due_ns - now_ns) / _SECOND_NS, _NAP_S))
        elif leaves_out:
            ticker.run_newest(now_ns)
        else:
            ticker.run()


def parse_options(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the command line without the ROS arguments."""
    parser = argparse.ArgumentParser(prog='simulated_arm', description='A simulated robot arm.')
    parser.add_argument('--cameras', default=','.join(VIEWS), help='names, separated by commas')
    parser.add_argument('--width', type=int, default=640, help='of a picture, in pixels')
    parser.add_argument('--height', type=int, default=480, help='of a picture, in pixels')
    parser.add_argument('--fps', type=int, default=30, help='pictures per second and camera')
    parser.add_argument('--duration', type=float, metavar='S', help='end after S seconds')
    parser.add_argument('--truth', type=Path, metavar='FILE', help='write what was published')
    parser.add_argument('--seed', type=int, default=0, help='of motion and backgrounds')
    options = parser.parse_args(arguments)
    options.cameras = [name for name in options.cameras.split(',') if name]
    return options


def main() -> int:
    """Publish until SIGINT, SIGTERM or the end of the duration."""
    stop = StopFlag()
    options = parse_options(remove_ros_args(sys.argv)[1:])
    rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
    with TruthWriter(options.truth) as truth:
        arm = SimulatedArm(truth, options.seed)
        views = [
            CameraView(name, options.width, options.height, seed=options.seed)
            for name in options.cameras
        ]
        cameras = [
            SimulatedCamera(arm, view, place * NUMBERS_PER_CAMERA)
            for place, view in enumerate(views)
        ]
        print('simulated arm is publishing', flush=True)
        tickers = make_tickers(arm, cameras, options.fps)
        run(tickers, stop, options.duration, leaves_out=False)
        arm.destroy_node()
        rclpy.shutdown()
    stop.ignore_signals()
    return 0


def _header(stamp_ns: int, frame_id: str = '') -> Header:
    seconds, nanoseconds = divmod(stamp_ns, _SECOND_NS)
    return Header(stamp=Time(sec=seconds, nanosec=nanoseconds), frame_id=frame_id)


def _joint_state(stamp_ns: int, values: list[float]) -> JointState:
    return JointState(header=_header(stamp_ns), name=list(JOINT_NAMES), position=values)


if __name__ == '__main__':
    sys.exit(main())
