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
The instants of rows, on a grid away from the phases of all cameras or at one camera's frames.

A row shows the newest frame at or before its instant. If that instant falls where a camera's
frames arrive, a jitter of one millisecond decides whether a frame is shown twice and the next one
never. Row 0 is therefore as far from all frames as the cameras' phases allow: half a period after
the frame of a single camera, or in the middle of the widest gap between those of several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Policy(Enum):
    """The value of a row whose instant lies between two samples."""

    HOLD = 'hold'
    """The newest sample at or before the instant, which is what a running policy sees."""
    NEAREST = 'nearest'
    """The sample with the nearest stamp, which may be later; of two, the earlier one."""
    INTERPOLATE = 'interpolate'
    """Numbers on the line between both samples, and orientations on the shortest arc."""


POLICIES = tuple(policy.value for policy in Policy)


NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class KnownRows:
    """
    The instants at which a part of an episode begins and ends, in nanoseconds.

    Verbs of a recorder report them, and another recorder of the same messages is told them.

    :param first_ns: earliest instant of the rows that follow a verb; None: there are none, or the
        recorder chooses it
    :param last_ns: instant of the last row of the part; None: there is none, or the recorder
        chooses it
    :param is_continued: True if ``first_ns`` continues the rows of an earlier episode
    """

    first_ns: int | None = None
    last_ns: int | None = None
    is_continued: bool = False


NOTHING_KNOWN = KnownRows()


@dataclass(frozen=True, slots=True)
class Grid:
    """
    A grid on which row k has the instant ``start_ns + k / fps``, rounded down to a nanosecond.

    Every instant is computed from k alone, so errors do not add up over an episode.

    :param start_ns: instant of row 0 in the time of the streams, in nanoseconds
    :param fps: rows per second, a positive integer
    """

    start_ns: int
    fps: int

    def stamp_ns(self, row: int) -> int:
        """Return the instant of a row."""
        return self.start_ns + row * NS_PER_S // self.fps


def locked_start_ns(not_before_ns: int, picture_stamps_ns: Iterable[int], fps: int) -> int:
    """
    Return the instant of row 0 that is farthest from the phases of all cameras.

    :param not_before_ns: earliest allowed instant, in nanoseconds
    :param picture_stamps_ns: recent stamps of all cameras in any order; if empty, the earliest
        instant is returned
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
    """Returns the instants of rows one after the other. Owned by one thread."""

    @property
    def start_ns(self) -> int:
        """Instant of row 0; an estimate before there is a row."""

    def next_ns(self, given_up_ns: int) -> int | None:
        """
        Return the instant of the next row; None if it is not known yet.

        :param given_up_ns: instant before which no more samples are waited for
        """

    def advance(self) -> None:
        """Advance past the row whose instant ``next_ns`` returned."""

    def continued(self) -> RowClock:
        """Return a clock for another episode whose row 0 is the next row of this clock."""


class FreeClock:
    """
    A clock with rows at ``start_ns + k / fps``, whatever the streams do.

    :param grid: grid of the instants
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
        """Advance to the next row."""
        self._row += 1

    def continued(self) -> FreeClock:
        """Return a clock for another episode whose row 0 is the next row of this clock."""
        return FreeClock(Grid(self._grid.stamp_ns(self._row), self._grid.fps))


class Stamps(Protocol):
    """The recent stamps of a stream."""

    @property
    def newest_ns(self) -> int | None:
        """Stamp of the newest sample; None without samples."""

    def nearest_ns(self, stamp_ns: int) -> int | None:
        """Return the stamp nearest to an instant; None without samples."""

    def first_from_ns(self, stamp_ns: int) -> int | None:
        """Return the earliest stamp at or after an instant; None if there is none."""


class FollowingClock:
    """
    A clock with rows at a camera's stamps, so that each frame becomes one row despite jitter.

    A row is expected one period after the row before. It is placed at the frame nearest to that
    instant if one is less than half a period away, and otherwise at the expected instant, as when
    a frame is missing. Frames between rows, as from a camera that is faster than the rows, are
    left out. Row 0 is the first frame, unless that is more than a period after the beginning.

    :param stamps: recent stamps of the camera
    :param not_before_ns: earliest instant of a row, in nanoseconds
    :param fps: rows per second
    :param is_continued: True if the row before is just before ``not_before_ns``
    :param end_ns: instant of the last row, which may be the last frame that there is; None: it is
        not known
    """

    def __init__(
        self,
        stamps: Stamps,
        not_before_ns: int,
        fps: int,
        *,
        is_continued: bool = False,
        end_ns: int | None = None,
    ) -> None:
        self._stamps = stamps
        self._not_before_ns = not_before_ns
        self._fps = fps
        self._period_ns = NS_PER_S // fps
        self._is_continued = is_continued
        self._end_ns = end_ns
        self._last_ns = self._next_ns = not_before_ns - 1
        self._start_ns: int | None = None

    @property
    def start_ns(self) -> int:
        """Instant of row 0; until there is a row, the earliest possible one."""
        return self._not_before_ns if self._start_ns is None else self._start_ns

    def next_ns(self, given_up_ns: int) -> int | None:
        """
        Return the instant of the next row.

        :param given_up_ns: once this instant reaches the expected one, the row no longer waits for
            the camera
        :return: instant in nanoseconds; None if a frame nearer to the expected instant may still
            come
        """
        newest_ns = self._stamps.newest_ns
        known_ns = given_up_ns if newest_ns is None else max(newest_ns, given_up_ns)
        if self._start_ns is None and not self._is_continued:
            # It does not matter which frames came before, as these may have been late.
            first_ns = self._stamps.first_from_ns(self._not_before_ns)
            if first_ns is not None and first_ns < self._not_before_ns + self._period_ns:
                self._next_ns = first_ns
                return first_ns
        expected_ns = self._last_ns + self._period_ns
        next_ns = self._at(expected_ns)
        is_end = next_ns == self._end_ns and next_ns <= known_ns
        if expected_ns > known_ns and not is_end:
            return None
        self._next_ns = next_ns
        return next_ns

    def _at(self, expected_ns: int) -> int:
        nearest_ns = self._stamps.nearest_ns(expected_ns)
        if nearest_ns is None or 2 * abs(nearest_ns - expected_ns) >= self._period_ns:
            return expected_ns
        return nearest_ns

    def advance(self) -> None:
        """Advance to the next row."""
        self._last_ns = self._next_ns
        if self._start_ns is None:
            self._start_ns = self._last_ns

    def continued(self) -> FollowingClock:
        """Return a clock for another episode whose row 0 is the next row of this clock."""
        is_continued = self._is_continued or self._start_ns is not None
        return FollowingClock(
            self._stamps, self._last_ns + 1, self._fps, is_continued=is_continued
        )


class WaitingClock:
    """
    A clock that skips the first rows of another clock until one is fit to be row 0.

    :param clock: clock that gives the instants
    :param is_fit: function that returns True if row 0 may be at an instant
    :param max_left_out: greatest number of rows to skip
    """

    def __init__(self, clock: RowClock, is_fit: Callable[[int], bool], max_left_out: int) -> None:
        self._clock = clock
        self._is_fit = is_fit
        self._num_to_leave_out = max_left_out
        self._start_ns: int | None = None
        self._next_ns: int | None = None

    @property
    def start_ns(self) -> int:
        """Instant of row 0; until there is a row, the earliest possible one."""
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
        """Advance past the row whose instant ``next_ns`` returned."""
        self._clock.advance()
        self._num_to_leave_out = 0
        if self._start_ns is None:
            self._start_ns = self._next_ns

    def continued(self) -> RowClock:
        """
        Return a clock for another episode whose row 0 is the next row of this clock.

        It skips no row, since no row may be lost between the two episodes.
        """
        return self._clock.continued()
