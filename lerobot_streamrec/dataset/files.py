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
"""The only way to change a file below the root: aside, fsync, rename."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import errno
import os
from pathlib import Path, PurePosixPath
import shutil

from lerobot_streamrec.dataset.layout import QUARANTINE, STAGING
from lerobot_streamrec.errors import DatasetError

FILE_MODE = 0o644


class Files:
    """
    Durable changes below a root. Every method either has its whole effect or none.

    Owned by the thread that commits. Tests inject faults by a subclass.

    :param root: the dataset's folder
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def root(self) -> Path:
        """The dataset's folder."""
        return self._root

    def path(self, relative: PurePosixPath | str) -> Path:
        """Return the full path of a file below the root."""
        return self._root / relative

    def replace(self, relative: PurePosixPath, content: bytes) -> None:
        """
        Make a file, or put another content in its place.

        :raise DatasetError: naming the file and what the system says
        """
        aside = self.path(STAGING / f'.{relative.name}.new')
        with self._explaining(relative):
            aside.parent.mkdir(parents=True, exist_ok=True)
            aside.write_bytes(content)
            self._settle(aside, self.path(relative))

    def adopt(self, source: Path, relative: PurePosixPath) -> None:
        """
        Move a finished file of the same file system to its place.

        :raise DatasetError: naming the file and what the system says
        """
        with self._explaining(relative):
            self._settle(source, self.path(relative))

    def content(self, relative: PurePosixPath) -> bytes | None:
        """
        Read a small file; None if there is none.

        :raise DatasetError: if it cannot be read
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
        Delete one file; it may be missing.

        :raise DatasetError: naming the file and what the system says
        """
        path = self.path(relative)
        with self._explaining(relative):
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                sync_folder(path.parent)

    def quarantine(self, source: Path, reason: str) -> Path:
        """
        Move a file or folder out of the readers' sight; nothing is deleted.

        :param source: what to move, below the root
        :param reason: becomes part of the name
        :return: where it lies now
        """
        folder = self.path(QUARANTINE)
        with self._explaining(QUARANTINE):
            folder.mkdir(parents=True, exist_ok=True)
            stem = f'{reason}-{"-".join(source.relative_to(self._root).parts[-3:])}'
            target = folder / stem
            number = 1
            while target.exists():
                number += 1
                target = folder / f'{stem}.{number}'
            source.rename(target)
            sync_folder(folder)
            sync_folder(source.parent)
        return target

    def remove_tree(self, folder: Path) -> None:
        """Delete a folder that holds nothing of worth."""
        shutil.rmtree(folder, ignore_errors=True)

    def _settle(self, source: Path, target: Path) -> None:
        source.chmod(FILE_MODE)
        with source.open('rb') as opened:
            os.fsync(opened.fileno())
        _make_folders(target.parent)
        source.replace(target)
        sync_folder(target.parent)

    @contextmanager
    def _explaining(self, relative: PurePosixPath) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DatasetError(
                f'cannot write {self.path(relative)}: {error.strerror or error}. '
                'Check that the folder is writable and that the disk has room.'
            ) from error


def _make_folders(folder: Path) -> None:
    """Make a folder so that it is there after a power loss as well."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
        sync_folder(one.parent)


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to the disk; raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network and FUSE file systems do not know this for folders; others really fail.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
