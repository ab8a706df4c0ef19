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
"""The metadata of a dataset, read and checked for tools that make a new dataset of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from lerobot_streamrec.dataset.format.episode_index import committed_episodes, EpisodeIndex
from lerobot_streamrec.dataset.format.episode_table import EpisodeRow, statistics_in
from lerobot_streamrec.dataset.format.info import (
    DatasetInfo,
    info_content,
    info_of,
    parse_raw_info,
)
from lerobot_streamrec.dataset.format.layout import (
    DATA_PATH,
    EPISODES_PATH,
    FileIndex,
    refuse_special_files,
    STATS,
    TASKS,
    VIDEO_PATH,
)
from lerobot_streamrec.dataset.format.parquet import read_parquet, read_schema
from lerobot_streamrec.dataset.format.statistics_file import (
    AllStatistics,
    DatasetStatistics,
    parse_stats_json,
    read_sidecar,
    weighted_by_rows,
)
from lerobot_streamrec.dataset.format.table_rules import refuse_odd_rows
from lerobot_streamrec.dataset.format.tasks import present_tasks, TaskColumns
from lerobot_streamrec.errors import DatasetCorruptError
import pyarrow as pa

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class Catalog:
    """
    The metadata of one dataset.

    :param root: the dataset's folder
    :param info: the part of info.json that this package knows
    :param raw_info: all of info.json
    :param tasks: the tasks, by task_index
    :param stated: the stated statistics; None if there is neither stats.json nor a sidecar
    :param episodes: the episodes in order, without statistics, which ``statistics_of`` reads
    :param task_columns: the columns that other writers added to tasks.parquet
    """

    root: Path
    info: DatasetInfo
    raw_info: Mapping[str, Any]
    tasks: tuple[str, ...]
    stated: DatasetStatistics | None
    episodes: tuple[EpisodeRow, ...]
    task_columns: TaskColumns = field(default_factory=TaskColumns)
    _tables: dict[FileIndex, pa.Table] = field(default_factory=dict, repr=False)
    _schemas: dict[Path, pa.Schema] = field(default_factory=dict, repr=False)
    _weighted: list[AllStatistics] = field(default_factory=list, repr=False)

    @property
    def data_limit_bytes(self) -> int:
        """The largest size of a data or episodes file, as info.json states it."""
        return int(float(self.raw_info.get('data_files_size_in_mb') or 100) * _MIB)

    @property
    def video_limit_bytes(self) -> int:
        """The largest size of an MP4 file, as info.json states it."""
        return int(float(self.raw_info.get('video_files_size_in_mb') or 200) * _MIB)

    def video_path(self, video_key: str, file: FileIndex) -> Path:
        """Return the path of an MP4 file."""
        return self.root / file.path(VIDEO_PATH, video_key)

    def without_episodes(self) -> Catalog:
        """Return what the reading of rows needs, which is small when it is pickled."""
        return Catalog(self.root, self.info, {}, self.tasks, None, ())

    def meta_table(self, file: FileIndex) -> pa.Table:
        """
        Return an episodes file with all its columns; the last file read stays in memory.

        :raise DatasetCorruptError: if the file cannot be read
        """
        if file not in self._tables:
            self._tables.clear()
            self._tables[file] = read_parquet(self.root / file.path(EPISODES_PATH))
        return self._tables[file]

    def schema_of(self, path: Path) -> pa.Schema:
        """
        Return the columns of a data file, which is opened once for them.

        :raise DatasetCorruptError: if the file cannot be read
        """
        if path not in self._schemas:
            found = read_schema(path).remove_metadata()
            # Most files have the columns of the one before, and one object serves all of them.
            before = next(reversed(self._schemas.values()), found)
            self._schemas[path] = before if before.equals(found) else found
        return self._schemas[path]

    def statistics(self) -> AllStatistics:
        """
        Return the statistics of the dataset, with each episode weighted by its rows.

        The first call computes them, for which it may read all episodes files.

        :raise DatasetCorruptError: if an episodes file cannot be read
        """
        if not self._weighted:
            found = self.stated and weighted_by_rows(self.root, self.info, self.stated)
            self._weighted.append(found or {})
        return self._weighted[0]

    def statistics_of(self, episode: EpisodeRow, keys: Sequence[str]) -> AllStatistics:
        """
        Read the statistics of an episode.

        :param keys: the features; those without usable statistics are left out
        :raise DatasetCorruptError: if the episodes file cannot be read
        """
        table = self.meta_table(episode.meta_file)
        numbers = table.column('episode_index').to_pylist()
        return statistics_in(table.slice(numbers.index(episode.episode_index), 1), keys)


def read_catalog(root: Path, index: EpisodeIndex | None = None) -> Catalog:
    """
    Read the metadata of a dataset, with its committed episodes only.

    :param index: its episodes files, as they were read before; those that have changed are read
        again
    :raise DatasetCorruptError: if a file is missing, cannot be read or contradicts another one
    :raise DatasetUnsupportedError: if the dataset has another version, storage or fractional fps
    :raise DatasetMismatchError: if the dataset has other path templates than LeRobot's
    :raise DatasetError: if the dataset holds a pipe, a socket or a device
    """
    return _read_catalog(root, index)[0]


def _read_catalog(root: Path, index: EpisodeIndex | None = None) -> tuple[Catalog, EpisodeIndex]:
    root = root.resolve()
    refuse_special_files(root)
    raw_info = parse_raw_info(info_content(root), root)
    info = info_of(raw_info, root)
    if index is None or not index.is_of(info):
        index = EpisodeIndex(root, info)
    by_file = index.rows(info)
    tasks = present_tasks(content_of(root, TASKS), root, info.total_tasks)
    episodes = committed_episodes(root, info, by_file)
    info.refuse_other_rows(root, sum(one.length for one in episodes))
    catalog = Catalog(
        root=root,
        info=info,
        raw_info=raw_info,
        tasks=tasks.tasks[: info.total_tasks],
        task_columns=tasks.others,
        stated=_statistics(root, info),
        episodes=episodes,
    )
    return catalog, index


def refuse_odd_dataset(root: Path, without: Collection[int] = ()) -> EpisodeIndex:
    """
    Refuse a dataset that a tool cannot use, before the tool changes anything.

    :param root: the dataset's folder
    :param without: the episodes whose rows are not checked, since the tool removes them
    :return: its episodes files, as they were read
    :raise DatasetCorruptError: naming the file and the fault
    :raise DatasetError: for the same reasons as ``read_catalog``
    """
    catalog, index = _read_catalog(root)
    of_file: dict[FileIndex, list[EpisodeRow]] = {}
    for one in catalog.episodes:
        if one.episode_index not in without:
            of_file.setdefault(one.data_file, []).append(one)
    for file, episodes in of_file.items():
        path = catalog.root / file.path(DATA_PATH)
        if not path.is_file():
            raise DatasetCorruptError(f'{path} is missing, and episodes refer to it')
        lengths = {one.episode_index: one.length for one in episodes}
        refuse_odd_rows(catalog.root, path, catalog.info, lengths)
    return index


def content_of(root: Path, relative: PurePosixPath) -> bytes | None:
    """
    Return the content of a file below the root; None if the file is missing.

    :raise DatasetCorruptError: if the file cannot be read
    """
    try:
        return bytes((root / relative).read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DatasetCorruptError(f'{root / relative} cannot be read: {error}') from error


def _statistics(root: Path, info: DatasetInfo) -> DatasetStatistics | None:
    stated = read_sidecar(root, info.total_episodes, info.total_frames)
    content = None if stated else content_of(root, STATS)
    if content is None:
        return stated
    return parse_stats_json(content, root, info.total_frames, info.keys_with_statistics)
