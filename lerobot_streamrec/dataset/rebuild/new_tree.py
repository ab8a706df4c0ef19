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
"""A new tree beside the root, and the file operations that build it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
import ctypes
import errno
import os
from pathlib import Path, PurePosixPath
import re
import shutil

from lerobot_streamrec.dataset.format.files import FILE_MODE
from lerobot_streamrec.dataset.format.info import known_features
from lerobot_streamrec.dataset.format.layout import (
    EPISODE_INDEX,
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
from lerobot_streamrec.durable import sync_file, sync_folder
from lerobot_streamrec.errors import RebuildError
from lerobot_streamrec.remote_files import is_elsewhere, opened

_CHUNK_BYTES = 1 << 20
_RENAME_EXCHANGE = 2
_AT_FDCWD = -100

# These errors mean that hard links do not work here or for this file; a copy does instead.
_NO_LINK = {
    errno.EACCES,
    errno.EMLINK,
    errno.ENOSYS,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.EPERM,
    errno.EXDEV,
}


class Disk:
    """
    The file operations of a rebuild; every method raises OSError if the disk refuses.

    Tests inject faults with a subclass.
    """

    def make_folder(self, path: Path) -> None:
        """Create a folder and its parents, if they do not exist yet."""
        path.mkdir(parents=True, exist_ok=True)

    def link(self, source: Path, target: Path, *, or_copy: bool = True) -> None:
        """
        Make a hard link to a file; copy one that lies elsewhere, or where links are not possible.

        :param source: a file, or a symbolic link to one
        :param target: a path that does not exist yet
        :param or_copy: False to raise OSError instead of copying
        """
        if is_elsewhere(source):
            self.copy(source, target)
            return
        try:
            os.link(source.resolve(), target)
        except OSError as error:
            if not or_copy or error.errno not in _NO_LINK:
                raise
            self.copy(source, target)

    def copy(self, source: Path, target: Path) -> None:
        """Copy a file; the copy is synced to the disk when this returns."""
        if is_elsewhere(source):
            with opened(source) as file, target.open('wb') as new:
                shutil.copyfileobj(file, new, _CHUNK_BYTES)
        else:
            shutil.copyfile(source, target)
        self.settle(target)

    def write(self, path: Path, content: bytes) -> None:
        """Write a file; it is synced to the disk when this returns."""
        path.write_bytes(content)
        self.settle(path)

    def settle(self, path: Path) -> None:
        """Set the mode of a file that another function has written, and sync it to the disk."""
        path.chmod(FILE_MODE)
        sync_file(path)

    def sync_folders(self, path: Path) -> None:
        """Sync the entries of a folder, and of all folders below it, to the disk."""
        for folder, _, _ in os.walk(path, topdown=False):
            sync_folder(Path(folder))

    def give_to_owner_of(self, like: Path, path: Path) -> None:
        """Give files that root has made to the dataset's owner, if this process runs as root."""
        owner = like.stat()
        if os.geteuid() != 0 or owner.st_uid == 0:
            return
        for folder, _, names in os.walk(path):
            for one in (Path(folder), *(Path(folder) / name for name in names)):
                if one.lstat().st_uid == 0:
                    os.chown(one, owner.st_uid, owner.st_gid, follow_symlinks=False)

    def exchange(self, one: Path, other: Path) -> None:
        """Swap the names of two folders in one atomic step."""
        libc = ctypes.CDLL(None, use_errno=True)
        function = getattr(libc, 'renameat2', None)
        if function is None:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        names = (os.fsencode(one), os.fsencode(other))
        if function(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        sync_folder(one.parent)

    def move(self, source: Path, target: Path) -> None:
        """Rename a file or folder within its file system."""
        source.rename(target)
        sync_folder(target.parent)

    def remove(self, path: Path) -> None:
        """Delete a file if it exists."""
        path.unlink(missing_ok=True)
        sync_folder(path.parent)

    def remove_tree(self, path: Path) -> None:
        """Delete a folder with its content if it exists."""
        if path.exists():
            shutil.rmtree(path)


DISK = Disk()
"""The file operations without faults."""

_OF_DATASET = {str(one) for one in (INFO, STATS, TASKS, EPISODE_INDEX, LOCK, OWNER, REBUILD)}
_OF_DATASET_BELOW = tuple(
    f'{one}/' for one in (STAGING, QUARANTINE, RECORDS, ROW_STAMPS, STATISTICS)
)
_NUMBERED = re.compile(
    r'(data|meta/episodes|videos/[^/]+)/chunk-\d{3,}/file-\d{3,}\.(parquet|mp4)'
)


def is_of_dataset(relative: str) -> bool:
    """Return whether a path below the root names a file of the dataset, not a foreign file."""
    return (
        relative in _OF_DATASET
        or relative.startswith(_OF_DATASET_BELOW)
        or _NUMBERED.fullmatch(relative) is not None
    )


def files_below(root: Path) -> Iterator[str]:
    """Yield every file, as a path below the root; the files of a folder are in order."""
    for prefix, _, names in _walk(root):
        yield from (f'{prefix}{name}' for name in sorted(names))


def _walk(root: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Walk like ``os.walk``, with each folder as a path below the root that ends with a slash."""
    # A dataset may have ten thousands of files, for which pathlib would take seconds.
    begin = len(f'{root}/')
    for folder, folders, names in os.walk(root):
        prefix = f'{folder}/'[begin:]
        yield prefix, folders, names


def foreign_files(root: Path) -> Iterator[str]:
    """Yield every file or symbolic link that is not the dataset's, as a path below the root."""
    features = known_features(root)
    for prefix, folders, names in _walk(root):
        links = [name for name in folders if (root / prefix / name).is_symlink()]
        for name in (*names, *links):
            relative = f'{prefix}{name}'
            if not is_of_dataset(relative) or _is_of_no_camera(relative, features):
                yield relative


def _is_of_no_camera(relative: str, features: Collection[str]) -> bool:
    """Return whether a path is of a video whose camera is not a feature in info.json."""
    folder, _, below = relative.partition('/')
    return folder == 'videos' and bool(features) and below.split('/')[0] not in features


class NewTree:
    """
    A folder that will take a dataset's place.

    :param folder: an existing folder on the file system of the dataset
    :param disk: file operations, which tests replace
    """

    def __init__(self, folder: Path, disk: Disk) -> None:
        self.folder = folder
        self.disk = disk
        self._folders: set[Path] = set()
        self.sources: dict[str, Path] = {}
        """The source file of each linked file, by its path below the folder."""

    def link(self, source: Path, relative: PurePosixPath | str, *, or_copy: bool = True) -> None:
        """
        Link a file into the tree.

        :raise RebuildError: if it cannot be read or the disk is full
        """
        target = self.place(relative)
        with explaining(target):
            if source.is_symlink() and source.is_dir():
                target.symlink_to(source.readlink())
            else:
                self.disk.link(source, target, or_copy=or_copy)
        self.sources[str(relative)] = source

    def copy(self, source: Path, relative: PurePosixPath | str) -> None:
        """
        Copy a file into the tree.

        :raise RebuildError: if it cannot be read or the disk is full
        """
        target = self.place(relative)
        with explaining(target):
            self.disk.copy(source, target)

    def write(self, relative: PurePosixPath, content: bytes) -> None:
        """
        Write a small file.

        :raise RebuildError: if the disk is full
        """
        target = self.place(relative)
        with explaining(target):
            self.disk.write(target, content)

    def place(self, relative: PurePosixPath | str) -> Path:
        """Create the folder for a file that the caller writes and then passes to ``settle``."""
        path = self.folder / relative
        if path.parent not in self._folders:
            with explaining(path.parent):
                self.disk.make_folder(path.parent)
            self._folders.add(path.parent)
        return path

    def settle(self, path: Path) -> None:
        """Sync a file that the caller has written to the disk."""
        with explaining(path):
            self.disk.settle(path)


@contextmanager
def explaining(path: Path) -> Iterator[None]:
    """Raise a RebuildError that names the file in place of an OSError in the block."""
    try:
        yield
    except OSError as error:
        raise RebuildError(
            f'cannot write {path}: {error.strerror or error}. Nothing has changed; check that '
            'the folder is writable and that the disk has room.'
        ) from error


def carry_over(root: Path, tree: NewTree, left_out: Collection[str] = ()) -> None:
    """
    Link foreign files into the new tree, and the lock file, so that the held lock stays valid.

    :param left_out: foreign files that are not carried over
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
    """Yield empty foreign folders, which somebody may have made for later files."""
    for prefix, folders, names in _walk(root):
        if not folders and not names and not is_of_dataset(prefix or './'):
            yield prefix.rstrip('/') or '.'


def refuse_linked_folders(root: Path) -> None:
    """
    Refuse a dataset with linked folders, because one exchange would not replace their content.

    :raise RebuildError: naming the folder
    """
    for folder in (*(root / name for name in ('data', 'meta', OWN)), *root.glob('videos/*')):
        for one in (folder, folder.parent):
            if one != root and one.is_symlink():
                raise RebuildError(
                    f'{one} is a symbolic link: the files of {root} cannot be exchanged in one '
                    'step. Merge it to another root, which gets files of its own.'
                )
