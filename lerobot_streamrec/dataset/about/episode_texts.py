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
"""Texts about saved episodes, in meta/episodes and in the recorder's own records."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
import json
from pathlib import Path, PurePosixPath
from typing import Any

from lerobot_streamrec import __version__
from lerobot_streamrec.dataset.about.robot_files import kept_names
from lerobot_streamrec.dataset.about.success import count_successes, write_success
from lerobot_streamrec.dataset.format.episode_index import file_number, Row
from lerobot_streamrec.dataset.format.episode_table import (
    EpisodeRow,
    RECORDED_AT,
    RECORDER,
    ROBOT_FILES,
    TEXT_COLUMNS,
    VERDICT,
    with_cells,
    with_texts,
)
from lerobot_streamrec.dataset.format.features import SUCCESS
from lerobot_streamrec.dataset.format.files import Files
from lerobot_streamrec.dataset.format.info import DatasetInfo
from lerobot_streamrec.dataset.format.info_rules import json_bytes
from lerobot_streamrec.dataset.format.layout import EPISODES_PATH, FileIndex, record_path
from lerobot_streamrec.dataset.format.parquet import (
    read_parquet,
    read_schema,
    to_bytes,
    UnfitError,
)
from lerobot_streamrec.dataset.format.statistics_file import AllStatistics
from lerobot_streamrec.errors import DatasetCorruptError, UnusableDatasetError

_METADATA = 'metadata'


def texts_of(record: Mapping[str, object], root: Path) -> dict[str, str]:
    """
    Return the texts about an episode that is going to be saved, all of this recorder's columns.

    A crash may come between the record of a take and the files about the robot that it names.
    Those that do not exist are left out.

    :param record: the recorder's own record of the episode
    :param root: the dataset's folder
    """
    found = record.get(_METADATA, {})
    said = found if isinstance(found, dict) else {}
    return {
        **dict.fromkeys(TEXT_COLUMNS, ''),
        **{str(name): str(text) for name, text in said.items()},
        ROBOT_FILES: kept_names(root, str(said.get(ROBOT_FILES, ''))),
        RECORDED_AT: str(record.get(RECORDED_AT, '')),
        RECORDER: f'lerobot_streamrec {__version__}',
    }


def with_columns(
    files: Files, first: FileIndex, present: Collection[str] | None, names: Iterable[str]
) -> tuple[PurePosixPath, bytes] | None:
    """
    Return the first episodes file with columns for texts, which it lacks so far.

    LeRobot reads a file that lacks a column of the first one, but not one that has another.

    :param first: the number of the first episodes file
    :param present: its columns; None: there is no such file yet
    :param names: the wanted columns
    :return: its path below the root, and its new content; None if it lacks none
    :raise DatasetError: if the file cannot be read, or its column of such a name holds no texts
    """
    wanted = [*names]
    if present is None or not {*wanted} - {*present}:
        return None
    relative = PurePosixPath(first.path(EPISODES_PATH))
    return relative, _changed(files, relative, wanted, {})


def annotate_episodes(
    files: Files,
    info: DatasetInfo,
    by_file: Mapping[Path, list[Row]],
    indices: Collection[int],
    texts: Mapping[str, str],
) -> AllStatistics:
    """
    Set texts about saved episodes. Every step leaves a dataset that readers can use.

    The texts of all episodes in the same file change in one step, after the column
    ``next.success`` of their data, which follows the verdicts.

    :param files: the access to the disk
    :param info: the description of the dataset
    :param by_file: the rows of each episodes file, in the order of their paths
    :param indices: indices of committed episodes
    :param texts: texts by column; an empty text withdraws an earlier one
    :return: the new statistics of the dataset that changed with the texts, by feature
    :raise DatasetError: if a file cannot be read or written
    """
    first = next(iter(by_file))
    present = read_schema(first).names
    if widened := with_columns(files, file_number(first), present, texts):
        files.replace(*widened)
    for path, rows in by_file.items():
        places = [at for at, row in enumerate(rows) if row['episode_index'] in indices]
        if places:
            cells = {at: write_success(files, info, rows[at], texts) for at in places}
            relative = files.relative(path)
            content = _changed(files, relative, texts, dict.fromkeys(places, texts), cells)
            files.replace(relative, content)
    for index in indices:
        # Other writers leave no record, and the columns have the last word.
        if (files.root / record_path(index)).is_file():
            _annotate_record(files, index, texts)
    if VERDICT not in texts or SUCCESS not in info.features:
        return {}
    return {SUCCESS: count_successes(files, info, by_file, dict.fromkeys(indices, texts))}


def _changed(
    files: Files,
    relative: PurePosixPath,
    names: Iterable[str],
    rows: Mapping[int, Mapping[str, str]],
    cells: Mapping[int, Mapping[str, object]] | None = None,
) -> bytes:
    try:
        table = with_texts(read_parquet(files.path(relative)), names, rows)
        return to_bytes(with_cells(table, cells or {}))
    except UnfitError as error:
        raise UnusableDatasetError(files.root, str(relative), str(error)) from error


def _annotate_record(files: Files, index: int, metadata: Mapping[str, str]) -> None:
    relative = record_path(index)
    try:
        record = dict(json.loads(files.content(relative) or b'{}'))
    except (ValueError, TypeError) as error:
        raise DatasetCorruptError(f'{files.path(relative)} cannot be read: {error}') from error
    files.replace(relative, json_bytes(with_metadata(record, metadata), indent=2))


def no_episode(index: int, total: int) -> str:
    """Return a sentence which says that there is no saved episode of this index."""
    there = f'the saved ones are 0 to {total - 1}' if total else 'none is saved yet'
    return f'there is no saved episode {index}: {there}'


def with_metadata(record: Mapping[str, Any], metadata: Mapping[str, str]) -> dict[str, Any]:
    """Return an episode's record with more metadata; an empty text removes the entry."""
    said = {**record.get(_METADATA, {}), **metadata}
    return {**record, _METADATA: {name: text for name, text in said.items() if text}}


def without_robot_files(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return an episode's record without the names of files, which only its row keeps."""
    return with_metadata(record, {ROBOT_FILES: ''}) if _METADATA in record else {**record}


def record_bytes(
    record: Mapping[str, object],
    histograms: Mapping[str, object],
    row: EpisodeRow,
    info: DatasetInfo,
    num_tasks_before: int,
) -> bytes:
    """
    Return the recorder's own record of a saved episode.

    :param record: what was known before it was saved
    :param histograms: the counted pixels of its cameras, as JSON
    :param row: its row in meta/episodes
    :param info: info.json with the episode
    :param num_tasks_before: the number of tasks without it
    """
    content = {
        'episode_index': row.episode_index,
        'length': row.length,
        # Undoing the episode removes the tasks that it introduced.
        'total_tasks': info.total_tasks,
        'total_tasks_before': num_tasks_before,
        **without_robot_files(record),
        'histograms': histograms,
    }
    return json_bytes(content, indent=2)
