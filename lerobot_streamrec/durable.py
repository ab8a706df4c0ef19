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
"""Files and folders that appear at their names whole or not at all, and survive a power loss."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
import errno
import os
from pathlib import Path
import shutil

from lerobot_streamrec.errors import VideoError


@contextmanager
def written_beside(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """
    Let a file be written under another name in the same folder; it is renamed at the end.

    :param target: the name that it is to have
    :param overwrite: True if a file of that name is replaced
    :return: where to write; whatever is there is deleted if the block raises
    :raise VideoError: if there is such a file and it is not to be replaced, or if the folder
        cannot be written to
    """
    if target.is_dir():
        raise VideoError(f'{target} is a folder; name the file that is to be made')
    if not target.parent.is_dir():
        raise VideoError(f'{target} cannot be written: there is no folder {target.parent}')
    if not overwrite and os.path.lexists(target):
        raise VideoError(f'{target} is there already; name another file, or allow to replace it')
    part = target.with_name(f'.{target.stem}.{os.getpid()}.part{target.suffix}')
    try:
        yield part
        replace_durably(part, target)
    except OSError as error:
        raise VideoError(f'{target} cannot be written: {error.strerror or error}') from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def folder_written_beside(target: Path) -> Iterator[Path]:
    """
    Let a folder be filled under another name beside it; it is renamed at the end.

    :param target: a folder that is empty or not there
    :return: where to write; deleted with all that is in it if the block raises
    :raise VideoError: if files are there already, or if the folder above cannot be written to
    """
    if not target.parent.is_dir():
        raise VideoError(f'{target} cannot be made: there is no folder {target.parent}')
    if os.path.lexists(target) and not target.is_dir():
        raise VideoError(f'{target} is no folder; name one that is empty or not there')
    part = target.with_name(f'.{target.name}.{os.getpid()}.part')
    try:
        if target.is_dir() and any(target.iterdir()):
            raise VideoError(
                f'{target} holds files already, which are not to be mixed with others; name a '
                'folder that is empty or not there'
            )
        part.mkdir()
        yield part
        part.replace(target)
    except OSError as error:
        raise VideoError(f'{target} cannot be made: {error.strerror or error}') from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def replace_durably(source: Path, target: Path) -> None:
    """
    Give a file that was written aside its name: a power loss leaves the old file or the new one.

    :param source: the file, in the folder of its name or in another one of the same disk
    :param target: its name; a file that has it is replaced
    :raise OSError: if the disk refuses
    """
    sync_file(source)
    source.replace(target)
    sync_folder(target.parent)


def sync_file(path: Path) -> None:
    """Bring a file's content to the disk; raises OSError."""
    with path.open('rb') as opened:
        os.fsync(opened.fileno())


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


def is_disk_full(error: BaseException) -> bool:
    """Return whether the disk, or the user's share of it, has no room left."""
    return getattr(error, 'errno', None) in (errno.ENOSPC, errno.EDQUOT)
