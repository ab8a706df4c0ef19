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
"""
Search for the rows of each episode in the data files of a broken dataset, and for their tasks.

A stretch is a contiguous run of rows with one ``episode_index`` and a ``frame_index`` that starts
only once, so it may be an episode.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lerobot_streamrec.dataset.check.episodes import EpisodeTable
from lerobot_streamrec.dataset.check.info import CheckedInfo
from lerobot_streamrec.dataset.check.reading import Columns, runs, UNREADABLE
from lerobot_streamrec.dataset.format.features import DEFAULT_FEATURES, FeatureSpec
from lerobot_streamrec.dataset.format.layout import TASKS
from lerobot_streamrec.dataset.format.parquet import naming, TableFile, UnfitError
from lerobot_streamrec.dataset.format.table_rules import (
    feature_values,
    Ints,
    whole_numbers,
)
from lerobot_streamrec.dataset.format.tasks import task_column
from lerobot_streamrec.dataset.rebuild.new_tree import is_of_dataset
from lerobot_streamrec.errors import DatasetCorruptError
from lerobot_streamrec.video.mp4.damage_scan import decode_picture
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

Mask = npt.NDArray[np.bool_]

_UNFIT = (UnfitError, *UNREADABLE)


def whole_values(columns: Columns, num_rows: int, info: CheckedInfo) -> Mask:
    """
    Check every value of every feature, except the default features that number the rows.

    :return: per row: True if all its values can be used
    """
    whole = np.ones(num_rows, np.bool_)
    for key in info.columns:
        if key in DEFAULT_FEATURES:
            continue
        try:
            column = columns.column(key)
        except UnfitError:
            return np.zeros(num_rows, np.bool_)
        whole &= ~np.asarray(column.is_null().to_numpy(), np.bool_)
        whole &= _of_column(column, key, info)
    return whole


def _of_column(column: pa.ChunkedArray, key: str, info: CheckedInfo) -> Mask:
    spec = info.features[key]
    if key in info.cameras:
        return np.array([_is_picture(one, spec) for one in column], np.bool_)
    if key in info.numeric:
        try:
            return _finite(column, spec)
        except _UNFIT:
            # The column fails as a whole, but single rows may be usable.
            rows = range(len(column))
            return np.array([_is_number(column.slice(row, 1), spec) for row in rows], np.bool_)
    is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    return np.full(len(column), is_text or spec.dtype != 'string')


def _finite(column: pa.ChunkedArray, spec: FeatureSpec) -> Mask:
    return np.asarray(np.isfinite(feature_values(column, spec)).all(axis=(1, 2)), np.bool_)


def _is_number(cell: pa.ChunkedArray, spec: FeatureSpec) -> bool:
    try:
        return not cell.null_count and bool(_finite(cell, spec)[0])
    except _UNFIT:
        return False


def _is_picture(cell: pa.Scalar, spec: FeatureSpec) -> bool:
    try:
        frame = decode_picture(cell['bytes'].as_py())
    except (DatasetCorruptError, KeyError, IndexError, TypeError):
        return False
    return spec.has_size(frame.height, frame.width)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """
    One stretch of rows.

    :param path: path of the data file below the root
    :param begin: position of the first row in the file
    :param length: number of rows
    :param num_whole: number of leading rows that are whole and have the frame_index 0, 1, 2 ...
    :param episode_index: episode index that the rows state
    :param from_index: ``index`` of the first row; -1 if the column is missing
    :param task_numbers: task_index of each whole row
    """

    path: str
    begin: int
    length: int
    num_whole: int
    episode_index: int
    from_index: int
    task_numbers: Ints


@dataclass(frozen=True, slots=True)
class DataFiles:
    """
    The content of all data files.

    :param stretches: stretches of rows, in the order of the files
    :param lost: the reason for each file that cannot be used, by path
    """

    stretches: tuple[Rows, ...]
    lost: dict[str, str]


def read_rows(
    root: Path,
    info: CheckedInfo,
    paths: Iterable[str],
    doubtful: Collection[str],
) -> DataFiles:
    """
    Read the numbers of all rows, and check all values of files in doubt.

    :param root: the dataset's folder
    :param paths: paths of data files below the root, in order
    :param doubtful: files whose values must be checked
    """
    stretches: list[Rows] = []
    lost: dict[str, str] = {}
    for path in paths:
        found = _read(root, path, info, path in doubtful)
        if isinstance(found, str):
            lost[path] = found
        else:
            stretches += found
    return DataFiles(tuple(stretches), lost)


def _read(root: Path, path: str, info: CheckedInfo, is_doubtful: bool) -> list[Rows] | str:
    """Return the stretches of one file, or the reason why it cannot be used."""
    try:
        with TableFile(root / path) as file:
            return _stretches(file, path, info, is_doubtful)
    except UnfitError as error:
        return f'{path} has no usable numbers of its rows: {error}'
    except UNREADABLE as error:
        text = ' '.join(str(error).split()).rstrip('.')
        return f'{path} cannot be read, so its rows are lost: {text}'


def _stretches(
    file: pq.ParquetFile, path: str, info: CheckedInfo, is_doubtful: bool
) -> list[Rows]:
    names = set(file.schema_arrow.names)
    # Images are large, so they are only read from files in doubt.
    small = [key for key in info.columns if key in names and key not in info.cameras]
    columns = Columns(file, small)
    episodes, frames, tasks = (
        _whole_numbers(columns, name) for name in ('episode_index', 'frame_index', 'task_index')
    )
    try:
        index = _whole_numbers(columns, 'index')
    except UnfitError:
        index = np.full(len(episodes), -1)
    whole = tasks >= 0
    if is_doubtful:
        whole &= whole_values(columns, len(episodes), info)
    found = []
    # A new stretch begins where episode_index changes, or where frame_index is 0 again.
    number = np.cumsum((np.diff(episodes, prepend=episodes[:1]) != 0) | (frames == 0))
    for begin, end in runs(number):
        sound = whole[begin:end] & (frames[begin:end] == np.arange(end - begin))
        num_whole = int(np.argmin(sound)) if not sound.all() else end - begin
        found.append(
            Rows(
                path,
                begin,
                end - begin,
                num_whole,
                int(episodes[begin]),
                int(index[begin]),
                tasks[begin : begin + num_whole],
            )
        )
    return found


def _whole_numbers(columns: Columns, name: str) -> Ints:
    with naming(name):
        return whole_numbers(columns.column(name))


def matched_rows(stretches: Sequence[Rows], table: EpisodeTable) -> dict[int, Rows]:
    """
    Choose the stretch of rows of each episode.

    :return: rows by ``episode_index``, in order; an episode is missing if its rows are unknown
    """
    of_episode: dict[int, list[Rows]] = defaultdict(list)
    for one in stretches:
        of_episode[one.episode_index].append(one)
    places = table.places()
    found: dict[int, Rows] = {}
    for index, options in of_episode.items():
        if index < 0:
            continue
        if index in places:
            named = table.data_files[places[index]]
            # A copy of the file under another name is used only if the named file has no rows.
            chosen = [one for one in options if one.path == named] or options
            found[index] = max(chosen, key=lambda one: one.num_whole)
        elif len(options) == 1 and is_of_dataset(options[0].path):
            found[index] = options[0]
    taken = set(map(id, found.values()))
    for index, row in places.items():
        if index not in found:
            free = [one for one in stretches if id(one) not in taken]
            mistaken = [one for one in free if _is_of(one, table, row)]
            if len(mistaken) == 1:
                found[index] = mistaken[0]
    return dict(sorted(found.items()))


def _is_of(rows: Rows, table: EpisodeTable, row: int) -> bool:
    """Return whether rows match an episode in all respects but their ``episode_index``."""
    return (
        rows.path == table.data_files[row]
        and rows.from_index == table.from_index[row]
        and rows.length == table.length[row]
    )


Tasks = tuple[str | None, ...]
"""The texts of tasks by task_index; None where no text is known."""

_MAX_TASKS = 2**20


def read_tasks(
    root: Path, used: Mapping[int, Sequence[int]], named: Mapping[int, Sequence[str]]
) -> Tasks:
    """
    Read the tasks from their table, or else infer them from episodes that have one task.

    :param root: the dataset's folder
    :param used: distinct task numbers in the rows of each episode
    :param named: tasks that meta/episodes names for each episode
    """
    try:
        table = pq.read_table(root / TASKS)
        texts = table.column(task_column(table.column_names)).to_pylist()
        numbers = table.column('task_index').to_pylist()
    except UNREADABLE:
        return _from_episodes(used, named)
    by_place = _by_number(list(range(len(texts))), texts)
    by_number = _by_number(numbers, texts)
    # Readers go by row position; meta/episodes shows whether position or task_index is right.
    places, numbered = (_agreement(one, used, named) for one in (by_place, by_number))
    return by_place if places > numbered else by_number


def _by_number(numbers: Sequence[object], texts: Sequence[object]) -> Tasks:
    found = {
        number: text
        for number, text in zip(numbers, texts, strict=True)
        if isinstance(number, int) and 0 <= number < len(texts) and isinstance(text, str)
    }
    return _tuple(found)


def _tuple(found: Mapping[int, str]) -> Tasks:
    return tuple(found.get(number) for number in range(max(found, default=-1) + 1))


def _agreement(
    tasks: Tasks, used: Mapping[int, Sequence[int]], named: Mapping[int, Sequence[str]]
) -> int:
    def texts(numbers: Sequence[int]) -> set[str | None]:
        return {tasks[one] if 0 <= one < len(tasks) else None for one in numbers}

    return sum(texts(used[one]) == set(named[one]) for one in used if one in named)


def _from_episodes(used: Mapping[int, Sequence[int]], named: Mapping[int, Sequence[str]]) -> Tasks:
    found: dict[int, str] = {}
    doubtful: set[int] = set()
    for episode, numbers in used.items():
        texts = named.get(episode, ())
        is_told = len(numbers) == len(texts) == 1 and 0 <= numbers[0] < _MAX_TASKS
        if is_told and found.setdefault(numbers[0], texts[0]) != texts[0]:
            doubtful.add(numbers[0])
    return _tuple({number: text for number, text in found.items() if number not in doubtful})
