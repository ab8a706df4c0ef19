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
"""Changes of whole folders, each of them one step."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path
import shutil

from lerobot_streamrec.dataset.format.files import FILE_MODE, sync_folder

_RENAME_EXCHANGE = 2
_AT_FDCWD = -100

# What says that there are no hard links here, or not to this file; a copy does as well then.
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
    What a rebuild does to the disk; every method raises OSError if it cannot.

    Tests inject faults by a subclass.
    """

    def make_folder(self, path: Path) -> None:
        """Make a folder and those above it; it may be there."""
        path.mkdir(parents=True, exist_ok=True)

    def link(self, source: Path, target: Path, *, or_copy: bool = True) -> None:
        """
        Give a file a second name; where that is not possible, copy it.

        :param source: a file, or a link to one
        :param target: a name that nothing has
        :param or_copy: False: it must be the same file
        """
        try:
            os.link(source.resolve(), target)
        except OSError as error:
            if not or_copy or error.errno not in _NO_LINK:
                raise
            self.copy(source, target)

    def copy(self, source: Path, target: Path) -> None:
        """Make a file with the content of another; it is on the disk when this returns."""
        shutil.copyfile(source, target)
        self.settle(target)

    def write(self, path: Path, content: bytes) -> None:
        """Make a file that is on the disk when this returns."""
        path.write_bytes(content)
        self.settle(path)

    def settle(self, path: Path) -> None:
        """Bring a file that somebody else has written to the disk."""
        path.chmod(FILE_MODE)
        with path.open('rb') as opened:
            os.fsync(opened.fileno())

    def sync_folders(self, path: Path) -> None:
        """Bring the entries of a folder, and of all below it, to the disk."""
        for folder, _, _ in os.walk(path, topdown=False):
            sync_folder(Path(folder))

    def give_to_owner_of(self, like: Path, path: Path) -> None:
        """As root, give what root has made to the user whose dataset it is."""
        owner = like.stat()
        if os.geteuid() != 0 or owner.st_uid == 0:
            return
        for folder, _, names in os.walk(path):
            for one in (Path(folder), *(Path(folder) / name for name in names)):
                if one.lstat().st_uid == 0:
                    os.chown(one, owner.st_uid, owner.st_gid, follow_symlinks=False)

    def exchange(self, one: Path, other: Path) -> None:
        """Give two folders each other's name, in one step that happens or does not."""
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
        """Give a file or folder another name on the same file system."""
        source.rename(target)
        sync_folder(target.parent)

    def remove(self, path: Path) -> None:
        """Delete a file; it may be missing."""
        path.unlink(missing_ok=True)
        sync_folder(path.parent)

    def remove_tree(self, path: Path) -> None:
        """Delete a folder with all that is in it; it may be missing."""
        if path.exists():
            shutil.rmtree(path)
