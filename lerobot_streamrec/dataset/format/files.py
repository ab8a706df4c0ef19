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
"""The only way to change files below the root: durably, and by the holder of the lock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
import json
import os
from pathlib import Path, PurePosixPath
import shutil
import socket
import time

from filelock import FileLock, Timeout
from lerobot_streamrec.dataset.format.layout import LOCK, OWNER, QUARANTINE, STAGING
from lerobot_streamrec.durable import replace_durably, sync_folder
from lerobot_streamrec.errors import DatasetError, DatasetLockedError

_LOCKS = Path('/proc/locks')


class DatasetLock:
    """
    The lock on a dataset, which the kernel releases even if the process is killed.

    :param root: the dataset's folder, which must exist
    :raise DatasetLockedError: if another process holds the lock, naming that process
    """

    def __init__(self, root: Path) -> None:
        self._owner_path = root / OWNER
        self._lock = FileLock(root / LOCK, thread_local=False)
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise DatasetLockedError(
                f'{root} is being written by {self._owner()}. End that recorder, '
                'or record to another root.'
            ) from error
        self._owner_path.write_text(json.dumps(_this_process()))

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return bool(self._lock.is_locked)

    def release(self) -> None:
        """Release the lock; repeated calls do nothing."""
        self._lock.release()

    def _owner(self) -> str:
        try:
            owner = json.loads(self._owner_path.read_text())
            return f'process {owner["pid"]} on {owner["host"]}, since {owner["since"]}'
        except (OSError, ValueError, KeyError, TypeError):
            return 'another process'


def lock_holder(root: Path) -> str | None:
    """
    Return the process that holds a dataset's lock, without touching the lock.

    :return: ``process`` and its id; None if nobody holds the lock or the system does not tell
    """
    try:
        found = (root / LOCK).stat()
        locks = _LOCKS.read_text()
    except OSError:
        return None
    place = f'{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}'
    for line in locks.splitlines():
        # An example line is "1: FLOCK  ADVISORY  WRITE 474 fe:00:2286470 0 EOF".
        fields = line.split()
        if place in fields:
            return f'process {fields[fields.index(place) - 1]}'
    return None


def _this_process() -> dict[str, object]:
    return {
        'pid': os.getpid(),
        'host': socket.gethostname(),
        'since': time.strftime('%Y-%m-%d %H:%M:%S %Z'),
    }


FILE_MODE = 0o644
ASIDE = '.new'
"""The suffix of a file that has not been moved to its final path yet."""


class Files:
    """
    Durable changes to files below a root; each of these changes happens completely or not at all.

    The thread that commits owns it. Tests inject faults with a subclass.

    :param root: the dataset's folder
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, relative: PurePosixPath | str) -> Path:
        """Return the full path of a file below the root."""
        return self.root / relative

    def relative(self, path: Path) -> PurePosixPath:
        """Return the path of a file relative to the root."""
        return PurePosixPath(path.relative_to(self.root).as_posix())

    def replace(self, relative: PurePosixPath, content: bytes) -> None:
        """
        Write a file, or replace its content.

        :raise DatasetError: naming the file and the reason that the system gives
        """
        aside = self.path(STAGING / f'.{relative.name}{ASIDE}')
        with self._explaining(relative):
            aside.parent.mkdir(parents=True, exist_ok=True)
            aside.write_bytes(content)
            self._settle(aside, self.path(relative))

    def adopt(self, source: Path, relative: PurePosixPath) -> None:
        """
        Move a finished file of the same file system to its final path.

        :raise DatasetError: naming the file and the reason that the system gives
        """
        with self._explaining(relative):
            self._settle(source, self.path(relative))

    def content(self, relative: PurePosixPath) -> bytes | None:
        """
        Return the content of a small file; None if the file is missing.

        :raise DatasetError: if the file cannot be read
        """
        try:
            return self.path(relative).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DatasetError(
                f'cannot read {self.path(relative)}: {error.strerror or error}'
            ) from error

    def remove(self, relative: PurePosixPath) -> None:
        """
        Delete one file, which may be missing.

        :raise DatasetError: naming the file and the reason that the system gives
        """
        path = self.path(relative)
        with self._explaining(relative):
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                sync_folder(path.parent)

    def quarantine(self, source: Path, reason: str) -> Path:
        """
        Move a file or folder to the quarantine folder, where no reader looks.

        :param source: the file or folder to move, below the root
        :param reason: the beginning of its new name
        :return: its new path
        :raise DatasetError: if it cannot be moved
        """
        with self._explaining(QUARANTINE):
            target = self._free_name('-'.join((reason, *_telling_parts(self.relative(source)))))
            source.rename(target)
            sync_folder(target.parent)
            sync_folder(source.parent)
        return target

    def quarantine_together(self, name: str, sources: Mapping[str, Path]) -> Path:
        """
        Move several files to a folder of their own in the quarantine folder.

        :param name: the name of the folder
        :param sources: the files to move, by their new names
        :return: the folder
        :raise DatasetError: if a file cannot be moved; the previous ones stay in the folder
        """
        with self._explaining(QUARANTINE):
            folder = self._free_name(name)
            folder.mkdir()
            for target, source in sources.items():
                source.rename(folder / target)
                sync_folder(source.parent)
            sync_folder(folder)
            sync_folder(folder.parent)
        return folder

    def _free_name(self, stem: str) -> Path:
        """Return an unused path in the quarantine folder."""
        folder = self.path(QUARANTINE)
        folder.mkdir(parents=True, exist_ok=True)
        return free_path(folder / stem)

    def remove_tree(self, folder: Path) -> None:
        """Delete a folder and everything in it; errors are ignored."""
        shutil.rmtree(folder, ignore_errors=True)

    def _settle(self, source: Path, target: Path) -> None:
        source.chmod(FILE_MODE)
        _make_folders(target.parent)
        replace_durably(source, target)

    @contextmanager
    def _explaining(self, relative: PurePosixPath) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DatasetError(
                f'cannot write {self.path(relative)}: {error.strerror or error}. '
                'Check that the folder is writable and that the disk has room.'
            ) from error


def free_path(path: Path) -> Path:
    """Return a path if it is unused, or else the first unused one of ``path.2``, ``path.3`` ..."""
    target, number = path, 1
    while os.path.lexists(target):
        number += 1
        target = path.with_name(f'{path.name}.{number}')
    return target


def _telling_parts(relative: PurePosixPath) -> tuple[str, ...]:
    """Return the parts of a path that identify a file in the quarantine folder."""
    if relative.is_relative_to(STAGING):
        relative = relative.relative_to(STAGING)
    return relative.parts[-3:]


def _make_folders(folder: Path) -> None:
    """Make a folder and its parents, so that they survive a power loss."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
        sync_folder(one.parent)
