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
"""The readers of the parts of a vector, and vectors that change along a trajectory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Any

from lerobot_streamrec.conversions.leaves import Leaf, places
from lerobot_streamrec.conversions.paths import (
    Cursor,
    Getter,
    NameFinder,
    path_getter,
    unequal,
)
from lerobot_streamrec.conversions.point_cloud import point_column
from lerobot_streamrec.conversions.selector import ByName, Field, Index, Steps, text_of
from lerobot_streamrec.errors import VectorError
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class TimedVector:
    """
    A vector that changes with the time since its message's stamp.

    :param times_ns: ascending times of the points since the stamp, in nanoseconds
    :param values: for each point, its ``(d,)`` numbers as published
    """

    times_ns: tuple[int, ...]
    values: tuple[npt.NDArray[Any], ...]

    def converted(
        self, convert: Callable[[npt.NDArray[np.generic]], npt.NDArray[np.float64]]
    ) -> TimedVector:
        """Return the same trajectory with the vector of each point converted."""
        return TimedVector(self.times_ns, tuple(convert(one) for one in self.values))

    def at(self, age_ns: int) -> npt.NDArray[np.float64]:
        """
        Return the vector at an age as ``(d,)`` float64, interpolated linearly between points.

        Before the first point, the vector is that of the first point; after the last one, that of
        the last point.

        :param age_ns: time since the message's stamp, in nanoseconds
        """
        after = bisect_right(self.times_ns, age_ns)
        if after in (0, len(self.times_ns)):
            return self.values[max(after - 1, 0)].copy()
        before_ns, after_ns = self.times_ns[after - 1], self.times_ns[after]
        share = (age_ns - before_ns) / (after_ns - before_ns)
        value: npt.NDArray[np.float64] = (1.0 - share) * self.values[
            after - 1
        ] + share * self.values[after]
        return value


def point_times(points: Sequence[Any], where: str) -> tuple[int, ...]:
    """
    Return the times of a trajectory's points since its stamp, in nanoseconds.

    :param points: trajectory_msgs/JointTrajectoryPoint messages or similar objects
    :param where: path of the list of points, for error messages
    :raise VectorError: if there are no points, or the times do not ascend
    """
    if not points:
        raise VectorError(f'{where} is empty: a trajectory needs at least one point')
    times_ns = tuple(
        one.time_from_start.sec * 1_000_000_000 + one.time_from_start.nanosec for one in points
    )
    for place, (before_ns, after_ns) in enumerate(pairwise(times_ns)):
        if after_ns <= before_ns:
            raise VectorError(
                f'{where}[{place + 1}].time_from_start is {after_ns / 1e9:g} s, not later than '
                f'the {before_ns / 1e9:g} s of the point before it'
            )
    return times_ns


Vector = npt.NDArray[Any]
"""Numbers ``(d,)`` as published: floats, integers, bools, or objects for a mixture of them."""
Part = Callable[[Any], Vector]

# Numpy's kinds of numbers: floats, integers, unsigned integers and bools.
_NUMBERS = 'fiub'
# All integers up to this one are exact in float64.
_EXACT = 2**53


class Fields:
    """
    Reads numbers from the fields of one message.

    :param leaves: leaves without arrays, whose steps are the same up to the last one that is not a
        field
    :param cursor: cursor at the point of a trajectory that is read
    """

    def __init__(self, leaves: Sequence[Leaf], cursor: Cursor) -> None:
        first = leaves[0]
        num_above = len(_to_last_list(first))
        self._leaves = tuple(leaves)
        self._above = path_getter(first.base[:num_above], first.name_lists, cursor)
        paths = [text_of(leaf.base[num_above:]) for leaf in leaves]
        self._getters = [attrgetter(path) for path in paths]

    def __call__(self, message: Any) -> Vector:
        """
        Return the numbers, ``(d,)``.

        :raise VectorError: if a value is not a number
        """
        owner = self._above(message)
        values = [get(owner) for get in self._getters]
        numbers = np.array(values)
        if numbers.dtype.kind not in _NUMBERS:
            _refuse_others([str(leaf) for leaf in self._leaves], values)
        if numbers.dtype.kind == 'f' and any(type(one) is int for one in values):
            return together([np.array([one]) for one in values])
        return numbers


class Picks:
    """
    Reads numbers from one array.

    Owned by one thread.

    :param leaves: leaves of the same array
    :param counts: how many numbers each leaf has
    :param cursor: cursor at the point of a trajectory that is read
    """

    def __init__(self, leaves: Sequence[Leaf], counts: Sequence[int], cursor: Cursor) -> None:
        first = leaves[0]
        self._text = text_of(first.base)
        self._leaves = tuple(leaves)
        self._counts = tuple(counts)
        self._array_of = _array_getter(first, cursor)
        by_name = [leaf for leaf in leaves if isinstance(leaf.pick, ByName)]
        self._finder = (
            NameFinder(
                by_name[0].name_lists[len(first.base)],
                [leaf.pick.name for leaf in by_name if isinstance(leaf.pick, ByName)],
                first.name_lists,
                cursor,
            )
            if by_name
            else None
        )
        self._seen: tuple[tuple[int, ...], tuple[int, ...]] | None = None
        self._places = np.empty(0, dtype=np.intp)

    def __call__(self, message: Any) -> Vector:
        """
        Return the numbers, ``(d,)``.

        :raise VectorError: if a number is missing, or a value is not a number
        """
        array = self._array_of(message)
        values = np.asarray(array)
        named: tuple[int, ...] = ()
        if self._finder is not None:
            named, num_names = self._finder(message)
            if values.size != num_names:
                raise unequal(self._finder.text, num_names, self._text, values.size)
        seen = (named, values.shape)
        if seen != self._seen:
            self._places = self._find(*seen)
            self._seen = seen
        if values.dtype.kind not in _NUMBERS:
            _refuse_others([f'{self._text}[{place}]' for place in range(values.size)], array)
        return values[self._places]

    def _find(self, named: tuple[int, ...], shape: tuple[int, ...]) -> npt.NDArray[np.intp]:
        # Anything but a one-dimensional array raises ValueError here, which the reader explains.
        (length,) = shape
        found: list[int] = []
        names = iter(named)
        for leaf, count in zip(self._leaves, self._counts, strict=True):
            if leaf.pick is None or isinstance(leaf.pick, ByName):
                found.append(next(names))
                continue
            chosen = places(leaf.pick, length, self._text)
            if len(chosen) != count:
                raise VectorError(f'{leaf} has {len(chosen)} numbers, {count} are needed')
            found.extend(chosen)
        return np.array(found, dtype=np.intp)


def together(parts: Sequence[Vector]) -> Vector:
    """
    Concatenate the numbers of several fields without changing any value.

    :return: ``(d,)``; objects if floats are mixed with integers that float64 cannot hold exactly
    """
    joined: Vector = np.concatenate(parts)
    if joined.dtype.kind == 'f':
        integers = [one for one in parts if one.dtype.kind in 'iu']
        if any(one.min() < -_EXACT or one.max() > _EXACT for one in integers if one.size):
            joined = np.concatenate([one.astype(object) for one in parts])
    return joined


def make_parts(leaves: Sequence[Leaf], counts: Sequence[int], cursor: Cursor) -> Iterator[Part]:
    """
    Yield readers for leaves in their order; neighbours that can be read at once share a reader.

    :param counts: how many numbers each leaf has
    :param cursor: cursor at the point of a trajectory that is read
    """
    for (is_array, _), group in groupby(zip(leaves, counts, strict=True), _group):
        one = list(group)
        if is_array:
            yield Picks([leaf for leaf, _ in one], [count for _, count in one], cursor)
        else:
            yield Fields([leaf for leaf, _ in one], cursor)


def _group(one: tuple[Leaf, int]) -> tuple[bool, Steps]:
    leaf = one[0]
    if leaf.pick is None:
        return False, _to_last_list(leaf)
    return True, (*leaf.base, *leaf.column)


def _array_getter(leaf: Leaf, cursor: Cursor) -> Getter:
    """Return a function that returns the array of a message from which a leaf picks."""
    # The last step to the points of a cloud names no field of it.
    cloud_of = path_getter(leaf.base[:-1], leaf.name_lists, cursor)
    match leaf.column:
        case (Field(name=name),):
            return lambda message: point_column(cloud_of(message), name)
        case (Field(name=name), Index(place=place)):
            return lambda message: point_column(cloud_of(message), name, place)
    return path_getter(leaf.base, leaf.name_lists, cursor)


def _to_last_list(leaf: Leaf) -> Steps:
    steps = leaf.base
    while steps and isinstance(steps[-1], Field):
        steps = steps[:-1]
    return steps


def _refuse_others(texts: Sequence[str], values: Sequence[Any]) -> None:
    for text, value in zip(texts, values, strict=True):
        if np.asarray(value).dtype.kind not in _NUMBERS:
            raise VectorError(
                f'{text} is {type(value).__name__}, not a number; select numbers, bools, '
                f'arrays of them, or messages that hold them'
            )
