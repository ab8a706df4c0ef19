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
"""Where files lie below a dataset's root, and why no link may be among them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
import os
from pathlib import Path, PurePosixPath
import re
import stat

from lerobot_streamrec.errors import DatasetError, DatasetExistsError

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

    :param chunk_index: number of its folder
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


READ_FOLDERS = ('meta', 'data', 'videos')
"""Folders that readers of the format look into."""

# Folders that files are put into, and the recorder's own files.
_PATTERNS = ('*', '*/*', 'videos/*/*', 'meta/episodes/*', f'{OWN}', f'{OWN}/*', f'{OWN}/*/*')


def refuse_links(root: Path) -> None:
    """
    Refuse a dataset of which a part lies elsewhere; the root itself may be a link.

    A file that is a link does no harm: files are replaced, never written into.

    :raise DatasetError: naming the link and where it leads
    """
    for path in _links(root):
        raise DatasetError(
            f'{path} is a symbolic link to {path.readlink()}: nothing is written outside of the '
            'root. Put the folder itself there, or make the root the link.'
        )


def refuse_special_files(root: Path) -> None:
    """
    Refuse a dataset with a pipe, a socket or a device in it, since to open one may never end.

    :raise DatasetError: naming it
    """
    folders = [root / name for name in (*READ_FOLDERS, str(OWN))]
    while folders:
        try:
            entries = sorted(os.scandir(folders.pop()), key=lambda entry: entry.name)
        except OSError:
            # The code that needs a folder refuses it if it is missing or cannot be listed.
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(Path(entry.path))
            elif _is_special(Path(entry)):
                raise DatasetError(
                    f'{entry.path} is neither a file nor a folder: remove it, since whoever '
                    'reads the dataset would wait for it'
                )


def _is_special(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        # A link that leads nowhere, or to itself, does not block.
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _links(root: Path) -> Iterator[Path]:
    for pattern in _PATTERNS:
        for path in sorted(root.glob(pattern)):
            is_ours = path.is_relative_to(root / OWN)
            if path.is_symlink() and (is_ours or not path.is_file()):
                yield path


def refuse_inside_dataset(root: Path) -> None:
    """
    Refuse a new dataset in the folder of another one.

    Readers look for files in any folder there, and what no episode of the other one refers to is
    moved to its quarantine when it is opened.

    :raise DatasetExistsError: naming the other dataset
    """
    # Unlike ``resolve``, this raises nothing on links that lead in a circle.
    real = Path(os.path.realpath(root))
    for parent in (*root.absolute().parents, *real.parents):
        if os.path.lexists(parent / INFO):
            raise DatasetExistsError(
                f'{root} lies in the dataset at {parent}; choose a folder outside of it'
            )
