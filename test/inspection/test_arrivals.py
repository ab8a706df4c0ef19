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
"""Rates, delays and clocks, told from when messages came and what their stamps say."""

from __future__ import annotations

from lerobot_streamrec.inspection.arrivals import Arrivals, Heard, span_text, Stamps
import pytest

MS = 1_000_000
S = 1000 * MS
NOW = 1_700_000_000 * S


def heard(delay_ns, num=30, period_ns=40 * MS, missing=()):
    arrivals = Arrivals()
    for number in range(num):
        received_ns = NOW + number * period_ns
        if number not in missing:
            stamp_ns = delay_ns if delay_ns in (None, 0) else received_ns - delay_ns
            arrivals.push(received_ns, stamp_ns)
    return arrivals.heard


@pytest.mark.parametrize(
    ('delay_ns', 'stamps', 'words'),
    [
        (None, Stamps.NONE, ''),
        (0, Stamps.ZERO, 'does not set them'),
        (20 * MS, Stamps.GOOD, ''),
        # Two computers that keep time together.
        (-20 * MS, Stamps.GOOD, ''),
        (2 * S, Stamps.LATE, '2.0 s after'),
        (-3600 * S, Stamps.FOREIGN, '1.0 h ahead of the clock of the computer'),
        (3 * 86_400 * S, Stamps.FOREIGN, '3.0 days behind the clock of the computer'),
        # Since this robot was switched on.
        (NOW - 100 * S, Stamps.FOREIGN, '53.9 years behind'),
    ],
)
def test_whose_clock_it_is(delay_ns, stamps, words):
    found = heard(delay_ns)
    assert found.stamps is stamps
    assert words in found.stamp_trouble
    assert bool(words) == bool(found.stamp_trouble)
    assert found.is_badly_stamped == (stamps in (Stamps.ZERO, Stamps.FOREIGN))
    assert found.rate_hz == pytest.approx(25.0)


def test_delays_and_gaps():
    arrivals = Arrivals()
    for number in range(40):
        if number not in (20, 21):
            delay_ns = (9 if number == 30 else 3) * MS
            arrivals.push(NOW + number * 40 * MS + delay_ns, NOW + number * 40 * MS)
    found = arrivals.heard
    assert (found.delay_s, found.max_delay_s) == (0.003, 0.009)
    assert (found.num_messages, found.num_missing) == (38, 2)


def test_few_messages_have_a_rate_too():
    assert heard(5 * MS, num=3, period_ns=S).rate_hz == pytest.approx(1.0)
    assert heard(5 * MS, num=1).rate_hz == 0.0
    assert Arrivals().heard == Heard()


@pytest.mark.parametrize(
    ('seconds', 'text'),
    [
        (0.0004, '0.4 ms'),
        (0.25, '250 ms'),
        (-0.25, '-250 ms'),
        (1.5, '1.5 s'),
        (3599.9, '1.0 h'),
        (90, '1.5 min'),
    ],
)
def test_spans_as_people_say_them(seconds, text):
    assert span_text(seconds) == text
