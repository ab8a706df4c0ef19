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
"""Lags tell how a clock stands, whatever delays there are; steps of it can be taken back."""

from __future__ import annotations

import random

from lerobot_streamrec.sync.gaps import GapCounter
from lerobot_streamrec.sync.lags import LagWindow
from lerobot_streamrec.sync.sample_buffer import SampleBuffer
import pytest

MS, SECOND = 10**6, 10**9
AHEAD = 5 * SECOND


def window(seconds, *, pace=1.0, delay=lambda: 0, period=20 * MS):
    lags = LagWindow()
    for now in range(0, round(seconds * SECOND), period):
        lags.push(AHEAD + round(now * pace), now + delay())
    return lags


def test_the_least_lag_is_that_of_the_least_delayed_message():
    chance = random.Random(1)
    lags = window(4, delay=lambda: 7 * MS + chance.randrange(200 * MS))
    assert lags.steady_ns() == pytest.approx(7 * MS - AHEAD, abs=5 * MS)
    assert lags.expected_stamp_ns(4 * SECOND) == pytest.approx(
        4 * SECOND + AHEAD - 7 * MS, abs=8 * MS
    )


@pytest.mark.parametrize('pace', [0.2, 0.7, 3.0, 8.0])
def test_another_pace_is_followed_and_no_lag_of_it_is_steady(pace):
    lags = window(4, pace=pace)
    assert lags.steady_ns() is None
    expected = AHEAD + round(4 * SECOND * pace)
    assert lags.expected_stamp_ns(4 * SECOND) == pytest.approx(expected, abs=round(60 * MS * pace))


def test_what_is_not_known_is_not_told():
    lags = LagWindow()
    assert lags.expected_stamp_ns(0) is None
    assert lags.least_ns is lags.steady_ns() is None
    lags.push(AHEAD, 3 * MS)
    assert (lags.least_ns, lags.steady_ns(), lags.num_messages) == (3 * MS - AHEAD, None, 1)
    lags.clear()
    assert lags.expected_stamp_ns(0) is None


def test_only_the_last_seconds_count_and_a_rare_stream_keeps_its_last_message():
    lags = window(3)
    lags.push(100 * SECOND - 40 * MS, 100 * SECOND)
    assert lags.least_ns == 40 * MS
    assert lags.expected_stamp_ns(200 * SECOND) == 200 * SECOND - 40 * MS


@pytest.mark.parametrize('seed', range(3))
def test_what_is_expected_comes_from_the_least_lag_of_the_last_two_seconds(seed):
    chance = random.Random(seed)
    lags, now, noted, begun, sum_moved = LagWindow(), 0, [], [], 0
    for _ in range(600):
        now += round(chance.expovariate(1 / (40 * MS)))
        if not begun or now >= begun[-1] + SECOND // 2:
            begun.append(now)
        lag = round(chance.expovariate(1 / (5 * MS)))
        lags.push(now - lag + sum_moved, now)
        noted.append((now, lag))
        if chance.random() < 0.01:
            by = chance.randrange(-10 * SECOND, 10 * SECOND)
            lags.move(by)
            sum_moved += by
        recent = [lag for at, lag in noted if at >= begun[-4:][0]]
        assert lags.expected_stamp_ns(now + MS) == now + MS - min(recent) + sum_moved
    lags.clear()
    assert lags.expected_stamp_ns(now) is None


def test_a_clock_that_was_set_moves_all_of_it():
    lags = window(4)
    lags.move(-60 * SECOND)
    assert lags.steady_ns() == 60 * SECOND - AHEAD
    buffer = SampleBuffer()
    for stamp in (10, 20, 30):
        buffer.push(stamp, str(stamp))
    buffer.close_until(20)
    buffer.move(100)
    assert buffer.newest_ns == 130
    assert buffer.hold(120).value == '20'
    assert buffer.push(115, 'late').name == 'TOO_LATE'


def test_nothing_is_missing_over_a_step_and_the_period_stays():
    gaps = GapCounter()
    for k in range(20):
        gaps.push(k * 100)
    gaps.resume()
    gaps.push(100_000)
    assert (gaps.num_missing, gaps.period_ns) == (0, 100)
    gaps.push(100_100)
    gaps.push(100_400)
    assert gaps.num_missing == 2
