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

from lerobot_streamrec.nodes.graph.distributions import subscribe_to_take, take_bytes
from lerobot_streamrec.nodes.graph.qos import choose_qos, is_same_qos
from lerobot_streamrec.nodes.graph.ros_start import make_helper
from lerobot_streamrec.nodes.graph.topic_types import class_to_take, decode
from lerobot_streamrec.recording.robot_files import RobotFiles
from lerobot_streamrec.settings.sample_reader import INFO_TYPE, RobotReader, TEXT_TYPE
from lerobot_streamrec.settings.stream_settings import QOS_FROM_PUBLISHER, Source
from lerobot_streamrec.settings.transports import Target
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import String

# Each of this many nodes may have published static transforms before.
_TF_DEPTH = 100


class _RareTopic:
    """
    A topic of which a look now and then is enough, heard from latching publishers and others.

    Without a publisher there is no subscription. With one, messages wait in the middleware, whose
    history is short, and nothing is decoded between two looks.

    :param node: the subscribing node, which no executor has to spin
    :param target: full name and type of the topic, installed or not
    :param depth: number of the newest messages that a look gets
    """

    def __init__(self, node: Node, target: Target, depth: int) -> None:
        self._node = node
        self._target = target
        self._depth = depth
        # A request for latched messages would not reach publishers that do not latch.
        self._subscriptions: dict[DurabilityPolicy, tuple[QoSProfile, Any]] = {}

    def take(self) -> list[bytes]:
        """Return the messages since the last look, and look for publishers. Never blocks."""
        found = [data for _, one in self._subscriptions.values() for data in self._waiting(one)]
        offers: dict[DurabilityPolicy, list[Any]] = {}
        for one in self._node.get_publishers_info_by_topic(self._target.topic):
            if one.topic_type == self._target.message_type:
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
        kind = class_to_take(self._target.message_type)
        subscription = subscribe_to_take(
            self._node, kind, self._target.topic, qos, on_lost=lambda _: None
        )
        self._subscriptions[durability] = qos, subscription


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
        self._reader = RobotReader(sources, home.resolve_topic_name, _decoded, robot)
        self._topics = {
            one: _RareTopic(self.node, one, _TF_DEPTH if one == self._reader.transforms else 1)
            for one in self._reader.targets
        }
        self._has_told = False

    def look(self, now_s: float, *, is_recording: bool) -> None:
        """
        Take in what has changed. Never blocks.

        :param now_s: time on the steady clock
        :param is_recording: True if an episode is running
        """
        for target, topic in self._topics.items():
            for data in topic.take():
                self._reader.hear(target, data, now_s)
        self._reader.settle(now_s)
        if is_recording and not self._has_told:
            self._has_told = True
            self._tell_silent()

    def _tell_silent(self) -> None:
        if silent := self._reader.silent:
            topics = ', '.join(f'{name} ({topic})' for name, topic in silent.items())
            self._log.info(
                f'no calibration so far of {topics}: episodes have none of it until it comes; '
                'camera.<name>.camera_info names another topic'
            )


def _decoded(message_type: str, data: bytes) -> Any:
    return decode(data, {INFO_TYPE: CameraInfo, TEXT_TYPE: String}[message_type])
