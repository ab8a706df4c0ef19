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
"""meta/episodes/chunk-XXX/file-XXX.parquet: the positions of the rows and videos of episodes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
import re
from typing import Any

from lerobot_streamrec.dataset.format.layout import FileIndex
from lerobot_streamrec.dataset.format.parquet import (
    read_parquet,
    read_schema,
    Unfit,
    UnfitError,
)
from lerobot_streamrec.dataset.format.table_rules import is_text
from lerobot_streamrec.errors import ConfigError, EpisodeError, UnusableDatasetError
from lerobot_streamrec.stats.feature_statistics import FeatureStatistics, STATISTICS
import numpy as np
import pyarrow as pa

VERDICT, OPERATOR, NOTES = 'verdict', 'operator', 'notes'
RECORDED_AT, RECORDER, ROBOT_FILES = 'recorded_at', 'recorder', 'robot_files'
TEXT_COLUMNS = (VERDICT, OPERATOR, NOTES, RECORDED_AT, RECORDER, ROBOT_FILES)
"""The columns of meta/episodes that this recorder adds to the format; all are texts."""

BAG = 'bag'
"""The column of meta/episodes that names the bag with the messages of an episode, if any."""

VERDICTS = ('success', 'failure')
"""The allowed verdicts, beside none."""

_NAME = re.compile(r'[A-Za-z_][A-Za-z0-9_]*')
_OF_FORMAT = ('episode_index', 'tasks', 'length', 'dataset_from_index', 'dataset_to_index')


def checked_text(name: str, text: str) -> str:
    """
    Return a text about an episode without the blanks around it, after checking it.

    :param name: column, such as ``VERDICT``
    :param text: the text as it was given; an empty one withdraws an earlier one
    :raise EpisodeError: if a verdict is not one of ``VERDICTS``
    """
    text = text.strip()
    if name == VERDICT and text and text not in VERDICTS:
        raise EpisodeError(
            f'verdict is {text!r}: allowed are {" and ".join(VERDICTS)}, or an empty text to '
            'withdraw a verdict'
        )
    return text


def refuse_text_name(parameter: str, name: str) -> None:
    """
    Refuse a name that the column of a user's own text cannot have.

    :param parameter: prefix of the setting, for the error
    :raise ConfigError: if the format or this recorder uses the name, or filters could not write it
    """
    if name in (*TEXT_COLUMNS, *_OF_FORMAT):
        raise ConfigError(f'{parameter}.{name}', name, 'meta/episodes has a column of this name')
    if not _NAME.fullmatch(name):
        allowed = 'letters, digits and underscores are allowed, and no digit at the beginning'
        raise ConfigError(f'{parameter}.{name}', name, allowed)


@dataclass(frozen=True, slots=True)
class VideoPlace:
    """
    The position of an episode in a camera's files.

    :param file: the number of the MP4 file
    :param from_timestamp: the time of the first frame in the file, in seconds
    :param to_timestamp: the time one frame period after the last frame, in seconds
    """

    file: FileIndex
    from_timestamp: float
    to_timestamp: float


@dataclass(frozen=True, slots=True)
class EpisodeRow:
    """
    One episode's metadata: its row in meta/episodes.

    :param episode_index: the number of the episode, and of its row over all files
    :param tasks: the distinct tasks of its rows
    :param length: the number of its rows
    :param from_index: the number of its first row in the dataset
    :param data_file: the data file with all its rows
    :param meta_file: the file with this metadata
    :param videos: the position of its frames, per video key
    :param statistics: its statistics, per feature
    :param texts: texts about it by column, such as ``VERDICT``; a column that its file lacks, or
        that is null there, is absent
    """

    episode_index: int
    tasks: tuple[str, ...]
    length: int
    from_index: int
    data_file: FileIndex
    meta_file: FileIndex
    videos: Mapping[str, VideoPlace]
    statistics: Mapping[str, FeatureStatistics]
    texts: Mapping[str, str] = field(default_factory=dict)

    def places(self) -> dict[str, tuple[Any, pa.DataType]]:
        """Return the columns that tell where the episode is, with their types."""
        cells: dict[str, tuple[Any, pa.DataType]] = {
            'episode_index': (self.episode_index, pa.int64()),
            'tasks': (list(self.tasks), pa.list_(pa.string())),
            'length': (self.length, pa.int64()),
            **_file_cells('data', self.data_file),
            'dataset_from_index': (self.from_index, pa.int64()),
            'dataset_to_index': (self.from_index + self.length, pa.int64()),
        }
        for key, place in self.videos.items():
            cells.update(_file_cells(f'videos/{key}', place.file))
            cells[f'videos/{key}/from_timestamp'] = (place.from_timestamp, pa.float64())
            cells[f'videos/{key}/to_timestamp'] = (place.to_timestamp, pa.float64())
        return cells

    def cells(self) -> dict[str, tuple[Any, pa.DataType]]:
        """Return all columns of the format and of this recorder, with their types."""
        cells = self.places()
        cells.update({name: (text, pa.string()) for name, text in self.texts.items()})
        for key, statistics in self.statistics.items():
            cells.update(_statistics_cells(key, statistics))
        return {**cells, **_file_cells('meta/episodes', self.meta_file)}

    def as_table(self, columns: Collection[str] | None = None) -> pa.Table:
        """
        Return a table of one row with the columns of the format and of this recorder.

        :param columns: the columns of the format that may be written; None for all
        """
        return pa.table(
            {
                name: pa.array([value], type=kind)
                for name, (value, kind) in self.cells().items()
                if columns is None or name in columns or name in self.texts
            }
        )


def _file_cells(prefix: str, file: FileIndex) -> dict[str, tuple[Any, pa.DataType]]:
    return {
        f'{prefix}/chunk_index': (file.chunk_index, pa.int64()),
        f'{prefix}/file_index': (file.file_index, pa.int64()),
    }


def _statistics_cells(
    key: str, statistics: FeatureStatistics
) -> dict[str, tuple[Any, pa.DataType]]:
    lists = statistics.as_lists()
    kind = pa.float64()
    for _ in range(statistics.values['mean'].ndim):
        kind = pa.list_(kind)
    return {
        f'stats/{key}/{name}': (lists[name], pa.list_(pa.int64()) if name == 'count' else kind)
        for name in STATISTICS
        if name in lists
    }


@dataclass(frozen=True, slots=True)
class CommittedFiles:
    """
    The content of the committed episodes, and the files to which they refer.

    :param num_rows: number of rows of all episodes
    :param tasks: the tasks of all episodes
    :param meta: the episodes files with at least one committed episode
    :param data: the data files
    :param videos: the MP4 files, per video key
    """

    num_rows: int
    tasks: frozenset[str]
    meta: frozenset[FileIndex]
    data: frozenset[FileIndex]
    videos: Mapping[str, frozenset[FileIndex]]


def texts_in(table: pa.Table) -> list[dict[str, str]]:
    """
    Return the texts about the episodes in an episodes file, one dict for each row.

    :param table: the file, or its columns other than ``stats/``
    """
    names = [one.name for one in table.schema if is_text(one.type) and '/' not in one.name]
    rows = table.select(names).to_pylist()
    return [{name: text for name, text in row.items() if text is not None} for row in rows]


def texts_of_column(table: pa.Table, name: str) -> list[str]:
    """Return the texts of a column; empty ones if it is missing or holds something else."""
    at = table.schema.get_field_index(name)
    if at < 0 or not is_text(table.schema.field(at).type):
        return [''] * table.num_rows
    return [one or '' for one in table.column(at).to_pylist()]


def with_texts(
    table: pa.Table, names: Iterable[str], rows: Mapping[int, Mapping[str, str]]
) -> pa.Table:
    """
    Return an episodes file with texts about some of its episodes.

    :param table: the file, with all its columns
    :param names: columns that it has to have; new ones are null in the rows without a text
    :param rows: texts by column, by place of the row
    :raise UnfitError: if a column of such a name holds no texts
    """
    for name in names:
        at = table.schema.get_field_index(name)
        if at >= 0 and not is_text(table.schema.field(at).type):
            kind = f'the type {table.schema.field(at).type}'
            raise UnfitError(Unfit.TYPE, kind, 'texts', f'column {name}')
        values = table.column(at).to_pylist() if at >= 0 else [None] * len(table)
        for place, texts in rows.items():
            values[place] = texts.get(name, values[place])
        column = pa.array(values, pa.string())
        table = table.append_column(name, column) if at < 0 else table.set_column(at, name, column)
    return table


def with_cells(table: pa.Table, rows: Mapping[int, Mapping[str, object]]) -> pa.Table:
    """
    Return an episodes file with other values in columns that it has.

    :param table: the file, with all its columns
    :param rows: values by column, by place of the row; columns that the file lacks are left out
    """
    for name in dict.fromkeys(name for cells in rows.values() for name in cells):
        at = table.schema.get_field_index(name)
        if at >= 0:
            values = table.column(at).to_pylist()
            for place, cells in rows.items():
                values[place] = cells.get(name, values[place])
            column = pa.array(values, table.schema.field(at).type)
            table = table.set_column(at, table.schema.field(at), column)
    return table


def place_columns(video_keys: Sequence[str]) -> list[str]:
    """Return the columns that tell where an episode is: those of ``EpisodeRow`` but one."""
    files = [
        f'{prefix}/{part}_index' for prefix in _prefixes(video_keys) for part in ('chunk', 'file')
    ]
    times = [f'videos/{key}/{part}_timestamp' for key in video_keys for part in ('from', 'to')]
    return ['episode_index', 'tasks', 'length', 'dataset_from_index', *files, *times]


def _prefixes(video_keys: Sequence[str]) -> list[str]:
    return ['data', *(f'videos/{key}' for key in video_keys)]


def committed_files(
    root: Path,
    by_file: Mapping[FileIndex, list[dict[str, Any]]],
    total_episodes: int,
    video_keys: tuple[str, ...],
) -> CommittedFiles:
    """
    Return the files to which the first ``total_episodes`` episodes refer.

    :param root: the dataset's folder
    :param by_file: the rows of each episodes file, with its ``place_columns``
    :param total_episodes: the number of episodes in info.json
    :param video_keys: the features with videos
    :raise UnusableDatasetError: if episodes are missing or out of order
    """
    prefixes = _prefixes(video_keys)
    rows: list[dict[str, Any]] = []
    meta: set[FileIndex] = set()
    for number in sorted(by_file):
        if len(rows) < total_episodes:
            meta.add(number)
        rows += by_file[number]
    committed = rows[:total_episodes]
    refuse_other_numbers(root, [row['episode_index'] for row in committed], total_episodes)
    files = {prefix: _files_of(committed, prefix) for prefix in prefixes}
    return CommittedFiles(
        num_rows=sum(row['length'] for row in committed),
        tasks=frozenset(task for row in committed for task in row['tasks']),
        meta=frozenset(meta),
        data=files['data'],
        videos={key: files[f'videos/{key}'] for key in video_keys},
    )


def refuse_other_numbers(root: Path, indices: Sequence[int], total_episodes: int) -> None:
    """
    Refuse committed episodes whose numbers are not 0, 1, 2, ...

    :param root: the dataset's folder
    :param indices: the numbers in meta/episodes, in order
    :param total_episodes: the number of episodes in info.json
    :raise UnusableDatasetError: if episodes are missing or out of order
    """
    wrong = [place for place, index in enumerate(indices) if index != place]
    # total_episodes may be any number, so nothing of that size is built.
    if len(indices) < total_episodes:
        problem = (
            f'found {len(indices)} episodes, expected {total_episodes}, which is total_episodes '
            'in info.json'
        )
    elif wrong:
        problem = f'episode {indices[wrong[0]]} is at the position of episode {wrong[0]}'
    else:
        return
    raise UnusableDatasetError(root, 'meta/episodes', problem)


def _files_of(rows: list[dict[str, Any]], prefix: str) -> frozenset[FileIndex]:
    return frozenset(
        FileIndex(row[f'{prefix}/chunk_index'], row[f'{prefix}/file_index']) for row in rows
    )


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
