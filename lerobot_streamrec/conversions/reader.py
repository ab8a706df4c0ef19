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
"""Readers that take the selected numbers from messages, and the stamps of messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import math
from operator import attrgetter
from typing import Any

from lerobot_streamrec.conversions.leaves import (
    element_names,
    expand,
    NAME_LISTS,
    quaternion_offsets,
)
from lerobot_streamrec.conversions.parts import (
    make_parts,
    Part,
    point_times,
    TimedVector,
    together,
    Vector,
)
from lerobot_streamrec.conversions.paths import Cursor, message_shape
from lerobot_streamrec.conversions.selector import (
    ByName,
    ByTime,
    ByValue,
    Field,
    Index,
    Selector,
    Step,
    Steps,
    text_of,
)
from lerobot_streamrec.errors import ForeignMessageError, StampError, VectorError


def header_stamp_ns(message: Any) -> int:
    """
    Return the stamp of a message's header in nanoseconds.

    :param message: a message that has a std_msgs/Header
    :raise StampError: if the stamp was never set, or is not a valid time
    """
    return checked_stamp_ns(message.header.stamp.sec, message.header.stamp.nanosec)


def checked_stamp_ns(sec: int, nanosec: int) -> int:
    """
    Return a header's stamp in nanoseconds.

    :raise StampError: if the stamp was never set, or is not a valid time
    """
    if sec == 0 and nanosec == 0:
        raise StampError(
            'header.stamp is zero: the publisher does not set it; '
            "set this stream's stamp parameter to receive"
        )
    if sec < 0 or not 0 <= nanosec < 1_000_000_000:
        raise StampError(f'header.stamp of {sec} s and {nanosec} ns is invalid')
    return sec * 1_000_000_000 + nanosec


def are_names_absent(selectors: Sequence[Selector], message: Any) -> bool:
    """
    Return whether names are wanted and a message has none of them, or no numbers for them.

    Several publishers may share a topic: each may publish joints or frames of its own, or one
    may publish positions and another one velocities of the same joints.

    :param selectors: selectors of one vector; those with neither a name nor a value in brackets
        do not look anything up
    """
    wanted = [steps for one in selectors if (steps := _to_first_name(one.steps))]
    return bool(wanted) and not any(_is_there(message, steps) for steps in wanted)


def _to_first_name(steps: Steps) -> Steps:
    """Return the steps up to the first one that looks up a name or a value; empty if none does."""
    for place, one in enumerate(steps):
        if isinstance(one, ByName | ByValue):
            return steps[: place + 1]
    return ()


def _is_there(message: Any, steps: Steps) -> bool:
    """Return whether a message has what the last step looks up, or is laid out in another way."""
    owners: list[Any] = []
    try:
        for value, taken in _walk(message, steps):
            if isinstance(taken, ByValue):
                value_of = attrgetter(taken.field)
                return any(str(value_of(one)) == taken.value for one in value)
            if isinstance(taken, Field):
                owners.append(value)
        if not len(value):
            return False
    except IndexError:
        # A list on the way is empty, but the names above it count all the same.
        pass
    except (AttributeError, TypeError):
        return True
    step = steps[-1]
    return isinstance(step, ByName) and step.name in _names_above(owners)


def _names_above(owners: Sequence[Any]) -> Sequence[str]:
    """Return the nearest list of names, by the same rule that readers follow."""
    for owner in reversed(owners):
        for name in NAME_LISTS:
            names = getattr(owner, name, None)
            if isinstance(names, Sequence) and not isinstance(names, str):
                return names
    return ()


def _walk(message: Any, steps: Steps) -> Iterator[tuple[Any, Step]]:
    """Yield each value along a path together with the step that is taken from it."""
    value = message
    for step in steps:
        yield value, step
        match step:
            case Field(name=name):
                value = getattr(value, name)
            case Index(place=place):
                value = value[place]
            case ByTime():
                value = value[0]


_NORM_TOLERANCE = 0.01

# Errors that are raised by reading a message that is laid out unlike the first one.
_MISFITS = (AttributeError, TypeError, ValueError, LookupError)


class SelectorReader:
    """
    Takes the numbers that selectors select from messages of one type.

    The first message that fits is examined to find where the numbers are; later ones are read
    without that. Owned by one thread.

    :param selectors: selectors in the order of the vector
    :param names: names of the numbers; if empty, derived from the selectors and the first message
    :param cursor: cursor at the point of a trajectory, for selectors with ``[time]``
    """

    def __init__(
        self,
        selectors: Sequence[Selector],
        names: Sequence[str] = (),
        cursor: Cursor | None = None,
    ) -> None:
        self._selectors = tuple(selectors)
        self.names = tuple(names)
        """Names of the numbers; empty before the first message if they are derived from it."""
        self._cursor = cursor or Cursor()
        self._parts: tuple[Part, ...] = ()
        self._counts: tuple[int, ...] = ()
        self.quaternions: tuple[int, ...] = ()
        """Indices of the vector at which quaternions begin; empty before the first message."""

    def __call__(self, message: Any) -> Vector:
        """
        Return the numbers of a message as they were published, ``(d,)``.

        :raise ForeignMessageError: if the message has none of the selected names, or no numbers
            for them
        :raise VectorError: if a number is missing, or a quaternion is not a rotation
        """
        values = self.pick(message)
        self.check_rotations(values)
        return values

    def pick(self, message: Any) -> Vector:
        """
        Return the numbers of a message as they were published, ``(d,)``, whatever they are.

        :raise ForeignMessageError: if the message has none of the selected names, or no numbers
            for them
        :raise VectorError: if a number is missing
        """
        try:
            return self._numbers(message)
        except VectorError as error:
            if are_names_absent(self._selectors, message):
                raise ForeignMessageError(str(error)) from error
            raise

    def check_rotations(self, values: Vector) -> None:
        """Raise a VectorError if a quaternion among the numbers is not a rotation."""
        for offset in self.quaternions:
            norm = math.hypot(*values[offset : offset + 4].tolist())
            if abs(norm - 1.0) > _NORM_TOLERANCE:
                names = ', '.join(self.names[offset : offset + 4])
                hint = 'its publisher has not set it' if norm == 0.0 else 'it is not a rotation'
                raise VectorError(
                    f'quaternion {names} has norm {norm:.4g}, 1 ± {_NORM_TOLERANCE} is needed: '
                    f'{hint}; correct the publisher, or select other fields'
                )

    def _numbers(self, message: Any) -> Vector:
        try:
            return self._read(message)
        except VectorError:
            raise
        except _MISFITS:
            # The message is laid out unlike the first one: examining it tells what is missing.
            self._parts = ()
            return self._read_anew(message)

    def _read(self, message: Any) -> Vector:
        parts = self._parts or self._look_closely(message)
        if len(parts) == 1:
            return parts[0](message)
        return together([part(message) for part in parts])

    def _read_anew(self, message: Any) -> Vector:
        try:
            return self._read(message)
        except VectorError:
            raise
        except _MISFITS as error:
            raise VectorError(f'the message cannot be read: {error}') from error

    def _look_closely(self, message: Any) -> tuple[Part, ...]:
        shape = message_shape(message)
        leaves = [leaf for one in self._selectors for leaf in expand(one, shape)]
        # Only types leave lengths open; a message has a length for every array.
        counts = tuple(leaf.count or 0 for leaf in leaves)
        names = self.names or element_names(leaves, counts)
        if sum(counts) != len(names) or not names or (self._counts and counts != self._counts):
            pairs = zip(leaves, counts, strict=True)
            found = ', '.join(f'{leaf}: {count}' for leaf, count in pairs)
            raise VectorError(
                f'message has {sum(counts)} numbers, {len(names)} are named: {", ".join(names)}; '
                f'selected are {found}'
            )
        parts = tuple(make_parts(leaves, counts, self._cursor))
        # Read once before storing the lengths, so that a message that cannot be read sets none.
        for part in parts:
            part(message)
        self.names, self._counts, self._parts = names, counts, parts
        self.quaternions = quaternion_offsets(leaves, counts)
        return parts


class TrajectoryReader:
    """
    Takes the numbers of all points of a trajectory, for selectors with ``[time]``.

    Owned by one thread.

    :param selectors: selectors in the order of the vector; at least one has ``[time]``, which
        always follows the same list
    :param names: names of the numbers; if empty, derived from the selectors and the first message
    """

    def __init__(self, selectors: Sequence[Selector], names: Sequence[str] = ()) -> None:
        self._cursor = Cursor()
        self._selectors = tuple(selectors)
        self._reader = SelectorReader(selectors, names, self._cursor)
        self._where = next(text_of(one.trajectory) for one in selectors if one.trajectory)
        self._points_of = attrgetter(self._where)

    def __call__(self, message: Any) -> TimedVector:
        """
        Return the trajectory of a message.

        :raise ForeignMessageError: if the message has none of the selected names, or no numbers
            for them
        :raise VectorError: if the trajectory has no points or its times do not ascend, if a number
            is missing, or if a quaternion is selected
        """
        try:
            return self._trajectory(message)
        except VectorError as error:
            if are_names_absent(self._selectors, message):
                raise ForeignMessageError(str(error)) from error
            raise

    def _trajectory(self, message: Any) -> TimedVector:
        try:
            times_ns = point_times(self._points_of(message), self._where)
        except (AttributeError, TypeError) as error:
            raise VectorError(f'{self._where}[time]: this is not a trajectory: {error}') from error
        values = []
        for self._cursor.place in range(len(times_ns)):
            values.append(self._reader(message))
        if self._reader.quaternions:
            raise VectorError(
                f'{self._where}[time]: rotations cannot be interpolated; use {self._where}[0]'
            )
        return TimedVector(times_ns, tuple(values))
