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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lerobot_streamrec.dataset.check.finding_codes import (
    WRONG_CAMERA_STATISTICS,
    WRONG_NUMBERING_STATISTICS,
    WRONG_QUANTILES,
    WRONG_STATISTICS,
)
from lerobot_streamrec.dataset.check.findings import Findings, Kind
from lerobot_streamrec.dataset.check.info import CheckedInfo
from lerobot_streamrec.dataset.check.moments import MOMENTS
from lerobot_streamrec.dataset.check.reading import Floats, Ints
from lerobot_streamrec.dataset.format.decoded_camera import DecodedCamera
from lerobot_streamrec.dataset.format.features import DEFAULT_FEATURES
from lerobot_streamrec.stats.feature_statistics import QUANTILES
import numpy as np
import numpy.typing as npt

# Statistics are taken before the lossy codec, the comparison is made behind it, and not with the
# same frames.
_CAMERA_TOLERANCE = 0.04
# Of white noise in all channels, LeRobot's encoder settings keep 0.69 of the deviation.
_CODEC_LOSS = 0.35

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


def statistics_shape(info: CheckedInfo, key: str) -> tuple[int, ...]:
    """Return the shape of a feature's statistics: leading dimensions are put together."""
    shape = info.features[key].shape or (1,)
    if key not in info.cameras:
        return shape[-1:]
    channels = shape[-1] if shape[-1] in (1, 3, 4) else shape[0]
    return (channels, 1, 1)


def judge(
    info: CheckedInfo,
    key: str,
    values: Mapping[str, Floats],
    truth: Mapping[str, Floats] | None,
    count: Ints | None,
) -> list[Judged]:
    """
    Compare statistics of one feature; all arrays have one row per episode.

    :param info: what is usable of info.json
    :param key: the feature
    :param values: what is said, per name ``(n, d)``
    :param truth: what is so, per name of ``MOMENTS`` ``(n, d)``, NaN where not known; or None
    :param count: rows, ``(n,)``, 0 where not known; None if that is not known at all
    """
    is_camera = key in info.cameras
    kind = WRONG_STATISTICS
    if is_camera:
        kind = WRONG_CAMERA_STATISTICS
    elif key in DEFAULT_FEATURES:
        kind = WRONG_NUMBERING_STATISTICS
    camera = DecodedCamera(info.features[key].info) if is_camera else None
    judging = _Judging(values, kind, camera)
    for name, said in values.items():
        judging.add(name, ~np.isfinite(said))
    if judging.found:
        return judging.found
    judging.add('count', values['count'] < 1)
    # Of cameras it is frames or pixels, by who recorded them.
    if count is not None and not is_camera:
        expected = count[:, None].astype(np.float64)
        judging.add('count', (values['count'] != expected) & (expected > 0), expected)
    if truth is not None:
        judging.compare(truth)
    if camera is not None and not camera.is_depth:
        for name in sorted(set(values) - {'count'}):
            outside = (values[name] < -_ABSOLUTE) | (values[name] > 1 + _QUANTILE_TOLERANCE)
            judging.add(name, outside)
    return judging.found or _quantiles(values, of_pictures=is_camera)


class _Judging:
    """Collects what is wrong with the statistics of one feature."""

    def __init__(
        self, values: Mapping[str, Floats], kind: Kind, camera: DecodedCamera | None
    ) -> None:
        self._values = values
        self._kind = kind
        self._camera = camera
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
                self._camera is not None,
            )
            for row in np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1)).tolist()
        )

    def compare(self, truth: Mapping[str, Floats]) -> None:
        """Compare moments; extremes of pictures do not survive the codec."""
        scale = np.maximum(np.abs(truth['min']), np.abs(truth['max']))
        for name in MOMENTS[2:] if self._camera else MOMENTS:
            tolerance = _TOLERANCES[name] * scale + _ABSOLUTE
            if self._camera:
                tolerance = np.full_like(scale, _CAMERA_TOLERANCE * self._camera.extent)
                # Depth beyond the video's is in the statistics alone.
                beyond = self._values['max'] > self._camera.extent * (1 + _QUANTILE_TOLERANCE)
                tolerance[beyond] = np.inf
            if self._camera and name == 'std':
                # It is only ever taken away by the codec: what is said may be more, never less.
                lost = np.maximum(tolerance, _CODEC_LOSS * self._values[name])
                tolerance = np.where(self._values[name] > truth[name], lost, tolerance)
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


def add_judged(
    judged: Sequence[Judged],
    key: str,
    path: str,
    episodes: Sequence[int] | None,
    findings: Findings,
) -> None:
    """
    Take down what was judged wrong, one finding for all that is wrong with a feature.

    :param episodes: episode_index per row that was compared; None: it was the whole dataset
    """
    grouped: dict[tuple[Kind, int], list[Judged]] = {}
    for one in judged:
        grouped.setdefault((one.kind, one.row), []).append(one)
    for (kind, row), group in grouped.items():
        first, names = group[0], ', '.join(dict.fromkeys(one.name for one in group))
        truth = 'pictures' if first.of_pictures else 'rows'
        findings.add(
            kind,
            path,
            f'Statistics of {key} are not those of the {truth} ({names})'
            if first.expected
            else f'Statistics of {key} cannot be so ({names})',
            found=f'{first.name} {first.found}',
            expected=first.expected,
            episode=None if episodes is None else episodes[row],
            feature=key,
        )
