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
"""Counts of values in bins that merge exactly, for the quantiles of a whole dataset."""

from __future__ import annotations

from dataclasses import dataclass, replace
import math

import numpy as np
import numpy.typing as npt

MAX_SPAN_BINS = 8192
"""Greatest number of bins from the lowest to the highest one; beyond it, pairs are joined."""

# A double holds 53 bits, so finer bins could not tell more values apart.
_MANTISSA_BITS = 50
_FINEST_EXPONENT = -40


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """
    The number of values in each bin ``[index * 2**exponent, (index + 1) * 2**exponent)``.

    Bins of a coarser exponent are unions of finer ones, so merging distributions, in any order and
    any number of times, gives the same result as counting all values at once. The range is cut
    into at least half of MAX_SPAN_BINS bins unless the values need fewer; integers in a range
    below MAX_SPAN_BINS are counted exactly.

    :param exponent: exponent of the bins' width, to the base 2
    :param indices: ``(bins,)`` int64, ascending indices of the bins that are not empty
    :param counts: ``(bins,)`` int64, positive number of values in each of these bins
    """

    exponent: int
    indices: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, values: npt.ArrayLike) -> Distribution:
        """
        Return the distribution of values.

        :param values: ``(n,)`` finite numbers, n > 0
        """
        exponent, bins = _finest_bins(np.asarray(values, dtype=np.float64))
        indices, counts = np.unique(bins, return_counts=True)
        return cls(exponent, indices, counts.astype(np.int64))._fitted()

    @classmethod
    def of_levels(
        cls, levels: npt.NDArray[np.float64], counts: npt.NDArray[np.int64]
    ) -> Distribution:
        """
        Return the distribution of values from the counts of their levels.

        :param levels: ``(n,)`` finite numbers, n > 0
        :param counts: ``(n,)`` positive numbers of how often each level was seen
        """
        exponent, bins = _finest_bins(levels)
        return _sum(exponent, bins, counts)._fitted()

    @classmethod
    def of_counts(cls, counts: npt.NDArray[np.int64]) -> Distribution:
        """
        Return the distribution of the integers 0, 1, 2, ... from their counts.

        :param counts: ``(n,)`` numbers of how often each integer was seen, at least one positive
        """
        indices = np.flatnonzero(counts).astype(np.int64)
        return cls(0, indices, counts[indices].astype(np.int64))

    def merged(self, other: Distribution) -> Distribution:
        """Return the distribution of the values of both."""
        exponent = max(self.exponent, other.exponent)
        pair = (self._coarsened(exponent), other._coarsened(exponent))
        return _sum(
            exponent,
            np.concatenate([one.indices for one in pair]),
            np.concatenate([one.counts for one in pair]),
        )._fitted()

    @property
    def total(self) -> int:
        """Number of counted values."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """Mean of the lower edges of the values' bins."""
        return math.ldexp(float(self.indices @ self.counts) / self.total, self.exponent)

    def times(self, factor: int) -> Distribution:
        """Return the distribution in which every value is counted so many times."""
        return self if factor == 1 else replace(self, counts=self.counts * factor)

    def quantile(self, fraction: float) -> float:
        """Return the lower edge of the bin in which the cumulative count reaches a fraction."""
        cumulated = np.cumsum(self.counts)
        at = int(np.searchsorted(cumulated, fraction * cumulated[-1], side='left'))
        return math.ldexp(float(self.indices[at]), self.exponent)

    def _fitted(self) -> Distribution:
        span = int(self.indices[-1] - self.indices[0])
        exponent = self.exponent
        while span >= MAX_SPAN_BINS:
            exponent += 1
            shift = exponent - self.exponent
            span = int((self.indices[-1] >> shift) - (self.indices[0] >> shift))
        return self._coarsened(exponent)

    def _coarsened(self, exponent: int) -> Distribution:
        if exponent == self.exponent:
            return self
        # A right shift rounds down for negative indices too, so bins stay nested.
        return _sum(exponent, self.indices >> (exponent - self.exponent), self.counts)


def _finest_bins(values: npt.NDArray[np.float64]) -> tuple[int, npt.NDArray[np.int64]]:
    """Return the exponent of the finest bins, and the bin of each value."""
    largest = float(np.abs(values).max())
    exponent = _FINEST_EXPONENT
    if largest > 0:
        exponent = max(exponent, math.frexp(largest)[1] - _MANTISSA_BITS)
    return exponent, np.floor(np.ldexp(values, -exponent)).astype(np.int64)


def _sum(
    exponent: int, indices: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]
) -> Distribution:
    """Return a distribution with the counts of equal indices added up; the order is free."""
    unique, place = np.unique(indices, return_inverse=True)
    sums = np.zeros(len(unique), dtype=np.int64)
    np.add.at(sums, place, counts)
    return Distribution(exponent, unique, sums)
