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
"""What a dataset holds, in memory: all that a commit needs to know of the past."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lerobot_streamrec.dataset.format.episode_table import EpisodeRow
from lerobot_streamrec.dataset.format.info import DatasetInfo
from lerobot_streamrec.dataset.format.layout import FileIndex
from lerobot_streamrec.dataset.format.statistics_file import AllStatistics
from lerobot_streamrec.dataset.format.tasks import TaskTable


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
