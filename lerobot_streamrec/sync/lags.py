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
"""The lags of a stream's arrivals behind its stamps, measured by a clock that never jumps."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from lerobot_streamrec.sync.row_clock import NS_PER_S

_BUCKET_NS = NS_PER_S // 2
_NUM_BUCKETS = 10
# Only these newest buckets give an expectation, since simulated time changes its pace.
_NUM_RECENT = 4
MIN_MESSAGES = 3
"""Fewer messages do not tell the offset of a clock, since each of them may be late."""
_MAX_DRIFT_NS = NS_PER_S // 10
# The least lag of a minute distinguishes the end of a long delay from a clock that was set.
_LONG_BUCKET_NS = 10 * NS_PER_S
_NUM_LONG_BUCKETS = 6
_LATENESS_S = 10
# A pace that differs less than this from the steady clock's counts as equal.
_SAME_PACE = 0.1


@dataclass(slots=True)
class _Bucket:
    begin_ns: int
    least_ns: int
    least_at_ns: int
    num_messages: int


def _append(buckets: deque[_Bucket], new: _Bucket, length_ns: int) -> None:
    """
    Add a bucket, and drop those that are too old for the time that all buckets cover together.

    Old buckets stay until there is a new message, since they tell the clock offset of a stream
    that rarely publishes.
    """
    assert buckets.maxlen is not None
    while buckets and buckets[0].begin_ns < new.begin_ns - buckets.maxlen * length_ns:
        buckets.popleft()
    buckets.append(new)


class LagWindow:
    """
    The least lags of the last seconds, in buckets. Owned by one thread.

    A lag is the arrival by the steady clock minus the stamp. Only differences between lags have a
    meaning: between streams, and between now and earlier. A busy machine or a slow network makes
    lags longer and never shorter, so the least lag tells the offset of the clocks.
    """

    def __init__(self) -> None:
        self._buckets: deque[_Bucket] = deque(maxlen=_NUM_BUCKETS)
        self._drift = 0.0
        self._recent_ns: int | None = None
        """Least lag of the recent buckets; None before the first message."""
        self._long: deque[_Bucket] = deque(maxlen=_NUM_LONG_BUCKETS)

    def push(self, stamp_ns: int, now_ns: int) -> None:
        """
        Add a message.

        :param stamp_ns: stamp of the message
        :param now_ns: its arrival by the steady clock
        """
        lag_ns = now_ns - stamp_ns
        last = self._buckets[-1] if self._buckets else None
        if last is None or now_ns >= last.begin_ns + _BUCKET_NS:
            _append(self._buckets, _Bucket(now_ns, lag_ns, now_ns, 1), _BUCKET_NS)
            self._drift = self._measure_drift()
            self._look_at_recent()
            self._remember(lag_ns, now_ns)
            return
        last.num_messages += 1
        if lag_ns <= last.least_ns:
            last.least_ns, last.least_at_ns = lag_ns, now_ns
            if self._recent_ns is None or lag_ns < self._recent_ns:
                self._recent_ns = lag_ns
            self._remember(lag_ns, now_ns)

    def _remember(self, lag_ns: int, now_ns: int) -> None:
        last = self._long[-1] if self._long else None
        if last is None or now_ns >= last.begin_ns + _LONG_BUCKET_NS:
            _append(self._long, _Bucket(now_ns, lag_ns, now_ns, 1), _LONG_BUCKET_NS)
        elif lag_ns < last.least_ns:
            last.least_ns = lag_ns

    def move(self, stamps_by_ns: int) -> None:
        """Shift all stamps so far to later ones, as after the stream's clock was set."""
        for bucket in (*self._buckets, *self._long):
            bucket.least_ns -= stamps_by_ns
        self._look_at_recent()

    def clear(self) -> None:
        """Forget everything."""
        self._buckets.clear()
        self._long.clear()
        self._drift = 0.0
        self._look_at_recent()

    def _look_at_recent(self) -> None:
        self._recent_ns = min((one.least_ns for one in self._recent()), default=None)

    def _recent(self) -> list[_Bucket]:
        return list(self._buckets)[-_NUM_RECENT:]

    def expected_stamp_ns(self, now_ns: int) -> int | None:
        """
        Return the stamp of a message that would arrive now with the least lag.

        :param now_ns: time of the steady clock
        :return: stamp in nanoseconds; None before the first message
        """
        if self._recent_ns is None:
            return None
        if not self._drift:
            # Without a drift, the least lag has not changed since the last message.
            return now_ns - self._recent_ns
        return now_ns - min(
            one.least_ns + round(self._drift * (now_ns - one.least_at_ns))
            for one in self._recent()
        )

    def off_ns(self, stamp_ns: int, now_ns: int) -> int | None:
        """
        Return how much later a stamp is than expected.

        After a long delay, messages may be earlier than those of the last seconds, but only as
        early as messages were before the delay; this counts as no difference.

        :param stamp_ns: stamp of a message
        :param now_ns: its arrival by the steady clock
        :return: nanoseconds, negative if the stamp is earlier; None before the first message
        """
        expected_ns = self.expected_stamp_ns(now_ns)
        if expected_ns is None:
            return None
        off_ns = stamp_ns - expected_ns
        if off_ns <= 0 or self._drift or not self._long:
            return off_ns
        least_ns = min(one.least_ns for one in self._long)
        return min(off_ns, max(0, stamp_ns - (now_ns - least_ns)))

    def _measure_drift(self) -> float:
        """Return the growth of lags per time, which simulated time with its own pace causes."""
        slopes = [
            (after.least_ns - before.least_ns) / (after.least_at_ns - before.least_at_ns)
            for before, after in pairwise(self._buckets)
        ]
        drift = median(slopes) if len(slopes) >= MIN_MESSAGES else 0.0
        return drift if abs(drift) > _SAME_PACE else 0.0

    @property
    def least_ns(self) -> int | None:
        """Least lag of the last seconds, perhaps of a single message; None without messages."""
        return min((one.least_ns for one in self._buckets), default=None)

    @property
    def num_messages(self) -> int:
        """Number of messages in the last seconds."""
        return sum(one.num_messages for one in self._buckets)

    @property
    def is_short(self) -> bool:
        """True if there are too few messages, or too little time, to judge a clock's pace."""
        return self.num_messages < MIN_MESSAGES or len(self._buckets) < 2

    def steady_ns(self) -> int | None:
        """
        Return the least lag of the last seconds if it is steady.

        :return: nanoseconds; None if there are too few messages, or if the clocks differ in pace
        """
        if self.is_short:
            return None
        buckets = list(self._buckets)
        half = len(buckets) // 2
        before = min(one.least_ns for one in buckets[:half])
        after = min(one.least_ns for one in buckets[half:])
        return min(before, after) if abs(after - before) <= _MAX_DRIFT_NS else None


class Lateness:
    """
    The most that a stream's samples were behind the newest stamp of all streams.

    A stream that was late on a busy machine a few seconds ago may be late again. Owned by one
    thread.
    """

    def __init__(self) -> None:
        # The beginning of each second with samples, and the greatest delay in it.
        self._seconds: deque[tuple[int, int]] = deque(maxlen=_LATENESS_S)

    def push(self, behind_ns: int, now_ns: int) -> None:
        """
        Add a sample.

        :param behind_ns: how far its stamp was behind on arrival; negative if it was ahead
        :param now_ns: its arrival by the steady clock
        """
        begin_ns, most_ns = self._seconds[-1] if self._seconds else (now_ns - NS_PER_S, 0)
        if now_ns >= begin_ns + NS_PER_S:
            self._seconds.append((now_ns, max(0, behind_ns)))
        elif behind_ns > most_ns:
            self._seconds[-1] = (begin_ns, behind_ns)

    @property
    def most_ns(self) -> int:
        """Greatest delay in the last ten seconds with samples; 0 before the first sample."""
        return max((most_ns for _, most_ns in self._seconds), default=0)

    def clear(self) -> None:
        """Forget everything."""
        self._seconds.clear()
