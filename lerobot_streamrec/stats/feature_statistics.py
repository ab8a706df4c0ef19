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
Statistics of one feature under LeRobot's names, and the merging of statistics of episodes.

The names are min, max, mean, std (of the population), count, q01, q10, q50, q90 and q99. Moments
and extremes merge exactly. Quantiles merge exactly if both sides know their distribution;
otherwise the merged ones are the mean weighted by rows, which is the best that a dataset of
another writer allows. Datasets converted from an older format have no quantiles, and then neither
does the result.

The weight of an episode is its number of rows, which is also the number of frames of each camera.
``count`` cannot be the weight: LeRobot's default writer counts the frames of a camera that it
sampled, and its streaming writer counts pixels. LeRobot itself weights by ``count`` when it
appends or merges, so a dataset must count in a single unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce
from typing import Any

from lerobot_streamrec.stats.distribution import Distribution
import numpy as np
import numpy.typing as npt

QUANTILES = {'q01': 0.01, 'q10': 0.10, 'q50': 0.50, 'q90': 0.90, 'q99': 0.99}
# Least share of all values that are at a quantile or beyond it, on the side away from the mean.
_LEAST_SHARES = (
    ('q01', 0.01, -1),
    ('q10', 0.09, -1),
    ('q50', 0.40, -1),
    ('q50', 0.40, 1),
    ('q90', 0.09, 1),
    ('q99', 0.01, 1),
)
# Quantiles are edges of bins, so a bound that is computed from them needs some slack.
_DEVIATION_SLACK = 0.9
MOMENTS = ('min', 'max', 'mean', 'std')
STATISTICS = (*MOMENTS, 'count', *QUANTILES)
REQUIRED = (*MOMENTS, 'count')
"""Statistics that every writer stores; older formats have no quantiles."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class FeatureStatistics:
    """
    Statistics of one feature over some rows.

    :param values: for each name in ``STATISTICS`` except count, float64 ``(d,)`` for a vector or
        ``(channels, 1, 1)`` for a camera; with all quantiles, or none
    :param num_rows: number of rows of a vector or frames of a camera, which is the weight
    :param distributions: one per element or channel; None if unknown
    :param scale: size of one unit of the distributions in ``values``
    :param stated_count: ``count`` as the dataset states it, in its writer's unit; None if it
        counts rows
    """

    values: Mapping[str, Array]
    num_rows: int
    distributions: tuple[Distribution, ...] | None = None
    scale: float = 1.0
    stated_count: int | None = None

    @property
    def count(self) -> int:
        """The ``count`` for the dataset, which is never used as a weight here."""
        return self.num_rows if self.stated_count is None else self.stated_count

    @property
    def counts_pixels(self) -> bool:
        """True if ``count`` is in pixels, since no writer samples more frames than there are."""
        return self.count > self.num_rows

    @property
    def is_of_pictures(self) -> bool:
        """True if these are statistics of a camera."""
        return self.values['mean'].ndim == 3

    @property
    def has_possible_deviation(self) -> bool:
        """
        True if the quantiles are possible with so small a standard deviation.

        LeRobot 0.4 squared pixels in 8 bits, and so stored 0 for nearly all images. This is only
        valid for one episode, since the quantiles of a dataset may be means of other quantiles.
        """
        exponent, (values,) = _scaled(self.values)
        mean = values['mean']
        least = sum(
            share * np.maximum(sign * (values.get(name, mean) - mean), 0) ** 2
            for name, share, sign in _LEAST_SHARES
        )
        least_std = np.ldexp(_DEVIATION_SLACK * np.sqrt(least), exponent)
        return bool(np.all(self.values['std'] >= least_std - 1e-6))

    def as_lists(self) -> dict[str, list[object]]:
        """Return nested lists in the form of meta/stats.json."""
        lists = {name: self.values[name].tolist() for name in STATISTICS if name in self.values}
        return {**lists, 'count': [self.count]}

    @classmethod
    def from_lists(
        cls,
        lists: Mapping[str, Any],
        num_rows: int,
        distributions: tuple[Distribution, ...] | None = None,
        scale: float = 1.0,
    ) -> FeatureStatistics:
        """
        Return the statistics in lists of the form that ``as_lists`` returns.

        :param num_rows: number of rows of the episode or dataset
        :raise KeyError: if a statistic other than the quantiles is missing
        :raise ValueError: if the values cannot be statistics, with the reason
        """
        try:
            quantiles = QUANTILES if all(name in lists for name in QUANTILES) else ()
            values = {
                name: np.asarray(lists[name], dtype=np.float64) for name in (*MOMENTS, *quantiles)
            }
            counts = np.asarray(lists['count'], dtype=np.float64).reshape(-1)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError('not all of them are numbers') from error
        if len(counts) != 1 or not 1 <= counts[0] < np.inf:
            raise ValueError('count is not one number above 0')
        if len({one.shape for one in values.values()}) > 1:
            raise ValueError('they have different shapes')
        found = cls(values, num_rows, distributions, scale, int(counts[0]))
        # All writers count rows, except for cameras.
        return found if found.is_of_pictures else replace(found, stated_count=None)

    def counted_like(self, others: FeatureStatistics | None) -> FeatureStatistics:
        """
        Return the same statistics with a ``count`` in the unit of the dataset they are added to.

        :param others: statistics of that dataset; None if it has none, so that rows are counted
        """
        if others is None or others.count == others.num_rows:
            return replace(self, stated_count=None)
        return replace(
            self, stated_count=max(1, round(self.num_rows * others.count / others.num_rows))
        )

    def counting_rows(self) -> FeatureStatistics:
        """Return the same statistics with ``count`` in rows if it is in pixels."""
        return replace(self, stated_count=None) if self.counts_pixels else self

    @property
    def has_quantiles(self) -> bool:
        """True if all quantiles are there; statistics in older formats have none."""
        return all(name in self.values for name in QUANTILES)

    def with_quantiles_of(self, other: FeatureStatistics) -> FeatureStatistics:
        """Return the same, with missing quantiles taken from other statistics of the same rows."""
        quantiles = {name: other.values[name] for name in QUANTILES if name in other.values}
        return replace(self, values={**quantiles, **self.values})

    def merged(self, other: FeatureStatistics) -> FeatureStatistics:
        """
        Return the statistics of the rows of both, each weighted by its number of rows.

        The ``count`` is in pixels if both sides count equally many per row, otherwise in frames.
        """
        num_rows = self.num_rows + other.num_rows
        weights = (self.num_rows / num_rows, other.num_rows / num_rows)
        exponent, (first, second) = _scaled(self.values, other.values)
        mean = first['mean'] * weights[0] + second['mean'] * weights[1]
        variance = sum(
            weight * (one['std'] ** 2 + (one['mean'] - mean) ** 2)
            for weight, one in zip(weights, (first, second), strict=True)
        )
        values = {
            'min': np.minimum(self.values['min'], other.values['min']),
            'max': np.maximum(self.values['max'], other.values['max']),
            'mean': np.ldexp(mean, exponent),
            'std': np.ldexp(np.sqrt(variance), exponent),
        }
        distributions = self._merged_distributions(other)
        if distributions is None:
            for name in QUANTILES:
                if name in self.values and name in other.values:
                    both = (self.values[name], other.values[name])
                    values[name] = both[0] * weights[0] + both[1] * weights[1]
        else:
            values.update(quantiles_of(distributions, values, self.scale))
        return FeatureStatistics(
            values, num_rows, distributions, self.scale, self._count_with(other)
        )

    def _count_with(self, other: FeatureStatistics) -> int:
        if self.count * other.num_rows == other.count * self.num_rows:
            return self.count + other.count
        return self.counting_rows().count + other.counting_rows().count

    def _merged_distributions(self, other: FeatureStatistics) -> tuple[Distribution, ...] | None:
        if self.distributions is None or other.distributions is None:
            return None
        # Images must not weigh more because more of their pixels were counted.
        ratio = Fraction(self.distributions[0].total, self.num_rows)
        ratio /= Fraction(other.distributions[0].total, other.num_rows)
        return tuple(
            one.times(ratio.denominator).merged(another.times(ratio.numerator))
            for one, another in zip(self.distributions, other.distributions, strict=True)
        )


def _scaled(
    *sides: Mapping[str, Array],
) -> tuple[npt.NDArray[np.int32], tuple[dict[str, Array], ...]]:
    """
    Return statistics divided by a power of two, so that their squares do not overflow.

    :return: exponent of the power for each element, and the statistics divided by it
    """
    largest = np.maximum.reduce([abs(one) for side in sides for one in side.values()])
    exponent = np.frexp(largest)[1]
    return exponent, tuple(
        {name: np.ldexp(one, -exponent) for name, one in side.items()} for side in sides
    )


def total_of(parts: Iterable[FeatureStatistics]) -> FeatureStatistics | None:
    """Return the statistics of the rows of all parts; None if there are no parts."""
    found = list(parts)
    return reduce(FeatureStatistics.merged, found) if found else None


def quantiles_of(
    distributions: tuple[Distribution, ...], extremes: Mapping[str, Array], scale: float = 1.0
) -> dict[str, Array]:
    """
    Return the five quantiles of distributions, limited to the extremes.

    :param distributions: one per element or channel
    :param extremes: min and max, which also give the shape of the quantiles
    :param scale: size of one unit of the distributions
    """
    low, high = extremes['min'], extremes['max']
    return {
        name: np.clip(
            np.array([one.quantile(fraction) * scale for one in distributions]).reshape(low.shape),
            low,
            high,
        )
        for name, fraction in QUANTILES.items()
    }


def flag_statistics(num_true: int, num_rows: int) -> FeatureStatistics:
    """
    Return the exact statistics of a single flag per row.

    :param num_true: number of rows in which it is true
    :param num_rows: number of rows, n > 0
    """
    share = num_true / num_rows
    values = {
        'min': np.array([float(num_true == num_rows)]),
        'max': np.array([float(num_true > 0)]),
        'mean': np.array([share]),
        'std': np.array([np.sqrt(share * (1.0 - share))]),
    }
    counts = np.array([num_rows - num_true, num_true], dtype=np.int64)
    distributions = (Distribution.of_counts(counts),)
    values.update(quantiles_of(distributions, values))
    return FeatureStatistics(values, num_rows, distributions)


def vector_statistics(rows: npt.ArrayLike) -> FeatureStatistics:
    """
    Return the exact statistics of a vector feature.

    :param rows: ``(n, d)`` or ``(n,)`` finite numbers or bools, n > 0; of windows ``(n, N, d)``,
        whose samples count together, as for LeRobot
    """
    array = np.asarray(rows, dtype=np.float64)
    num_rows = len(array)
    array = array.reshape(-1, array.shape[-1] if array.ndim > 1 else 1)
    # Sums and squares of large numbers would overflow; a power of two costs no precision.
    exponent = np.frexp(np.abs(array).max(axis=0))[1]
    scaled = np.ldexp(array, -exponent)
    values = {
        'min': array.min(axis=0),
        'max': array.max(axis=0),
        'mean': np.ldexp(scaled.mean(axis=0), exponent),
        'std': np.ldexp(scaled.std(axis=0), exponent),
    }
    at = np.quantile(array, list(QUANTILES.values()), axis=0, method='inverted_cdf')
    values.update(zip(QUANTILES, at, strict=True))
    distributions = tuple(Distribution.of(column) for column in array.T)
    return FeatureStatistics(values, num_rows, distributions)
