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
"""Whether messages may have been lost because their publisher gives them too little room."""

from __future__ import annotations

from collections.abc import Iterable
import os
from pathlib import Path
from typing import Any

from lerobot_streamrec.installed import images_profile_advice, PROFILE_VARIABLES
import rclpy

LARGE_BYTES = 64_000
"""A message that fits into one datagram always fits into the shared memory of Fast DDS."""

_FAST_DDS = 'rmw_fastrtps'
# Where the identity of an endpoint has the lower half of its process's number.
_PID_BYTES = slice(4, 6)
_PID_STEP = 1 << 16
_MAX_PID = 1 << 22


def room_advice(offers: Iterable[Any], size_bytes: int) -> str:
    """
    Say what to do against losses.

    :param offers: ``TopicEndpointInfo`` of the topic's publishers
    :param size_bytes: size of a message
    :return: empty if more room would not help, or all publishers have it
    """
    is_fast_dds = rclpy.get_rmw_implementation_identifier().startswith(_FAST_DDS)
    if size_bytes <= LARGE_BYTES or not is_fast_dds:
        return ''
    return images_profile_advice() if any(not _has_profile(one) for one in offers) else ''


def _has_profile(offer: Any) -> bool:
    """Whether a publisher's process, if it can be looked at, was started with a profile."""
    begin = int.from_bytes(bytes(offer.endpoint_gid[_PID_BYTES]), 'little')
    return any(_names_profile(pid) for pid in range(begin, _MAX_PID, _PID_STEP))


def _names_profile(pid: int) -> bool:
    try:
        content = Path(f'/proc/{pid}/environ').read_bytes()
    except OSError:
        # It is on another machine, or another user's.
        return False
    entries = (one.partition(b'=') for one in content.split(b'\0'))
    names = {name.encode() for name in PROFILE_VARIABLES}
    return any(name in names and Path(os.fsdecode(path)).is_file() for name, _, path in entries)
