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
"""Others on the topics of a replay: live drivers, and robots that would obey."""

from __future__ import annotations

from collections.abc import Collection
import time
from typing import Any

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.graph.qos import node_of
from rclpy.node import Node

_LOOK_EVERY_S = 0.5


class TopicWatch:
    """
    Looks who publishes and who listens. Owned by one thread.

    :param node: the replay's; it publishes each of the topics once
    :param topics: full names
    :param actions: the topics among them that a robot may obey
    :param is_forced: True: other publishers are tolerated
    """

    def __init__(
        self, node: Node, topics: Collection[str], actions: Collection[str], *, is_forced: bool
    ) -> None:
        self._node = node
        self._log: Any = node.get_logger()
        self._topics = tuple(topics)
        self._actions = tuple(actions)
        self._is_forced = is_forced
        self._warned: set[tuple[str, str]] = set()
        self._looked_s = 0.0

    def look(self) -> None:
        """
        Look, unless it was done a moment ago. Never blocks.

        :raise ConfigError: if somebody else publishes on a topic
        """
        now_s = time.monotonic()
        if now_s < self._looked_s + _LOOK_EVERY_S:
            return
        self._looked_s = now_s
        own = self._node.get_fully_qualified_name()
        for topic in self._topics:
            others = [node_of(one) for one in self._node.get_publishers_info_by_topic(topic)]
            if own in others:
                others.remove(own)
            if others and not self._is_forced:
                raise ConfigError(
                    'force',
                    value=False,
                    allowed=f'{", ".join(sorted(set(others)))} publishes {topic}, and listeners '
                    'would hear both: end it, replay under other names with -p '
                    'topics_prefix:=/replay, or set force to true',
                )
        for topic in self._actions:
            for offer in self._node.get_subscriptions_info_by_topic(topic):
                self._warn(topic, node_of(offer))

    def _warn(self, topic: str, listener: str) -> None:
        if (topic, listener) not in self._warned:
            self._warned.add((topic, listener))
            self._log.warning(
                f'{listener} listens to {topic}, on which recorded actions are published: if it '
                'moves a robot, the robot moves; -p topics_prefix:=/replay keeps them apart'
            )
