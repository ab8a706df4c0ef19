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
"""A dataset's files while they are being put together, in a folder beside the dataset."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
import os
from pathlib import Path, PurePosixPath
import re

from lerobot_streamrec.dataset.format.info import known_features
from lerobot_streamrec.dataset.format.layout import (
    INFO,
    LOCK,
    OWN,
    OWNER,
    QUARANTINE,
    REBUILD,
    RECORDS,
    ROW_STAMPS,
    STAGING,
    STATISTICS,
    STATS,
    TASKS,
)
from lerobot_streamrec.dataset.rebuild.disk import Disk
from lerobot_streamrec.errors import RebuildError

_OF_DATASET = {str(one) for one in (INFO, STATS, TASKS, LOCK, OWNER, REBUILD)}
_OF_DATASET_BELOW = tuple(
    f'{one}/' for one in (STAGING, QUARANTINE, RECORDS, ROW_STAMPS, STATISTICS)
)
_NUMBERED = re.compile(
    r'(data|meta/episodes|videos/[^/]+)/chunk-\d{3,}/file-\d{3,}\.(parquet|mp4)'
)


def is_of_dataset(relative: str) -> bool:
    """Whether a path below a root names a file of a dataset, and not one that somebody added."""
    return (
        relative in _OF_DATASET
        or relative.startswith(_OF_DATASET_BELOW)
        or _NUMBERED.fullmatch(relative) is not None
    )


def foreign_files(root: Path) -> Iterator[str]:
    """Yield the path below the root of every file or symbolic link that is not the dataset's."""
    features = known_features(root)
    for folder, folders, names in os.walk(root):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in (*names, *links):
            relative = (Path(folder) / name).relative_to(root).as_posix()
            if not is_of_dataset(relative) or _is_of_no_camera(relative, features):
                yield relative


def _is_of_no_camera(relative: str, features: Collection[str]) -> bool:
    """Whether a video is of a camera that info.json does not know, if it knows anything."""
    folder, _, below = relative.partition('/')
    return folder == 'videos' and bool(features) and below.split('/')[0] not in features


class NewTree:
    """
    The folder that is to take a dataset's place.

    :param folder: exists, and is on the file system of the dataset
    :param disk: the way to the disk
    """

    def __init__(self, folder: Path, disk: Disk) -> None:
        self.folder = folder
        self._disk = disk
        self._folders: set[Path] = set()
        self.sources: dict[str, Path] = {}
        """Per path below the folder: the file that was taken over there as it is."""

    def link(self, source: Path, relative: PurePosixPath | str, *, or_copy: bool = True) -> None:
        """
        Take over a file as it is.

        :raise RebuildError: if it cannot be read or the disk is full
        """
        target = self.place(relative)
        with self._explaining(target):
            if source.is_symlink() and source.is_dir():
                target.symlink_to(source.readlink())
            else:
                self._disk.link(source, target, or_copy=or_copy)
        self.sources[str(relative)] = source

    def copy(self, source: Path, relative: PurePosixPath | str) -> None:
        """
        Make a file with the content of another.

        :raise RebuildError: if it cannot be read or the disk is full
        """
        target = self.place(relative)
        with self._explaining(target):
            self._disk.copy(source, target)

    def write(self, relative: PurePosixPath, content: bytes) -> None:
        """
        Make a small file.

        :raise RebuildError: if the disk is full
        """
        target = self.place(relative)
        with self._explaining(target):
            self._disk.write(target, content)

    def place(self, relative: PurePosixPath | str) -> Path:
        """Make the folder of a file that somebody else will write; call ``settle`` after that."""
        path = self.folder / relative
        if path.parent not in self._folders:
            with self._explaining(path.parent):
                self._disk.make_folder(path.parent)
            self._folders.add(path.parent)
        return path

    def settle(self, path: Path) -> None:
        """Bring a file that was written at its place to the disk."""
        with self._explaining(path):
            self._disk.settle(path)

    @contextmanager
    def _explaining(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RebuildError(
                f'cannot write {path}: {error.strerror or error}. Nothing has changed; check that '
                'the folder is writable and that the disk has room.'
            ) from error


def carry_over(root: Path, tree: NewTree, left_out: Collection[str] = ()) -> None:
    """
    Take over what is no part of the dataset, and the lock, which goes on excluding others.

    :param left_out: what is not taken over
    :raise RebuildError: if a file cannot be linked or copied
    """
    if (root / STAGING).is_dir():
        tree.place(STAGING / 'x')
    if (root / LOCK).exists():
        tree.link(root / LOCK, LOCK, or_copy=False)
    if (root / OWNER).exists():
        tree.link(root / OWNER, OWNER)
    for relative in foreign_files(root):
        if relative not in left_out and (root / relative).exists():
            tree.link(root / relative, relative)
    for relative in _empty_folders(root):
        tree.place(f'{relative}/x')


def _empty_folders(root: Path) -> Iterator[str]:
    """Yield the folders that somebody has made for files to come."""
    for folder, folders, names in os.walk(root):
        relative = Path(folder).relative_to(root).as_posix()
        if not folders and not names and not is_of_dataset(f'{relative}/'):
            yield relative


def refuse_linked_folders(root: Path) -> None:
    """
    Refuse a dataset whose folders are elsewhere: one exchange would not change them together.

    :raise RebuildError: naming the folder
    """
    for folder in (*(root / name for name in ('data', 'meta', OWN)), *root.glob('videos/*')):
        for one in (folder, folder.parent):
            if one != root and one.is_symlink():
                raise RebuildError(
                    f'{one} is a symbolic link: the files of {root} cannot be exchanged in one '
                    'step. Merge it to another root, which gets files of its own.'
                )
