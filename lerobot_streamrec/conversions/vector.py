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
"""Readers of the message types that can be state or action."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lerobot_streamrec.conversions.elements import find_elements
from lerobot_streamrec.conversions.message_types import FLOAT64_ARRAY, JOINT_STATE
from lerobot_streamrec.conversions.parts import Vector
from lerobot_streamrec.conversions.reader import SelectorReader
from lerobot_streamrec.errors import ConfigError

MESSAGE_TYPES = (JOINT_STATE, FLOAT64_ARRAY)
"""Message types that can be state or action."""


def vector_reader(
    parameter: str, message_type: str, names: Sequence[str], field: str
) -> Callable[[Any], Vector]:
    """
    Make the reader of a message type.

    :param parameter: the setting that names the type, for the error
    :param message_type: such as ``sensor_msgs/msg/JointState``
    :param names: elements of the vector
    :param field: which numbers of a joint state
    :raise ConfigError: if the type is not one of ``MESSAGE_TYPES``
    """
    if message_type not in MESSAGE_TYPES:
        raise ConfigError(parameter, message_type, f'allowed are {", ".join(MESSAGE_TYPES)}')
    elements = find_elements(parameter.removesuffix('.type'), message_type, (), names, field)
    return SelectorReader(elements.selectors, elements.names)
