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

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path

from lerobot_streamrec.dataset.check import finding_codes as kinds
from lerobot_streamrec.dataset.check.findings import Findings, some
from lerobot_streamrec.dataset.check.info import CheckedInfo
from lerobot_streamrec.dataset.check.reading import (
    add_unfit,
    open_parquet,
    parquet_below,
    UNREADABLE,
)
from lerobot_streamrec.dataset.format.episode_table import ROBOT_FILES, texts_of_column, VERDICT
from lerobot_streamrec.dataset.format.layout import EPISODES_PATH, FileIndex
from lerobot_streamrec.dataset.format.parquet import UnfitError
from lerobot_streamrec.dataset.format.table_rules import (
    Floats,
    Ints,
    real_numbers,
    whole_numbers,
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
    :param verdicts: the verdict on the episode; empty without one
    :param robot_files: the files about the robot that held during the episode, as a text
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
    verdicts: list[str]
    robot_files: list[str]
    videos: Mapping[str, VideoSpans]
    is_complete: bool

    def __len__(self) -> int:
        return len(self.index)

    def places(self) -> dict[int, int]:
        """Return the row of each episode that has rows; the first of several wins."""
        found: dict[int, int] = {}
        for row, index in enumerate(self.index.tolist()):
            if index >= 0 and self.length[row] > 0:
                found.setdefault(index, row)
        return found

    def first(self, count: int) -> EpisodeTable:
        """Return a table of the first ``count`` rows."""
        names = {one.name for one in fields(self)} - {'videos', 'is_complete'}
        rows = {name: getattr(self, name)[:count] for name in names}
        videos = {
            key: VideoSpans(one.files[:count], one.begin[:count], one.end[:count])
            for key, one in self.videos.items()
        }
        return replace(self, **rows, videos=videos)

    def about(
        self, row: int, findings: Findings, path: str | None = None, feature: str | None = None
    ) -> Findings:
        """
        Return the collection for findings about one episode.

        :param row: the episode's row
        :param path: the file that they are about; None for that which contains the row
        """
        path = self.meta_files[row] if path is None else path
        return findings.about(path, episode=int(self.index[row]), feature=feature)


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """
    The dataset that is checked, as far as its metadata could be read.

    :param root: the dataset's folder
    :param info: the usable part of info.json
    :param table: the episodes
    :param findings: the collection to which faults are added
    :param decode: True to decode all images and frames, False to count the packets of the videos
    """

    root: Path
    info: CheckedInfo
    table: EpisodeTable
    findings: Findings
    decode: bool


def rows_of_files(files: Iterable[str]) -> dict[str, list[int]]:
    """Return the rows of each file, in order; ``files`` has the file of each row."""
    found: dict[str, list[int]] = {}
    for row, path in enumerate(files):
        found.setdefault(path, []).append(row)
    return found


def read_episodes(
    root: Path, info: CheckedInfo, findings: Findings, done: Callable[[int, int], None]
) -> EpisodeTable:
    """
    Read every file of meta/episodes; unusable parts are left out and become findings.

    :param done: called with the number of files read so far and the number of all files
    """
    paths = parquet_below(root, FOLDER)
    is_lacking = not paths and bool(info.totals.get('episodes'))
    if is_lacking:
        # LeRobot writes the rows of the last episodes at its end, and never if it is killed.
        what = 'No file states the positions of the rows and frames of episodes'
        findings.about(FOLDER).add(kinds.MISSING_FILE, what, expected=f'{FOLDER}/*/*.parquet')
    parts: list[EpisodeTable] = []
    first_names: list[str] = []
    for number, path in enumerate(paths):
        done(number, len(paths))
        file, of_file = open_parquet(root, path, findings), findings.about(path)
        if file is None:
            continue
        try:
            with file:
                first_names = first_names or file.schema_arrow.names
                extra = [name for name in file.schema_arrow.names if name not in first_names]
                if extra:
                    what = 'The first file of meta/episodes lacks columns of this file'
                    of_file.add(kinds.UNEVEN_COLUMNS, what, some(extra))
                parts += _read(file, info, of_file)
        except UnfitError as error:
            add_unfit(of_file, 'A column cannot be used', error)
        except UNREADABLE as error:
            of_file.add(kinds.UNREADABLE_FILE, 'The file cannot be read', error)
    is_complete = len(parts) == len(paths) and not is_lacking
    return _joined(parts, info.video_keys, is_complete=is_complete)


def _joined(
    parts: Sequence[EpisodeTable], video_keys: Sequence[str], *, is_complete: bool
) -> EpisodeTable:
    """Return the rows of several tables as one table."""

    def numbers(name: str) -> Ints:
        return np.concatenate([np.zeros(0, np.int64), *(getattr(one, name) for one in parts)])

    def seconds(key: str, name: str) -> Floats:
        return np.concatenate([np.zeros(0), *(getattr(one.videos[key], name) for one in parts)])

    return EpisodeTable(
        index=numbers('index'),
        length=numbers('length'),
        from_index=numbers('from_index'),
        to_index=numbers('to_index'),
        data_files=[path for one in parts for path in one.data_files],
        meta_files=[path for one in parts for path in one.meta_files],
        said_meta_files=[path for one in parts for path in one.said_meta_files],
        tasks=[tasks for one in parts for tasks in one.tasks],
        verdicts=[verdict for one in parts for verdict in one.verdicts],
        robot_files=[text for one in parts for text in one.robot_files],
        videos={
            key: VideoSpans(
                [path for one in parts for path in one.videos[key].files],
                seconds(key, 'begin'),
                seconds(key, 'end'),
            )
            for key in video_keys
        },
        is_complete=is_complete,
    )


def _read(file: pq.ParquetFile, info: CheckedInfo, findings: Findings) -> list[EpisodeTable]:
    """Return the rows of a file, as one table; none if they cannot be used."""
    present = file.schema_arrow.names
    videos = [f'videos/{key}/{name}' for key in info.video_keys for name in (*_PLACES, *_SPAN)]
    lacking = [name for name in (*_NUMBERS, 'tasks', *videos) if name not in present]
    if lacking:
        findings.add(kinds.MISSING_COLUMN, 'Columns are missing', some(lacking))
    if any(name in lacking for name in _NUMBERS):
        return []
    meta_places = [f'{FOLDER}/{name}' for name in _PLACES]
    wanted = [*_NUMBERS, *meta_places, 'tasks', VERDICT, ROBOT_FILES, *videos]
    table = file.read(columns=[name for name in wanted if name in present])
    numbers = {name: whole_numbers(table.column(name)) for name in _NUMBERS}
    spans = {
        key: VideoSpans(
            _paths(table, f'videos/{key}', partial(info.video_file, key)),
            _span(table, f'videos/{key}/from_timestamp'),
            _span(table, f'videos/{key}/to_timestamp'),
        )
        for key in info.video_keys
    }
    part = EpisodeTable(
        index=numbers['episode_index'],
        length=numbers['length'],
        from_index=numbers['dataset_from_index'],
        to_index=numbers['dataset_to_index'],
        data_files=_paths(table, 'data', info.data_file),
        meta_files=[findings.path] * table.num_rows,
        said_meta_files=_paths(
            table, FOLDER, lambda *numbers: str(FileIndex(*numbers).path(EPISODES_PATH))
        ),
        tasks=_tasks(table, findings),
        verdicts=texts_of_column(table, VERDICT),
        robot_files=texts_of_column(table, ROBOT_FILES),
        videos=spans,
        is_complete=True,
    )
    return [part]


def _tasks(table: pa.Table, findings: Findings) -> list[Sequence[str] | None]:
    if 'tasks' not in table.column_names:
        return [None] * table.num_rows
    tasks = table.column('tasks').to_pylist()
    wrong = [one for one in tasks if not _is_list_of_texts(one)]
    if wrong:
        what = 'The tasks of some episodes are not lists of texts'
        findings.add(kinds.WRONG_TASK, what, some(wrong), 'lists of texts')
    return [one if isinstance(one, list) else None for one in tasks]


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _paths(table: pa.Table, prefix: str, path: Callable[[int, int], str]) -> list[str]:
    if any(f'{prefix}/{name}' not in table.column_names for name in _PLACES):
        return [''] * table.num_rows
    numbers = (whole_numbers(table.column(f'{prefix}/{name}')).tolist() for name in _PLACES)
    return list(map(path, *numbers))


def _span(table: pa.Table, name: str) -> Floats:
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    return real_numbers(table.column(name))
