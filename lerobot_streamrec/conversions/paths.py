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
"""Paths of fields such as `points[-1].positions[elbow]`, and the shapes of messages."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
import re
from typing import Any

from lerobot_streamrec.conversions.point_cloud import is_cloud, num_points, POINTS
from lerobot_streamrec.conversions.selector import (
    ByName,
    ByTime,
    ByValue,
    Field,
    Index,
    Steps,
    text_of,
)
from lerobot_streamrec.errors import VectorError
import numpy as np

DTYPES = {
    'boolean': '?',
    'float': 'f4',
    'double': 'f8',
    **{f'int{bits}': f'i{bits // 8}' for bits in (8, 16, 32, 64)},
    **{f'uint{bits}': f'u{bits // 8}' for bits in (8, 16, 32, 64)},
}
"""NumPy's names of the types of numbers; the size of a ``long double`` depends on the machine."""
_NUMBERS = DTYPES.keys() | {'long double'}
_SEQUENCE = re.compile(r'sequence<(.+?)(?:, [0-9]+)?>')
_ARRAY = re.compile(r'(.+)\[([0-9]+)\]')

# Generated message classes have this slot, which is not a field.
_NO_FIELD = '_check_fields'

Definitions = Callable[[str], Mapping[str, str] | None]
"""
Returns the fields of a message type and their types, in order; None: unknown.

A type is named ``geometry_msgs/msg/Point``, or ``geometry_msgs/Point`` as in the fields of others.
"""


@dataclass(frozen=True, slots=True)
class Number:
    """A number or a bool."""


@dataclass(frozen=True, slots=True)
class Other:
    """
    A value that is not a number, such as a text.

    :param type_name: name of the value's type
    """

    type_name: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value of an unknown type, or the element of an empty list."""


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a cloud. Its fields are not known here, because every message names its own."""


@dataclass(frozen=True, slots=True)
class Record:
    """
    A message.

    :param names: names of its fields, in order
    :param field: function that returns the shape of a field
    """

    names: tuple[str, ...]
    field: Callable[[str], Shape]


@dataclass(frozen=True, slots=True)
class Series:
    """
    An array or list.

    :param element: shape of its elements
    :param length: number of elements; None if it differs between messages
    """

    element: Shape
    length: int | None


Shape = Number | Other | Unknown | Point | Record | Series


def type_shape(type_name: str, definitions: Definitions) -> Shape:
    """
    Return the shape of a field's type.

    :param type_name: name as in ``get_fields_and_field_types``, such as ``double``, ``double[9]``,
        ``sequence<string>`` or ``geometry_msgs/Point``
    :param definitions: function that returns the fields of message types
    """
    if type_name in _NUMBERS:
        return Number()
    if parts := list_parts(type_name):
        element, length = parts
        return Series(type_shape(element, definitions), length)
    if '/' not in type_name:
        return Other(type_name)
    types = definitions(type_name)
    if types is None:
        return Unknown()
    return _record(tuple(types), lambda name: type_shape(types[name], definitions), lambda: None)


def list_parts(type_name: str) -> tuple[str, int | None] | None:
    """
    Return the type of the elements of an array or a list, and its length; None for other types.

    :param type_name: name of the type, such as ``double[9]`` or ``sequence<string>``
    :return: the length is None if messages differ in it
    """
    if found := _SEQUENCE.fullmatch(type_name):
        return found[1], None
    found = _ARRAY.fullmatch(type_name)
    return (found[1], int(found[2])) if found else None


def message_shape(value: Any) -> Shape:
    """
    Return the shape of a message or of a value in it.

    The shape of the points of a cloud raises a VectorError if its data is too short for them.
    """
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
    return _record(
        names, lambda name: message_shape(getattr(value, name)), lambda: num_points(value)
    )


def _record(
    names: tuple[str, ...], field: Callable[[str], Shape], length: Callable[[], int | None]
) -> Record:
    """
    Return the shape of a message; a cloud has its points as one more field.

    :param length: function that returns the number of points of a cloud
    """
    if not is_cloud(names):
        return Record(names, field)
    return Record(
        (*names, POINTS),
        lambda name: Series(Point(), length()) if name == POINTS else field(name),
    )


def field_names(message: Any) -> tuple[str, ...]:
    """Return the names of a message's fields in order; empty if the value is not a message."""
    if isinstance(message, str | bytes | bytearray):
        return ()
    if hasattr(message, 'get_fields_and_field_types'):
        return tuple(message.get_fields_and_field_types())
    if slots := getattr(message, '__slots__', ()):
        return tuple(one.lstrip('_') for one in slots if one != _NO_FIELD)
    return tuple(name for name in getattr(message, '__dict__', ()) if not name.startswith('_'))


Getter = Callable[[Any], Any]


class Cursor:
    """
    The place of the trajectory's point that is being read.

    Owned by the thread of the reader.
    """

    def __init__(self) -> None:
        self.place = 0


class NameFinder:
    """
    Looks names up in a message's list of names, anew only if the list has changed.

    Owned by one thread.

    :param steps: steps to the list of names
    :param wanted: names to look up, in the order of the returned places
    :param name_lists: steps to other lists of names, keyed by the place in ``steps`` of the step
        that looks up a name
    :param cursor: cursor of the trajectory, if the list is in one
    """

    def __init__(
        self, steps: Steps, wanted: Sequence[str], name_lists: Mapping[int, Steps], cursor: Cursor
    ) -> None:
        self.text = text_of(steps)
        self._list_of = path_getter(steps, name_lists, cursor)
        self._wanted = tuple(wanted)
        self._seen: tuple[str, ...] | None = None
        self._places: tuple[int, ...] = ()

    def __call__(self, message: Any) -> tuple[tuple[int, ...], int]:
        """
        Return the places of the wanted names, and how many names the list has.

        :raise VectorError: if a wanted name is missing or occurs more than once
        """
        seen = tuple(self._list_of(message))
        if seen != self._seen:
            self._places = self._find(seen)
            self._seen = seen
        return self._places, len(seen)

    def _find(self, seen: tuple[str, ...]) -> tuple[int, ...]:
        missing = [name for name in self._wanted if name not in seen]
        if missing:
            hint = (
                ': where several publishers share a topic, read each as a part (docs/selectors.md)'
                if len(missing) < len(self._wanted)
                else ''
            )
            raise VectorError(
                f'{self.text} lacks {", ".join(missing)}; it has {", ".join(seen) or "no names"}'
                f'{hint}'
            )
        twice = [name for name in self._wanted if seen.count(name) > 1]
        if twice:
            raise VectorError(
                f'{self.text} has {", ".join(twice)} more than once: which one is meant?'
            )
        return tuple(seen.index(name) for name in self._wanted)


def path_getter(steps: Steps, name_lists: Mapping[int, Steps], cursor: Cursor) -> Getter:
    """
    Return a function that follows steps through a message to a single value.

    :param steps: steps without slices
    :param name_lists: steps to the list of names, keyed by the place of the step that looks up a
        name
    :param cursor: cursor at the point of a trajectory that is read
    """
    if not steps:
        return lambda message: message
    if all(isinstance(step, Field) for step in steps):
        return attrgetter(text_of(steps))
    finders = {
        place: NameFinder(name_lists[place], [step.name], name_lists, cursor)
        for place, step in enumerate(steps)
        if isinstance(step, ByName)
    }

    def get(message: Any) -> Any:
        value = message
        for place, step in enumerate(steps):
            match step:
                case Field(name=name):
                    value = getattr(value, name)
                case Index(place=index):
                    value = _by_index(value, index, steps[:place])
                case ByName():
                    value = _by_name(value, finders[place], message, steps[:place])
                case ByValue():
                    value = _by_value(value, step, steps[:place])
                case ByTime():
                    value = value[cursor.place]
        return value

    return get


def _by_index(values: Any, index: int, before: Steps) -> Any:
    try:
        return values[index]
    except IndexError:
        where = text_of(before)
        raise VectorError(
            f'{where}[{index}] is out of range: {where} has {len(values)} elements'
        ) from None


def _by_name(values: Any, finder: NameFinder, message: Any, before: Steps) -> Any:
    places, num_names = finder(message)
    if len(values) != num_names:
        raise unequal(finder.text, num_names, text_of(before), len(values))
    return values[places[0]]


def _by_value(values: Any, step: ByValue, before: Steps) -> Any:
    value_of = attrgetter(step.field)
    there = [str(value_of(one)) for one in values]
    found = [one for one, text in zip(values, there, strict=True) if text == step.value]
    if len(found) == 1:
        return found[0]
    where = text_of(before)
    if found:
        raise VectorError(
            f'{where} has {len(found)} elements whose {step.field} is {step.value}: '
            f'which one is meant?'
        )
    raise VectorError(
        f'{where} has no element whose {step.field} is {step.value}; '
        f'found {", ".join(there) or "none"}'
    )


def unequal(names: str, num_names: int, values: str, num_values: int) -> VectorError:
    """Return the error for a list of names and an array that differ in length."""
    return VectorError(f'{names} has {num_names} names but {values} has {num_values} values')
