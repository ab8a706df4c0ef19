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
"""How state and action move over all episodes, as a measure for what is unusual in one of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from lerobot_streamrec.dataset.format.features import ACTION, STATE
from lerobot_streamrec.report.series import Values
import numpy as np

TAILS = (0.01, 0.99)
"""Quantiles of an episode between which an element's range is measured, so that spikes of single
rows do not count."""
MAX_SWITCH_VALUES = 10
"""Number of distinct values up to which an element is a switch, which may jump."""
SIGNATURE_ROWS = 32
"""Number of instants at which the motions of two episodes are compared."""


def finite(values: Values) -> Values:
    """Return ``(rows, d)`` values in which straight lines replace NaN and infinity."""
    is_finite = np.isfinite(values)
    if is_finite.all():
        return values
    rows, filled = np.arange(len(values)), np.zeros_like(values)
    for at, good in enumerate(is_finite.T):
        if good.any():
            filled[:, at] = np.interp(rows, rows[good], values[good, at])
    return filled


class MotionSurvey:
    """
    Figures on state and action, collected episode by episode. Owned by one thread.

    :param names: names of the elements per feature; only those of ``STATE`` and ``ACTION`` count
    """

    def __init__(self, names: Mapping[str, tuple[str, ...]]) -> None:
        self.names = {key: names[key] for key in (STATE, ACTION) if key in names}
        """Names of the elements of state and action, as far as the dataset has them."""
        actions = {name: at for at, name in enumerate(self.names.get(ACTION, ()))}
        self.pairs = tuple(
            (at, actions[name])
            for at, name in enumerate(self.names.get(STATE, ()))
            if name in actions
        )
        """Elements of state and of action with the same name: follower and leader."""
        self.numbers: dict[int, int] = {}
        """Place of each episode among those of the survey, by its index."""
        self._travels: dict[str, list[Values]] = {key: [] for key in self.names}
        self._tails: dict[str, list[Values]] = {key: [] for key in self.names}
        self._kinds = {key: [set[float]() for _ in names] for key, names in self.names.items()}
        self._signatures: list[Values] = []
        self._moments = np.zeros((3, len(self.pairs)))

    def add(self, episode_index: int, values: Mapping[str, Values]) -> None:
        """
        Add an episode.

        :param episode_index: its number in the dataset
        :param values: finite ``(rows, d)`` of state and action
        """
        self.numbers[episode_index] = len(self.numbers)
        for key in self.names:
            self._travels[key].append(np.ptp(values[key], axis=0))
            self._tails[key].append(np.quantile(values[key], TAILS, axis=0))
            for column, kinds in zip(values[key].T, self._kinds[key], strict=True):
                if len(kinds) <= MAX_SWITCH_VALUES:
                    kinds.update(np.unique(column)[: MAX_SWITCH_VALUES + 1].tolist())
        whole = np.concatenate([values[key] for key in self.names], axis=1)
        at = np.linspace(0, len(whole) - 1, SIGNATURE_ROWS).round().astype(int)
        self._signatures.append(whole[at])
        if self.pairs:
            state, action = (one - one.mean(axis=0) for one in self.paired(values))
            self._moments += [
                (state * action).sum(axis=0),
                (state**2).sum(axis=0),
                (action**2).sum(axis=0),
            ]

    def paired(self, values: Mapping[str, Values]) -> tuple[Values, Values]:
        """Return the elements of ``pairs``, ``(rows, pairs)`` of the state and of the action."""
        state, action = zip(*self.pairs, strict=True)
        return values[STATE][:, state], values[ACTION][:, action]

    @cached_property
    def spans(self) -> dict[str, Values]:
        """The range of each element over all episodes, ``(d,)`` per feature."""
        return {
            key: np.max([one[1] for one in tails], axis=0) - np.min([one[0] for one in tails], 0)
            for key, tails in self._tails.items()
        }

    @cached_property
    def travels(self) -> dict[str, Values]:
        """The range of each element within each episode, ``(episodes, d)`` per feature."""
        return {key: np.stack(found) for key, found in self._travels.items()}

    @cached_property
    def switches(self) -> dict[str, list[bool]]:
        """Whether an element has only a few distinct values, per feature."""
        return {
            key: [len(one) <= MAX_SWITCH_VALUES for one in kinds]
            for key, kinds in self._kinds.items()
        }

    @cached_property
    def correlations(self) -> Values:
        """How alike leader and follower move within episodes, from -1 to 1, ``(pairs,)``."""
        both, state, action = self._moments
        scale = np.sqrt(state * action)
        return np.divide(both, scale, out=np.zeros_like(both), where=scale > 0)

    @cached_property
    def distances(self) -> Values:
        """
        How far the motions of two episodes are apart, ``(episodes, episodes)``.

        It is the root of the mean squared distance of all elements, as a share of their ranges.
        """
        span = np.concatenate([self.spans[key] for key in self.names])
        moving = span > 0
        points = np.stack(self._signatures)[:, :, moving] / span[moving]
        points = points.reshape(len(points), -1) - points.mean(axis=0).reshape(-1)
        squares = (points**2).sum(axis=1)
        apart = squares[:, None] + squares[None] - 2 * points @ points.T
        distances: Values = np.sqrt(np.maximum(apart, 0) / max(points.shape[1], 1))
        return distances
