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
"""
The exchange of a whole dataset for another in one step.

Readers load every parquet file below ``data`` and ``meta/episodes``, so a reader that came while
files were changed one by one would see a mixture of two datasets. Therefore the new files are
written into a hidden folder beside the dataset, and one system call swaps the two folders.

After a crash, a marker file tells the two folders apart. If it is in the hidden folder, the
exchange has not happened. If it is in the dataset, the exchange has happened, and the hidden
folder holds the old dataset.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
import errno
import json
import logging
import os
from pathlib import Path
import shutil
import uuid

from lerobot_streamrec.dataset.format.files import DatasetLock, free_path
from lerobot_streamrec.dataset.format.info_rules import shown_value
from lerobot_streamrec.dataset.format.layout import (
    LOCK,
    OWN,
    OWNER,
    QUARANTINE,
    REBUILD,
    STAGING,
    SYNC,
)
from lerobot_streamrec.dataset.format.parquet import READ_ERRORS
from lerobot_streamrec.dataset.rebuild.new_tree import (
    carry_over,
    DISK,
    Disk,
    foreign_files,
    NewTree,
    refuse_linked_folders,
)
from lerobot_streamrec.durable import is_disk_full
from lerobot_streamrec.errors import DatasetError, RebuildError, StreamrecError
from lerobot_streamrec.installed import streamrec_command

_log = logging.getLogger(__name__)

_ELSEWHERE = 'Copy the dataset to another file system, or merge it to another root.'


def folder_beside(root: Path) -> Path:
    """Return the hidden folder in which the replacement of a dataset is assembled."""
    return root.parent / f'.{root.name}.streamrec-rebuild'


@contextmanager
def rebuilding(root: Path, disk: Disk, *, left_out: Collection[str] = ()) -> Iterator[NewTree]:
    """
    Assemble a new tree for a dataset; it takes the dataset's place at the end of the block.

    The caller holds the dataset's lock. Foreign files are carried over. If the block raises, the
    dataset is unchanged.

    :param root: the dataset's folder
    :param disk: file operations, which tests replace
    :param left_out: foreign files, as paths below the root, that are not carried over; the block
        may link them elsewhere
    :raise RebuildError: if the dataset cannot be replaced; nothing has changed then
    """
    root = root.resolve()
    finish_rebuild(root, disk)
    refuse_linked_folders(root)
    beside = folder_beside(root)
    try:
        _begin(root, beside, disk, left_out)
        tree = NewTree(beside, disk)
        carry_over(root, tree, left_out)
        yield tree
        disk.give_to_owner_of(root, beside)
        disk.sync_folders(beside)
        disk.exchange(beside, root)
    except (Exception, KeyboardInterrupt) as error:
        if not (root / REBUILD).exists():
            _give_up(beside, disk)
            if isinstance(error, OSError):
                raise RebuildError(_why_not(root, error)) from error
            if isinstance(error, READ_ERRORS) and not isinstance(error, StreamrecError):
                raise RebuildError(contents_refused(root, error)) from error
            raise
        # The exchange itself has happened; only the sync that follows it has failed.
        if not isinstance(error, OSError):
            raise
        _log.warning('%s: %s', root, error)
    try:
        finish_rebuild(root, disk)
    except DatasetError as error:
        # The exchange is complete; the next opening of the dataset removes the old tree.
        _log.warning('%s', error)


def _begin(root: Path, beside: Path, disk: Disk, left_out: Collection[str] = ()) -> None:
    if root.stat().st_dev != root.parent.stat().st_dev:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    begin_tree(beside, disk, left_out)
    # Its next pass looks for the tree after it has written its journal, so one sees the other.
    _refuse_synced(root)
    shutil.copymode(root, beside)
    _try_exchange(beside, disk)


def _refuse_synced(root: Path) -> None:
    """
    Refuse to give the files of a dataset that is copied elsewhere other numbers or contents.

    :raise RebuildError: naming the place and the commands that help
    """
    for path in sorted((root / SYNC).glob('*.jsonl')):
        with path.open(encoding='utf-8', errors='replace') as file:
            first_line = file.readline()
        try:
            url = str(json.loads(first_line)['url'])
        except (ValueError, KeyError, TypeError):
            raise RebuildError(
                f'{root} is synced, but the first line of {path}, which names the place, is '
                f'damaged: {first_line.strip()[:60]!r}. Nothing has changed. Run the sync again '
                'to mend it, or delete the file if the place no longer matters, and try again.'
            ) from None
        forget = streamrec_command('sync', root, url, '--forget')
        raise RebuildError(
            f'{root} is synced to {url}, where all files would have to be copied again: nothing '
            f'has changed. `{streamrec_command("merge", "OUT", root)}` makes a compacted copy. To '
            f'change this dataset, end its syncs, run `{forget}`, and sync it to another place '
            'afterwards.'
        )


def refuse_unless_exchangeable(root: Path, disk: Disk = DISK) -> None:
    """
    Refuse a dataset that cannot be exchanged, before long work; the caller holds its lock.

    :raise RebuildError: with the reason
    """
    root = root.resolve()
    finish_rebuild(root, disk)
    refuse_linked_folders(root)
    try:
        _begin(root, folder_beside(root), disk)
    except OSError as error:
        raise RebuildError(_why_not(root, error)) from error
    finally:
        _give_up(folder_beside(root), disk)


def contents_refused(root: Path, error: Exception) -> str:
    """Return the error message for a dataset whose files hold values that prevent a rebuild."""
    return (
        f'cannot rebuild {root}, nothing has changed: {type(error).__name__} '
        f'{shown_value(str(error))}; `{streamrec_command("check", root)}` shows '
        'everything that is wrong there'
    )


def begin_tree(beside: Path, disk: Disk, left_out: Collection[str] = ()) -> None:
    """
    Create the folder and its marker.

    :param left_out: files that must not be rescued from the old tree; the marker lists them, so
        that they are known after a crash too
    :raise OSError: if the disk refuses
    """
    disk.make_folder(beside / OWN)
    content = json.dumps({'id': uuid.uuid4().hex, 'left_out': sorted(left_out)}).encode()
    disk.write(beside / REBUILD, content)


def finish_rebuild(root: Path, disk: Disk = DISK) -> str:
    """
    Finish or undo a rebuild that a crash interrupted. The caller holds the dataset's lock.

    :param root: the dataset's folder
    :param disk: file operations, which tests replace
    :return: a sentence on the outcome; empty if no rebuild was interrupted
    :raise DatasetError: if files cannot be moved or removed, or both folders have the marker
    :raise RebuildError: if the hidden folder was not made by a rebuild
    :raise DatasetLockedError: if another process builds a dataset for this root
    """
    root = root.resolve()
    beside = folder_beside(root)
    is_marked = (root / REBUILD).exists()
    if not is_marked and not beside.exists():
        return ''
    try:
        if not is_marked:
            refuse_unknown(beside, root)
            _refuse_being_built(beside, root)
            throw_away(beside, disk)
            return f'an interrupted rebuild of {root} was undone; the dataset is unchanged'
        if (beside / REBUILD).exists():
            raise RebuildError(
                f'{root} and {beside} both hold {REBUILD}, so it is unclear which of them is the '
                'current dataset. Inspect both folders and delete the wrong one.'
            )
        if beside.exists():
            _rescue(beside, root, disk)
            disk.remove_tree(beside)
        disk.remove(root / REBUILD)
    except OSError as error:
        raise DatasetError(
            f'the rebuild of {root} is done, but {error.filename or beside} cannot be removed: '
            f'{error.strerror or error}. Check that the folder is writable.'
        ) from error
    return f'an interrupted rebuild of {root} was finished'


def _refuse_being_built(beside: Path, root: Path) -> None:
    """
    Refuse to remove a tree that another process, such as a merge, is building for the same root.

    :raise DatasetLockedError: naming that process
    """
    lock = beside / LOCK
    # A tree that is to replace this dataset contains the same lock file, held by the caller.
    if lock.exists() and not ((root / LOCK).exists() and lock.samefile(root / LOCK)):
        DatasetLock(beside).release()


def _rescue(beside: Path, root: Path, disk: Disk) -> None:
    """Move the quarantine folder and files that came late from the old tree to the new one."""
    left_out = _left_out(root)
    for relative in list(foreign_files(beside)):
        if relative not in left_out and not os.path.lexists(root / relative):
            disk.make_folder((root / relative).parent)
            disk.move(beside / relative, root / relative)
    if (beside / QUARANTINE).is_dir() and not (root / QUARANTINE).exists():
        disk.move(beside / QUARANTINE, root / QUARANTINE)
    for folder in (QUARANTINE, STAGING):
        kept = beside / folder
        # A leading dot marks a file that was never moved to its final name.
        names = [one.name for one in kept.iterdir()] if kept.is_dir() else []
        for name in sorted(name for name in names if not name.startswith('.')):
            disk.make_folder(root / QUARANTINE)
            disk.move(kept / name, free_path(root / QUARANTINE / name))


def _left_out(root: Path) -> frozenset[str]:
    """Return the files that were left out on purpose; older markers do not list them."""
    try:
        return frozenset(json.loads((root / REBUILD).read_bytes()).get('left_out', ()))
    except (ValueError, AttributeError, TypeError):
        return frozenset()


def throw_away(beside: Path, disk: Disk, *, keep: frozenset[str] = frozenset()) -> None:
    """
    Remove a tree that never took a dataset's place; its marker goes last.

    :param keep: names of files in its ``OWN`` folder that stay, together with both folders
    """
    if beside.is_dir():
        for one in sorted(beside.iterdir()):
            if one.name != OWN.name:
                _remove(one, disk)
        own = beside / OWN
        for one in sorted(own.iterdir() if own.is_dir() else ()):
            if one.name != REBUILD.name and one.name not in keep:
                _remove(one, disk)
        if own.is_dir() and not keep:
            disk.remove(beside / REBUILD)
    if not keep:
        disk.remove_tree(beside)


def _remove(path: Path, disk: Disk) -> None:
    if path.is_dir() and not path.is_symlink():
        disk.remove_tree(path)
    else:
        disk.remove(path)


def _give_up(beside: Path, disk: Disk) -> None:
    try:
        throw_away(beside, disk)
    except OSError as error:
        _log.warning('%s stays where it is: %s', beside, error)


def refuse_unknown(beside: Path, root: Path) -> None:
    """
    Refuse to delete a folder that has the hidden folder's name but was not made by a rebuild.

    :raise RebuildError: naming the folder
    """
    if (beside / REBUILD).exists():
        return
    harmless = {LOCK.name, OWNER.name}
    if any(set(names) - harmless for _, _, names in os.walk(beside)):
        raise RebuildError(
            f'{beside} is in the way of rebuilding {root}, and was not made by a rebuild. '
            'Move it elsewhere.'
        )


def _try_exchange(beside: Path, disk: Disk) -> None:
    """Exchange two empty folders on trial, before hours of work; raise OSError if that fails."""
    pair = (beside / 'trial-a', beside / 'trial-b')
    for one in pair:
        disk.make_folder(one)
    disk.exchange(*pair)
    for one in pair:
        disk.remove_tree(one)


def _why_not(root: Path, error: OSError) -> str:
    reason = f'{error.strerror or error}. {_ELSEWHERE}'
    if error.errno in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP):
        reason = f'this file system cannot exchange two folders in one step. {_ELSEWHERE}'
    elif error.errno in (errno.EXDEV, errno.EBUSY):
        reason = f'it is a mount point, which cannot be renamed. {_ELSEWHERE}'
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        reason = f'{root.parent} cannot be written to. Make it writable. {_ELSEWHERE}'
    elif is_disk_full(error):
        reason = 'the disk is full. Make room, and try again.'
    return f'cannot exchange the files of {root} for new ones, nothing has changed: {reason}'
