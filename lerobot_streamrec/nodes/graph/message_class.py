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
"""The Python classes of message types, by name."""

from __future__ import annotations

from importlib import import_module

from lerobot_streamrec.errors import ConfigError


def load_message_class(parameter: str, message_type: str) -> type:
    """
    Import the class of a message type.

    :param parameter: the setting that names it, for the error
    :param message_type: such as ``sensor_msgs/msg/JointState``
    :raise ConfigError: if there is no such type on this machine
    """
    package, _, name = message_type.partition('/msg/')
    try:
        found = getattr(import_module(f'{package}.msg'), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            parameter,
            message_type,
            f'this type is not installed ({error}); write it as sensor_msgs/msg/JointState, and '
            'source the workspace that has it',
        ) from error
    if not isinstance(found, type):
        raise ConfigError(parameter, message_type, 'this is no message type')
    return found
