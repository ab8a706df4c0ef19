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
Statistics of one feature, as LeRobot names them, and how those of episodes add up.

Format: min, max, mean, std (population), count, q01, q10, q50, q90, q99. Moments and extremes
merge exactly. Quantiles do where both sides know their distribution; otherwise they are LeRobot
0.6.1's count-weighted mean, which is all that can be had from a dataset that others began.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lerobot_streamrec.stats.distribution import Distribution
import numpy as np
import numpy.typing as npt

QUANTILES = {'q01': 0.01, 'q10': 0.10, 'q50': 0.50, 'q90': 0.90, 'q99': 0.99}
STATISTICS = ('min', 'max', 'mean', 'std', 'count', *QUANTILES)

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class FeatureStatistics:
    """
    Statistics of one feature over some rows.

    :param values: per name in ``STATISTICS`` except count: ``(d,)`` for a vector,
        ``(channels, 1, 1)`` for a camera, float64
    :param count: rows of a vector, pixels per channel of a camera
    :param distributions: one per element or channel; None if not known
    :param scale: what one unit of the distributions is worth in ``values``
    """

    values: Mapping[str, Array]
    count: int
    distributions: tuple[Distribution, ...] | None = None
    scale: float = 1.0

    def as_lists(self) -> dict[str, list[object]]:
        """Return nested lists as they stand in meta/stats.json."""
        lists = {name: self.values[name].tolist() for name in STATISTICS if name != 'count'}
        return {**lists, 'count': [self.count]}

    @classmethod
    def from_lists(
        cls,
        lists: Mapping[str, Any],
        distributions: tuple[Distribution, ...] | None = None,
        scale: float = 1.0,
    ) -> FeatureStatistics:
        """
        Take over what ``as_lists`` returned.

        :raise KeyError: if a statistic is missing
        :raise ValueError: if one is not made of numbers
        """
        values = {
            name: np.asarray(lists[name], dtype=np.float64)
            for name in STATISTICS
            if name != 'count'
        }
        count = int(np.asarray(lists['count'], dtype=np.int64).reshape(-1)[0])
        return cls(values, count, distributions, scale)

    def merged(self, other: FeatureStatistics) -> FeatureStatistics:
        """Return the statistics of the rows of both."""
        count = self.count + other.count
        weights = (self.count / count, other.count / count)
        means = (self.values['mean'], other.values['mean'])
        mean = means[0] * weights[0] + means[1] * weights[1]
        variance = sum(
            weight * (one.values['std'] ** 2 + (one.values['mean'] - mean) ** 2)
            for weight, one in zip(weights, (self, other), strict=True)
        )
        values = {
            'min': np.minimum(self.values['min'], other.values['min']),
            'max': np.maximum(self.values['max'], other.values['max']),
            'mean': mean,
            'std': np.sqrt(variance),
        }
        distributions = self._merged_distributions(other)
        if distributions is None:
            for name in QUANTILES:
                values[name] = self.values[name] * weights[0] + other.values[name] * weights[1]
        else:
            values.update(quantiles_of(distributions, values, self.scale))
        return FeatureStatistics(values, count, distributions, self.scale)

    def _merged_distributions(self, other: FeatureStatistics) -> tuple[Distribution, ...] | None:
        if self.distributions is None or other.distributions is None:
            return None
        return tuple(
            one.merged(another)
            for one, another in zip(self.distributions, other.distributions, strict=True)
        )


def quantiles_of(
    distributions: tuple[Distribution, ...], extremes: Mapping[str, Array], scale: float = 1.0
) -> dict[str, Array]:
    """
    Read the five quantiles off distributions, never outside the extremes.

    :param distributions: one per element or channel
    :param extremes: min and max, whose shape the quantiles take
    :param scale: what one unit of the distribution is worth
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


def vector_statistics(rows: npt.ArrayLike) -> FeatureStatistics:
    """
    Compute the statistics of a vector feature exactly.

    :param rows: ``(n, d)`` or ``(n,)`` finite numbers or bools, n > 0
    """
    array = np.asarray(rows, dtype=np.float64)
    array = array.reshape(len(array), -1)
    values = {
        'min': array.min(axis=0),
        'max': array.max(axis=0),
        'mean': array.mean(axis=0),
        'std': array.std(axis=0),
    }
    at = np.quantile(array, list(QUANTILES.values()), axis=0, method='inverted_cdf')
    values.update(zip(QUANTILES, at, strict=True))
    distributions = tuple(Distribution.of(column) for column in array.T)
    return FeatureStatistics(values, len(array), distributions)
