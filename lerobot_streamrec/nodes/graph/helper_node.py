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
"""Nodes that only listen, and the memory that they give back."""

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
    Let glibc keep picture-sized memory instead of mapping it anew for each message.

    Receiving three cameras costs a third of the processor time then. Sizes beyond what mallopt
    takes, or another C library, leave everything as it is.

    :return: whether it was done
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
    Make a node that only listens, for one stream.

    It is named after the main node and stands in its namespace. It serves no parameters, which
    could be taken for those of a driver, and logs nothing of its own. Arguments of the process do
    not reach it: ``__node`` and ``__ns`` are meant for the main node, and topic names are to be
    resolved by that node, so that remappings hold.

    :param home: the main node
    :param suffix: its purpose, such as ``camera.front``
    """
    name = re.sub(r'[^A-Za-z0-9_]', '_', suffix)
    return Node(
        f'{home.get_name()}_{name}',
        context=home.context,
        namespace=home.get_namespace(),
        use_global_arguments=False,
        enable_rosout=False,
        start_parameter_services=False,
        # Unknown on Humble, and ignored there.
        parameter_overrides=[Parameter('start_type_description_service', value=False)],
    )
