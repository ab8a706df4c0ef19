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
"""The reader of meta/episodes for the check, which keeps all that can be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from lerobot_streamrec.dataset.check.finding_codes import (
    MISSING_COLUMN,
    MISSING_FILE,
    UNEVEN_COLUMNS,
    UNREADABLE_FILE,
    WRONG_TASK,
)
from lerobot_streamrec.dataset.check.findings import Findings, some
from lerobot_streamrec.dataset.check.info import CheckedInfo
from lerobot_streamrec.dataset.check.reading import (
    Floats,
    floats,
    integers,
    Ints,
    open_parquet,
    parquet_below,
    ProblemError,
    UNREADABLE,
)
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = 'meta/episodes'

_NUMBERS = (
    'episode_index',
    'length',
    'dataset_from_index',
    'dataset_to_index',
    'data/chunk_index',
    'data/file_index',
)
_PLACES = ('chunk_index', 'file_index')
_SPAN = ('from_timestamp', 'to_timestamp')

_T = TypeVar('_T')


@dataclass(frozen=True, slots=True, eq=False)
class VideoSpans:
    """
    The positions of a camera's frames, per episode.

    :param files: the paths below the root; empty if unknown
    :param begin: the time of the first frame in the file, in seconds; NaN if unknown
    :param end: the time one frame period after the last frame, in seconds; NaN if unknown
    """

    files: list[str]
    begin: Floats
    end: Floats


@dataclass(frozen=True, slots=True, eq=False)
class EpisodeTable:
    """
    The rows of meta/episodes, in the readers' order. All sequences have one entry per row.

    :param index: the column episode_index
    :param length: the number of rows of the episode in data
    :param from_index: the number of its first row in the dataset
    :param to_index: the number after that of its last row
    :param data_files: the paths of the data files below the root
    :param meta_files: the path of the file that contains the row
    :param said_meta_files: the path that the row states for itself; empty if it states none
    :param tasks: the tasks of the episode; None if unknown
    :param videos: the positions of the frames, per video key
    :param is_complete: True if every file could be read
    """

    index: Ints
    length: Ints
    from_index: Ints
    to_index: Ints
    data_files: list[str]
    meta_files: list[str]
    said_meta_files: list[str]
    tasks: list[Sequence[str] | None]
    videos: Mapping[str, VideoSpans]
    is_complete: bool

    def __len__(self) -> int:
        return len(self.index)

    def first(self, count: int) -> EpisodeTable:
        """Return a table of the first ``count`` rows."""
        return EpisodeTable(
            self.index[:count],
            self.length[:count],
            self.from_index[:count],
            self.to_index[:count],
            self.data_files[:count],
            self.meta_files[:count],
            self.said_meta_files[:count],
            self.tasks[:count],
            {
                key: VideoSpans(one.files[:count], one.begin[:count], one.end[:count])
                for key, one in self.videos.items()
            },
            self.is_complete,
        )


def read_episodes(
    root: Path, info: CheckedInfo, findings: Findings, done: Callable[[int, int], None]
) -> EpisodeTable:
    """
    Read every file of meta/episodes; unusable parts are left out and become findings.

    :param done: called with the number of files read so far and the number of all files
    """
    paths = parquet_below(root, FOLDER)
    parts = _Parts(info)
    if not paths and info.totals.get('episodes'):
        # LeRobot writes the rows of the last episodes at its end, and never if it is killed.
        what = 'No file states the positions of the rows and frames of episodes'
        findings.add(MISSING_FILE, FOLDER, what, expected=f'{FOLDER}/*/*.parquet')
        parts.is_complete = False
    for number, path in enumerate(paths):
        done(number, len(paths))
        file = open_parquet(root, path, findings)
        if file is None:
            parts.is_complete = False
            continue
        try:
            with file:
                if not _read(file, path, parts, findings):
                    parts.is_complete = False
        except ProblemError as problem:
            parts.is_complete = False
            findings.add(
                problem.kind,
                path,
                'A column cannot be used',
                found=problem.found,
                expected=problem.expected,
            )
        except UNREADABLE as error:
            parts.is_complete = False
            findings.add(UNREADABLE_FILE, path, 'The file cannot be read', found=error)
    return parts.table()


@dataclass
class _Parts:
    """The content that was read so far: for each column, one part per file."""

    info: CheckedInfo
    numbers: dict[str, list[Ints]] = field(default_factory=dict)
    spans: dict[str, list[Floats]] = field(default_factory=dict)
    files: dict[str, list[str]] = field(default_factory=dict)
    tasks: list[Sequence[str] | None] = field(default_factory=list)
    first_columns: frozenset[str] = frozenset()
    is_complete: bool = True

    def table(self) -> EpisodeTable:
        """Return the parts as one table."""
        numbers = {
            name: np.concatenate(self.numbers.get(name) or [np.zeros(0, np.int64)])
            for name in _NUMBERS
        }
        spans = {
            f'{key}/{name}': np.concatenate(
                self.spans.get(f'{key}/{name}') or [np.zeros(0, np.float64)]
            )
            for key in self.info.video_keys
            for name in _SPAN
        }
        return EpisodeTable(
            index=numbers['episode_index'],
            length=numbers['length'],
            from_index=numbers['dataset_from_index'],
            to_index=numbers['dataset_to_index'],
            data_files=[
                self.info.data_file(*numbers)
                for numbers in zip(
                    numbers['data/chunk_index'].tolist(),
                    numbers['data/file_index'].tolist(),
                    strict=True,
                )
            ],
            meta_files=self.files.get('meta', []),
            said_meta_files=self.files.get('said', []),
            tasks=self.tasks,
            videos={
                key: VideoSpans(
                    self.files.get(f'videos/{key}', []),
                    spans[f'{key}/from_timestamp'],
                    spans[f'{key}/to_timestamp'],
                )
                for key in self.info.video_keys
            },
            is_complete=self.is_complete,
        )


def _read(file: pq.ParquetFile, path: str, parts: _Parts, findings: Findings) -> bool:
    """Add the rows of a file; return False if they cannot be used."""
    present = set(file.schema_arrow.names)
    extra = [name for name in file.schema_arrow.names if name not in parts.first_columns]
    if not parts.first_columns:
        parts.first_columns = frozenset(present)
    elif extra:
        what = 'The first file of meta/episodes lacks columns of this file'
        findings.add(UNEVEN_COLUMNS, path, what, found=some(extra))
    videos = [
        f'videos/{key}/{name}' for key in parts.info.video_keys for name in (*_PLACES, *_SPAN)
    ]
    lacking = [name for name in (*_NUMBERS, 'tasks', *videos) if name not in present]
    if lacking:
        findings.add(MISSING_COLUMN, path, 'Columns are missing', found=some(lacking))
    if any(name in lacking for name in _NUMBERS):
        return False
    wanted = [*_NUMBERS, *(f'{FOLDER}/{name}' for name in _PLACES), 'tasks', *videos]
    table = file.read(columns=[name for name in wanted if name in present])
    # Convert all columns before adding any, so that all of them stay equally long.
    numbers = {name: integers(table.column(name)) for name in _NUMBERS}
    spans, files = {}, {}
    for key in parts.info.video_keys:
        files[f'videos/{key}'] = _paths(
            table, f'videos/{key}', partial(parts.info.video_file, key)
        )
        for name in _SPAN:
            spans[f'{key}/{name}'] = _span(table, f'videos/{key}/{name}')
    files['said'] = _paths(
        table, FOLDER, lambda chunk, file: f'{FOLDER}/chunk-{chunk:03d}/file-{file:03d}.parquet'
    )
    files['meta'] = [path] * table.num_rows
    tasks = _tasks(table, path, findings)
    for name, values in numbers.items():
        _extend(parts.numbers, name, [values])
    for name, seconds in spans.items():
        _extend(parts.spans, name, [seconds])
    for name, paths in files.items():
        _extend(parts.files, name, paths)
    parts.tasks += tasks
    return True


def _tasks(table: pa.Table, path: str, findings: Findings) -> list[Sequence[str] | None]:
    if 'tasks' not in table.column_names:
        return [None] * table.num_rows
    tasks = table.column('tasks').to_pylist()
    wrong = [one for one in tasks if not _is_list_of_texts(one)]
    if wrong:
        what = 'The tasks of some episodes are not lists of texts'
        findings.add(WRONG_TASK, path, what, found=some(wrong), expected='lists of texts')
    return [one if isinstance(one, list) else None for one in tasks]


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _extend(parts: dict[str, list[_T]], name: str, values: list[_T]) -> None:
    parts.setdefault(name, []).extend(values)


def _paths(table: pa.Table, prefix: str, path: Callable[[int, int], str]) -> list[str]:
    if any(f'{prefix}/{name}' not in table.column_names for name in _PLACES):
        return [''] * table.num_rows
    chunk, file = (integers(table.column(f'{prefix}/{name}')).tolist() for name in _PLACES)
    return [path(*numbers) for numbers in zip(chunk, file, strict=True)]


def _span(table: pa.Table, name: str) -> Floats:
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    return floats(table.column(name))
