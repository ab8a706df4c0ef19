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
"""A recorder of bags, as `ros2 bag record` works: the middleware's bytes and arrivals."""

from __future__ import annotations

import threading
from typing import Any

from lerobot_streamrec.nodes.graph.distributions import subscribe_to_take, take_bytes
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import QoSProfile

from recorder_rig.surroundings import DISCOVERY_TIMEOUT_S, NODE_OPTIONS, wait_until

_QOS = QoSProfile(depth=1000)
_POLL_S = 0.005


class BagRecorder:
    """
    Keeps all messages of some topics until it is closed.

    :param context: ROS context of the session
    :param topics: class of the messages by topic
    """

    def __init__(self, context: Context, topics: dict[str, Any]) -> None:
        self._node = Node('test_bag_recorder', context=context, **NODE_OPTIONS)
        self._subscriptions = [
            subscribe_to_take(self._node, kind, topic, _QOS, lambda _: None)
            for topic, kind in topics.items()
        ]
        self.messages: list[tuple[str, str, int, bytes]] = []
        """Topic, type, receive time in nanoseconds, and bytes of each message."""
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name='test_bag_recorder', daemon=True)
        self._thread.start()

    def wait_for_publishers(self) -> None:
        """Wait until every topic has a publisher."""
        topics = [one.topic_name for one in self._subscriptions]
        wait_until(
            lambda: all(self._node.count_publishers(one) for one in topics),
            DISCOVERY_TIMEOUT_S,
            f'publishers of {topics}',
        )

    def _run(self) -> None:
        while not self._end.wait(_POLL_S):
            for one in self._subscriptions:
                self._take(one)

    def _take(self, subscription: Any) -> None:
        kind = subscription.msg_type
        name = f'{kind.__module__.split(".")[0]}/msg/{kind.__name__}'
        while (taken := take_bytes(subscription)) is not None:
            data, info = taken
            received_ns = int(info['received_timestamp'])
            self.messages.append((subscription.topic_name, name, received_ns, data))

    def close(self) -> None:
        """Leave the graph."""
        self._end.set()
        self._thread.join()
        self._node.destroy_node()
