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
"""One episode of a dataset, opened for replay or extracted as PNG files."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from lerobot_streamrec.dataset.format.catalog import Catalog, read_catalog
from lerobot_streamrec.dataset.format.data_rows import EpisodeValues, read_row_stamps, ROW
from lerobot_streamrec.dataset.format.episode_index import read_episodes
from lerobot_streamrec.dataset.format.episode_table import EpisodeRow
from lerobot_streamrec.dataset.format.info import DatasetInfo, read_info
from lerobot_streamrec.dataset.format.layout import RECORDS, row_stamps_path, VIDEO_PATH
from lerobot_streamrec.dataset.format.take_record import (
    Cut,
    instant_ns,
    parse_cuts,
    read_record,
)
from lerobot_streamrec.durable import folder_written_beside
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.video.codecs.depth_config import DepthConfig, stored_depth
from lerobot_streamrec.video.tools.encoding_jobs import Progress
from lerobot_streamrec.video.tools.extract import Choice, Episode, write_frames
import numpy as np
import numpy.typing as npt


def video_key_of(info: DatasetInfo, name: str, root: Path) -> str:
    """
    Find a camera by its video key, or by the last part of the key.

    :raise ConfigError: if no camera or several match; it names the cameras of the dataset
    """
    keys = info.video_keys
    found = [key for key in keys if name in (key, key.rpartition('.')[2])]
    # A full key wins, even if another camera's key ends with the same name.
    found = [name] if name in found else found
    if len(found) != 1:
        allowed = f'{root} has {", ".join(keys) or "no camera"}; name one of them'
        raise ConfigError('camera', name, allowed)
    return found[0]


def extract_episode(
    root: Path,
    episode_index: int,
    folder: Path,
    choice: Choice | None = None,
    *,
    cameras: Collection[str] = (),
    progress: Progress | None = None,
) -> dict[str, int]:
    """
    Write frames of an episode as ``<video key>/frame-000012.png``, by their ``frame_index``.

    Colour images have 8 bits; depth images have 16 bits, in millimetres. A failure leaves no
    files.

    :param root: the dataset's folder
    :param episode_index: index of the episode
    :param folder: folder that is empty or does not exist; it appears with all its files at once
    :param choice: selection of frames, in seconds from the start of the episode; None: all frames
    :param cameras: video keys, or their last parts; empty: all cameras
    :param progress: receives the number of frames done and the total, camera by camera
    :return: number of files per video key
    :raise ConfigError: if there is no such episode or camera
    :raise DatasetCorruptError: if the dataset cannot be read
    :raise VideoError: if a video cannot be read, or the folder is not empty or not writable
    """
    catalog = read_catalog(root)
    names = [video_key_of(catalog.info, one, root) for one in cameras]
    keys = tuple(dict.fromkeys(names)) or catalog.info.video_keys
    if not keys:
        raise ConfigError('root', str(root), 'it has no camera')
    if not 0 <= episode_index < len(catalog.episodes):
        last = len(catalog.episodes) - 1
        allowed = f'{root} has the episodes 0 to {last}' if last >= 0 else f'{root} has none'
        raise ConfigError('episode', episode_index, allowed)
    with folder_written_beside(folder) as part:
        found = {}
        for number, key in enumerate(keys):
            (part / key).mkdir()

            def tell(done: int, total: int, before: int = number) -> None:
                if progress:
                    progress(before * total + done, len(keys) * total)

            episode = _episode(catalog, episode_index, key)
            found[key] = write_frames(episode, part / key, choice or Choice(), tell)
    return found


def _episode(catalog: Catalog, episode_index: int, key: str) -> Episode:
    row = catalog.episodes[episode_index]
    place = row.videos[key]
    begin_s = Fraction(place.from_timestamp)
    stored = stored_depth(catalog.info.features[key].info)
    return Episode(
        path=catalog.video_path(key, place.file),
        begin_s=begin_s,
        end_s=begin_s + Fraction(row.length, catalog.info.fps),
        depth=stored.config if stored else DepthConfig(),
    )


@dataclass(frozen=True, slots=True, eq=False)
class PlayedEpisode:
    """
    A committed episode; a recorder may append to the dataset meanwhile.

    :param root: the dataset's folder
    :param info: the dataset's info.json
    :param row: the episode's row in meta/episodes
    :param record: the recorder's own record of the episode; empty if there is none
    :param stamps: stamps of its rows and of their samples, by column, ``(rows,)`` nanoseconds;
        empty if they were not kept
    :param streams: streams in the episode's record, or else in the record of the nearest episode
        that has them
    :param told_by: index of the episode whose record has the streams; None if no record has them
    """

    root: Path
    info: DatasetInfo
    row: EpisodeRow
    record: Mapping[str, Any]
    stamps: Mapping[str, npt.NDArray[np.int64]]
    streams: Mapping[str, Any]
    told_by: int | None

    def video(self, key: str) -> Path:
        """Return the video file with the frames of a camera."""
        return self.root / self.row.videos[key].file.path(VIDEO_PATH, key)

    def frame_times_s(self, key: str) -> list[Fraction]:
        """Return the time of each row's frame in the camera's video file, in seconds."""
        begin_s = Fraction(self.row.videos[key].from_timestamp)
        return [begin_s + Fraction(k, self.info.fps) for k in range(self.row.length)]

    def values(self, keys: list[str]) -> dict[str, npt.NDArray[Any]]:
        """
        Read numeric columns.

        :param keys: features that are neither videos nor texts
        :return: array ``(rows, d)`` per key, in the dtype of the feature
        :raise DatasetCorruptError: if the file does not hold the episode's rows contiguously
        """
        return EpisodeValues(self.root, self.info, keys).of(self.row)

    @property
    def cuts(self) -> tuple[Cut, ...]:
        """The pauses in the episode; none if the record does not tell them."""
        try:
            return parse_cuts(self.record.get('cuts', ()))
        # These errors occur if somebody has edited the file.
        except (KeyError, TypeError, ValueError, AttributeError):
            return ()

    def instants_ns(self) -> npt.NDArray[np.int64] | None:
        """Return the instants of the rows, ``(rows,)``; None if they are not stored."""
        if ROW in self.stamps:
            return self.stamps[ROW]
        start_ns = self.record.get('start_stamp_ns')
        if not isinstance(start_ns, int):
            return None
        cuts, rows = self.cuts, range(self.row.length)
        return np.array([instant_ns(start_ns, self.info.fps, cuts, row) for row in rows], np.int64)


def open_episode(root: Path, episode: int) -> PlayedEpisode:
    """
    Open a committed episode.

    :param root: the dataset's folder
    :param episode: index of the episode; negative indices count from the end, -1 is the last one
    :raise ConfigError: if there is no such episode
    :raise DatasetCorruptError: if the dataset cannot be read
    :raise DatasetUnsupportedError: if the dataset has another version of the format
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
    # Other recorders keep none.
    recorded = range(num_episodes) if (root / RECORDS).is_dir() else ()
    for other in sorted(recorded, key=lambda one: (abs(one - number), one)):
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
        # Stamps of another length do not belong to this episode.
        stamps=stamps if all(len(one) == row.length for one in stamps.values()) else {},
        streams=streams,
        told_by=told_by,
    )
