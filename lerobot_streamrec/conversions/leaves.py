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
"""The leaves of selectors: the single numbers and the parts of arrays that they select."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lerobot_streamrec.conversions.paths import (
    Definitions,
    Number,
    Other,
    Point,
    Record,
    Series,
    Shape,
    type_shape,
    Unknown,
)
from lerobot_streamrec.conversions.selector import (
    ByName,
    ByTime,
    ByValue,
    Field,
    Index,
    Selector,
    Slice,
    Step,
    Steps,
    text_of,
)
from lerobot_streamrec.errors import VectorError

NAME_LISTS = ('name', 'names', 'joint_names', 'interface_names')
"""Fields in which messages name the elements of their lists, in the order of preference."""

_HEADER = 'header'
_TIME_FIELD = 'time_from_start'
_WHOLE = Slice(None, None)
_QUATERNION = tuple(map(Field, 'xyzw'))


@dataclass(frozen=True, slots=True)
class Leaf:
    """
    A number or a part of an array that is read at once.

    :param base: steps to the number or the array
    :param pick: elements to take from the array; None if the base is a single number
    :param length: length of the array; None if it is unknown or differs between messages
    :param is_known: False if the type is unknown, and with it whether there are numbers
    :param name_lists: steps to the list of names, keyed by the place in the path of the step that
        looks up a name
    :param column: steps from a picked point of a cloud to its number; empty for anything else
    """

    base: Steps
    pick: Index | Slice | ByName | None = None
    length: int | None = None
    is_known: bool = True
    name_lists: Mapping[int, Steps] = field(default_factory=dict)
    column: Steps = ()

    def __str__(self) -> str:
        if self.pick is None or (self.pick == _WHOLE and not self.column):
            return text_of(self.base)
        return text_of((*self.base, self.pick, *self.column))

    @property
    def count(self) -> int | None:
        """Count of the leaf's numbers; None if it depends on the message."""
        if not self.is_known:
            return None
        if not isinstance(self.pick, Slice):
            return 1
        start, stop = self.pick.start or 0, self.pick.stop
        if self.length is not None:
            return len(range(self.length)[start:stop])
        if stop is None:
            return -start if start < 0 else None
        return stop - start if (start < 0) == (stop < 0) else None

    def names(self, count: int) -> Iterator[tuple[str, str]]:
        """Yield the short and the full name of each number of the leaf."""
        if isinstance(self.pick, Slice):
            first = self.pick.start or 0
            for place in range(first, first + count):
                name = text_of((*self.base, Index(place), *self.column))
                yield name, name
        else:
            name = str(self)
            yield self.pick.name if isinstance(self.pick, ByName) else name, name


def expand(selector: Selector, shape: Shape) -> tuple[Leaf, ...]:
    """
    Return the leaves that a selector finds in the shape of a message.

    :raise VectorError: if the selector leads nowhere, or to something other than numbers
    """
    above: list[tuple[Steps, Record]] = []
    name_lists: dict[int, Steps] = {}
    for place, step in enumerate(selector.steps):
        before = selector.steps[:place]
        if isinstance(shape, Unknown):
            break
        if isinstance(step, Field):
            record = _record(selector, before, shape, step)
            above.append((before, record))
            shape = record.field(step.name)
            continue
        if isinstance(shape, Series) and isinstance(shape.element, Point):
            return (_of_points(selector, place, shape, name_lists),)
        series = _series(selector, before, shape, step)
        if isinstance(step, ByName):
            name_lists[place] = _name_list(selector, before, above)
        shape = series.element
        is_last = place + 1 == len(selector.steps)
        # Only these three can select a number from a list.
        pick = step if is_last and isinstance(step, Index | Slice | ByName) else None
        if pick is not None and isinstance(shape, Number | Unknown):
            is_known = isinstance(shape, Number) or series.length == 0
            return (Leaf(before, pick, series.length, is_known, name_lists),)
        if isinstance(shape, Unknown) and series.length == 0:
            raise VectorError(f'{selector.text}: {text_of(before)} is empty')
        if isinstance(step, Slice):
            if isinstance(shape, Number):
                raise VectorError(
                    f'{selector.text}: {text_of(before)} is an array of numbers, so nothing can '
                    f'follow {step}'
                )
            raise VectorError(
                f'{selector.text}: {text_of(before)} is a list of messages, which cannot be '
                f'sliced; choose one message with [0] or [field=value]'
            )
    return tuple(_leaves(selector, selector.steps, shape, name_lists))


def _of_points(
    selector: Selector, place: int, points: Series, name_lists: Mapping[int, Steps]
) -> Leaf:
    """Return the leaf of a field of points of a cloud, which the step at a place picks."""
    before, (pick, *column) = selector.steps[:place], selector.steps[place:]
    where = text_of(before)
    if not isinstance(pick, Index | Slice):
        raise VectorError(
            f'{selector.text}: choose {where} of a cloud by number, such as {where}[0:64].z'
        )
    _series(selector, before, points, pick)
    match column:
        case [Field()] | [Field(), Index()]:
            return Leaf(before, pick, points.length, True, name_lists, tuple(column))
    raise VectorError(
        f'{selector.text}: one field of the points has to follow {where}{pick}, such as '
        f'{where}{pick}.z; select each field on its own'
    )


def leaves_of(
    selectors: Sequence[Selector], message_type: str, definitions: Definitions
) -> tuple[Leaf, ...]:
    """
    Return the leaves that selectors find in a message type.

    :param definitions: function that returns the fields of message types
    :raise VectorError: as ``expand``
    """
    shape = type_shape(message_type, definitions)
    return tuple(leaf for one in selectors for leaf in expand(one, shape))


def _leaves(
    selector: Selector, steps: Steps, shape: Shape, name_lists: Mapping[int, Steps]
) -> Iterator[Leaf]:
    match shape:
        case Number():
            yield Leaf(steps, name_lists=name_lists)
        case Unknown():
            yield Leaf(steps, is_known=False, name_lists=name_lists)
        case Series(element=Number() | Unknown(), length=length):
            is_known = isinstance(shape.element, Number) or length == 0
            yield Leaf(steps, _WHOLE, length, is_known, name_lists)
        case Record(names=names):
            inner = [(name, shape.field(name)) for name in names if name != _HEADER]
            # Texts only describe the numbers.
            inner = [(name, one) for name, one in inner if not isinstance(one, Other)]
            if not inner:
                raise VectorError(f'{selector.text}: {text_of(steps)} has no numbers')
            for name, one in inner:
                yield from _leaves(selector, (*steps, Field(name)), one, name_lists)
        case Series():
            raise VectorError(
                f'{selector.text}: {text_of(steps)} is a list of messages or texts; '
                f'choose numbers of one element, such as {text_of(steps)}[0].x'
            )
        case Other(type_name=type_name):
            raise VectorError(
                f'{selector.text}: {text_of(steps)} is {type_name}, not a number; select numbers, '
                f'bools, arrays of them, or messages that hold them'
            )


def _record(selector: Selector, before: Steps, shape: Shape, step: Field) -> Record:
    where = text_of(before) or 'the message'
    if not isinstance(shape, Record):
        kind = {Number: 'a number', Series: 'a list'}.get(type(shape), 'not a message')
        raise VectorError(f'{selector.text}: {where} is {kind} and has no field {step.name}')
    if step.name not in shape.names:
        raise VectorError(
            f'{selector.text}: {where} has no field {step.name}; it has {", ".join(shape.names)}'
        )
    return shape


def _series(selector: Selector, before: Steps, shape: Shape, step: Step) -> Series:
    where = text_of(before)
    if not isinstance(shape, Series):
        raise VectorError(f'{selector.text}: {where} is not a list, so {step} selects nothing')
    if isinstance(step, Index | Slice) and shape.length is not None:
        places(step, shape.length, where)
    if isinstance(step, ByValue | ByTime):
        element, path = shape.element, step.field if isinstance(step, ByValue) else _TIME_FIELD
        for name in path.split('.'):
            if isinstance(element, Unknown):
                break
            element = _record(selector, (*before, Index(0)), element, Field(name)).field(name)
    return shape


def places(pick: Index | Slice, length: int, where: str) -> list[int]:
    """
    Return the places of an array that an index or a slice selects.

    :param where: name of the array, for the error message
    :raise VectorError: if the array is too short
    """
    if isinstance(pick, Index):
        wanted = [pick.place]
    else:
        # Unlike in Python, a slice is not shortened silently: both of its ends must exist.
        wanted = [] if pick.start is None or pick.start == length else [pick.start]
        if pick.stop is not None:
            wanted.append(pick.stop - 1 if pick.stop > 0 else pick.stop)
    for place in wanted:
        if not -length <= place < length:
            raise VectorError(f'{where}{pick} is out of range: {where} has {length} elements')
    if isinstance(pick, Index):
        return [pick.place % length]
    return list(range(length)[pick.start : pick.stop])


def _name_list(selector: Selector, before: Steps, above: Sequence[tuple[Steps, Record]]) -> Steps:
    for steps, record in reversed(above):
        for name in NAME_LISTS:
            if name in record.names:
                shape = record.field(name)
                if isinstance(shape, Series) and isinstance(shape.element, Other | Unknown):
                    return (*steps, Field(name))
    raise VectorError(
        f'{selector.text}: there is no list of names ({", ".join(NAME_LISTS)}) beside '
        f'{text_of(before)} or above it; select by number, such as {text_of(before)}[0]'
    )


def element_names(leaves: Sequence[Leaf], counts: Sequence[int]) -> tuple[str, ...]:
    """
    Return the names of all numbers: short where that is unambiguous, otherwise in full.

    :param counts: how many numbers each leaf has
    :raise VectorError: if a number is selected more than once
    """
    names = [
        names for leaf, count in zip(leaves, counts, strict=True) for names in leaf.names(count)
    ]
    times = Counter(full for _, full in names)
    twice = [full for full, count in times.items() if count > 1]
    if twice:
        raise VectorError(f'{", ".join(twice)} is selected more than once')
    short = Counter(short for short, _ in names)
    return tuple(one if short[one] == 1 else full for one, full in names)


def quaternion_offsets(leaves: Sequence[Leaf], counts: Sequence[int]) -> tuple[int, ...]:
    """Return the indices in the vector at which x, y, z, w of one message follow each other."""
    found = []
    offset = 0
    for place, count in enumerate(counts):
        four = leaves[place : place + 4]
        ends = tuple(one.base[-1] for one in four if one.pick is None)
        if ends == _QUATERNION and len({one.base[:-1] for one in four}) == 1:
            found.append(offset)
        offset += count
    return tuple(found)
