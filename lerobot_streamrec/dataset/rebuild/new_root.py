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
"""A dataset that appears at its root whole, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lerobot_streamrec.dataset.format.files import DatasetLock
from lerobot_streamrec.dataset.format.info_rules import shown_value
from lerobot_streamrec.dataset.format.layout import LOCK, OWN, OWNER, REBUILD
from lerobot_streamrec.dataset.format.parquet import READ_ERRORS
from lerobot_streamrec.dataset.rebuild.disk import Disk
from lerobot_streamrec.dataset.rebuild.exchange import (
    begin_tree,
    folder_beside,
    refuse_unknown,
    throw_away,
)
from lerobot_streamrec.dataset.rebuild.new_tree import NewTree
from lerobot_streamrec.errors import RebuildError, StreamrecError
from lerobot_streamrec.installed import streamrec_command

_LOCKED = frozenset({LOCK.name, OWNER.name})


@contextmanager
def building(root: Path, disk: Disk) -> Iterator[NewTree]:
    """
    Put together a dataset beside its root; it is moved there at the end of the block.

    :param root: a folder that is empty or not there
    :param disk: the way to the disk
    :raise DatasetLockedError: if somebody else builds a dataset for the same root
    :raise RebuildError: if it cannot be written; nothing is left then
    """
    root = root.resolve()
    beside = folder_beside(root)
    try:
        refuse_unknown(beside, root)
        disk.make_folder(beside / OWN)
        lock = DatasetLock(beside)
    except OSError as error:
        raise _cannot(root, error) from error
    try:
        throw_away(beside, disk, keep=_LOCKED)
        begin_tree(beside, disk)
        yield NewTree(beside, disk)
        disk.sync_folders(beside)
        disk.move(beside, root)
        with suppress(OSError):
            # It does no harm: the next one to open the dataset removes it.
            disk.remove(root / REBUILD)
    except (Exception, KeyboardInterrupt) as error:
        if not (root / OWN).exists():
            throw_away(beside, disk)
        if isinstance(error, OSError):
            raise _cannot(root, error) from error
        if isinstance(error, READ_ERRORS) and not isinstance(error, StreamrecError):
            raise RebuildError(
                f'cannot make the dataset {root}, and nothing is left there: '
                f'{type(error).__name__} {shown_value(str(error))}; '
                f'`{streamrec_command("check", "ROOT")}` shows what is wrong with each source'
            ) from error
        raise
    finally:
        lock.release()


def _cannot(root: Path, error: OSError) -> RebuildError:
    return RebuildError(
        f'cannot make the dataset {root}: {error.strerror or error}. Check that '
        f'{root.parent} is writable and that the disk has room.'
    )
