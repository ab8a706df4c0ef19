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
"""Writing of files and folders that appear complete or not at all, and survive a power loss."""

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
    Yield a temporary path beside a file, and rename it to the file when the block ends.

    :param target: final path of the file
    :param overwrite: True to replace an existing file
    :return: path to write to; the file there is deleted if the block raises
    :raise VideoError: if the file exists and must not be replaced, if the target is a folder, or
        if the folder around it is missing or cannot be written to
    """
    if target.is_dir():
        raise VideoError(f'{target} is a folder; give the path of a file to write')
    if not target.parent.is_dir():
        raise VideoError(f'{target} cannot be written: the folder {target.parent} does not exist')
    if not overwrite and os.path.lexists(target):
        raise VideoError(f'{target} already exists; name another file, or allow overwriting it')
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
    Yield a temporary folder beside a folder, and rename it to the folder when the block ends.

    :param target: final path of the folder, which must be empty or absent
    :return: folder to write to; it is deleted with its content if the block raises
    :raise VideoError: if the target holds files or is a file, or if the folder above it is
        missing or cannot be written to
    """
    if not target.parent.is_dir():
        raise VideoError(f'{target} cannot be created: the folder {target.parent} does not exist')
    if os.path.lexists(target) and not target.is_dir():
        raise VideoError(
            f'{target} is not a folder; name an empty folder or one that does not exist yet'
        )
    part = target.with_name(f'.{target.name}.{os.getpid()}.part')
    try:
        if target.is_dir() and any(target.iterdir()):
            raise VideoError(
                f'{target} already holds files, and new ones must not be mixed with them; name '
                'an empty folder or one that does not exist yet'
            )
        part.mkdir()
        yield part
        part.replace(target)
    except OSError as error:
        raise VideoError(f'{target} cannot be created: {error.strerror or error}') from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def replace_durably(source: Path, target: Path) -> None:
    """
    Rename a file to its final name so that a power loss leaves either the old or the new file.

    :param source: the new file, on the same file system as the target
    :param target: final path of the file; an existing file is replaced
    :raise OSError: if the file system refuses
    """
    sync_file(source)
    source.replace(target)
    sync_folder(target.parent)


def sync_file(path: Path) -> None:
    """Flush a file's content to the disk; raises OSError."""
    with path.open('rb') as opened:
        os.fsync(opened.fileno())


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk; raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network and FUSE file systems cannot sync folders; other errors are real failures.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def is_disk_full(error: BaseException) -> bool:
    """Return True if the error says that the disk or the user's quota is full."""
    return getattr(error, 'errno', None) in (errno.ENOSPC, errno.EDQUOT)
