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
"""Checks meta/stats.json and the statistics of meta/episodes against rows and pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lerobot_streamrec.dataset.check.episodes import EpisodeTable
from lerobot_streamrec.dataset.check.findings import Findings, Kind, some
from lerobot_streamrec.dataset.check.info import CheckedInfo, is_depth
from lerobot_streamrec.dataset.check.judging import judge, Judged
from lerobot_streamrec.dataset.check.kinds import (
    MISSING_EPISODE_STATISTICS,
    MISSING_QUANTILES,
    MISSING_STATISTICS,
    UNREADABLE_FILE,
    WRONG_STATISTICS_SHAPE,
)
from lerobot_streamrec.dataset.check.moments import Moments
from lerobot_streamrec.dataset.check.reading import Floats, read_json, UNREADABLE
from lerobot_streamrec.dataset.features import DEFAULT_FEATURES
from lerobot_streamrec.dataset.layout import STATS
from lerobot_streamrec.stats.feature_statistics import QUANTILES, STATISTICS
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_REQUIRED = tuple(name for name in STATISTICS if name not in QUANTILES)


def statistics_shape(info: CheckedInfo, key: str) -> tuple[int, ...]:
    """Return the shape of a feature's statistics: leading dimensions are put together."""
    shape = info.features[key].shape or (1,)
    if key not in info.cameras:
        return shape[-1:]
    channels = shape[-1] if shape[-1] in (1, 3, 4) else shape[0]
    return (channels, 1, 1)


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
        entry = raw.get(key)
        present = entry if isinstance(entry, dict) else {}
        lacking = [name for name in _REQUIRED if name not in present]
        if lacking:
            findings.add(
                MISSING_STATISTICS,
                str(STATS),
                f'Statistics of {key} are missing',
                found=f'no {some(lacking)}',
                feature=key,
            )
            continue
        if any(name not in present for name in QUANTILES):
            without_quantiles.append(key)
        shape = statistics_shape(info, key)
        try:
            values = {
                name: _shaped(present[name], (1,) if name == 'count' else shape)
                for name in STATISTICS
                if name in present
            }
        except UNREADABLE as error:
            findings.add(
                WRONG_STATISTICS_SHAPE,
                str(STATS),
                f'Statistics of {key} are no numbers of the right shape',
                found=error,
                expected=f'shape {list(shape)}',
                feature=key,
            )
            continue
        known = moments.get(key) if compare else None
        truth = known.together() if known is not None else None
        judged = judge(
            values,
            None if truth is None else {name: one[None] for name, one in truth.items()},
            None if known is None or key in info.cameras else known.count.sum()[None],
            is_camera=key in info.cameras,
            is_depth=is_depth(info.features[key]),
            is_numbering=key in DEFAULT_FEATURES,
        )
        _add(judged, key, str(STATS), None, findings)
    if without_quantiles:
        what = f'Features have no quantiles: {some(without_quantiles)}'
        findings.add(MISSING_QUANTILES, str(STATS), what, expected=some(QUANTILES))


def _shaped(values: object, shape: tuple[int, ...]) -> Floats:
    """Return ``(1, elements)``; whatever it raises says what is wrong."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f'shape {list(array.shape)}')
    return array.reshape(1, -1)


def _add(
    judged: Sequence[Judged],
    key: str,
    path: str,
    episodes: Sequence[int] | None,
    findings: Findings,
) -> None:
    # One finding for all that is wrong with a feature; its first statistic serves as the example.
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


def check_episode_statistics(
    root: Path,
    info: CheckedInfo,
    table: EpisodeTable,
    moments: Mapping[str, Moments],
    findings: Findings,
    done: Callable[[int, int], None],
) -> None:
    """
    Check the statistics in every file of meta/episodes.

    :param moments: what rows and pictures really are, per feature
    :param done: told how many files of how many were read
    """
    rows_of: dict[str, list[int]] = {}
    for row, path in enumerate(table.meta_files):
        rows_of.setdefault(path, []).append(row)
    for number, (path, rows) in enumerate(rows_of.items()):
        done(number, len(rows_of))
        try:
            with pq.ParquetFile(root / path) as file:
                names = [name for name in file.schema_arrow.names if name.startswith('stats/')]
                stats = file.read(columns=names).slice(0, len(rows))
        except UNREADABLE as error:
            findings.add(UNREADABLE_FILE, path, 'Statistics cannot be read', found=error)
            continue
        _check_table(stats, path, rows, info, table, moments, findings)


def _check_table(
    stats: pa.Table,
    path: str,
    rows: list[int],
    info: CheckedInfo,
    table: EpisodeTable,
    moments: Mapping[str, Moments],
    findings: Findings,
) -> None:
    lacking = []
    for key in (*info.numeric, *info.cameras):
        names = [name for name in STATISTICS if f'stats/{key}/{name}' in stats.column_names]
        if any(name not in names for name in _REQUIRED):
            lacking.append(key)
            continue
        shape = statistics_shape(info, key)
        try:
            values = {
                name: _cells(stats, key, name, 1 if name == 'count' else shape[0])
                for name in names
            }
        except UNREADABLE as error:
            findings.add(
                WRONG_STATISTICS_SHAPE,
                path,
                f'Statistics of {key} are no numbers of the right shape',
                found=error,
                expected=f'shape {list(shape)}',
                feature=key,
            )
            continue
        known = moments.get(key)
        judged = judge(
            values,
            None if known is None else {name: one[rows] for name, one in known.values.items()},
            None if known is None or key in info.cameras else known.count[rows],
            is_camera=key in info.cameras,
            is_depth=is_depth(info.features[key]),
            is_numbering=key in DEFAULT_FEATURES,
        )
        _add(judged, key, path, table.index[rows].tolist(), findings)
    if lacking:
        what = f'Episodes have no statistics of {some(lacking)}'
        findings.add(MISSING_EPISODE_STATISTICS, path, what)


def _cells(stats: pa.Table, key: str, name: str, width: int) -> Floats:
    """Return ``(rows, width)``; whatever it raises says what is wrong."""
    column = stats.column(f'stats/{key}/{name}')
    array = column.combine_chunks()
    while pa.types.is_nested(array.type):
        array = array.flatten()
    values = np.asarray(array.to_numpy(zero_copy_only=False), dtype=np.float64)
    if len(values) != len(column) * width:
        raise ValueError(f'{len(values)} numbers for {len(column)} episodes')
    return values.reshape(len(column), width)
