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
Row 0 stands as far from the cameras' pictures as can be.

Guards against the fault of recorders that start their rows just anywhere: where instants and
pictures nearly coincide, a millisecond of jitter shows one picture twice and the next one never.
"""

from __future__ import annotations

from bisect import bisect_right
import random

from hypothesis import given
from hypothesis import strategies as st
from lerobot_streamrec.sync.row_clock import Grid, locked_start_ns, NS_PER_S
import pytest

BEGIN_NS = 1_800_000_000_123_456_789
NUM_RECENT = 10


def train(fps, num_pictures, jitter, *, seed=0, phase=0.0):
    """Stamps of a camera whose pictures come up to a share of the period early or late."""
    chance = random.Random(seed)
    period_ns = NS_PER_S / fps
    return [
        BEGIN_NS
        + k * NS_PER_S // fps
        + round((phase + chance.uniform(-jitter, jitter)) * period_ns)
        for k in range(num_pictures)
    ]


def pictures_shown(stamps_ns, grid, num_rows):
    """Return the index of the picture that each row shows."""
    return [bisect_right(stamps_ns, grid.stamp_ns(row)) - 1 for row in range(num_rows)]


def repeats(stamps_ns, start_ns, fps, num_rows):
    shown = pictures_shown(stamps_ns, Grid(start_ns, fps), num_rows)
    return num_rows - len(set(shown))


@pytest.mark.parametrize('fps', [10, 24, 30, 50, 60])
def test_jitter_of_two_fifths_of_a_period_repeats_no_picture_in_ten_thousand(fps):
    stamps_ns = train(fps, 10_020, 0.4)
    start_ns = locked_start_ns(max(stamps_ns[:NUM_RECENT]), stamps_ns, fps)
    assert repeats(stamps_ns, start_ns, fps, 10_000) == 0


@given(st.integers(0, 10**6), st.sampled_from([10, 24, 25, 30, 50, 60]))
def test_the_last_ten_stamps_are_enough_at_a_fifth_of_a_period_of_jitter(seed, fps):
    stamps_ns = train(fps, 400, 0.2, seed=seed)
    recent_ns = stamps_ns[:NUM_RECENT]
    start_ns = locked_start_ns(max(recent_ns), recent_ns, fps)
    assert repeats(stamps_ns, start_ns, fps, 380) == 0


@pytest.mark.parametrize('seed', range(20))
def test_a_hundred_stamps_are_enough_at_two_fifths_of_a_period_of_jitter(seed):
    stamps_ns = train(30, 400, 0.4, seed=seed)
    recent_ns = stamps_ns[:100]
    start_ns = locked_start_ns(max(recent_ns), recent_ns, 30)
    assert repeats(stamps_ns, start_ns, 30, 290) == 0


@pytest.mark.parametrize('seed', range(5))
def test_three_cameras_of_any_phases_repeat_no_picture(seed):
    chance = random.Random(seed)
    fps = 30
    trains = [train(fps, 1020, 0.03, seed=n, phase=chance.random()) for n in range(3)]
    recent_ns = [stamp for stamps_ns in trains for stamp in stamps_ns[:NUM_RECENT]]
    start_ns = locked_start_ns(max(recent_ns), recent_ns, fps)
    assert [repeats(stamps_ns, start_ns, fps, 1000) for stamps_ns in trains] == [0, 0, 0]


def test_a_camera_that_does_not_jitter_is_shown_half_a_period_late():
    stamps_ns = train(50, NUM_RECENT, 0)
    assert locked_start_ns(stamps_ns[-1], stamps_ns, 50) == stamps_ns[-1] + NS_PER_S // 100


some_stamp = st.integers(0, 2 * BEGIN_NS)


@given(some_stamp, st.lists(some_stamp, max_size=30), st.integers(1, 1000))
def test_row_0_comes_within_a_period_whatever_the_stamps_are(not_before_ns, stamps_ns, fps):
    start_ns = locked_start_ns(not_before_ns, stamps_ns, fps)
    assert 0 <= start_ns - not_before_ns < NS_PER_S / fps


def test_without_a_camera_row_0_comes_at_once():
    assert locked_start_ns(BEGIN_NS, [], 30) == BEGIN_NS
