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
"""What a dataset holds, in memory, and an episode before it is on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from lerobot_streamrec.dataset.format.episode_table import EpisodeRow
from lerobot_streamrec.dataset.format.info import DatasetInfo
from lerobot_streamrec.dataset.format.layout import FileIndex
from lerobot_streamrec.dataset.format.statistics_file import AllStatistics
from lerobot_streamrec.dataset.format.tasks import TaskTable
from lerobot_streamrec.stats.feature_statistics import FeatureStatistics
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class VideoDraft:
    """
    One camera's finished video.

    :param path: MP4 on the dataset's file system; it will be moved
    :param num_frames: must equal the episode's rows
    :param height: in pixels
    :param width: in pixels
    :param encoder_info: the encoder's settings, as LeRobot stores them
    :param statistics: of its pictures
    """

    path: Path
    num_frames: int
    height: int
    width: int
    encoder_info: Mapping[str, object]
    statistics: FeatureStatistics


@dataclass(frozen=True, slots=True)
class EpisodeDraft:
    """
    An episode that is ready to be committed.

    :param num_rows: rows, and frames of every video
    :param task: what the robot was to do
    :param vectors: per key ``(num_rows, d)`` in the dtype of its column
    :param videos: per video key
    :param record: what the recorder itself keeps of the episode, as JSON
    :param row_stamps: instants of the rows and of what they show, ``(num_rows,)`` nanoseconds by
        the column's name; empty: not kept
    """

    num_rows: int
    task: str
    vectors: Mapping[str, npt.NDArray[np.generic]]
    videos: Mapping[str, VideoDraft]
    record: Mapping[str, object] = field(default_factory=dict)
    row_stamps: Mapping[str, npt.NDArray[np.int64]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SavedEpisode:
    """
    An episode that is durable.

    :param episode_index: its number in the dataset
    :param num_rows: its rows
    :param num_videos: its videos
    :param size_bytes: of everything it added
    :param commit_s: how long making it durable took
    """

    episode_index: int
    num_rows: int
    num_videos: int
    size_bytes: int
    commit_s: float


@dataclass(frozen=True, slots=True)
class DatasetState:
    """
    Frozen; a commit makes the next one.

    :param info: as committed
    :param tasks: as committed
    :param statistics: of all committed episodes; None before the first
    :param next_data: number of the next data file
    :param next_meta: number of the next episodes file
    :param next_video: number of the next MP4 per video key; absent: the first
    :param episode_columns: columns of the first episodes file, which LeRobot expects of all
        others; None before there is one
    """

    info: DatasetInfo
    tasks: TaskTable = field(default_factory=TaskTable)
    statistics: AllStatistics | None = None
    next_data: FileIndex = field(default_factory=FileIndex)
    next_meta: FileIndex = field(default_factory=FileIndex)
    next_video: Mapping[str, FileIndex] = field(default_factory=dict)
    episode_columns: frozenset[str] | None = None

    def after(
        self, info: DatasetInfo, tasks: TaskTable, statistics: AllStatistics, row: EpisodeRow
    ) -> DatasetState:
        """Return what the dataset holds once an episode is committed."""
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
            episode_columns=self.episode_columns or frozenset(row.as_table().column_names),
        )
