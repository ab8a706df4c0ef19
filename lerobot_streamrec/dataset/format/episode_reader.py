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
"""The reader of meta/episodes, which has the positions of the episodes of any dataset."""

from __future__ import annotations

from collections.abc import Collection, Iterator
import json
from pathlib import Path
from typing import Any

from lerobot_streamrec.dataset.format.layout import FileIndex, record_path
from lerobot_streamrec.dataset.format.parquet import TableFile
from lerobot_streamrec.errors import DatasetCorruptError
from lerobot_streamrec.stats.feature_statistics import FeatureStatistics, STATISTICS
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_LARGE_BYTES = 1 << 20


def read_parquet(path: Path, columns: list[str] | None = None) -> pa.Table:
    """
    Read one parquet file.

    :raise DatasetCorruptError: naming the file
    """
    try:
        # Much faster than pq.read_table for small files, as is reading them in one thread.
        with pq.ParquetFile(path) as file:
            table = file.read(columns=columns, use_threads=path.stat().st_size > _LARGE_BYTES)
        # A name with dots may stand for other columns as well.
        return table if columns is None else table.select(columns)
    except pa.ArrowInvalid:
        return _read_odd_table(path, columns)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise DatasetCorruptError(f'{path} cannot be read: {error}') from error


def _read_odd_table(path: Path, columns: list[str] | None) -> pa.Table:
    """Read a file whose rows may lack vectors; ``TableFile`` explains the problem."""
    try:
        with TableFile(path) as file:
            table = file.read(columns=columns)
        return table if columns is None else table.select(columns)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise DatasetCorruptError(f'{path} cannot be read: {error}') from error


def read_schema(path: Path) -> pa.Schema:
    """
    Read the schema of a parquet file.

    :raise DatasetCorruptError: naming the file
    """
    try:
        return pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise DatasetCorruptError(f'{path} cannot be read: {error}') from error


def read_statistics(
    root: Path, total_episodes: int, keys: Collection[str]
) -> Iterator[tuple[int, dict[str, FeatureStatistics]]]:
    """
    Yield the number and the statistics of each committed episode, in order.

    :param root: the dataset's folder
    :param total_episodes: the number of committed episodes
    :param keys: the features; the statistics of an episode lack features without usable ones
    :raise DatasetCorruptError: if a file cannot be read
    """
    wanted = {statistics_column(key, name) for key in keys for name in STATISTICS}
    num_read = 0
    for path in sorted((root / 'meta/episodes').glob('*/*.parquet')):
        names = [name for name in read_schema(path).names if name in wanted]
        table = read_parquet(path, ['episode_index', 'length', *names])
        for at in range(min(len(table), total_episodes - num_read)):
            row = table.slice(at, 1)
            yield row.column('episode_index')[0].as_py(), statistics_in(row, keys)
        num_read += len(table)


def statistics_in(row: pa.Table, keys: Collection[str]) -> dict[str, FeatureStatistics]:
    """
    Return the statistics in an episode's row of meta/episodes.

    :param row: the row, with its column ``length``
    :param keys: the features; a feature is left out if one of its required statistics is missing,
        unusable or not finite
    """
    length, found = row.column('length')[0].as_py(), {}
    for key in keys:
        columns = {name: statistics_column(key, name) for name in STATISTICS}
        lists = {
            name: row.column(column)[0].as_py()
            for name, column in columns.items()
            if column in row.column_names
        }
        try:
            statistics = FeatureStatistics.from_lists(lists, length)
        except (KeyError, TypeError, ValueError):
            continue
        if all(np.isfinite(values).all() for values in statistics.values.values()):
            found[key] = statistics
    return found


def statistics_column(key: str, name: str) -> str:
    """Return the column of meta/episodes that holds a statistic of a feature."""
    return f'stats/{key}/{name}'


def read_record(root: Path, episode_index: int) -> dict[str, Any] | None:
    """Read the recorder's own record of an episode; None if it is missing or unreadable."""
    try:
        content = json.loads((root / record_path(episode_index)).read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def file_number(path: Path) -> FileIndex:
    """
    Return the number in the name of a file.

    :raise DatasetCorruptError: if no writer of the format uses such a name
    """
    chunk, file = path.parent.name, path.stem
    try:
        return FileIndex(int(chunk.removeprefix('chunk-')), int(file.removeprefix('file-')))
    except ValueError as error:
        raise DatasetCorruptError(
            f'{path} does not belong there, but readers of the format read it'
        ) from error
