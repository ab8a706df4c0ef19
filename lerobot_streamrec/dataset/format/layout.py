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
"""The paths of files below a dataset's root, and the refusal of links and special files."""

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
SUBTASKS = PurePosixPath('meta/subtasks.parquet')

OWN = PurePosixPath('.streamrec')
"""The folder for all files that are not part of LeRobot's format, where no reader looks."""
STAGING = OWN / 'staging'
QUARANTINE = OWN / 'quarantine'
RECORDS = OWN / 'episodes'
ROW_STAMPS = OWN / 'row_stamps'
STATISTICS = OWN / 'statistics'
EPISODE_INDEX = OWN / 'episode_index.json'
SYNC = OWN / 'sync'
"""The folder of syncs to other places: a journal of what was copied for each of them."""
LOCK = OWN / 'lock'
OWNER = OWN / 'owner.json'
REBUILD = OWN / 'rebuild.json'
"""The mark of a tree that replaces a dataset, until the replaced files are removed."""

CHUNKS_SIZE = 1000
"""The number of files in a chunk folder."""


_LEFT_BY_RECORDING = re.compile(
    r'images/[^/]+/episode[-_]\d+/frame[-_]\d+\.(png|tiff)|tmp[^/]*(/.*)?'
)


def is_left_by_recording(relative: str) -> bool:
    """
    Return True for the temporary files of LeRobot, which deletes them at the end of a recording.

    :param relative: the path below the root; other files in ``images`` belong to the user
    """
    return _LEFT_BY_RECORDING.fullmatch(relative) is not None


@dataclass(frozen=True, slots=True, order=True)
class FileIndex:
    """
    The number of a file of one kind (data, episodes or one video key).

    :param chunk_index: the number of its folder
    :param file_index: the number of the file in the folder
    """

    chunk_index: int = 0
    file_index: int = 0

    def following(self, chunks_size: int = CHUNKS_SIZE) -> FileIndex:
        """Return the number of the next file."""
        if self.file_index + 1 >= chunks_size:
            return FileIndex(self.chunk_index + 1, 0)
        return FileIndex(self.chunk_index, self.file_index + 1)

    def path(self, template: str, video_key: str = '') -> PurePosixPath:
        """Return the file's path below the root, from one of the templates above."""
        return PurePosixPath(
            template.format(
                chunk_index=self.chunk_index, file_index=self.file_index, video_key=video_key
            )
        )


def take_folders(root: Path) -> Iterator[Path]:
    """Yield unused folders for takes; folders that a crash left are skipped."""
    for number in count(1):
        folder = root / STAGING / f'take-{number:06d}'
        if not folder.exists():
            yield folder


def record_path(episode_index: int) -> PurePosixPath:
    """Return the path of the recorder's own record of an episode."""
    return RECORDS / f'episode-{episode_index:06d}.json'


def row_stamps_path(episode_index: int) -> PurePosixPath:
    """Return the path of the instants of an episode's rows and of the samples in them."""
    return ROW_STAMPS / f'episode-{episode_index:06d}.parquet'


READ_FOLDERS = ('meta', 'data', 'videos')
"""The folders that readers of the format use."""

# The folders into which files are moved, and the recorder's own files.
_PATTERNS = ('*', '*/*', 'videos/*/*', 'meta/episodes/*', f'{OWN}', f'{OWN}/*', f'{OWN}/*/*')


def refuse_links(root: Path) -> None:
    """
    Refuse a dataset in which a folder or a recorder's file is a link; the root may be one.

    LeRobot's files may be links, since files are replaced, never written into.

    :raise DatasetError: naming the link and its target
    """
    for path in _links(root):
        raise DatasetError(
            f'{path} is a symbolic link to {path.readlink()}, and nothing is written outside of '
            'the root. Replace the link with the folder itself, or make the root a link.'
        )


def refuse_special_files(root: Path) -> None:
    """
    Refuse a dataset with a pipe, a socket or a device, since opening it may block for ever.

    :raise DatasetError: naming the special file
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
                    f'{entry.path} is neither a file nor a folder: remove it, since programs that '
                    'read the dataset may block on it'
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
    Refuse a new dataset inside the folder of another dataset.

    Readers of the outer dataset would find its files, and the recorder would quarantine them when
    it opens the outer dataset.

    :raise DatasetExistsError: naming the other dataset
    """
    # Unlike ``resolve``, ``realpath`` does not raise on circular links.
    real = Path(os.path.realpath(root))
    for parent in (*root.absolute().parents, *real.parents):
        if os.path.lexists(parent / INFO):
            raise DatasetExistsError(
                f'{root} lies in the dataset at {parent}; choose a folder outside of it'
            )
