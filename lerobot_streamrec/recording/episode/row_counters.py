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
"""What an episode's rows show of one stream, counted and measured."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from lerobot_streamrec.recording.config import NS_PER_MS
from lerobot_streamrec.recording.streams.sampling import Shown
from lerobot_streamrec.sync.row_clock import NS_PER_S
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Skew:
    """
    How far the samples shown lie from their rows' instants, either way, in milliseconds.

    :param mean_ms: mean of all rows
    :param p95_ms: 95 of 100 rows have less
    :param max_ms: the worst
    """

    mean_ms: float = 0.0
    p95_ms: float = 0.0
    max_ms: float = 0.0

# A camera that is as quick as the rows, or a little slower by the error of its measured rate.
_SLOWER = 0.98
# Pictures of a steady camera are at most one period apart; jitter takes part of another.
_PERIODS = 1.5


class RowAccount:
    """
    Grows by one for every row. Owned by the executor's thread until the take has finished.

    :param max_age_ns: rows whose sample is older count as stale; 0: none
    :param own_rate_hz: messages per second as the episode begins; 0: not known yet
    :param fps: rows per second; 0: this camera's pictures are the rows
    """

    def __init__(self, max_age_ns: int, own_rate_hz: float, fps: int) -> None:
        self._max_age_ns = max_age_ns
        self._fps = fps
        self._instants_ns = array('q')
        self._stamps_ns = array('q')
        self.own_rate_hz = own_rate_hz
        """Messages per second as the episode began, or as soon as that was known."""
        self.repeated = 0
        """Rows with the same picture as the row before, though pictures should be new."""
        self.repeated_by_rate = 0
        """Rows with the same picture as the row before, because the camera is that slow."""
        self.overloaded = 0
        """Rows whose picture was replaced by a repeat, because its encoder was behind."""
        self.stale = 0
        """Rows whose sample was older than it may be."""
        self.max_age_ns = 0
        """Age of the oldest sample that a row shows."""
        self.max_skew_ns = 0
        """How far a sample is from its row at most, either way."""

    def show(self, instant_ns: int, shown: Shown) -> None:
        """
        Take note of a row.

        :param instant_ns: instant of the row
        :param shown: the sample in it
        """
        self._instants_ns.append(instant_ns)
        self._stamps_ns.append(shown.stamp_ns)
        self.max_age_ns = max(self.max_age_ns, shown.age_ns)
        self.max_skew_ns = max(self.max_skew_ns, abs(instant_ns - shown.stamp_ns))
        if self._max_age_ns and shown.age_ns > self._max_age_ns:
            self.stale += 1

    def repeat(self, instant_ns: int, shown: Shown, rate_hz: float) -> None:
        """
        Count a row that shows the same picture as the row before; ``show`` is called as well.

        A camera that is slower than the rows repeats pictures as long as the next one is not due.
        An older picture counts as missing.

        :param instant_ns: instant of the row
        :param shown: the sample in it
        :param rate_hz: messages per second now, used while the camera's own rate is not known
        """
        self.own_rate_hz = self.own_rate_hz or rate_hz
        is_slow = 0.0 < self.own_rate_hz < _SLOWER * self._fps
        away_ns = abs(instant_ns - shown.stamp_ns)
        if is_slow and away_ns * self.own_rate_hz <= _PERIODS * NS_PER_S:
            self.repeated_by_rate += 1
        else:
            self.repeated += 1

    @property
    def is_clock(self) -> bool:
        """Whether this camera's pictures are the rows."""
        return self._fps == 0

    @property
    def last_stamp_ns(self) -> int | None:
        """Stamp of what the last row shows; None before there is a row."""
        return self._stamps_ns[-1] if self._stamps_ns else None

    @property
    def instants_ns(self) -> npt.NDArray[np.int64]:
        """Of the rows, ``(rows,)``."""
        return np.array(self._instants_ns, dtype=np.int64)

    @property
    def stamps_ns(self) -> npt.NDArray[np.int64]:
        """Stamps of what the rows show, ``(rows,)``."""
        return np.array(self._stamps_ns, dtype=np.int64)

    def skew(self) -> Skew:
        """Return how far the samples are from their rows."""
        if not self._stamps_ns:
            return Skew()
        away = np.abs(self.instants_ns - self.stamps_ns) / NS_PER_MS
        p95 = np.quantile(away, 0.95, method='inverted_cdf')
        return Skew(float(away.mean()), float(p95), float(away.max()))
