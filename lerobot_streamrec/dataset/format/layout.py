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
"""Where things stand below a dataset's root (LeRobot v3.0, section 1 of its format)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path, PurePosixPath
import re

DATA_PATH = 'data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet'
VIDEO_PATH = 'videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4'
EPISODES_PATH = 'meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet'

INFO = PurePosixPath('meta/info.json')
STATS = PurePosixPath('meta/stats.json')
TASKS = PurePosixPath('meta/tasks.parquet')

OWN = PurePosixPath('.streamrec')
"""Everything of ours that is not LeRobot's; no reader of the format looks there."""
STAGING = OWN / 'staging'
QUARANTINE = OWN / 'quarantine'
RECORDS = OWN / 'episodes'
ROW_STAMPS = OWN / 'row_stamps'
STATISTICS = OWN / 'statistics'
LOCK = OWN / 'lock'
OWNER = OWN / 'owner.json'
REBUILD = OWN / 'rebuild.json'
"""Marks a tree that is to take a dataset's place, until what it replaced is removed."""

CHUNKS_SIZE = 1000
"""Files in a chunk folder."""


_LEFT_BY_RECORDING = re.compile(
    r'images/[^/]+/episode[-_]\d+/frame[-_]\d+\.(png|tiff)|tmp[^/]*(/.*)?'
)


def is_left_by_recording(relative: str) -> bool:
    """
    Whether LeRobot writes such a file while it records, and deletes it at the end.

    :param relative: path below the root; other files in ``images`` are somebody's own
    """
    return _LEFT_BY_RECORDING.fullmatch(relative) is not None


@dataclass(frozen=True, slots=True, order=True)
class FileIndex:
    """
    Number of one file of a kind (data, episodes, or one video key).

    :param chunk_index: of its folder
    :param file_index: within the folder
    """

    chunk_index: int = 0
    file_index: int = 0

    def following(self, chunks_size: int = CHUNKS_SIZE) -> FileIndex:
        """Return the number of the next file."""
        if self.file_index + 1 >= chunks_size:
            return FileIndex(self.chunk_index + 1, 0)
        return FileIndex(self.chunk_index, self.file_index + 1)

    def path(self, template: str, video_key: str = '') -> PurePosixPath:
        """Return the file's path below the root, by one of the templates above."""
        return PurePosixPath(
            template.format(
                chunk_index=self.chunk_index, file_index=self.file_index, video_key=video_key
            )
        )


def take_folders(root: Path) -> Iterator[Path]:
    """Yield folders for takes; one that a crash left, and that stayed there, is passed over."""
    for number in count(1):
        folder = root / STAGING / f'take-{number:06d}'
        if not folder.exists():
            yield folder


def record_path(episode_index: int) -> PurePosixPath:
    """Return where the recorder keeps what LeRobot's format has no place for."""
    return RECORDS / f'episode-{episode_index:06d}.json'


def row_stamps_path(episode_index: int) -> PurePosixPath:
    """Return where the instants of an episode's rows stand, and of what they show."""
    return ROW_STAMPS / f'episode-{episode_index:06d}.parquet'
