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
"""How many samples a periodic stream should have brought and did not, told from its stamps."""

from __future__ import annotations

from collections import deque
from statistics import median_low

_INTERVALS_KEPT = 31
_INTERVALS_NEEDED = 8


# A gap that is made good within so many samples was no gap but a late stamp.
_PATIENCE = 3
_DRIFT_SHARE = 8


class GapCounter:
    """
    Learns a stream's period and counts the samples missing in it.

    The period is the median of the last intervals, so that neither jitter nor a few gaps move it.
    Samples are put on a grid of that period which follows them slowly: a stamp that is late by
    more than half a period leaves a place empty, and the next one, if it comes early, fills it.
    Owned by one thread.
    """

    def __init__(self) -> None:
        self._intervals_ns: deque[int] = deque(maxlen=_INTERVALS_KEPT)
        self._last_ns: int | None = None
        self._place_ns = 0
        self._num_missing = 0
        self._num_open = 0
        self._num_since = 0

    @property
    def num_missing(self) -> int:
        """Samples missing since the beginning."""
        return self._num_missing

    @property
    def period_ns(self) -> int | None:
        """The stream's period; None until enough samples were seen."""
        if len(self._intervals_ns) < _INTERVALS_NEEDED:
            return None
        return median_low(self._intervals_ns)

    @property
    def rate_hz(self) -> float:
        """Samples per second; 0 until enough samples were seen."""
        period_ns = self.period_ns
        return 1e9 / period_ns if period_ns else 0.0

    def push(self, stamp_ns: int) -> None:
        """Take note of a sample. One that is not later than the last is left out."""
        last_ns = self._last_ns
        if last_ns is not None and stamp_ns <= last_ns:
            return
        self._last_ns = stamp_ns
        period_ns = self.period_ns
        if last_ns is not None:
            self._intervals_ns.append(stamp_ns - last_ns)
        if period_ns is None:
            self._place_ns = stamp_ns
        else:
            self._count(stamp_ns, period_ns)

    def _count(self, stamp_ns: int, period_ns: int) -> None:
        steps = (stamp_ns - self._place_ns + period_ns // 2) // period_ns
        self._place_ns += steps * period_ns
        self._place_ns += (stamp_ns - self._place_ns) // _DRIFT_SHARE
        self._num_since += 1
        if self._num_since > _PATIENCE:
            self._num_open = 0
        if steps > 1:
            self._num_missing += steps - 1
            self._num_open += steps - 1
            self._num_since = 0
        elif steps < 1 and self._num_open:
            self._num_missing -= 1
            self._num_open -= 1

    def clear(self) -> None:
        """Forget the last stamp, as when the clock jumped back; the counts stay."""
        self._last_ns = None
        self._intervals_ns.clear()
        self._num_open = 0
