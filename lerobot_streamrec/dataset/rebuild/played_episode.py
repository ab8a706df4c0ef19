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
"""One episode of a dataset, to be shown again: nothing is written, and no lock is taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from lerobot_streamrec.dataset.format.data_rows import read_row_stamps
from lerobot_streamrec.dataset.format.episode_reader import (
    read_episodes,
    read_parquet,
    read_record,
)
from lerobot_streamrec.dataset.format.episode_table import EpisodeRow
from lerobot_streamrec.dataset.format.info import DatasetInfo, read_info
from lerobot_streamrec.dataset.format.layout import DATA_PATH, row_stamps_path, VIDEO_PATH
from lerobot_streamrec.dataset.format.table_rules import (
    column_of,
    feature_values,
    refusing,
    whole_numbers,
)
from lerobot_streamrec.errors import ConfigError, UnusableDatasetError
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class PlayedEpisode:
    """
    An episode as it is committed now; a recorder may append to the dataset meanwhile.

    :param root: the dataset's folder
    :param info: the dataset's info.json
    :param row: the episode's row in meta/episodes
    :param record: the recorder's own record of the episode; empty: there is none
    :param stamps: instants of its rows and stamps of their samples, by column, ``(rows,)``
        nanoseconds; empty: they were not kept
    :param streams: the streams of the record; if it tells of none, those of the nearest episode
        whose record does
    :param told_by: the episode whose record tells of the streams; None: none does
    """

    root: Path
    info: DatasetInfo
    row: EpisodeRow
    record: Mapping[str, Any]
    stamps: Mapping[str, npt.NDArray[np.int64]]
    streams: Mapping[str, Any]
    told_by: int | None

    def video(self, key: str) -> Path:
        """Return the file with the frames of a camera."""
        return self.root / self.row.videos[key].file.path(VIDEO_PATH, key)

    def frame_times_s(self, key: str) -> list[Fraction]:
        """Return when each row's frame stands in the camera's file, in seconds."""
        begin_s = Fraction(self.row.videos[key].from_timestamp)
        return [begin_s + Fraction(k, self.info.fps) for k in range(self.row.length)]

    def values(self, keys: list[str]) -> dict[str, npt.NDArray[Any]]:
        """
        Read columns of numbers.

        :param keys: features that are neither videos nor texts
        :return: per key ``(rows, d)`` in the dtype of the feature
        :raise DatasetCorruptError: if the file does not hold the episode's rows
        """
        path = self.root / self.row.data_file.path(DATA_PATH)
        table = read_parquet(path, ['episode_index', *keys])
        with refusing(self.root, path):
            numbers = whole_numbers(column_of(table, 'episode_index'))
            found = np.flatnonzero(numbers == self.row.episode_index)
            length = self.row.length
            if len(found) != length or found[-1] - found[0] + 1 != length:
                raise UnusableDatasetError(
                    self.root,
                    path.relative_to(self.root).as_posix(),
                    f'it has {len(found)} rows of episode {self.row.episode_index}; there must be '
                    f'{length}, one after the other',
                )
            rows = table.slice(int(found[0]), length)
            return {
                key: feature_values(
                    column_of(rows, key), self.info.features[key], self.info.features[key].dtype
                ).reshape(length, -1)
                for key in keys
            }


def open_episode(root: Path, episode: int) -> PlayedEpisode:
    """
    Look an episode up.

    :param root: the dataset's folder
    :param episode: its number; less than 0: counted from the end, -1 is the last one
    :raise ConfigError: if there is no such episode
    :raise DatasetCorruptError: if the dataset cannot be read
    :raise DatasetUnsupportedError: if it is of another version of the format
    """
    info = read_info(root)
    num_episodes = info.total_episodes
    if not -num_episodes <= episode < num_episodes:
        allowed = (
            f'{root} has the episodes 0 to {num_episodes - 1}; -1 is the last one'
            if num_episodes
            else f'{root} has no episode yet'
        )
        raise ConfigError('episode', episode, allowed)
    row = read_episodes(root, info)[episode]
    number = row.episode_index
    told_by, streams = None, {}
    for other in sorted(range(num_episodes), key=lambda one: (abs(one - number), one)):
        found = (read_record(root, other) or {}).get('streams')
        if isinstance(found, dict) and found:
            told_by, streams = other, found
            break
    stamps = read_row_stamps(root / row_stamps_path(number))
    return PlayedEpisode(
        root=root,
        info=info,
        row=row,
        record=read_record(root, number) or {},
        # Those of another length are not this episode's.
        stamps=stamps if all(len(one) == row.length for one in stamps.values()) else {},
        streams=streams,
        told_by=told_by,
    )
