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
"""The state of a dataset in memory, and an episode before it is on disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
import json
import logging
from pathlib import Path
from typing import Any

from lerobot_streamrec.dataset.format.episode_index import EpisodeIndex
from lerobot_streamrec.dataset.format.episode_table import (
    committed_files,
    CommittedFiles,
    EpisodeRow,
    read_statistics,
)
from lerobot_streamrec.dataset.format.features import differences, FeatureSpec
from lerobot_streamrec.dataset.format.files import Files
from lerobot_streamrec.dataset.format.info import DatasetInfo
from lerobot_streamrec.dataset.format.info_rules import shown_value
from lerobot_streamrec.dataset.format.layout import DATA_PATH, FileIndex, STATS, TASKS, VIDEO_PATH
from lerobot_streamrec.dataset.format.parquet import read_schema
from lerobot_streamrec.dataset.format.statistics_file import (
    AllStatistics,
    DatasetStatistics,
    kept_stats_path,
    parse_stats_json,
    read_sidecar,
    stats_json,
    weighted_by_rows,
)
from lerobot_streamrec.dataset.format.take_record import (
    numbered_files,
    quarantine_uncommitted,
    return_videos,
)
from lerobot_streamrec.dataset.format.tasks import present_tasks, TaskTable
from lerobot_streamrec.errors import DatasetCorruptError, DatasetMismatchError
from lerobot_streamrec.installed import streamrec_command
from lerobot_streamrec.stats.feature_statistics import FeatureStatistics
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class VideoDraft:
    """
    One camera's finished video.

    :param path: the MP4 file on the dataset's file system; a commit moves it
    :param num_frames: the number of frames, which must equal that of the episode's rows
    :param height: the height of a frame, in pixels
    :param width: the width of a frame, in pixels
    :param encoder_info: the encoder's settings, as LeRobot stores them
    :param statistics: the statistics of the frames
    :param num_undecodable: the number of frames that repeat the frame before because the camera's
        picture could not be decoded
    """

    path: Path
    num_frames: int
    height: int
    width: int
    encoder_info: Mapping[str, object]
    statistics: FeatureStatistics
    num_undecodable: int = 0


@dataclass(frozen=True, slots=True)
class EpisodeDraft:
    """
    An episode that is ready to be committed.

    :param num_rows: number of rows, and of frames of every video
    :param task: the robot's task
    :param vectors: ``(num_rows, d)`` values per key, in the dtype of the column; of a window
        ``(num_rows, N * d)``, sample after sample
    :param videos: the videos, per video key
    :param record: the recorder's own record of the episode, as JSON
    :param row_stamps: the instants of the rows and of the samples in them, ``(num_rows,)``
        nanoseconds per column; empty if the instants are not kept
    """

    num_rows: int
    task: str
    vectors: Mapping[str, npt.NDArray[np.generic]]
    videos: Mapping[str, VideoDraft]
    record: Mapping[str, Any] = field(default_factory=dict)
    row_stamps: Mapping[str, npt.NDArray[np.int64]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SavedEpisode:
    """
    An episode that is stored durably.

    :param episode_index: its number in the dataset
    :param num_rows: number of its rows
    :param num_videos: number of its videos
    :param size_bytes: the size of its data file and videos
    :param commit_s: the duration of the commit, in seconds
    """

    episode_index: int
    num_rows: int
    num_videos: int
    size_bytes: int
    commit_s: float


@dataclass(frozen=True, slots=True)
class DatasetState:
    """
    The state of a dataset; it is frozen, and each commit makes a new one.

    :param info: the committed info.json
    :param tasks: the committed tasks
    :param statistics: the statistics of all committed episodes; None before the first one
    :param next_data: the number of the next data file
    :param next_meta: the number of the next episodes file
    :param next_video: the number of the next MP4 file per video key; an absent key means the
        first file
    :param episode_columns: the columns of the first episodes file, beside which LeRobot allows
        none in the others; None before the first one
    :param first_meta: the number of the first episodes file
    """

    info: DatasetInfo
    tasks: TaskTable = field(default_factory=TaskTable)
    statistics: AllStatistics | None = None
    next_data: FileIndex = field(default_factory=FileIndex)
    next_meta: FileIndex = field(default_factory=FileIndex)
    next_video: Mapping[str, FileIndex] = field(default_factory=dict)
    episode_columns: frozenset[str] | None = None
    first_meta: FileIndex = field(default_factory=FileIndex)

    def with_columns(self, names: Iterable[str]) -> DatasetState:
        """Return the state after columns were added to the first episodes file."""
        return replace(self, episode_columns=(self.episode_columns or frozenset()) | {*names})

    def with_statistics(self, changed: AllStatistics) -> DatasetState:
        """Return the state after statistics of saved episodes have changed."""
        return replace(self, statistics={**(self.statistics or {}), **changed})

    def after(
        self, info: DatasetInfo, tasks: TaskTable, statistics: AllStatistics, row: EpisodeRow
    ) -> DatasetState:
        """Return the state after an episode is committed."""
        size = info.chunks_size
        videos = {key: place.file.following(size) for key, place in row.videos.items()}
        return replace(
            self,
            info=info,
            tasks=tasks,
            statistics=statistics,
            next_data=row.data_file.following(size),
            next_meta=row.meta_file.following(size),
            next_video={**self.next_video, **videos},
            episode_columns=self.episode_columns | row.texts.keys()
            if self.episode_columns
            else frozenset(row.as_table().column_names),
            first_meta=self.first_meta if self.episode_columns else row.meta_file,
        )


_log = logging.getLogger(__name__)


def refuse_another_kind(
    root: Path,
    info: DatasetInfo,
    fps: int,
    robot_type: str | None,
    features: Mapping[str, FeatureSpec],
) -> None:
    """
    Refuse a dataset that differs from the settings of a recording.

    :raise DatasetMismatchError: naming each difference with both values
    """
    found = []
    if info.fps != fps:
        found.append(f'fps is {info.fps} in the dataset, {fps} now')
    if info.robot_type != robot_type:
        there = shown_value(info.robot_type)
        found.append(f'robot_type is {there} in the dataset, {robot_type!r} now')
    found += differences(features, info.features)
    if found:
        raise DatasetMismatchError(root, found)


def resumed_state(
    files: Files, info: DatasetInfo, index: EpisodeIndex | None = None
) -> DatasetState:
    """
    Return the state in which to continue a dataset, and quarantine what a crash left in it.

    :param files: the access to the disk
    :param info: the dataset's info.json
    :param index: its episodes files, as far as they are known; None: only what the disk has
    :raise DatasetCorruptError: if files are missing, unreadable or contradict each other
    """
    meta = numbered_files(files.path('meta/episodes'))
    rows = (index or EpisodeIndex(files.root, info)).rows(info)
    # Only files with the format's names count; others stay where they are.
    by_number = {number: rows[path] for number, path in meta.items() if path in rows}
    committed = committed_files(files.root, by_number, info.total_episodes, info.video_keys)
    info.refuse_other_rows(files.root, committed.num_rows)
    _refuse_missing_files(files.root, committed)
    tasks = _tasks(files, info, committed)
    statistics = _statistics(files, info)
    return_videos(files, info.total_episodes, committed.videos)
    quarantine_uncommitted(files, committed)
    size = info.chunks_size
    return DatasetState(
        info=info,
        tasks=tasks,
        statistics=statistics,
        next_data=_next(committed.data, size),
        next_meta=_next(committed.meta, size),
        next_video={key: _next(numbers, size) for key, numbers in committed.videos.items()},
        episode_columns=frozenset(read_schema(meta[min(committed.meta)]).names)
        if committed.meta
        else None,
        first_meta=min(committed.meta, default=FileIndex()),
    )


def _refuse_missing_files(root: Path, committed: CommittedFiles) -> None:
    """
    Refuse a dataset whose episodes refer to missing files.

    The next episode would take over the numbers of these files, and old episodes its content.
    """
    for template, key, numbers in (
        (DATA_PATH, '', committed.data),
        *((VIDEO_PATH, key, numbers) for key, numbers in committed.videos.items()),
    ):
        for number in sorted(numbers):
            path = root / number.path(template, key)
            if not path.is_file():
                raise DatasetCorruptError(f'{path} is missing, and episodes refer to it')


def _tasks(files: Files, info: DatasetInfo, committed: CommittedFiles) -> TaskTable:
    content = files.content(TASKS)
    present = present_tasks(content, files.root, info.total_tasks, committed.tasks)
    tasks = present.first(info.total_tasks)
    if len(present.tasks) > info.total_tasks:
        # A crash between writing tasks.parquet and info.json leaves a surplus task.
        files.replace(TASKS, tasks.as_bytes())
    return tasks


def _statistics(files: Files, info: DatasetInfo) -> AllStatistics | None:
    if not info.total_episodes:
        return None
    content = files.content(STATS)
    stated = read_sidecar(files.root, info.total_episodes, info.total_frames)
    if stated is not None:
        statistics = weighted_by_rows(files.root, info, stated)
        statistics = {**statistics, **_added(content, statistics, info.total_frames)}
        # A crash after writing stats.json, but before info.json, leaves it one episode ahead.
        expected = stats_content(files, info, statistics)
        if content != expected:
            files.replace(STATS, expected)
        return statistics
    if content is None:
        raise DatasetCorruptError(f'{files.path(STATS)} is missing')
    stated = parse_stats_json(content, files.root, info.total_frames, info.keys_with_statistics)
    _warn_of_impossible_ones(files.root, info, stated)
    return weighted_by_rows(files.root, info, stated)


def _warn_of_impossible_ones(root: Path, info: DatasetInfo, stated: DatasetStatistics) -> None:
    episodes = read_statistics(root, info.total_episodes, stated.doubtful)
    wrong = [
        index
        for index, statistics in episodes
        if not all(one.has_possible_deviation for one in statistics.values())
    ]
    if wrong:
        _log.warning(
            'the statistics of the cameras are impossible in %d episodes of %s: the standard '
            'deviation is too small, as LeRobot 0.4 computed it. The statistics of the dataset '
            'will be wrong as well until you run: %s',
            len(wrong),
            root,
            streamrec_command('check', '--repair', root),
        )


def _added(content: bytes | None, known: AllStatistics, num_rows: int) -> AllStatistics:
    """Return the statistics of features that others have added to stats.json."""
    try:
        raw = json.loads(content or b'{}')
        return {
            key: FeatureStatistics.from_lists(one, num_rows)
            for key, one in raw.items()
            if key not in known
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def stats_content(files: Files, info: DatasetInfo, statistics: AllStatistics) -> bytes:
    """Return stats.json for the episodes of an info; entries of other writers stay unchanged."""
    kept = files.content(kept_stats_path(info.total_episodes))
    return kept or stats_json(statistics, info.features, files.content(STATS))


def _next(numbers: Iterable[FileIndex], chunks_size: int) -> FileIndex:
    last = max(numbers, default=None)
    return FileIndex() if last is None else last.following(chunks_size)
