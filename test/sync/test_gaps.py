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
Missing samples are told from stamps alone, and jitter is not mistaken for them.

Guards the number that the operator is shown as missing pictures: a count that grows without a
cause is ignored after a day, and then the real losses are as well.
"""

from __future__ import annotations

import random

from lerobot_streamrec.sync.gaps import GapCounter
import pytest

BEGIN_NS = 1_800_000_000_123_456_789
PERIOD_NS = 33_333_333


@pytest.fixture
def counter():
    return GapCounter()


def push_all(counter, places, jitter=0.0, seed=0, period_ns=PERIOD_NS):
    """Push samples at these places of a periodic train."""
    chance = random.Random(seed)
    for place in places:
        offset = place + chance.uniform(-jitter, jitter)
        counter.push(BEGIN_NS + round(offset * period_ns))


@pytest.mark.parametrize('jitter', [0, 0.05, 0.1, 0.2])
@pytest.mark.parametrize('seed', range(3))
def test_jitter_counts_nothing(counter, jitter, seed):
    push_all(counter, range(5000), jitter, seed)
    assert counter.num_missing == 0
    assert counter.rate_hz == pytest.approx(30, rel=0.1)


def test_each_lost_sample_counts_one(counter):
    lost = {100, 250, 251, 400, 401, 402}
    push_all(counter, [k for k in range(500) if k not in lost])
    assert counter.num_missing == len(lost)


@pytest.mark.parametrize('seed', range(5))
def test_losses_are_counted_in_spite_of_jitter(counter, seed):
    lost = set(random.Random(seed).sample(range(50, 3000, 10), 40))
    push_all(counter, [k for k in range(3000) if k not in lost], 0.15, seed)
    assert counter.num_missing == len(lost)


def test_a_late_stamp_that_the_next_one_makes_good_was_no_loss(counter):
    push_all(counter, [*range(50), 50.8, 51, 52, 53])
    assert counter.num_missing == 0


def test_a_pause_counts_what_it_lasted(counter):
    push_all(counter, [*range(50), *range(350, 400)])
    assert counter.num_missing == 300


def test_a_burst_after_a_stall_counts_nothing(counter):
    # A stalled driver stamps what it had queued up all at once.
    push_all(counter, [*range(50), 53.0, 53.01, 53.02, 53.03, *range(54, 100)])
    assert counter.num_missing == 0


@pytest.mark.parametrize('rate_hz', [29.97, 30.5, 14.985])
def test_a_period_that_is_no_round_number_counts_nothing(counter, rate_hz):
    push_all(counter, range(20_000), 0.05, period_ns=1e9 / rate_hz)
    assert counter.num_missing == 0


def test_samples_that_come_twice_or_out_of_order_count_nothing(counter):
    push_all(counter, [*range(50), 49, 48.5, 50, 50, 51, 52])
    assert counter.num_missing == 0


def test_samples_that_have_overtaken_each_other_count_nothing(counter):
    push_all(counter, [*range(50), 51, 50, 52, 54, 53, 55, 58, 56, 57, *range(59, 80)])
    assert counter.num_missing == 0
    push_all(counter, [82, 81, *range(83, 90)])
    assert counter.num_missing == 1


def test_nothing_is_said_before_the_period_is_known(counter):
    push_all(counter, [0, 1, 2, 30, 31])
    assert (counter.num_missing, counter.period_ns, counter.rate_hz) == (0, None, 0.0)


def test_a_jump_of_the_clock_counts_nothing_after_clear(counter):
    push_all(counter, [k for k in range(50) if k != 30])
    counter.clear()
    push_all(counter, range(-100_000, -99_950))
    assert counter.num_missing == 1
    assert counter.rate_hz == pytest.approx(30)


# --- the nominal rate --------------------------------------------------------------------------


def at_rate(counter, rate_hz, seconds, begin_s=0.0):
    for k in range(round(seconds * rate_hz)):
        counter.push(BEGIN_NS + round((begin_s + k / rate_hz) * 1e9))


def test_the_nominal_rate_is_unknown_until_a_rate_has_lasted(counter):
    at_rate(counter, 30, 4)
    assert counter.nominal_hz == 0.0
    at_rate(counter, 30, 4, 4.0)
    assert counter.nominal_hz == pytest.approx(30)


def test_a_stream_that_becomes_slower_keeps_its_nominal_rate(counter):
    at_rate(counter, 30, 8)
    at_rate(counter, 10, 60, 8.0)
    assert counter.rate_hz == pytest.approx(10)
    assert counter.nominal_hz == pytest.approx(30)


def test_the_nominal_rate_of_a_stream_that_becomes_faster_follows(counter):
    at_rate(counter, 10, 20)
    at_rate(counter, 60, 20, 20.0)
    assert counter.nominal_hz == pytest.approx(60)


def test_a_burst_of_late_messages_does_not_become_the_nominal_rate(counter):
    at_rate(counter, 30, 8)
    at_rate(counter, 1000, 0.1, 8.0)
    at_rate(counter, 30, 20, 8.1)
    assert counter.nominal_hz == pytest.approx(30, rel=0.01)


def test_a_clock_that_is_set_keeps_the_nominal_rate(counter):
    at_rate(counter, 30, 8)
    counter.clear()
    at_rate(counter, 20, 20, -3600.0)
    assert counter.nominal_hz == pytest.approx(30)


def test_a_pause_of_a_stream_does_not_count_as_a_rate(counter):
    at_rate(counter, 30, 2)
    at_rate(counter, 30, 8, 600.0)
    assert counter.nominal_hz == pytest.approx(30)


def test_a_slow_stream_has_a_nominal_rate(counter):
    at_rate(counter, 0.5, 60)
    assert counter.nominal_hz == pytest.approx(0.5)
