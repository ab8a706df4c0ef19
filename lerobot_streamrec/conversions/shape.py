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
"""What is where in a message: its shape, known from its type or looked up in a message itself."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
import re
from typing import Any

from lerobot_streamrec.errors import VectorError
import numpy as np

_NUMBERS = frozenset(
    f'{sign}int{bits}' for sign in ('', 'u') for bits in (8, 16, 32, 64)
) | {'boolean', 'float', 'double', 'long double'}
_SEQUENCE = re.compile(r'sequence<(.+?)(?:, [0-9]+)?>')
_ARRAY = re.compile(r'(.+)\[([0-9]+)\]')

# Generated message classes have a slot that is no field.
_NO_FIELD = '_check_fields'

Definitions = Callable[[str], Mapping[str, str] | None]
"""Fields and their types of a type such as ``geometry_msgs/Point``; None: not known."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number or a bool."""


@dataclass(frozen=True, slots=True)
class Other:
    """
    What is no number, such as a text.

    :param type_name: what it is
    """

    type_name: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """What a type that is not known would tell, or an element of an empty list."""


@dataclass(frozen=True, slots=True)
class Record:
    """
    A message.

    :param names: of its fields, in order
    :param field: gives the shape of one of them
    """

    names: tuple[str, ...]
    field: Callable[[str], Shape]


@dataclass(frozen=True, slots=True)
class Series:
    """
    An array or list.

    :param element: shape of its elements
    :param length: None: differs from message to message
    """

    element: Shape
    length: int | None


Shape = Number | Other | Unknown | Record | Series


def type_shape(type_name: str, definitions: Definitions) -> Shape:
    """
    Tell the shape of a field's type.

    :param type_name: as ``get_fields_and_field_types`` says it: ``double``, ``double[9]``,
        ``sequence<string>``, ``geometry_msgs/Point``
    :param definitions: of message types
    """
    if type_name in _NUMBERS:
        return Number()
    if found := _SEQUENCE.fullmatch(type_name):
        return Series(type_shape(found[1], definitions), None)
    if found := _ARRAY.fullmatch(type_name):
        return Series(type_shape(found[1], definitions), int(found[2]))
    if '/' not in type_name:
        return Other(type_name)
    types = definitions(type_name)
    if types is None:
        return Unknown()
    return Record(tuple(types), lambda name: type_shape(types[name], definitions))


def element_type(type_name: str) -> str:
    """
    Return the type of an array's or a list's elements.

    :param type_name: such as ``double[9]`` or ``sequence<string>``
    :raise VectorError: if it is neither
    """
    found = _SEQUENCE.fullmatch(type_name) or _ARRAY.fullmatch(type_name)
    if found is None:
        raise VectorError(f'{type_name} has no elements')
    return found[1]


def message_shape(value: Any) -> Shape:
    """Tell the shape of a message, or of what stands in one."""
    if isinstance(value, bool | int | float | np.number | np.bool_):
        return Number()
    if isinstance(value, array):
        return Series(Number(), len(value))
    if isinstance(value, np.ndarray):
        is_numeric = value.dtype.kind in 'fiub'
        return Series(Number() if is_numeric else Other(str(value.dtype)), value.size)
    if isinstance(value, list | tuple):
        return Series(message_shape(value[0]) if value else Unknown(), len(value))
    names = field_names(value)
    if not names:
        return Other(type(value).__name__)
    return Record(names, lambda name: message_shape(getattr(value, name)))


def field_names(message: Any) -> tuple[str, ...]:
    """Return the names of a message's fields in their order; none if it is no message."""
    if isinstance(message, str | bytes | bytearray):
        return ()
    if hasattr(message, 'get_fields_and_field_types'):
        return tuple(message.get_fields_and_field_types())
    if slots := getattr(message, '__slots__', ()):
        return tuple(one.lstrip('_') for one in slots if one != _NO_FIELD)
    return tuple(name for name in getattr(message, '__dict__', ()) if not name.startswith('_'))
