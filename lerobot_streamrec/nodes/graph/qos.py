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
"""Quality of service: what to ask for, so that whatever is published arrives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    qos_check_compatible,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
)

QOS_FROM_PUBLISHER = 'auto'
_BEST_EFFORT, _RELIABLE = 'best_effort', 'reliable'
QOS_CHOICES = (QOS_FROM_PUBLISHER, _BEST_EFFORT, _RELIABLE)
"""What the reliability of a subscription may be."""


def choose_qos(choice: str, offers: Sequence[Any], depth: int) -> QoSProfile:
    """
    Choose what to ask of a topic's publishers.

    The stricter policy only if every publisher offers it: one that does not would not be heard.
    How much a publisher keeps cannot be known from outside, so that the depth is ours.

    :param choice: one of ``QOS_CHOICES``
    :param offers: ``rclpy.topic_endpoint_info.TopicEndpointInfo`` of each publisher
    :param depth: messages that may wait to be read
    """
    profiles = [offer.qos_profile for offer in offers]
    is_reliable = bool(profiles) and all(
        one.reliability == ReliabilityPolicy.RELIABLE for one in profiles
    )
    is_latched = bool(profiles) and all(
        one.durability == DurabilityPolicy.TRANSIENT_LOCAL for one in profiles
    )
    if choice != QOS_FROM_PUBLISHER:
        is_reliable = choice == _RELIABLE
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE if is_reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if is_latched else DurabilityPolicy.VOLATILE,
    )


def is_same_qos(one: QoSProfile, other: QoSProfile) -> bool:
    """Whether two of our profiles ask for the same."""
    return (one.reliability, one.durability) == (other.reliability, other.durability)


def qos_problems(asked: QoSProfile, message_type: str, offers: Sequence[Any]) -> list[str]:
    """
    Say which publishers cannot be heard, and why.

    :param asked: by the subscription
    :param message_type: of the subscription
    :param offers: ``TopicEndpointInfo`` of each publisher
    """
    found = []
    for offer in offers:
        name = node_of(offer)
        if offer.topic_type != message_type:
            found.append(f'{name} publishes {offer.topic_type}, not {message_type}')
            continue
        compatibility, reason = qos_check_compatible(offer.qos_profile, asked)
        if compatibility == QoSCompatibility.ERROR:
            found.append(
                f'{name} offers {describe_qos(offer.qos_profile)}, which is not compatible with '
                f'the {describe_qos(asked)} that is asked for ({reason.strip().rstrip(";")})'
            )
    return found


def node_of(offer: Any) -> str:
    """Return the full name of a publisher's node."""
    return f'{offer.node_namespace.rstrip("/")}/{offer.node_name}'


def describe_qos(profile: QoSProfile) -> str:
    """Say what a profile is, in the words of ``ros2 topic info``."""
    return f'{profile.reliability.name}, {profile.durability.name}'
