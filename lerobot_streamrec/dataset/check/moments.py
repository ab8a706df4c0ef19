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
"""Least, greatest, mean and deviation per episode, and of all episodes together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lerobot_streamrec.dataset.check.reading import Floats, Ints
import numpy as np

MOMENTS = ('min', 'max', 'mean', 'std')


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """
    What the rows of a feature really are, per episode.

    :param count: ``(episodes,)`` rows, of a camera its frames; 0 where it is not known
    :param values: per name in ``MOMENTS`` ``(episodes, d)``; NaN where it is not known
    """

    count: Ints
    values: dict[str, Floats]

    @classmethod
    def unknown(cls, num_episodes: int, width: int) -> Moments:
        """Make room for so many episodes of a feature."""
        return cls(
            np.zeros(num_episodes, np.int64),
            {name: np.full((num_episodes, width), np.nan) for name in MOMENTS},
        )

    def put(self, rows: Sequence[int], bounds: Sequence[int], values: Floats) -> None:
        """
        Compute the moments of several episodes that follow each other.

        :param rows: the episodes' places; below 0: one that is not kept
        :param bounds: of the episodes in ``values``: one more than ``rows``
        :param values: ``(n, leading dimensions, d)``; those that are not finite make NaN
        """
        starts, counts = np.asarray(bounds[:-1]), np.diff(bounds)
        pooled = counts * values.shape[1]
        flat = values.reshape(-1, values.shape[2])
        begins = starts * values.shape[1]
        # Sums of what is not finite are meant to be so.
        with np.errstate(invalid='ignore', over='ignore'):
            mean = np.add.reduceat(flat, begins, axis=0) / pooled[:, None]
            centred = (flat - np.repeat(mean, pooled, axis=0)) ** 2
            variance = np.add.reduceat(centred, begins, axis=0) / pooled[:, None]
            found = {
                'min': np.minimum.reduceat(flat, begins, axis=0),
                'max': np.maximum.reduceat(flat, begins, axis=0),
                'mean': mean,
                'std': np.sqrt(variance),
            }
        at = np.asarray(rows)
        kept = at >= 0
        broken = ~np.isfinite(mean).all(axis=1)
        for name, moments in found.items():
            moments[broken] = np.nan
            self.values[name][at[kept]] = moments[kept]
        self.count[at[kept]] = counts[kept]

    def forget(self, row: int) -> None:
        """Make one episode's moments unknown, whose rows are not what they were."""
        for values in self.values.values():
            values[row] = np.nan
        self.count[row] = 0

    def together(self) -> dict[str, Floats] | None:
        """
        Return the moments of all episodes; None if those of one are not known.

        :return: per name ``(d,)``
        """
        weights = self.count.astype(np.float64)
        mean = self.values['mean']
        if not weights.sum() or not np.isfinite(mean).all():
            return None
        weights = (weights / weights.sum())[:, None]
        total = (mean * weights).sum(axis=0)
        variance = ((self.values['std'] ** 2 + (mean - total) ** 2) * weights).sum(axis=0)
        return {
            'min': self.values['min'].min(axis=0),
            'max': self.values['max'].max(axis=0),
            'mean': total,
            'std': np.sqrt(variance),
        }
