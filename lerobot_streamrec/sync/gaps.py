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
"""The number of samples that are missing from a periodic stream, and its rate, by its stamps."""

from __future__ import annotations

from collections import deque
from statistics import median_low

_STAMPS_KEPT = 33
_STAMPS_NEEDED = 9
# The period is measured over this many intervals, in which the jitter of neighbours cancels out.
_SPAN = 4
_UPDATE_EVERY = 8

# A gap that is filled within this many samples was only a late stamp.
_PATIENCE = 3
_DRIFT_SHARE = 8
# A rate counts as the stream's own if it lasts for so long; a burst of late samples is shorter.
_LASTING_NS = 5_000_000_000


class NominalRate:
    """
    The highest rate that a stream has kept for some seconds, which is what it can do.

    A camera that becomes slower in the dark or on a busy bus keeps its nominal rate, so that the
    difference shows. Owned by one thread.
    """

    def __init__(self) -> None:
        self._periods_ns: list[int] = []
        self._begin_ns: int | None = None
        self.hz = 0.0
        """Samples per second; 0 until a rate has lasted."""

    def push(self, stamp_ns: int, period_ns: int) -> None:
        """
        Note the stream's present period.

        :param stamp_ns: stamp of the newest sample
        :param period_ns: period of the last samples
        """
        if self._begin_ns is None:
            self._begin_ns = stamp_ns
        self._periods_ns.append(period_ns)
        if stamp_ns - self._begin_ns >= _LASTING_NS:
            self.hz = max(self.hz, 1e9 / median_low(self._periods_ns))
            self.resume()

    def resume(self) -> None:
        """Measure from the next sample on, wherever it is; the rate so far stays."""
        self._periods_ns.clear()
        self._begin_ns = None


class GapCounter:
    """
    Learns a stream's period and counts the samples that are missing.

    The period is the median over spans of a few intervals, so neither jitter nor a few gaps move
    it. Samples are put on a grid of that period, which follows them slowly. A stamp that is late
    by more than half a period leaves a place empty. The next stamp fills it if it is early, and so
    does a sample that arrives after its successor. Owned by one thread.
    """

    def __init__(self) -> None:
        self._stamps_ns: deque[int] = deque(maxlen=_STAMPS_KEPT)
        self.period_ns: int | None = None
        """The stream's period in nanoseconds; None until there were enough samples."""
        self._num_pushed = 0
        self._place_ns = 0
        self.num_missing = 0
        """Number of samples missing since the beginning."""
        self._num_open = 0
        self._num_since = 0
        self._is_resuming = False
        self._nominal = NominalRate()

    @property
    def nominal_hz(self) -> float:
        """The highest rate that lasted for 5 s, samples per second; 0 until one has."""
        return self._nominal.hz

    @property
    def rate_hz(self) -> float:
        """Samples per second; 0 until there were enough samples."""
        return 1e9 / self.period_ns if self.period_ns else 0.0

    def push(self, stamp_ns: int) -> None:
        """Count a sample; one that is older than the newest one can only fill a gap."""
        if self._stamps_ns and stamp_ns <= self._stamps_ns[-1]:
            if self._num_open and stamp_ns not in self._stamps_ns:
                self._fill()
            return
        if self.period_ns is None or self._is_resuming:
            self._place_ns = stamp_ns
            self._is_resuming = False
        else:
            self._count(stamp_ns, self.period_ns)
        self._stamps_ns.append(stamp_ns)
        self._num_pushed += 1
        if self.period_ns is None or self._num_pushed % _UPDATE_EVERY == 0:
            self._learn()

    def _learn(self) -> None:
        if len(self._stamps_ns) >= _STAMPS_NEEDED:
            stamps = list(self._stamps_ns)
            spans = [end - begin for begin, end in zip(stamps, stamps[_SPAN:], strict=False)]
            self.period_ns = max(1, median_low(spans) // _SPAN)
            self._nominal.push(stamps[-1], self.period_ns)

    def _count(self, stamp_ns: int, period_ns: int) -> None:
        steps = (stamp_ns - self._place_ns + period_ns // 2) // period_ns
        self._place_ns += steps * period_ns
        self._place_ns += (stamp_ns - self._place_ns) // _DRIFT_SHARE
        self._num_since += 1
        if self._num_since > _PATIENCE:
            self._num_open = 0
        if steps > 1:
            self.num_missing += steps - 1
            self._num_open += steps - 1
            self._num_since = 0
        elif steps < 1 and self._num_open:
            self._fill()

    def _fill(self) -> None:
        self.num_missing -= 1
        self._num_open -= 1

    def resume(self) -> None:
        """Continue from the next stamp, wherever it is; the period and the count stay."""
        self._stamps_ns.clear()
        self._nominal.resume()
        self._num_open = 0
        self._is_resuming = True

    def clear(self) -> None:
        """Forget the stamps and the period, as after a jump of the clock; the count stays."""
        self._stamps_ns.clear()
        self._nominal.resume()
        self.period_ns = None
        self._num_open = 0
