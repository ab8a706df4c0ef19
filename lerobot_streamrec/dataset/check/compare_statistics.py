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
"""The comparison of stated statistics with those of the rows and images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lerobot_streamrec.dataset.check import finding_codes as kinds
from lerobot_streamrec.dataset.check.findings import Findings
from lerobot_streamrec.dataset.check.info import CheckedInfo
from lerobot_streamrec.dataset.format.features import DEFAULT_FEATURES
from lerobot_streamrec.dataset.format.histograms import DecodedCamera
from lerobot_streamrec.dataset.format.table_rules import Floats, Ints
from lerobot_streamrec.stats.feature_statistics import MOMENTS, QUANTILES
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """
    The actual moments of a feature, per episode.

    :param count: ``(episodes,)`` number of rows, or of frames of a camera; 0 if unknown
    :param values: ``(episodes, d)`` for each name in ``MOMENTS``; NaN if unknown
    """

    count: Ints
    values: dict[str, Floats]

    @classmethod
    def unknown(cls, num_episodes: int, width: int) -> Moments:
        """Return unknown moments for all episodes of a feature with ``width`` elements."""
        return cls(
            np.zeros(num_episodes, np.int64),
            {name: np.full((num_episodes, width), np.nan) for name in MOMENTS},
        )

    def put(self, rows: Sequence[int], bounds: Sequence[int], values: Floats) -> None:
        """
        Compute the moments of several consecutive episodes.

        :param rows: the rows of the episodes in meta/episodes; moments are dropped if below 0
        :param bounds: the rows of ``values`` at which episodes begin, and the end of the last
        :param values: ``(n, leading dimensions, d)``; moments of values that are not finite are
            NaN
        """
        starts, counts = np.asarray(bounds[:-1]), np.diff(bounds)
        pooled = counts * values.shape[1]
        flat = values.reshape(-1, values.shape[2])
        begins = starts * values.shape[1]
        # Values that are not finite should yield sums that are not finite, without warnings.
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
        """Mark the moments of one episode as unknown."""
        for values in self.values.values():
            values[row] = np.nan
        self.count[row] = 0

    def together(self) -> dict[str, Floats] | None:
        """
        Return the moments over all episodes.

        :return: ``(d,)`` for each name; None if the moments of an episode are unknown
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


# The stated statistics were computed before the lossy codec; the comparison uses decoded frames,
# and not the same ones.
_CAMERA_TOLERANCE = 0.04
# LeRobot's encoder settings keep 0.69 of the standard deviation of white noise in all channels.
_CODEC_LOSS = 0.35

# Relative to the largest magnitude of the element, since LeRobot adds up in single precision.
_TOLERANCES = {'min': 1e-5, 'max': 1e-5, 'mean': 1e-3, 'std': 1e-3}
# LeRobot's quantiles are edges of histogram bins, which may lie slightly outside of min and max.
_QUANTILE_TOLERANCE = 1e-3
_ABSOLUTE = 1e-9


class _Fault(NamedTuple):
    """A statistic that is wrong: its stated and its actual value, which may be unknown."""

    name: str
    found: str
    expected: str


def statistics_shape(info: CheckedInfo, key: str) -> tuple[int, ...]:
    """Return the shape of a feature's statistics, which pool the leading dimensions."""
    shape = info.features[key].shape or (1,)
    if key not in info.cameras:
        return shape[-1:]
    channels = shape[-1] if shape[-1] in (1, 3, 4) else shape[0]
    return (channels, 1, 1)


def check_statistics(
    info: CheckedInfo,
    key: str,
    values: Mapping[str, Floats],
    truth: Mapping[str, Floats] | None,
    count: Ints | None,
    episodes: Sequence[int] | None,
    findings: Findings,
) -> None:
    """
    Compare the statistics of one feature; all arrays have one row per episode.

    :param info: the usable part of info.json
    :param key: the feature
    :param values: the stated values, ``(n, d)`` for each name
    :param truth: the actual values, ``(n, d)`` for each name in ``MOMENTS``, NaN if unknown; None
        if all are unknown
    :param count: ``(n,)`` numbers of rows, 0 if unknown; None if all are unknown
    :param episodes: the episode_index of each row; None if the statistics are those of the whole
        dataset
    :param findings: the collection for findings about the file; it receives one per episode
    """
    camera, kind = None, kinds.WRONG_STATISTICS
    if key in info.cameras:
        camera, kind = DecodedCamera(info.features[key].info), kinds.WRONG_CAMERA_STATISTICS
    elif key in DEFAULT_FEATURES:
        kind = kinds.WRONG_NUMBERING_STATISTICS
    faults = _Judging(values, camera).faults(truth, count)
    if not faults:
        kind, faults = kinds.WRONG_QUANTILES, _quantiles(values)
    for row, of_row in faults.items():
        names = ', '.join(dict.fromkeys(one.name for one in of_row))
        actual = f'not those of the {"images" if camera else "rows"}'
        fault = actual if of_row[0].expected else 'impossible'
        episode = None if episodes is None else episodes[row]
        findings.about(findings.path, episode=episode, feature=key).add(
            kind,
            f'Statistics of {key} are {fault} ({names})',
            f'{of_row[0].name} {of_row[0].found}',
            of_row[0].expected,
        )


class _Judging:
    """The faults found so far in the statistics of one feature."""

    def __init__(self, values: Mapping[str, Floats], camera: DecodedCamera | None) -> None:
        self._values = values
        self._camera = camera
        self._found: dict[int, list[_Fault]] = {}

    def faults(
        self, truth: Mapping[str, Floats] | None, count: Ints | None
    ) -> dict[int, list[_Fault]]:
        """Return the faults of each row, without those of the order of quantiles."""
        for name, said in self._values.items():
            self._add(name, ~np.isfinite(said))
        if self._found:
            return self._found
        stated = self._values['count']
        self._add('count', stated < 1)
        # The count of a camera is in frames or pixels, depending on the writer.
        if count is not None and self._camera is None:
            expected = count[:, None].astype(np.float64)
            self._add('count', (stated != expected) & (expected > 0), expected)
        if truth is not None:
            self._compare(truth)
        if self._camera is not None and not self._camera.is_depth:
            for name in sorted(set(self._values) - {'count'}):
                said = self._values[name]
                self._add(name, (said < -_ABSOLUTE) | (said > 1 + _QUANTILE_TOLERANCE))
        return self._found

    def _add(
        self, name: str, wrong: npt.NDArray[np.bool_], expected: Floats | None = None
    ) -> None:
        """Add a fault for each row in which an element is wrong."""
        for row in np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1)).tolist():
            actual = '' if expected is None else _text(expected[row])
            fault = _Fault(name, _text(self._values[name][row]), actual)
            self._found.setdefault(row, []).append(fault)

    def _compare(self, truth: Mapping[str, Floats]) -> None:
        """Compare the moments; cameras without min and max, which the codec does not preserve."""
        scale = np.maximum(np.abs(truth['min']), np.abs(truth['max']))
        for name in MOMENTS[2:] if self._camera else MOMENTS:
            tolerance = _TOLERANCES[name] * scale + _ABSOLUTE
            if self._camera:
                tolerance = np.full_like(scale, _CAMERA_TOLERANCE * self._camera.extent)
                # The video clips depth that is beyond its range; the statistics do not.
                beyond = self._values['max'] > self._camera.extent * (1 + _QUANTILE_TOLERANCE)
                tolerance[beyond] = np.inf
            if self._camera and name == 'std':
                # The codec only reduces deviation, so the stated one may be larger, never smaller.
                lost = np.maximum(tolerance, _CODEC_LOSS * self._values[name])
                tolerance = np.where(self._values[name] > truth[name], lost, tolerance)
            # Unknown values are NaN, for which the comparison is False.
            wrong = np.abs(self._values[name] - truth[name]) > tolerance
            self._add(name, wrong, truth[name])


def _quantiles(values: Mapping[str, Floats]) -> dict[int, list[_Fault]]:
    """Check only the order: releases of LeRobot compute and merge quantiles differently."""
    if any(name not in values for name in QUANTILES):
        return {}
    names = ('min', *QUANTILES, 'max')
    order = np.stack([values[name] for name in names])
    slack = np.abs(order).max(axis=0) * _QUANTILE_TOLERANCE + _ABSOLUTE
    wrong = (np.diff(order, axis=0) < -slack).any(axis=(0, 2))
    expected = ', '.join(names) + ' ascend'
    found = {}
    for row in np.flatnonzero(wrong).tolist():
        stated = '; '.join(f'{name} {_text(values[name][row])}' for name in names)
        found[row] = [_Fault('order', stated, expected)]
    return found


def _text(numbers: Floats) -> str:
    text = ', '.join(f'{number:.6g}' for number in numbers[:4].tolist())
    return f'[{text}{", ..." if len(numbers) > 4 else ""}]'
