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
Rows stand where their clock says, and a camera that is the clock gets each picture into one row.

Guards promise 1 where rows do not follow a grid of their own: no picture of the clock is shown
twice or left out because of its jitter, and a picture that is missing costs no row.
"""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from lerobot_streamrec.sync.row_clock import FollowingClock, FreeClock, Grid, WaitingClock
from lerobot_streamrec.sync.sample_buffer import SampleBuffer
import pytest

MS = 1_000_000
FPS = 10
NEVER = -(10**18)


class Camera:
    """A stream of pictures; ``stamps`` are milliseconds."""

    def __init__(self, *stamps):
        self._buffer = SampleBuffer()
        self.push(*stamps)

    def push(self, *stamps):
        for stamp in stamps:
            self._buffer.push(stamp * MS, stamp)

    @property
    def newest_ns(self):
        return self._buffer.newest_ns

    def nearest_ns(self, stamp_ns):
        nearest = self._buffer.nearest(stamp_ns)
        return nearest and nearest.stamp_ns

    def first_from_ns(self, stamp_ns):
        first = self._buffer.after(stamp_ns - 1)
        return first and first.stamp_ns


def rows(clock, given_up_ms=None):
    """Take all rows that the clock knows, in milliseconds."""
    found = []
    given_up_ns = NEVER if given_up_ms is None else given_up_ms * MS
    while (instant_ns := clock.next_ns(given_up_ns)) is not None and len(found) < 100:
        found.append(instant_ns / MS)
        clock.advance()
    return found


def test_a_free_clock_follows_the_grid():
    clock, grid = FreeClock(Grid(123, 30)), Grid(123, 30)
    assert clock.start_ns == 123
    for row in range(100):
        assert clock.next_ns(NEVER) == grid.stamp_ns(row)
        clock.advance()


def test_every_picture_is_a_row_whatever_the_jitter():
    camera = Camera(1000)
    clock = FollowingClock(camera, 1000 * MS, FPS)
    camera.push(1104, 1197, 1340, 1420, 1505, 1590, 1690)
    assert rows(clock) == [1000, 1104, 1197, 1340, 1420, 1505, 1590, 1690]
    assert clock.start_ns == 1000 * MS


def test_no_row_is_before_the_other_streams_are_ready():
    camera = Camera(1000)
    clock = FollowingClock(camera, 1150 * MS, FPS)
    camera.push(1100, 1200, 1300)
    assert rows(clock) == [1200, 1300]
    assert clock.start_ns == 1200 * MS


def test_a_missing_picture_leaves_its_row_where_it_was_expected():
    camera = Camera(1000)
    clock = FollowingClock(camera, 1000 * MS, FPS)
    camera.push(1110, 1410, 1500)
    # The last one waits: one that is nearer to 1510 may still come.
    assert rows(clock) == [1000, 1110, 1210, 1310, 1410]
    camera.push(1600)
    assert rows(clock) == [1500, 1600]


def test_a_camera_that_is_faster_than_the_rows_gives_them_its_nearest_picture():
    camera = Camera(1000)
    clock = FollowingClock(camera, 1000 * MS, FPS)
    camera.push(1033, 1066, 1100, 1133, 1166, 1200, 1233)
    assert rows(clock) == [1000, 1100, 1200]


def test_a_camera_that_is_slower_than_the_rows_gets_rows_in_between():
    camera = Camera(1000)
    clock = FollowingClock(camera, 1000 * MS, FPS)
    camera.push(1200, 1404)
    assert rows(clock) == [1000, 1100, 1200, 1300, 1404]


def test_a_camera_that_stops_does_not_stop_the_rows():
    camera = Camera(1000)
    clock = FollowingClock(camera, 1000 * MS, FPS)
    assert rows(clock, given_up_ms=1350) == [1000, 1100, 1200, 1300]
    camera.push(1390, 1480)
    assert rows(clock, given_up_ms=1350) == [1390]


def test_rows_follow_a_camera_whose_rate_is_not_quite_the_rows():
    """After 500 pictures of 29.97 Hz a free grid would have lost half a period."""
    stamps = [1000 + number * 1001 / 10 for number in range(50)]
    camera = Camera(1000)
    clock = FollowingClock(camera, 1000 * MS, FPS)
    camera.push(*(round(stamp) for stamp in stamps[1:]))
    assert rows(clock) == [round(stamp) for stamp in stamps]


@given(
    st.lists(st.integers(min_value=1, max_value=400), min_size=1, max_size=60),
    st.integers(min_value=0, max_value=500),
)
def test_rows_ascend_by_a_period_give_or_take_half(gaps, ready_ms):
    camera = Camera(1000)
    clock = FollowingClock(camera, (1000 + ready_ms) * MS, FPS)
    stamp, found = 1000, []
    for gap in gaps:
        stamp += gap
        camera.push(stamp)
        found += rows(clock)
    steps = [after - before for before, after in pairwise(found)]
    assert all(50 < step < 150 for step in steps)
    assert all(one >= 1000 + ready_ms for one in found)
    assert found == [] or found[-1] <= stamp
    # Where frames are only those that the rows show, as after an export, the rows are the same.
    if found:
        shown = Camera(found[0])
        again = FollowingClock(shown, found[0] * MS, FPS, end_ns=found[-1] * MS)
        shown.push(*found[1:])
        assert rows(again) == found
    # Only what is still to be decided is left out at the end.
    assert found == [] or stamp - found[-1] < 100


@pytest.mark.parametrize('jitter', range(5))
def test_the_phase_of_the_clock_is_kept_by_jitter_below_half_a_period(jitter):
    camera = Camera(1000)
    clock = FollowingClock(camera, 1000 * MS, FPS)
    stamps = [1000 + 100 * number + (17 * number * (jitter + 1)) % 45 for number in range(1, 40)]
    camera.push(*stamps)
    found = rows(clock)
    assert found == [1000, *stamps][: len(found)]
    assert len(found) >= len(stamps)


def waiting(camera, fit, max_left_out=10):
    """Follow a camera from the first of some stamps on, in milliseconds."""
    clock = FollowingClock(camera, 100 * MS, FPS)
    return WaitingClock(clock, lambda instant_ns: instant_ns / MS in fit, max_left_out)


def test_row_0_can_wait_for_an_instant_that_is_fit():
    camera = Camera(100)
    clock = waiting(camera, {410, 602})
    assert clock.start_ns == 100 * MS
    camera.push(204, 297)
    assert rows(clock) == []
    camera.push(410, 500, 602)
    assert clock.next_ns(NEVER) == clock.next_ns(NEVER) == 410 * MS
    assert rows(clock) == [410, 500, 602]
    assert clock.start_ns == 410 * MS
    camera.push(705)
    assert rows(clock) == [705]


@pytest.mark.parametrize(('max_left_out', 'first'), [(0, 100), (3, 400)])
def test_row_0_does_not_wait_for_ever(max_left_out, first):
    camera = Camera(100)
    clock = waiting(camera, set(), max_left_out)
    camera.push(*range(200, 1000, 100))
    assert rows(clock) == list(range(first, 1000, 100))
    assert clock.start_ns == first * MS
