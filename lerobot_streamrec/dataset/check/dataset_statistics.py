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
"""The checks of the statistics of each episode and of the whole dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lerobot_streamrec.dataset.check import finding_codes as kinds
from lerobot_streamrec.dataset.check.compare_statistics import (
    check_statistics,
    Moments,
    statistics_shape,
)
from lerobot_streamrec.dataset.check.episodes import rows_of_files, Subject
from lerobot_streamrec.dataset.check.findings import Findings, some
from lerobot_streamrec.dataset.check.reading import read_json, UNREADABLE
from lerobot_streamrec.dataset.format.layout import STATS
from lerobot_streamrec.dataset.format.parquet import flat_numbers
from lerobot_streamrec.dataset.format.table_rules import Floats
from lerobot_streamrec.remote_files import readable
from lerobot_streamrec.stats.feature_statistics import QUANTILES, REQUIRED, STATISTICS
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def check_episode_statistics(
    subject: Subject, moments: Mapping[str, Moments], done: Callable[[int, int], None]
) -> None:
    """
    Check the statistics in every file of meta/episodes.

    :param moments: the actual moments, per feature
    :param done: called with the number of files read so far and the number of all files
    """
    rows_of = rows_of_files(subject.table.meta_files)
    for number, (path, rows) in enumerate(rows_of.items()):
        done(number, len(rows_of))
        findings = subject.findings.about(path)
        try:
            with pq.ParquetFile(readable(subject.root / path)) as file:
                names = [name for name in file.schema_arrow.names if name.startswith('stats/')]
                stats = file.read(columns=names).slice(0, len(rows))
        except UNREADABLE as error:
            findings.add(kinds.UNREADABLE_FILE, 'Statistics cannot be read', error)
            continue
        _check_table(stats, rows, subject, moments, findings)


def _check_table(
    stats: pa.Table,
    rows: list[int],
    subject: Subject,
    moments: Mapping[str, Moments],
    findings: Findings,
) -> None:
    info, lacking = subject.info, []
    present = set(stats.column_names)
    for key in (*info.numeric, *info.cameras):
        names = [name for name in STATISTICS if f'stats/{key}/{name}' in present]
        if any(name not in names for name in REQUIRED):
            lacking.append(key)
            continue
        shape = statistics_shape(info, key)
        try:
            values = {
                name: _cells(stats, key, name, 1 if name == 'count' else shape[0])
                for name in names
            }
        except UNREADABLE as error:
            _add_misshapen(key, error, shape, findings)
            continue
        known = moments.get(key)
        truth = None if known is None else {name: one[rows] for name, one in known.values.items()}
        count = None if known is None else known.count[rows]
        episodes = subject.table.index[rows].tolist()
        check_statistics(info, key, values, truth, count, episodes, findings)
    if lacking:
        what = f'Episodes have no statistics of {some(lacking)}'
        findings.add(kinds.MISSING_EPISODE_STATISTICS, what)


def _add_misshapen(key: str, error: object, shape: tuple[int, ...], findings: Findings) -> None:
    findings.about(findings.path, feature=key).add(
        kinds.WRONG_STATISTICS_SHAPE,
        f'Statistics of {key} are not numbers of the right shape',
        error,
        f'shape {list(shape)}',
    )


def _cells(stats: pa.Table, key: str, name: str, width: int) -> Floats:
    """Return the column as ``(rows, width)``; errors are one of ``UNREADABLE``."""
    column = stats.column(f'stats/{key}/{name}')
    values = flat_numbers(column)
    if len(values) != len(column) * width:
        raise ValueError(f'{len(values)} numbers for {len(column)} episodes')
    return values.reshape(len(column), width)


def check_dataset_statistics(
    subject: Subject, moments: Mapping[str, Moments], *, compare: bool
) -> None:
    """
    Check meta/stats.json.

    :param moments: the actual moments, per feature
    :param compare: True if the statistics and the moments are of the same episodes
    """
    info, findings = subject.info, subject.findings.about(str(STATS))
    raw = read_json(subject.root, STATS, findings)
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
        check_statistics(info, key, values, truth, count, None, findings)
    if without_quantiles:
        what = f'Features have no quantiles: {some(without_quantiles)}'
        findings.add(kinds.MISSING_QUANTILES, what, expected=some(QUANTILES))


def _values(
    entry: object, key: str, shape: tuple[int, ...], findings: Findings
) -> dict[str, Floats] | None:
    """Return a feature's statistics, each ``(1, elements)``; None if they cannot be used."""
    present = entry if isinstance(entry, dict) else {}
    lacking = [name for name in REQUIRED if name not in present]
    if lacking:
        findings.about(findings.path, feature=key).add(
            kinds.MISSING_STATISTICS, f'Statistics of {key} are missing', f'no {some(lacking)}'
        )
        return None
    try:
        return {
            name: _shaped(present[name], (1,) if name == 'count' else shape)
            for name in STATISTICS
            if name in present
        }
    except UNREADABLE as error:
        _add_misshapen(key, error, shape, findings)
        return None


def _shaped(values: object, shape: tuple[int, ...]) -> Floats:
    """Return the values as ``(1, elements)``; errors are one of ``UNREADABLE``."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f'shape {list(array.shape)}')
    return array.reshape(1, -1)
