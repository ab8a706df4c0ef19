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
"""Advice for messages that were lost because the publisher's shared memory is too small."""

from __future__ import annotations

from collections.abc import Iterable
import os
from pathlib import Path
from typing import Any

from lerobot_streamrec.installed import images_profile_advice, PROFILE_VARIABLES
from lerobot_streamrec.nodes.graph.qos import node_of
import rclpy
from rclpy.node import Node

LARGE_BYTES = 64_000
"""The largest size, about one datagram, that always fits into the shared memory of Fast DDS."""

_FAST_DDS = 'rmw_fastrtps'
# The bytes of an endpoint's gid that hold the lower 16 bits of its process id.
_PID_BYTES = slice(4, 6)
# Those with the host; the two before them name the vendor.
_HOST_BYTES = slice(2, 4)
_PID_STEP = 1 << 16
_MAX_PID = 1 << 22


def room_advice(offers: Iterable[Any], size_bytes: int) -> str:
    """
    Return advice against the loss of large messages.

    :param offers: ``TopicEndpointInfo`` of each publisher of the topic
    :param size_bytes: size of a message
    :return: the advice; empty if more shared memory would not help, or every publisher has it
    """
    is_fast_dds = rclpy.get_rmw_implementation_identifier().startswith(_FAST_DDS)
    if size_bytes <= LARGE_BYTES or not is_fast_dds:
        return ''
    return images_profile_advice() if any(not _has_profile(one) for one in offers) else ''


def is_elsewhere(node: Node, topic: str, offers: Iterable[Any]) -> bool:
    """
    Return True if a publisher is known to be on another host: only Fast DDS tells.

    :param node: node that subscribes to the topic
    :param topic: full name of the topic
    :param offers: ``TopicEndpointInfo`` of each publisher of the topic
    """
    if not rclpy.get_rmw_implementation_identifier().startswith(_FAST_DDS):
        return False
    ours = {
        bytes(one.endpoint_gid[_HOST_BYTES])
        for one in node.get_subscriptions_info_by_topic(topic)
        if node_of(one) == node.get_fully_qualified_name()
    }
    return bool(ours) and any(bytes(one.endpoint_gid[_HOST_BYTES]) not in ours for one in offers)


def _has_profile(offer: Any) -> bool:
    """Return True if a process that may be the publisher's was started with a profile."""
    begin = int.from_bytes(bytes(offer.endpoint_gid[_PID_BYTES]), 'little')
    return any(_names_profile(pid) for pid in range(begin, _MAX_PID, _PID_STEP))


def _names_profile(pid: int) -> bool:
    try:
        content = Path(f'/proc/{pid}/environ').read_bytes()
    except OSError:
        # There is no such process here, or it belongs to another user.
        return False
    entries = (one.partition(b'=') for one in content.split(b'\0'))
    names = {name.encode() for name in PROFILE_VARIABLES}
    return any(name in names and Path(os.fsdecode(path)).is_file() for name, _, path in entries)
