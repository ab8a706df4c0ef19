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
"""The topics of a parameter file, as the running graph publishes them."""

from __future__ import annotations

from functools import partial

from lerobot_streamrec.inspection import completion
from lerobot_streamrec.inspection.completion import UntypedTopic
from lerobot_streamrec.live.session import Session
from lerobot_streamrec.nodes.graph.topic_types import load_fields, types_of
from lerobot_streamrec.settings.recorder_settings import GivenSettings, Settings
from rclpy.node import Node


def discover(session: Session, node: Node, given: GivenSettings, seconds: float) -> None:
    """
    Wait until every topic of the file has a publisher.

    :param session: session that spins the node
    :param node: node that reads the graph
    :param given: settings from the file
    :param seconds: longest time to wait, in seconds
    """
    cameras = {source.stream.topic for source in given.cameras}
    vectors = {one.stream.topic for one in given.vectors}

    def is_there() -> bool:
        return all(types_of(node, topic) for topic in vectors) and all(
            types_of(node, topic) or _beside(node, topic) for topic in cameras
        )

    session.spin(seconds, lambda: None, until=is_there)


def _beside(node: Node, topic: str) -> bool:
    """Return True if a camera is published with another transport."""
    prefix = f'{node.resolve_topic_name(topic)}/'
    return any(
        name.startswith(prefix) and node.count_publishers(name)
        for name, _ in node.get_topic_names_and_types()
    )


def complete(given: GivenSettings, node: Node) -> tuple[Settings | None, list[UntypedTopic]]:
    """
    Complete the settings with the types found in the graph.

    :param given: settings from the file
    :param node: node that reads the graph
    :return: settings without topics of unknown type, None if no topic is left; and those topics
    :raise ConfigError: if the recorder would reject the settings
    """
    return completion.complete(
        given, partial(types_of, node), load_fields, node.resolve_topic_name
    )
