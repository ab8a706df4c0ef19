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
A row shows the newest sample at or before its instant, in whatever order messages came.

Guards the sample that a row holds: forgetting past samples must never take it away, and a late
message must be told from one that is of no use any more.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from lerobot_streamrec.sync.sample_buffer import PushResult, Sample, SampleBuffer
import pytest


@pytest.fixture
def make_buffer():
    def make(*stamps_ns):
        buffer = SampleBuffer()
        for stamp_ns in stamps_ns:
            assert buffer.push(stamp_ns, f'at {stamp_ns}') is PushResult.ACCEPTED
        return buffer

    return make


def test_an_instant_shows_the_newest_sample_at_or_before_it(make_buffer):
    buffer = make_buffer(10, 20)
    assert buffer.hold(9) is None
    assert buffer.hold(10) == Sample(10, 'at 10')
    assert buffer.hold(19) == Sample(10, 'at 10')
    assert buffer.hold(20) == buffer.hold(10**19) == Sample(20, 'at 20')


def test_the_oldest_sample_after_an_instant(make_buffer):
    buffer = make_buffer(10, 20)
    assert buffer.after(9) == Sample(10, 'at 10')
    assert buffer.after(10) == Sample(20, 'at 20')
    assert buffer.after(20) is None


def test_the_nearest_sample_of_two_as_near_the_earlier(make_buffer):
    buffer = make_buffer(10, 20)
    nearest = [buffer.nearest(at).stamp_ns for at in (-5, 10, 14, 15, 16, 20, 99)]
    assert nearest == [10, 10, 10, 10, 20, 20, 20]
    assert SampleBuffer().nearest(5) is None


def test_messages_out_of_order_are_put_in_order(make_buffer):
    buffer = make_buffer(30, 10, 20)
    assert [buffer.hold(at).stamp_ns for at in (15, 25, 35)] == [10, 20, 30]
    assert (buffer.newest_ns, buffer.newest_value) == (30, 'at 30')


def test_of_two_samples_with_one_stamp_the_last_counts(make_buffer):
    buffer = make_buffer(10, 20, 30)
    buffer.push(20, 'again')
    assert len(buffer) == 3
    assert buffer.hold(25) == Sample(20, 'again')


def test_closing_rows_keeps_the_sample_they_show_and_no_older_one(make_buffer):
    buffer = make_buffer(10, 20, 30, 40)
    buffer.close_until(35)
    assert len(buffer) == 2
    assert buffer.hold(35) == Sample(30, 'at 30')
    buffer.close_until(10**19)
    assert len(buffer) == 1
    assert buffer.hold(10**19) == Sample(40, 'at 40')


def test_late_samples_still_show_and_useless_ones_do_not(make_buffer):
    buffer = make_buffer(10, 20)
    buffer.close_until(25)
    assert buffer.push(19, 'useless') is PushResult.TOO_LATE
    assert buffer.push(25, 'late') is PushResult.LATE
    assert buffer.push(26, 'in time') is PushResult.ACCEPTED
    assert buffer.hold(25) == Sample(25, 'late')
    assert buffer.hold(26) == Sample(26, 'in time')
    assert len(buffer) == 3


def test_nothing_is_late_for_the_next_episode(make_buffer):
    buffer = make_buffer(10, 20)
    buffer.close_until(25)
    buffer.reopen()
    assert buffer.push(24, 'fresh') is PushResult.ACCEPTED
    assert buffer.hold(25) == Sample(24, 'fresh')


def test_a_cleared_buffer_takes_older_stamps(make_buffer):
    buffer = make_buffer(10**18)
    buffer.close_until(10**18)
    buffer.clear()
    assert (len(buffer), buffer.newest_ns, buffer.hold(10**19)) == (0, None, None)
    assert buffer.push(5, 'new time') is PushResult.ACCEPTED
    with pytest.raises(IndexError):
        _ = SampleBuffer().newest_value


class History:
    """The naive model: it forgets nothing, and searches everything."""

    def __init__(self):
        self.samples = {}
        self.closed_until_ns = None
        self.shown_ns = None

    def hold(self, stamp_ns):
        present = [one for one in self.samples if one <= stamp_ns]
        return Sample(max(present), self.samples[max(present)]) if present else None

    def close_until(self, stamp_ns):
        self.closed_until_ns = stamp_ns
        self.shown_ns = self.hold(stamp_ns).stamp_ns

    def push(self, stamp_ns, value):
        self.samples[stamp_ns] = value
        if self.closed_until_ns is None or stamp_ns > self.closed_until_ns:
            return PushResult.ACCEPTED
        return PushResult.LATE if stamp_ns >= self.shown_ns else PushResult.TOO_LATE


some_stamp = st.integers(0, 40)
some_steps = st.lists(
    st.tuples(st.sampled_from(['push', 'push', 'push', 'close', 'reopen']), some_stamp),
    max_size=60,
)


@given(some_steps)
def test_whatever_happens_open_instants_show_what_a_full_history_shows(steps):
    buffer, history, open_from_ns = SampleBuffer(), History(), 0
    for value, (step, stamp_ns) in enumerate([('push', 0), *steps]):
        if step == 'push':
            assert buffer.push(stamp_ns, value) is history.push(stamp_ns, value)
        elif step == 'close':
            open_from_ns = max(open_from_ns, stamp_ns)
            history.close_until(open_from_ns)
            buffer.close_until(open_from_ns)
        elif step == 'reopen':
            history.closed_until_ns = None
            buffer.reopen()
        for instant_ns in range(open_from_ns, 42):
            assert buffer.hold(instant_ns) == history.hold(instant_ns)
        newest_ns = max(history.samples)
        assert buffer.newest_ns == newest_ns
        assert buffer.newest_value == history.samples[newest_ns]
