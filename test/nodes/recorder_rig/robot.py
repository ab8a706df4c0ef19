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
"""A robot in the test process: small pictures and joint states from a separate thread."""

from __future__ import annotations

import array
from collections.abc import Callable, Sequence
from pathlib import Path
import threading
import time
from typing import Any

from builtin_interfaces.msg import Time
from examples.demo.simulated_arm import Ticker
from examples.demo.truth import TruthWriter
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, Header

from recorder_rig.pictures import NumberedFile, NumberedPacket, Picture
from recorder_rig.surroundings import DISCOVERY_TIMEOUT_S, NODE_OPTIONS, wait_until

CAMERA_HZ = 30
JOINTS_HZ = 60
ARRAY_HZ = 30
CLOCK_HZ = 100
# Each camera counts from a different number, so that swapped cameras cannot look right.
_NUMBERS_PER_CAMERA = 100_003

_SECOND_NS = 10**9
_APART_S = 0.001
_NAP_S = 0.02
# Stamps may be some seconds earlier than the test.
_BEGIN_NS = time.time_ns() - 100 * _SECOND_NS
# On a busy machine a reader may be seconds late, and no message may be overwritten meanwhile.
_QOS = QoSProfile(depth=200)


class Camera:
    """
    One camera of a robot.

    :param robot: robot of the camera
    :param topic: topic of its pictures
    :param picture: picture that it sees; may be replaced at any time
    :param first_number: number of its first picture
    """

    def __init__(
        self, robot: Robot, topic: str, picture: Picture | NumberedFile, first_number: int
    ) -> None:
        self.topic = topic
        self.picture = picture
        self.is_stalled = False
        self.partners: list[Camera] = []
        self._robot = robot
        self._number = first_number
        self._publisher = robot.publisher(getattr(picture, 'kind', type(picture.message)), topic)

    @property
    def next_number(self) -> int:
        """The number of the next picture."""
        return self._number

    def publish(self) -> None:
        """Publish a picture, unless the camera is stalled."""
        if self.is_stalled:
            return
        stamp_ns = self._robot.now_ns()
        for camera in (self, *self.partners):
            camera.publish_at(stamp_ns)

    def publish_at(self, stamp_ns: int) -> None:
        """Publish a picture with a stamp."""
        picture = self.picture
        picture.draw(self._number)
        picture.message.header = _header(stamp_ns)
        is_encoded = isinstance(picture, NumberedPacket)
        self._publisher.publish(picture.payload() if is_encoded else picture.message)
        self._robot.truth.add_image(self.topic, stamp_ns, self._number)
        self._number += 1


class Robot:
    """
    A robot that publishes until it is closed. Its truth file then lists all published data.

    :param context: ROS context of the session
    :param truth_path: path of the truth file; None for no truth
    :param now_ns: function that returns its clock, in nanoseconds
    :param name: name of its node
    :param is_punctual: True if every message is sent, however busy the machine is, and has the
        stamp at which it was due; the robot then has the clock of this computer
    """

    def __init__(
        self,
        context: Context,
        truth_path: Path | None = None,
        now_ns: Callable[[], int] = time.time_ns,
        name: str = 'test_robot',
        *,
        is_punctual: bool = False,
    ) -> None:
        self._is_punctual = is_punctual
        self._due_ns = 0
        first_ns = time.time_ns() - time.monotonic_ns()
        self.now_ns = (lambda: first_ns + self._due_ns) if is_punctual else now_ns
        self.truth = TruthWriter(truth_path)
        self._node = Node(name, context=context, **NODE_OPTIONS)
        self._publishers: list[Any] = []
        self._tickers: list[Ticker] = []
        self._num_cameras = 0
        self._is_closed = False
        self._end, self._may_send = threading.Event(), threading.Event()
        self._may_send.set()
        self._thread = threading.Thread(target=self._run, name='test_robot', daemon=True)

    @property
    def node(self) -> Node:
        """The node that publishes."""
        return self._node

    def publisher(self, kind: type, topic: str, qos: QoSProfile = _QOS) -> Any:
        """Make a publisher that ``wait_for_recorder`` includes."""
        publisher = self._node.create_publisher(kind, topic, qos)
        self._publishers.append(publisher)
        return publisher

    def add_camera(
        self, topic: str, picture: Picture | NumberedFile, hz: int = CAMERA_HZ
    ) -> Camera:
        """Add a camera."""
        camera = Camera(self, topic, picture, self._num_cameras * _NUMBERS_PER_CAMERA)
        self._num_cameras += 1
        self._add(hz, camera.publish)
        return camera

    def add_partner(self, camera: Camera, topic: str, picture: Picture | NumberedFile) -> None:
        """Add a camera of the same device, which publishes with the same stamps."""
        first = self._num_cameras * _NUMBERS_PER_CAMERA
        self._num_cameras += 1
        camera.partners.append(Camera(self, topic, picture, first))

    def add_joints(
        self,
        topic: str,
        names: Sequence[str],
        recorded: Sequence[str] | None = None,
        hz: int = JOINTS_HZ,
    ) -> None:
        """
        Add joint states, all of them different.

        :param names: names in the message, in its order
        :param recorded: names in the truth file, in its order; None for all
        """
        publisher = self.publisher(JointState, topic)
        wanted = [list(names).index(name) for name in recorded or names]

        def publish() -> None:
            stamp_ns = self.now_ns()
            values = _values(stamp_ns, len(names))
            publisher.publish(
                JointState(header=_header(stamp_ns), name=list(names), position=values)
            )
            self.truth.add_values(topic, stamp_ns, [values[place] for place in wanted])

        self._add(hz, publish)

    def add_array(self, topic: str, size: int, hz: int = ARRAY_HZ) -> None:
        """Add arrays of numbers without stamps, all of them different."""
        publisher = self.publisher(Float64MultiArray, topic)

        def publish() -> None:
            stamp_ns = self.now_ns()
            values = _values(stamp_ns, size)
            publisher.publish(Float64MultiArray(data=array.array('d', values)))
            self.truth.add_values(topic, stamp_ns, values)

        self._add(hz, publish)

    def add_messages(
        self,
        topic: str,
        kind: type,
        fill: Callable[[Any, int], Sequence[float]],
        *,
        hz: int = JOINTS_HZ,
        qos: QoSProfile = _QOS,
    ) -> Any:
        """
        Add messages of any type; return the publisher.

        :param fill: function that fills a new message for an instant, and returns the numbers that
            should be recorded
        """
        publisher = self.publisher(kind, topic, qos)

        def publish() -> None:
            stamp_ns, message = self.now_ns(), kind()
            if hasattr(message, 'header'):
                message.header = _header(stamp_ns)
            values = fill(message, stamp_ns)
            publisher.publish(message)
            self.truth.add_values(topic, stamp_ns, list(values))

        self._add(hz, publish)
        return publisher

    def add_clock(self) -> None:
        """Publish the robot's clock on /clock."""
        publisher = self._node.create_publisher(Clock, '/clock', _QOS)

        def publish() -> None:
            publisher.publish(Clock(clock=_header(self.now_ns()).stamp))

        self._add(CLOCK_HZ, publish)

    def start(self) -> None:
        """Begin to publish."""
        self._thread.start()

    def wait_for_recorder(self) -> None:
        """Wait until something has subscribed to every topic."""
        wait_until(
            lambda: all(one.get_subscription_count() for one in self._publishers),
            DISCOVERY_TIMEOUT_S,
            'a subscriber for every topic of the robot',
        )

    def hold(self) -> None:
        """Publish nothing until ``go_on``; a punctual robot then catches up quickly."""
        self._may_send.clear()

    def go_on(self) -> None:
        """Publish again."""
        self._may_send.set()

    def stop(self) -> None:
        """Stop publishing but stay in the graph, so that published messages still arrive."""
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join()

    def close(self) -> None:
        """Stop, leave the graph and write the truth. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        self.stop()
        self._node.destroy_node()
        self.truth.close()

    def _add(self, hz: int, action: Callable[[], None]) -> None:
        # The phases are spread, so that no two messages are published together.
        offset_ns = len(self._tickers) * 2_700_000

        def act(due_ns: int) -> None:
            self._due_ns = due_ns
            action()

        self._tickers.append(Ticker(hz, time.monotonic_ns() + offset_ns, act))

    def _run(self) -> None:
        while not self._end.is_set():
            if not self._may_send.wait(_NAP_S):
                continue
            ticker = min(self._tickers, key=lambda one: one.due_ns)
            now_ns = time.monotonic_ns()
            if ticker.due_ns > now_ns:
                time.sleep(min((ticker.due_ns - now_ns) / _SECOND_NS, _NAP_S))
            elif self._is_punctual:
                ticker.run()
                # A burst of all that was held back would overflow the histories of subscribers.
                time.sleep(_APART_S)
            else:
                ticker.run_newest(now_ns)


def seconds_of(stamp_ns: int) -> float:
    """
    Return a number below 1000 that identifies an instant and grows with it during a test.

    Seconds modulo 1000 would fall from 1000 to 0 in some test runs, and values between two
    messages would then belong to neither.
    """
    since_s = (stamp_ns - _BEGIN_NS) / _SECOND_NS
    # Simulated clocks have another epoch.
    return since_s if 0 <= since_s < 1000 else stamp_ns / _SECOND_NS % 1000.0


def _values(stamp_ns: int, size: int) -> list[float]:
    """Return numbers that identify their instant: the first ones of two instants always differ."""
    return [seconds_of(stamp_ns) + 10_000.0 * place for place in range(size)]


def _header(stamp_ns: int) -> Header:
    seconds, nanoseconds = divmod(stamp_ns, _SECOND_NS)
    return Header(stamp=Time(sec=seconds, nanosec=nanoseconds))
