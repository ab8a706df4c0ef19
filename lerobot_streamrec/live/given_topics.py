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
"""What a parameter file says, completed by what the graph says: types of topics."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.live.observation import Observation
from lerobot_streamrec.live.session import Session
from lerobot_streamrec.nodes.parameters.vector_settings import (
    TypeOf,
    vector_sources,
    VectorSettings,
)
from lerobot_streamrec.nodes.settings import GivenSettings, Settings
from rclpy.node import Node


class _NotPublishedError(ConfigError):
    """A type that is asked for, of a topic without publishers or with several types."""


@dataclass(frozen=True, slots=True)
class UntypedTopic:
    """
    A topic whose type is not known.

    :param settings: what the file says of it
    :param reason: why it is not known
    """

    settings: VectorSettings
    reason: str

    def observation(self, node: Node) -> Observation:
        """Say who publishes it."""
        vector = self.settings
        types = tuple(types_of(node, vector.topic))
        return Observation(
            parameter=vector.parameter,
            key=vector.feature,
            topic=node.resolve_topic_name(vector.topic),
            message_type='',
            is_camera=False,
            stamp=vector.timing.stamp,
            offered=types,
            types=types,
        )


def discover(session: Session, node: Node, given: GivenSettings, seconds: float) -> None:
    """
    Wait until every topic of the file has somebody who publishes it.

    :param session: with the node
    :param node: looks at the graph
    :param given: what the file says
    :param seconds: how long at most
    """
    cameras = {source.stream.topic for source in given.cameras}
    vectors = {one.topic for one in given.vectors}

    def is_there() -> bool:
        return all(types_of(node, topic) for topic in vectors) and all(
            types_of(node, topic) or _beside(node, topic) for topic in cameras
        )

    session.spin(seconds, lambda: None, until=is_there)


def _beside(node: Node, topic: str) -> bool:
    """Whether a camera is published by another transport."""
    prefix = f'{node.resolve_topic_name(topic)}/'
    return any(
        name.startswith(prefix) and node.count_publishers(name)
        for name, _ in node.get_topic_names_and_types()
    )


def types_of(node: Node, topic: str) -> list[str]:
    """Return the types with which a topic is published now."""
    offers = node.get_publishers_info_by_topic(topic)
    return sorted({offer.topic_type for offer in offers})


def complete(given: GivenSettings, node: Node) -> tuple[Settings | None, list[UntypedTopic]]:
    """
    Complete the settings.

    :param given: what the file says
    :param node: looks at the graph
    :return: without topics whose type cannot be known now; None: nothing else is there
    :raise ConfigError: if the recorder would not take them
    """

    def type_of(parameter: str, topic: str) -> str:
        types = types_of(node, topic)
        if len(types) != 1:
            reason = (
                f'{topic} is published as {" and as ".join(types)}: set {parameter} to one of them'
            )
            raise _NotPublishedError(parameter, '', reason)
        return types[0]

    typed, untyped = [], []
    for one in given.vectors:
        reason = _why_untyped(one, type_of)
        if reason:
            untyped.append(UntypedTopic(one, reason))
        else:
            typed.append(one)
    if untyped and not typed and not given.cameras:
        return None, untyped
    known = replace(given, vectors=tuple(typed))
    return known.complete(type_of, node.resolve_topic_name), untyped


def _why_untyped(one: VectorSettings, type_of: TypeOf) -> str:
    try:
        vector_sources([one], type_of)
    except _NotPublishedError as error:
        return error.allowed
    return ''
