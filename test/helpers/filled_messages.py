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
"""Messages of any installed type that are filled with numbers of their own; needs ROS."""

from __future__ import annotations

from lerobot_streamrec.nodes.graph.topic_types import load_message_class
import numpy as np

NAMES = ('c', 'a', 'b')


def load_class(message_type):
    return load_message_class('type', message_type)


def fill(message, numbers, text):
    """Give every number its own value, every text the given one, and quaternions the norm 1."""
    if type(message).__name__ == 'Quaternion':
        message.x, message.y, message.z, message.w = 0.5, 0.5, -0.5, 0.5
        return message
    for name, kind in message.get_fields_and_field_types().items():
        value = getattr(message, name)
        if hasattr(value, 'get_fields_and_field_types'):
            fill(value, numbers, text)
        elif kind.startswith('sequence<'):
            length = 3 if name == 'data' else 4
            setattr(message, name, filled_list(kind[len('sequence<') : -1], length, numbers, text))
        elif isinstance(value, np.ndarray):
            value[:] = [next(numbers) for _ in value]
        elif isinstance(value, str):
            setattr(message, name, text)
        else:
            number = next(numbers)
            setattr(message, name, type(value)(number % 2 if kind == 'boolean' else number))
    return message


def filled_list(kind, length, numbers, text):
    if kind == 'string':
        return ['b', f'other {text}', 'a', 'c']
    if '/' in kind:
        message_class = load_class(kind.replace('/', '/msg/'))
        return [fill(message_class(), numbers, text) for _ in range(2)]
    element = float if kind in ('double', 'float') else int
    return [element(next(numbers)) for _ in range(length)]


def selectors_of(message_type):
    return ['axes[1]', 'axes[0]', 'buttons[1:3]'] if message_type.endswith('/Joy') else []


def names_of(message_type):
    with_names = ('JointState', 'JointTrajectory', 'MultiArray')
    return NAMES if message_type.endswith(with_names) else ()
