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
"""Several changes to a dataset that happen together, or not at all."""

from __future__ import annotations

import logging
from pathlib import Path, PurePosixPath

from lerobot_streamrec.dataset.format.files import Files
from lerobot_streamrec.errors import DatasetError

_log = logging.getLogger(__name__)


class Transaction:
    """
    Changes files one by one, and remembers how to take that back.

    Owned by the thread that commits.

    :param files: the way to the disk
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._created: list[PurePosixPath] = []
        self._adopted: list[tuple[Path, PurePosixPath]] = []
        self._replaced: list[tuple[PurePosixPath, bytes | None]] = []
        self._point: tuple[PurePosixPath, bytes | None] | None = None

    def adopt(self, source: Path, relative: PurePosixPath) -> None:
        """
        Move a finished file to a place where there is none.

        :raise DatasetError: if it cannot be moved
        """
        self._adopted.append((source, relative))
        self._files.adopt(source, relative)

    def create(self, relative: PurePosixPath, content: bytes) -> None:
        """
        Write a file where there is none.

        :raise DatasetError: if it cannot be written
        """
        self._created.append(relative)
        self._files.replace(relative, content)

    def replace(self, relative: PurePosixPath, content: bytes) -> None:
        """
        Put another content in a small file's place; it may be missing.

        :raise DatasetError: if it cannot be written, or what is there cannot be read
        """
        self._replaced.append((relative, self._files.content(relative)))
        self._files.replace(relative, content)

    def commit(self, relative: PurePosixPath, content: bytes) -> None:
        """
        Put another content in the place of the one file that makes all the others count.

        :raise DatasetError: if it cannot be written, or what is there cannot be read
        """
        self._point = relative, self._files.content(relative)
        self._files.replace(relative, content)

    def withdraw(self, relative: PurePosixPath) -> None:
        """
        Delete the one file that makes all the others count.

        :raise DatasetError: if it cannot be read or deleted
        """
        self._point = relative, self._files.content(relative)
        self._files.remove(relative)

    def take_back(self) -> bool:
        """
        Take everything back, the last change first.

        What was adopted goes back where it was, what was created to the quarantine folder.

        What cannot be taken back before the commit point is logged: opening the dataset again
        mends it, and readers take no notice.

        :return: False if the commit point stands, or may stand, and everything else with it
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
            _log.warning('%s stays where it is: %s', path, error)

    def _return(self, source: Path, relative: PurePosixPath) -> None:
        path = self._files.path(relative)
        try:
            if path.exists() and not source.exists():
                self._files.adopt(path, self._files.relative(source))
        except (DatasetError, OSError) as error:
            _log.warning('%s stays where it is: %s', path, error)
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
            _log.error('%s is not as it was: %s', self._files.path(relative), error)
            return False
        return True
