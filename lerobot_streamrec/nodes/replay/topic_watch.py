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
"""A watch for other nodes on the topics of a replay."""

from __future__ import annotations

from collections.abc import Collection
import time
from typing import Any

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.graph.qos import node_of, UNKNOWN_NODE
from rclpy.node import Node

_LOOK_EVERY_S = 0.5
# Discovery tells the name of a node within moments of its publishers.
_NAMES_S, _POLL_S = 2.0, 0.02


class TopicWatch:
    """
    A watch for other publishers and for subscribers of actions. Owned by one thread.

    :param node: node of the replay, with one publisher for each topic
    :param topics: full names of the topics
    :param actions: those of the topics that may command a robot
    :param is_forced: True if other publishers are tolerated
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
        Look for other nodes, unless that was done a moment ago.

        Blocks only before an error, until the names of the other nodes are known.

        :raise ConfigError: if another node publishes on a topic
        """
        now_s = time.monotonic()
        if now_s < self._looked_s + _LOOK_EVERY_S:
            return
        self._looked_s = now_s
        for topic in self._topics:
            if self._others(topic) and not self._is_forced:
                raise ConfigError(
                    'force',
                    value=False,
                    allowed=f'{topic} is also published by {self._names_of_others(topic)}, so '
                    'subscribers would hear both: stop the other node, replay on other topics '
                    'with -p topics_prefix:=/replay, or set force to true',
                )
        for topic in self._actions:
            for offer in self._node.get_subscriptions_info_by_topic(topic):
                self._warn(topic, node_of(offer))

    def _others(self, topic: str) -> list[str]:
        """Return the nodes of the other publishers of a topic."""
        others = [node_of(one) for one in self._node.get_publishers_info_by_topic(topic)]
        own = self._node.get_fully_qualified_name()
        if own in others:
            others.remove(own)
        return others

    def _names_of_others(self, topic: str) -> str:
        """Return the names of the other publishers; wait a moment for a name that is unknown."""
        end_s = time.monotonic() + _NAMES_S
        while UNKNOWN_NODE in (others := self._others(topic)) and time.monotonic() < end_s:
            time.sleep(_POLL_S)
        return ', '.join(sorted(set(others))) or UNKNOWN_NODE

    def _warn(self, topic: str, listener: str) -> None:
        if (topic, listener) not in self._warned:
            self._warned.add((topic, listener))
            self._log.warning(
                f'{listener} subscribes to {topic}, on which recorded actions are published: if '
                'it controls a robot, the robot moves; use -p topics_prefix:=/replay to prevent '
                'that'
            )
