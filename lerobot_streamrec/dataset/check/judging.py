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
"""Compares statistics that are said with what rows and pictures are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lerobot_streamrec.dataset.check.findings import Kind
from lerobot_streamrec.dataset.check.kinds import (
    WRONG_CAMERA_STATISTICS,
    WRONG_NUMBERING_STATISTICS,
    WRONG_QUANTILES,
    WRONG_STATISTICS,
)
from lerobot_streamrec.dataset.check.moments import MOMENTS
from lerobot_streamrec.dataset.check.reading import Floats, Ints
from lerobot_streamrec.stats.feature_statistics import QUANTILES
import numpy as np
import numpy.typing as npt

# Statistics are taken before the lossy codec, the comparison is made behind it, and not with the
# same frames. Pictures of white noise, which no codec keeps, lose 0.032 of their deviation.
_CAMERA_TOLERANCE = 0.04

# LeRobot sums up in single precision; relative to the largest magnitude of the element.
_TOLERANCES = {'min': 1e-5, 'max': 1e-5, 'mean': 1e-3, 'std': 1e-3}
# LeRobot's quantiles are edges of a histogram, which stand a little outside of min and max.
_QUANTILE_TOLERANCE = 1e-3
_ABSOLUTE = 1e-9


@dataclass(frozen=True, slots=True)
class Judged:
    """
    A statistic that is wrong.

    :param kind: what kind of finding
    :param row: of which episode, by its place among those compared
    :param name: which statistic
    :param found: what is said
    :param expected: what it is; empty if it cannot be what is said, whatever it is
    :param of_pictures: whether it was compared with pictures
    """

    kind: Kind
    row: int
    name: str
    found: str
    expected: str
    of_pictures: bool


def judge(
    values: Mapping[str, Floats],
    truth: Mapping[str, Floats] | None,
    count: Ints | None,
    *,
    is_camera: bool,
    is_depth: bool,
    is_numbering: bool,
) -> list[Judged]:
    """
    Compare statistics of one feature; all arrays have one row per episode.

    :param values: what is said, per name ``(n, d)``
    :param truth: what is so, per name of ``MOMENTS`` ``(n, d)``, NaN where not known; or None
    :param count: rows, ``(n,)``, 0 where not known; None if it may be of anything
    :param is_camera: whether it is about pictures; quantiles and extremes do not survive codecs
    :param is_depth: whether pictures are in a unit of their own
    :param is_numbering: whether the feature is one of LeRobot's own
    """
    kind = WRONG_STATISTICS
    if is_camera:
        kind = WRONG_CAMERA_STATISTICS
    elif is_numbering:
        kind = WRONG_NUMBERING_STATISTICS
    judging = _Judging(values, kind, is_camera)
    for name, said in values.items():
        judging.add(name, ~np.isfinite(said))
    if judging.found:
        return judging.found
    judging.add('count', values['count'] < 1)
    if count is not None:
        expected = count[:, None].astype(np.float64)
        judging.add('count', (values['count'] != expected) & (expected > 0), expected)
    if truth is not None:
        judging.compare(truth)
    if is_camera and not is_depth:
        for name in sorted(set(values) - {'count'}):
            outside = (values[name] < -_ABSOLUTE) | (values[name] > 1 + _QUANTILE_TOLERANCE)
            judging.add(name, outside)
    return judging.found or _quantiles(values, of_pictures=is_camera)


class _Judging:
    """Collects what is wrong with the statistics of one feature."""

    def __init__(self, values: Mapping[str, Floats], kind: Kind, is_camera: bool) -> None:
        self._values = values
        self._kind = kind
        self._is_camera = is_camera
        self.found: list[Judged] = []

    def add(
        self, name: str, wrong: npt.NDArray[np.bool_], expected: Floats | None = None
    ) -> None:
        """Take down the rows in which anything is wrong."""
        self.found.extend(
            Judged(
                self._kind,
                row,
                name,
                _text(self._values[name][row]),
                '' if expected is None else _text(expected[row]),
                self._is_camera,
            )
            for row in np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1)).tolist()
        )

    def compare(self, truth: Mapping[str, Floats]) -> None:
        """Compare moments; extremes of pictures do not survive the codec."""
        scale = np.maximum(np.abs(truth['min']), np.abs(truth['max']))
        for name in MOMENTS[2:] if self._is_camera else MOMENTS:
            tolerance = _TOLERANCES[name] * scale + _ABSOLUTE
            if self._is_camera:
                tolerance = np.full_like(scale, _CAMERA_TOLERANCE)
            # What is not known is no number, and differs from nothing.
            wrong = np.abs(self._values[name] - truth[name]) > tolerance
            self.add(name, wrong, truth[name])


def _quantiles(values: Mapping[str, Floats], *, of_pictures: bool) -> list[Judged]:
    """Check their order alone: releases of LeRobot compute and merge them in different ways."""
    if any(name not in values for name in QUANTILES):
        return []
    names = ('min', *QUANTILES, 'max')
    order = np.stack([values[name] for name in names])
    slack = np.abs(order).max(axis=0) * _QUANTILE_TOLERANCE + _ABSOLUTE
    wrong = (np.diff(order, axis=0) < -slack).any(axis=(0, 2))
    return [
        Judged(
            WRONG_QUANTILES,
            row,
            'order',
            '; '.join(f'{name} {_text(values[name][row])}' for name in names),
            ', '.join(names) + ' ascend',
            of_pictures,
        )
        for row in np.flatnonzero(wrong).tolist()
    ]


def _text(numbers: Floats) -> str:
    text = ', '.join(f'{number:.6g}' for number in numbers[:4].tolist())
    return f'[{text}{", ..." if len(numbers) > 4 else ""}]'
