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
"""
When rows are: a grid whose phase is far from all cameras, or the pictures of one camera.

A row shows the newest picture at or before its instant. If that instant falls where a camera's
pictures arrive, jitter of a millisecond decides whether a picture is seen twice and the next one
never. So row 0 goes as far from all pictures as the cameras' phases allow: half a period after
the picture for one camera, in the middle of the widest gap for several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Policy(Enum):
    """What stands in a row whose instant lies between two samples."""

    HOLD = 'hold'
    """The newest at or before the instant: what a policy sees when it runs."""
    NEAREST = 'nearest'
    """The one whose stamp is nearest, though it may be later; of two, the earlier."""
    INTERPOLATE = 'interpolate'
    """Numbers on the straight line between the two; orientations on the shortest arc."""


POLICIES = tuple(policy.value for policy in Policy)


NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Grid:
    """
    Row k is the instant ``start_ns + k / fps``, rounded down to a nanosecond.

    Every instant is computed from k alone, so that no error adds up over an episode.

    :param start_ns: instant of row 0, in the streams' own time, in nanoseconds
    :param fps: rows per second, a positive whole number
    """

    start_ns: int
    fps: int

    def stamp_ns(self, row: int) -> int:
        """Return the instant of a row."""
        return self.start_ns + row * NS_PER_S // self.fps

    def num_rows_until(self, stamp_ns: int) -> int:
        """Count the rows whose instant is at or before a stamp."""
        if stamp_ns < self.start_ns:
            return 0
        # The last row is the largest k with k * 1e9 // fps <= elapsed.
        elapsed_ns = stamp_ns - self.start_ns
        return ((elapsed_ns + 1) * self.fps - 1) // NS_PER_S + 1


def locked_start_ns(not_before_ns: int, picture_stamps_ns: Iterable[int], fps: int) -> int:
    """
    Choose the instant of row 0.

    :param not_before_ns: the earliest instant allowed
    :param picture_stamps_ns: recent stamps of all cameras, any order; none: no phase to keep
    :param fps: rows per second
    :return: instant in nanoseconds, less than one period after ``not_before_ns``
    """
    period_ns = NS_PER_S // fps
    phases = sorted({stamp % period_ns for stamp in picture_stamps_ns})
    if not phases:
        return not_before_ns
    following = [*phases[1:], phases[0] + period_ns]
    widest = max(range(len(phases)), key=lambda at: following[at] - phases[at])
    middle_ns = (phases[widest] + following[widest]) // 2
    return not_before_ns + (middle_ns - not_before_ns) % period_ns


class RowClock(Protocol):
    """Tells one row's instant after the other. Owned by one thread."""

    @property
    def start_ns(self) -> int:
        """Instant of row 0; as near as it is known before there is a row."""

    def next_ns(self, given_up_ns: int) -> int | None:
        """
        Return the instant of the next row; None if it is not known yet.

        :param given_up_ns: nothing is waited for that is older
        """

    def advance(self) -> None:
        """Go on to the row after the one that ``next_ns`` told."""

    def continued(self) -> RowClock:
        """Return a clock of another episode, whose row 0 is the row that comes next here."""


class FreeClock:
    """
    Rows at ``start_ns + k / fps``, whatever the streams do.

    :param grid: the instants
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._row = 0

    @property
    def start_ns(self) -> int:
        """Instant of row 0."""
        return self._grid.start_ns

    def next_ns(self, _given_up_ns: int) -> int:
        """Return the instant of the next row."""
        return self._grid.stamp_ns(self._row)

    def advance(self) -> None:
        """Go on to the next row."""
        self._row += 1

    def continued(self) -> FreeClock:
        """Return a clock of another episode, whose row 0 is the row that comes next here."""
        return FreeClock(Grid(self._grid.stamp_ns(self._row), self._grid.fps))


class Stamps(Protocol):
    """The recent stamps of a stream."""

    @property
    def newest_ns(self) -> int | None:
        """Stamp of the newest sample."""

    def nearest_ns(self, stamp_ns: int) -> int | None:
        """Return the stamp that is nearest to an instant."""


class FollowingClock:
    """
    Rows at a camera's stamps, so that each of its pictures is one row, however it jitters.

    A row is expected one period after the one before. It stands at the picture nearest to that, if
    one is less than half a period away; otherwise, as when a picture is missing, where it is
    expected. Pictures between rows, as of a camera that is faster than the rows, are left out.

    :param stamps: recent stamps of the camera
    :param not_before_ns: no row is earlier
    :param fps: rows per second
    """

    def __init__(self, stamps: Stamps, not_before_ns: int, fps: int) -> None:
        self._stamps = stamps
        self._not_before_ns = not_before_ns
        self._fps = fps
        self._period_ns = NS_PER_S // fps
        nearest_ns = stamps.nearest_ns(not_before_ns)
        # As if the picture that is nearest to the begin stood in the row before row 0.
        self._last_ns = not_before_ns if nearest_ns is None else nearest_ns
        if self._last_ns >= not_before_ns:
            self._last_ns -= self._period_ns
        self._next_ns = self._last_ns
        self._start_ns: int | None = None

    @property
    def start_ns(self) -> int:
        """Instant of row 0; until there is a row, the earliest that is possible."""
        return self._not_before_ns if self._start_ns is None else self._start_ns

    def next_ns(self, given_up_ns: int) -> int | None:
        """
        Return the instant of the next row.

        :param given_up_ns: if the camera has not passed the expected instant, but this has, the
            row stands where it is expected
        :return: None if a picture nearer to the expected instant may still come
        """
        newest_ns = self._stamps.newest_ns
        known_ns = given_up_ns if newest_ns is None else max(newest_ns, given_up_ns)
        while (expected_ns := self._last_ns + self._period_ns) <= known_ns:
            self._next_ns = self._at(expected_ns)
            if self._next_ns >= self._not_before_ns:
                return self._next_ns
            self._last_ns = self._next_ns
        return None

    def _at(self, expected_ns: int) -> int:
        nearest_ns = self._stamps.nearest_ns(expected_ns)
        if nearest_ns is None or 2 * abs(nearest_ns - expected_ns) >= self._period_ns:
            return expected_ns
        return nearest_ns

    def advance(self) -> None:
        """Go on to the next row."""
        self._last_ns = self._next_ns
        if self._start_ns is None:
            self._start_ns = self._last_ns

    def continued(self) -> FollowingClock:
        """Return a clock of another episode, whose row 0 is the row that comes next here."""
        clock = FollowingClock(self._stamps, self._last_ns + 1, self._fps)
        clock._last_ns = clock._next_ns = self._last_ns
        return clock


class WaitingClock:
    """
    Leaves the first rows of another clock out, until one is fit to be row 0.

    :param clock: tells the instants
    :param is_fit: tells if an instant may be that of row 0
    :param max_left_out: so many rows are left out at the most
    """

    def __init__(
        self, clock: RowClock, is_fit: Callable[[int], bool], max_left_out: int
    ) -> None:
        self._clock = clock
        self._is_fit = is_fit
        self._num_to_leave_out = max_left_out
        self._start_ns: int | None = None
        self._next_ns: int | None = None

    @property
    def start_ns(self) -> int:
        """Instant of row 0; until there is a row, the earliest that is possible."""
        return self._clock.start_ns if self._start_ns is None else self._start_ns

    def next_ns(self, given_up_ns: int) -> int | None:
        """Return the instant of the next row; None if it is not known yet."""
        while (instant_ns := self._clock.next_ns(given_up_ns)) is not None:
            if not self._num_to_leave_out or self._is_fit(instant_ns):
                break
            self._clock.advance()
            self._num_to_leave_out -= 1
        self._next_ns = instant_ns
        return instant_ns

    def advance(self) -> None:
        """Go on to the row after the one that ``next_ns`` told."""
        self._clock.advance()
        self._num_to_leave_out = 0
        if self._start_ns is None:
            self._start_ns = self._next_ns

    def continued(self) -> RowClock:
        """
        Return a clock of another episode, whose row 0 is the row that comes next here.

        It leaves no row out: no row may be lost between the two episodes.
        """
        return self._clock.continued()
