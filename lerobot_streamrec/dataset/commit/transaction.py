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
"""A group of changes to a dataset that take effect together or not at all."""

from __future__ import annotations

import logging
from pathlib import Path, PurePosixPath

from lerobot_streamrec.dataset.format.files import Files
from lerobot_streamrec.errors import DatasetError

_log = logging.getLogger(__name__)


class Transaction:
    """
    A sequence of file changes that can be rolled back.

    The thread that commits owns it.

    :param files: the access to the disk
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._created: list[PurePosixPath] = []
        self._adopted: list[tuple[Path, PurePosixPath]] = []
        self._replaced: list[tuple[PurePosixPath, bytes | None]] = []
        self._point: tuple[PurePosixPath, bytes | None] | None = None

    def adopt(self, source: Path, relative: PurePosixPath) -> None:
        """
        Move a finished file to a path at which no file exists.

        :raise DatasetError: if it cannot be moved
        """
        self._adopted.append((source, relative))
        self._files.adopt(source, relative)

    def create(self, relative: PurePosixPath, content: bytes) -> None:
        """
        Write a new file.

        :raise DatasetError: if it cannot be written
        """
        self._created.append(relative)
        self._files.replace(relative, content)

    def replace(self, relative: PurePosixPath, content: bytes) -> None:
        """
        Replace the content of a small file, or create the file if it is missing.

        :raise DatasetError: if the file cannot be written, or its present content cannot be read
        """
        self._replaced.append((relative, self._files.content(relative)))
        self._files.replace(relative, content)

    def commit(self, relative: PurePosixPath, content: bytes) -> None:
        """
        Replace the file that makes all other changes effective: the commit point.

        :raise DatasetError: if the file cannot be written, or its present content cannot be read
        """
        self._point = relative, self._files.content(relative)
        self._files.replace(relative, content)

    def withdraw(self, relative: PurePosixPath) -> None:
        """
        Delete the file that makes all other files effective.

        :raise DatasetError: if the file cannot be read or deleted
        """
        self._point = relative, self._files.content(relative)
        self._files.remove(relative)

    def take_back(self) -> bool:
        """
        Roll back all changes, beginning with the commit point.

        Replaced files get their old content, adopted files return to their source, and created
        files go to the quarantine folder. Changes other than the commit point that cannot be
        rolled back are only logged: readers ignore them, and opening the dataset again repairs
        them.

        :return: False if the commit point could not be rolled back, so that all changes stay
        """
        if self._point is not None and not self._restore(*self._point):
            return False
        for relative, content in reversed(self._replaced):
            self._restore(relative, content)
        for relative in self._created:
            self._remove(relative)
        for source, relative in self._adopted:
            self._return(source, relative)
        return True

    def _remove(self, relative: PurePosixPath) -> None:
        path = self._files.path(relative)
        try:
            if path.exists():
                self._files.quarantine(path, 'uncommitted')
        except (DatasetError, OSError) as error:
            _log.warning('%s could not be moved to the quarantine folder: %s', path, error)

    def _return(self, source: Path, relative: PurePosixPath) -> None:
        path = self._files.path(relative)
        try:
            if path.exists() and not source.exists():
                self._files.adopt(path, self._files.relative(source))
        except (DatasetError, OSError) as error:
            _log.warning('%s could not be moved back: %s', path, error)
            self._remove(relative)

    def _restore(self, relative: PurePosixPath, content: bytes | None) -> bool:
        try:
            if self._files.content(relative) == content:
                return True
            if content is None:
                self._files.remove(relative)
            else:
                self._files.replace(relative, content)
        except DatasetError as error:
            _log.error('%s could not be restored: %s', self._files.path(relative), error)
            return False
        return True
