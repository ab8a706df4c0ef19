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
"""A watch on the graph for a few seconds, in place of a recorder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.inspection.observation import CLOCK_TOPIC, CLOCK_TYPE, SeenTopic
from lerobot_streamrec.inspection.proposal import wanted_topics
from lerobot_streamrec.inspection.topic_listener import TopicListener
from lerobot_streamrec.nodes.graph.distributions import MessageInfo, subscribe_with_info
from lerobot_streamrec.nodes.graph.qos import choose_qos, describe_qos, node_of
from lerobot_streamrec.nodes.graph.topic_types import load_message_class
from lerobot_streamrec.nodes.topics.previews import is_preview
from lerobot_streamrec.settings.stream_settings import QOS_FROM_PUBLISHER
from lerobot_streamrec.settings.transports import PICTURE_TYPES
from lerobot_streamrec.sync.row_clock import NS_PER_S
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.time import Time

# Deep enough for the messages that arrive while a single-threaded executor handles a picture.
_DEPTH = 50


class GraphWatch:
    """
    Subscribes to recordable topics as they appear. Owned by the executor's thread.

    :param node: node that reads the graph and subscribes
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._listeners: dict[str, _Listener] = {}
        self._types: dict[str, str] = {}
        self._sim_ns = 0
        # Several robots may share the domain, so only the requested namespace is examined.
        self._prefix = f'{node.get_namespace().rstrip("/")}/'
        node.create_subscription(
            load_message_class(CLOCK_TOPIC, CLOCK_TYPE),
            CLOCK_TOPIC,
            self._on_clock,
            qos_profile_sensor_data,
        )

    @property
    def is_sim_time(self) -> bool:
        """True if somebody publishes simulated time on /clock."""
        return self._sim_ns > 0

    def look(self) -> None:
        """Update the list of topics and subscribe to new ones. Never blocks."""
        for name, types in self._node.get_topic_names_and_types():
            if is_preview(name, self._offers(name)):
                # It may have been taken for a topic before its publisher's name was known.
                self._types.pop(name, None)
            elif len(types) == 1 and name.startswith(self._prefix):
                self._types[name] = types[0]
        published = {name: kind for name, kind in self._types.items() if self._offers(name)}
        wanted = wanted_topics(published)
        for name in wanted - self._listeners.keys():
            self._listen(name, published[name])
        for name in self._listeners.keys() - wanted:
            # A better transport of the same camera has appeared.
            self._node.destroy_subscription(self._listeners.pop(name).subscription)

    def topics(self) -> list[SeenTopic]:
        """Return all topics seen so far."""
        return [self._seen(name, kind) for name, kind in sorted(self._types.items())]

    def picture(self, name: str) -> Picture | None:
        """Return the newest picture of a topic; None if there is none that can be read."""
        listener = self._listeners.get(name)
        return None if listener is None else listener.newest_picture()

    def numbers(self, name: str) -> dict[str, float]:
        """Return the newest numbers of a topic by their names; empty if none came."""
        listener = self._listeners.get(name)
        return {} if listener is None else listener.newest_numbers()

    def _offers(self, name: str) -> list[Any]:
        return self._node.get_publishers_info_by_topic(name)

    def _seen(self, name: str, kind: str) -> SeenTopic:
        offers = self._offers(name)
        nodes = tuple(sorted(map(node_of, offers)))
        offered = Counter(describe_qos(one.qos_profile) for one in offers)
        qos = ' and '.join(offered)
        if offered.total() > 1:
            qos += f', {offered.total()} publishers'
        listener = self._listeners.get(name)
        seen = SeenTopic(name, kind, qos) if listener is None else listener.seen(qos)
        return replace(seen, nodes=nodes)

    def _listen(self, name: str, kind: str) -> None:
        try:
            message_class = load_message_class(name, kind)
        except ConfigError:
            # Without the message class, only the topic's name and type can be reported.
            return
        listener = _Listener(name, kind, self._received_ns)
        qos = choose_qos(QOS_FROM_PUBLISHER, self._offers(name), _DEPTH)
        listener.subscription = subscribe_with_info(
            self._node,
            message_class,
            name,
            qos,
            on_message=listener.on_message,
            on_lost=listener.on_lost,
            is_encoded=kind in PICTURE_TYPES,
        )
        self._listeners[name] = listener

    def _on_clock(self, message: Any) -> None:
        self._sim_ns = message.clock.sec * NS_PER_S + message.clock.nanosec

    def _received_ns(self, info: MessageInfo) -> int:
        if self._sim_ns:
            return self._sim_ns
        received_ns = int(info.get('received_timestamp') or 0)
        if received_ns > 0:
            return received_ns
        now: Time = self._node.get_clock().now()
        return int(now.nanoseconds)


class _Listener(TopicListener):
    """
    A listener with its subscription. Owned by the executor's thread.

    :param name: name of the topic
    :param kind: type of its messages
    :param received_ns: function that returns a message's arrival time, in nanoseconds
    """

    def __init__(self, name: str, kind: str, received_ns: Callable[[MessageInfo], int]) -> None:
        super().__init__(name, kind)
        self.subscription: Any = None
        self._received_ns = received_ns

    def on_message(self, message: Any, info: MessageInfo) -> None:
        self.push(message, self._received_ns(info), info)

    def on_lost(self, event: Any) -> None:
        self.lose(event.total_count_change)
