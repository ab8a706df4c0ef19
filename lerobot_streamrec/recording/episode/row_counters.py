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
"""Counts and measurements of the samples of one stream that an episode's rows show."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from lerobot_streamrec.recording.streams.sampling import Shown
from lerobot_streamrec.sync.row_clock import NS_PER_MS, NS_PER_S
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Skew:
    """
    The distance between samples and the instants of their rows, either way, in milliseconds.

    :param mean_ms: mean of all rows
    :param p95_ms: 95th percentile
    :param max_ms: largest distance
    """

    mean_ms: float = 0.0
    p95_ms: float = 0.0
    max_ms: float = 0.0


# A camera whose measured rate is at least this share of fps counts as fast enough, since the
# measurement has an error.
_SLOWER = 0.98
# A row is at most one period from the last picture of a steady camera, plus half a one for jitter.
_PERIODS = 1.5


class RowAccount:
    """
    The record of one stream's rows. Owned by the recorder's thread until the take has finished.

    :param max_age_ns: a row with an older sample counts as stale; 0: no row does
    :param own_rate_hz: messages per second when the episode begins; 0: not known yet
    :param fps: rows per second; 0: every picture of this camera is a row
    """

    def __init__(self, max_age_ns: int, own_rate_hz: float, fps: int) -> None:
        self._max_age_ns = max_age_ns
        self._fps = fps
        self._instants_ns = array('q')
        self._stamps_ns = array('q')
        self._is_shown = array('b')
        self.own_rate_hz = own_rate_hz
        """Messages per second at the start of the episode, or the first rate known after it."""
        self.repeated = 0
        """Rows with the same picture as the row before although a new picture was due."""
        self.repeated_by_rate = 0
        """Rows with the same picture as the row before because the camera is slower than fps."""
        self.overloaded = 0
        """Rows whose picture was replaced by a repeat because the encoder was too slow."""
        self.missing_in_windows = 0
        """Samples of windows that repeat the first one, since none came before."""
        self.stale = 0
        """Rows whose sample was too old."""
        self.max_age_ns = 0
        """Age of the oldest sample that a row shows."""
        self.max_skew_ns = 0
        """Largest distance between a sample and its row, either way."""

    def show(self, instant_ns: int, shown: Shown, *, is_shown: bool = True) -> None:
        """
        Record a row.

        :param instant_ns: instant of the row
        :param shown: the sample in it
        :param is_shown: False if the row shows another stream instead, so that the age is no fault
        """
        self._instants_ns.append(instant_ns)
        self._stamps_ns.append(shown.stamp_ns)
        self._is_shown.append(is_shown)
        if not is_shown:
            return
        self.missing_in_windows += shown.num_missing
        self.max_age_ns = max(self.max_age_ns, shown.age_ns)
        self.max_skew_ns = max(self.max_skew_ns, abs(instant_ns - shown.stamp_ns))
        if self._max_age_ns and shown.age_ns > self._max_age_ns:
            self.stale += 1

    def repeat(self, instant_ns: int, shown: Shown, rate_hz: float) -> None:
        """
        Count a row with the same picture as the row before. The caller also calls ``show``.

        For a camera that is slower than the rows, repeats are normal until its next picture is
        due. Later repeats mean that a picture is missing.

        :param instant_ns: instant of the row
        :param shown: the sample in it
        :param rate_hz: present messages per second, used if ``own_rate_hz`` is not known yet
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
        """True if every picture of this camera is a row."""
        return self._fps == 0

    @property
    def last_stamp_ns(self) -> int | None:
        """The stamp of the sample in the last row; None before there is a row."""
        return self._stamps_ns[-1] if self._stamps_ns else None

    @property
    def instants_ns(self) -> npt.NDArray[np.int64]:
        """The instants of the rows, ``(rows,)``."""
        return np.array(self._instants_ns, dtype=np.int64)

    @property
    def stamps_ns(self) -> npt.NDArray[np.int64]:
        """The stamps of the samples in the rows, ``(rows,)``."""
        return np.array(self._stamps_ns, dtype=np.int64)

    def skew(self) -> Skew:
        """Return the distances between the samples and the rows that show them."""
        if not any(self._is_shown):
            return Skew()
        away = np.abs(self.instants_ns - self.stamps_ns) / NS_PER_MS
        away = away[np.array(self._is_shown, dtype=np.bool_)]
        p95 = np.quantile(away, 0.95, method='inverted_cdf')
        return Skew(float(away.mean()), float(p95), float(away.max()))
