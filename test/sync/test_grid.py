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
Row k is start + k/fps to the nanosecond, for ever.

Guards against what float seconds and added-up periods do to long episodes and to stamps of
today, which have 19 digits: rows that drift, that come twice or not at all.
"""

from __future__ import annotations

from fractions import Fraction

from hypothesis import example, given
from hypothesis import strategies as st
from lerobot_streamrec.sync.row_clock import Grid, NS_PER_S
import pytest

COMMON_FPS = (1, 24, 25, 30, 50, 60, 1000)
TODAY_NS = 1_800_000_000_123_456_789

some_fps = st.sampled_from(COMMON_FPS) | st.integers(1, 1000)
some_start = st.integers(0, 2 * TODAY_NS)
some_row = st.integers(0, 10**8)


@given(some_start, some_fps, some_row)
@example(TODAY_NS, 30, 29)
@example(TODAY_NS, 60, 10**8)
def test_no_row_is_a_nanosecond_away_from_where_it_belongs(start_ns, fps, row):
    error = start_ns + Fraction(row * NS_PER_S, fps) - Grid(start_ns, fps).stamp_ns(row)
    assert 0 <= error < 1


@pytest.mark.parametrize('fps', COMMON_FPS)
def test_a_day_of_rows_lasts_a_day(fps):
    grid = Grid(TODAY_NS, fps)
    seconds = 24 * 3600
    assert grid.stamp_ns(fps * seconds) == TODAY_NS + seconds * NS_PER_S
