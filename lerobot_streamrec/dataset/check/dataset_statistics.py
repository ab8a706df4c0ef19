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
"""Checks meta/stats.json against rows and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lerobot_streamrec.dataset.check.compare_statistics import add_judged, judge, statistics_shape
from lerobot_streamrec.dataset.check.finding_codes import (
    MISSING_QUANTILES,
    MISSING_STATISTICS,
    WRONG_STATISTICS_SHAPE,
)
from lerobot_streamrec.dataset.check.findings import Findings, some
from lerobot_streamrec.dataset.check.info import CheckedInfo
from lerobot_streamrec.dataset.check.moments import Moments
from lerobot_streamrec.dataset.check.reading import Floats, read_json, UNREADABLE
from lerobot_streamrec.dataset.format.layout import STATS
from lerobot_streamrec.stats.feature_statistics import QUANTILES, REQUIRED, STATISTICS
import numpy as np

_WHERE = str(STATS)


def check_dataset_statistics(
    root: Path,
    info: CheckedInfo,
    moments: Mapping[str, Moments],
    findings: Findings,
    *,
    compare: bool,
) -> None:
    """
    Check meta/stats.json.

    :param moments: what rows and pictures really are, per feature
    :param compare: whether they are comparable
    """
    raw = read_json(root, STATS, findings)
    if raw is None:
        return
    without_quantiles = []
    for key in (*info.numeric, *info.cameras):
        values = _values(raw.get(key), key, statistics_shape(info, key), findings)
        if values is None:
            continue
        if any(name not in values for name in QUANTILES):
            without_quantiles.append(key)
        truth, count = None, None
        if compare and key in moments and (known := moments[key].together()):
            truth = {name: one[None] for name, one in known.items()}
            count = moments[key].count.sum(keepdims=True)
        add_judged(judge(info, key, values, truth, count), key, _WHERE, None, findings)
    if without_quantiles:
        what = f'Features have no quantiles: {some(without_quantiles)}'
        findings.add(MISSING_QUANTILES, _WHERE, what, expected=some(QUANTILES))


def _values(
    entry: object, key: str, shape: tuple[int, ...], findings: Findings
) -> dict[str, Floats] | None:
    """Read a feature's statistics, each ``(1, elements)``; None if they cannot be used."""
    present = entry if isinstance(entry, dict) else {}
    lacking = [name for name in REQUIRED if name not in present]
    if lacking:
        findings.add(
            MISSING_STATISTICS,
            _WHERE,
            f'Statistics of {key} are missing',
            found=f'no {some(lacking)}',
            feature=key,
        )
        return None
    try:
        return {
            name: _shaped(present[name], (1,) if name == 'count' else shape)
            for name in STATISTICS
            if name in present
        }
    except UNREADABLE as error:
        findings.add(
            WRONG_STATISTICS_SHAPE,
            _WHERE,
            f'Statistics of {key} are no numbers of the right shape',
            found=error,
            expected=f'shape {list(shape)}',
            feature=key,
        )
        return None


def _shaped(values: object, shape: tuple[int, ...]) -> Floats:
    """Return ``(1, elements)``; whatever it raises says what is wrong."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f'shape {list(array.shape)}')
    return array.reshape(1, -1)
