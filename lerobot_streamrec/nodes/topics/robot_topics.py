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
"""The topics with the robot's calibrations, static transforms and description."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lerobot_streamrec.conversions.cdr import BEGIN, read_transforms, Transform
from lerobot_streamrec.conversions.robot_yaml import calibration_yaml, transforms_yaml
from lerobot_streamrec.dataset.about.robot_files import (
    CALIBRATION,
    ROBOT_DESCRIPTION,
    TF_STATIC,
)
from lerobot_streamrec.errors import MessageError
from lerobot_streamrec.nodes.graph.distributions import subscribe_to_take, take_bytes
from lerobot_streamrec.nodes.graph.qos import choose_qos, is_same_qos
from lerobot_streamrec.nodes.graph.ros_start import make_helper
from lerobot_streamrec.nodes.graph.topic_types import class_to_take, decode
from lerobot_streamrec.recording.robot_files import RobotFiles
from lerobot_streamrec.settings.stream_settings import QOS_FROM_PUBLISHER, Source
from lerobot_streamrec.settings.transports import camera_info_topic
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import String

_TF_STATIC_TOPIC, _DESCRIPTION_TOPIC = '/tf_static', 'robot_description'
# Each of this many nodes may have published static transforms before.
_TF_DEPTH = 100
# Nodes that start together publish their static transforms one after another.
_SETTLED_S = 2.0
_STAMP_BYTES = 8


class _RareTopic:
    """
    A topic of which a look now and then is enough, heard from latching publishers and others.

    Without a publisher there is no subscription. With one, messages wait in the middleware, whose
    history is short, and nothing is decoded between two looks.

    :param node: the subscribing node, which no executor has to spin
    :param topic: full name of the topic
    :param message_type: name of its type, installed or not
    :param depth: number of the newest messages that a look gets
    """

    def __init__(self, node: Node, topic: str, message_type: str, depth: int = 1) -> None:
        self.topic = topic
        """The full name of the topic."""
        self._node = node
        self._message_type = message_type
        self._depth = depth
        # A request for latched messages would not reach publishers that do not latch.
        self._subscriptions: dict[DurabilityPolicy, tuple[QoSProfile, Any]] = {}

    def take(self) -> list[bytes]:
        """Return the messages since the last look, and look for publishers. Never blocks."""
        found = [data for _, one in self._subscriptions.values() for data in self._waiting(one)]
        offers: dict[DurabilityPolicy, list[Any]] = {}
        for one in self._node.get_publishers_info_by_topic(self.topic):
            if one.topic_type == self._message_type:
                offers.setdefault(one.qos_profile.durability, []).append(one)
        for durability, of_kind in offers.items():
            self._subscribe(durability, choose_qos(QOS_FROM_PUBLISHER, of_kind, self._depth))
        return found

    def _waiting(self, subscription: Any) -> list[bytes]:
        found: list[bytes] = []
        while len(found) < self._depth and (taken := take_bytes(subscription)) is not None:
            found.append(taken[0])
        return found

    def _subscribe(self, durability: DurabilityPolicy, qos: QoSProfile) -> None:
        present = self._subscriptions.get(durability)
        if present is not None:
            if is_same_qos(present[0], qos):
                return
            self._node.destroy_subscription(present[1])
        kind = class_to_take(self._message_type)
        subscription = subscribe_to_take(
            self._node, kind, self.topic, qos, on_lost=lambda _: None
        )
        self._subscriptions[durability] = qos, subscription


def topics_about_robot(home: Node, sources: Sequence[Source]) -> list[str]:
    """
    Return the full names of the topics that describe the robot: first those of the calibrations.

    :param home: the main node, which resolves names
    :param sources: all streams; the calibrations are in the order of their cameras
    """
    resolve = home.resolve_topic_name
    cameras = [one for one in sources if one.stream.is_camera]
    names = (one.camera_info or camera_info_topic(resolve(one.stream.topic)) for one in cameras)
    return [resolve(one) for one in (*names, _TF_STATIC_TOPIC, _DESCRIPTION_TOPIC)]


class RobotTopics:
    """
    Hears what describes the robot, and gives it to the recorder. Owned by the reader's thread.

    Nobody waits for these topics, and none of them has to exist.

    :param home: the main node, which resolves names and logs
    :param sources: all streams
    :param robot: receiver of the contents
    """

    def __init__(self, home: Node, sources: Sequence[Source], robot: RobotFiles) -> None:
        self.node = make_helper(home, 'robot')
        """The node that subscribes."""
        self._log: Any = home.get_logger()
        self._robot = robot
        *calibrations, transforms, description = topics_about_robot(home, sources)
        cameras = (one.parameter.partition('.')[2] for one in sources if one.stream.is_camera)
        self._cameras = {
            name: _RareTopic(self.node, topic, 'sensor_msgs/msg/CameraInfo')
            for name, topic in zip(cameras, calibrations, strict=True)
        }
        self._infos: dict[str, bytes] = {}
        self._described = b''
        self._transforms_topic = _RareTopic(
            self.node, transforms, 'tf2_msgs/msg/TFMessage', _TF_DEPTH
        )
        self._transforms: dict[str, Transform] = {}
        self._settled_s: float | None = None
        self._description = _RareTopic(self.node, description, 'std_msgs/msg/String')
        self._has_told = False

    def look(self, now_s: float, *, is_recording: bool) -> None:
        """
        Take in what has changed. Never blocks.

        :param now_s: time on the steady clock
        :param is_recording: True if an episode is running
        """
        for name, topic in self._cameras.items():
            for data in topic.take():
                self._hear_info(name, topic.topic, data)
        for data in self._transforms_topic.take():
            self._hear_transforms(data, now_s)
        if self._settled_s is not None and now_s >= self._settled_s:
            self._settled_s = None
            self._robot.put(TF_STATIC, '', transforms_yaml(self._transforms.values()))
        for data in self._description.take():
            self._hear_description(data)
        if is_recording and not self._has_told:
            self._has_told = True
            self._tell_silent()

    def _hear_info(self, name: str, topic: str, data: bytes) -> None:
        # Drivers repeat the calibration with every picture, and only its stamp changes.
        content = data[BEGIN + _STAMP_BYTES :]
        if content == self._infos.get(name):
            return
        self._infos[name] = content
        info = self._decoded(data, CameraInfo, topic)
        if info is None:
            return
        if not info.k[0]:
            self._log.info(f'camera {name}: {topic} says that the camera is not calibrated')
        self._robot.put(CALIBRATION, name, calibration_yaml(name, info))

    def _hear_description(self, data: bytes) -> None:
        if data != self._described:
            self._described = data
            text = self._decoded(data, String, self._description.topic)
            if text is not None:
                self._robot.put(ROBOT_DESCRIPTION, '', text.data.encode())

    def _hear_transforms(self, data: bytes, now_s: float) -> None:
        try:
            new = {one.child_frame_id: one for one in read_transforms(data)}
        except MessageError as error:
            self._log.warning(f'{self._transforms_topic.topic}: {error}')
            return
        if any(self._transforms.get(name) != one for name, one in new.items()):
            self._transforms |= new
            self._settled_s = now_s + _SETTLED_S

    def _decoded(self, data: bytes, kind: type, topic: str) -> Any:
        """Return a message; None if it is damaged, which is logged."""
        try:
            return decode(data, kind)
        except MessageError as error:
            self._log.warning(f'{topic}: {error}')
            return None

    def _tell_silent(self) -> None:
        silent = {
            name: one.topic for name, one in self._cameras.items() if name not in self._infos
        }
        if silent:
            topics = ', '.join(f'{name} ({topic})' for name, topic in silent.items())
            self._log.info(
                f'no calibration so far of {topics}: episodes have none of it until it comes; '
                'camera.<name>.camera_info names another topic'
            )
