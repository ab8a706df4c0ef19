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
"""Conversion of vectors back to messages, by writing numbers to where selectors read them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

from lerobot_streamrec.conversions.leaves import Leaf, leaves_of, places
from lerobot_streamrec.conversions.message_types import whole_type
from lerobot_streamrec.conversions.paths import DTYPES, list_parts
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
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# The numbers of a vector are float64 at most, so a long double gets all of them.
_DTYPES = {**DTYPES, 'long double': 'f8'}

# Each pass makes room one level deeper; messages have far fewer levels than this.
_MAX_PASSES = 20


class MessageMaker:
    """
    Makes messages that hold given numbers; everything that is not selected keeps its default.

    Lists become as long as the selectors need them, and their elements get the names or values by
    which selectors look them up. A trajectory that is read by time gets one point, at its
    beginning. All calls return the same message with other numbers. Owned by one thread.

    :param message_type: type of the messages, such as ``sensor_msgs/msg/JointState``
    :param parts: for each vector that is read from the message, its selectors and how many numbers
        they select together
    :param load_class: function that returns the class of a message type
    :raise VectorError: if the selectors do not determine what the message looks like, or select
        points of a cloud
    """

    def __init__(
        self,
        message_type: str,
        parts: Sequence[tuple[Sequence[Selector], int]],
        load_class: Callable[[str], Any],
    ) -> None:
        self._load_class = load_class
        self._type = message_type
        self._message = self._made(message_type)
        self._has_grown = False
        leaves: list[tuple[Leaf, int]] = []
        for selectors, num_values in parts:
            found = leaves_of(selectors, message_type, self._fields)
            for leaf in found:
                if leaf.column:
                    raise VectorError(f'{leaf} selects points of a cloud, which are not made')
            leaves += zip(found, _counts(found, num_values), strict=True)
        for _ in range(_MAX_PASSES):
            self._has_grown = False
            for leaf, count in leaves:
                self._make_room(leaf, count)
            # A name that one leaf needs can make the arrays of others longer.
            if not self._has_grown:
                break
        self._targets = [one for leaf, count in leaves for one in self._targets_of(leaf, count)]
        self._refuse_clashes()

    def stored(self, columns: Sequence[Array]) -> list[Array]:
        """
        Convert numbers to the types of the fields that they go to.

        :param columns: one ``(n,)`` array per element, for all vectors one after the other
        :return: one ``(n,)`` array per element; for integer fields, values are rounded and limited
            to the range of the field's type, and NaN becomes 0
        """
        types = [np.dtype(_DTYPES[type_name]) for *_, type_name, _ in self._targets]
        return [_stored(one, dtype) for one, dtype in zip(columns, types, strict=True)]

    def __call__(self, values: Sequence[Any]) -> Any:
        """
        Return the message with these numbers.

        :param values: ``(d,)`` Python numbers from the arrays that ``stored`` returns
        """
        for (owner, key, *_), value in zip(self._targets, values, strict=True):
            if isinstance(key, str):
                setattr(owner, key, value)
            else:
                owner[key] = value
        return self._message

    def _made(self, type_name: str) -> Any:
        if type_name == 'string':
            return ''
        if '/' not in type_name:
            return np.dtype(_DTYPES[type_name]).type(0).item()
        return self._load_class(whole_type(type_name))()

    def _make_room(self, leaf: Leaf, count: int) -> None:
        array, kind = self._walk(leaf.base, leaf.name_lists)
        if isinstance(leaf.pick, ByName):
            num_names = len(self._names(leaf.name_lists, len(leaf.base), leaf.pick.name))
            self._grow(array, kind, num_names)
        elif leaf.pick is not None:
            self._grow(array, kind, _least_length(leaf.pick, count))

    def _targets_of(self, leaf: Leaf, count: int) -> Iterator[tuple[Any, str | int, str, str]]:
        """Yield the owner, the place in it, the type and the name of each number."""
        if leaf.pick is None:
            owner, kind = self._walk(leaf.base[:-1], leaf.name_lists)
            name = str(leaf.base[-1]).removeprefix('.')
            yield owner, name, self._fields(kind)[name], str(leaf)
            return
        array, kind = self._walk(leaf.base, leaf.name_lists)
        if isinstance(leaf.pick, ByName):
            names = self._names(leaf.name_lists, len(leaf.base), leaf.pick.name)
            found = [names.index(leaf.pick.name)]
        else:
            found = places(leaf.pick, len(array), text_of(leaf.base))
        if len(found) != count:
            raise VectorError(f'{leaf} has {len(found)} numbers, {count} are needed')
        for number, place in enumerate(found):
            # An element that is selected from the end or by name may be the same as another one.
            name = str(leaf)
            if isinstance(leaf.pick, Slice):
                name = text_of((*leaf.base, Index((leaf.pick.start or 0) + number)))
            yield array, place, _element_type(kind), name

    def _refuse_clashes(self) -> None:
        called: dict[tuple[int, str | int], str] = {}
        for owner, key, _, name in self._targets:
            other = called.setdefault((id(owner), key), name)
            if other != name:
                raise VectorError(
                    f'{other} and {name} may be the same number; select both in the same way'
                )

    def _fields(self, kind: str) -> Mapping[str, str]:
        fields: Mapping[str, str] = self._load_class(whole_type(kind)).get_fields_and_field_types()
        return fields

    def _walk(self, steps: Steps, name_lists: Mapping[int, Steps]) -> tuple[Any, str]:
        """Follow steps, create missing elements, and return the value at the end and its type."""
        value, kind = self._message, self._type
        for place, step in enumerate(steps):
            if isinstance(step, Field):
                value, kind = getattr(value, step.name), self._fields(kind)[step.name]
                continue
            names = self._names(name_lists, place, step.name) if isinstance(step, ByName) else []
            value, kind = self._element(value, kind, step, names), _element_type(kind)
        return value, kind

    def _element(self, values: Any, kind: str, step: Step, names: Sequence[str]) -> Any:
        if isinstance(step, ByValue):
            return self._element_with(values, kind, step)
        place = 0
        if isinstance(step, ByName):
            place = names.index(step.name)
            self._grow(values, kind, len(names))
        elif isinstance(step, Index):
            place = step.place
            self._grow(values, kind, _least_length(step, 1))
        else:
            assert isinstance(step, ByTime)
            self._grow(values, kind, 1)
        return values[place]

    def _element_with(self, values: Any, kind: str, step: ByValue) -> Any:
        value_of = attrgetter(step.field)
        for one in values:
            if str(value_of(one)) == step.value:
                return one
        made = self._made(_element_type(kind))
        *above, name = step.field.split('.')
        owner = attrgetter('.'.join(above))(made) if above else made
        # The selector has the value as text, but the field may be a number or a bool.
        wanted: Any = step.value
        if not isinstance(getattr(owner, name), str):
            wanted = next((one for one in (True, False) if str(one) == step.value), None)
            wanted = type(getattr(owner, name))(step.value) if wanted is None else wanted
        setattr(owner, name, wanted)
        values.append(made)
        self._has_grown = True
        return made

    def _names(self, name_lists: Mapping[int, Steps], place: int, wanted: str) -> list[str]:
        """Return the list of names for a step, after appending a wanted name if it is missing."""
        names, _ = self._walk(name_lists[place], name_lists)
        if wanted not in names:
            names.append(wanted)
            self._has_grown = True
        found: list[str] = names
        return found

    def _grow(self, values: Any, kind: str, length: int) -> None:
        while len(values) < length:
            if not hasattr(values, 'append'):
                raise VectorError(f'{kind} has {len(values)} elements, {length} are needed')
            values.append(self._made(_element_type(kind)))
            self._has_grown = True


def _element_type(kind: str) -> str:
    parts = list_parts(kind)
    if parts is None:
        raise VectorError(f'{kind} has no elements')
    return parts[0]


def _counts(leaves: Sequence[Leaf], num_values: int) -> list[int]:
    """Return how many numbers each leaf has; the one whose type leaves it open gets the rest."""
    known = [leaf.count for leaf in leaves]
    rest = num_values - sum(count for count in known if count is not None)
    num_open = known.count(None)
    if num_open > 1 or rest < num_open or (rest and not num_open):
        texts = ', '.join(map(str, leaves))
        raise VectorError(f'{num_values} numbers cannot be distributed over {texts}')
    return [rest if count is None else count for count in known]


def _least_length(pick: Index | Slice, count: int) -> int:
    """Return the least length of an array from which a pick takes so many numbers."""
    if isinstance(pick, Index):
        return pick.place + 1 if pick.place >= 0 else -pick.place
    start, stop = pick.start or 0, pick.stop
    if start < 0:
        return -start if stop is None or stop < 0 else stop - start - count
    if stop is None:
        return start + count
    return stop if stop > 0 else start + count - stop


def _stored(column: Array, dtype: np.dtype[Any]) -> Array:
    if dtype.kind not in 'iu':
        return column.astype(dtype)
    limits = np.iinfo(dtype)
    if column.dtype.kind == 'f':
        column = np.nan_to_num(np.rint(column.astype(np.float64)))
    # Python's integers are exact, while a float cannot hold the largest 64-bit integers.
    exact = [min(max(int(one), limits.min), limits.max) for one in column.tolist()]
    return np.array(exact, dtype)
