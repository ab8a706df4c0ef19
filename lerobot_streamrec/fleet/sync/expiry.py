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
"""The deletion of a root that is old once a place has all of it (``sync --keep-days``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import os
from pathlib import Path
import shutil
import time

from lerobot_streamrec.dataset.commit.undo import UNDONE
from lerobot_streamrec.dataset.format.files import DatasetLock
from lerobot_streamrec.dataset.format.layout import OWN, QUARANTINE, REBUILD, STAGING
from lerobot_streamrec.errors import count_text, DatasetLockedError
from lerobot_streamrec.fleet.sync.snapshot import ChangedError, Reader, Snapshot

_DAY_S = 86_400.0
_ASIDE = '.deleted-by-sync'
# What a recorder could not save, and the mark of a rebuild; the rest of OWN can be made anew.
_ONLY_HERE = (f'{STAGING}/', f'{QUARANTINE}/', str(REBUILD))
# Episodes that an operator has taken back go with the root.
_UNDONE = f'{QUARANTINE}/{UNDONE}-'


class Expiry:
    """
    The decision to delete a root, and its deletion. The thread that syncs owns it.

    A root is deleted as a whole or not at all: without some of its files, it would be no dataset.

    :param keep_days: days for which a root is kept after the last change of any of its files
    :param say: receives a line for people
    """

    def __init__(self, keep_days: float, say: Callable[[str], None]) -> None:
        self._keep_days = keep_days
        self._say = say
        self._said = ''

    def is_due(self, snapshot: Snapshot) -> bool:
        """Return whether a copied root is old, and holds no file that is only here."""
        if not snapshot.is_there:
            return False
        newest_ns = max(one.mtime_ns for one in snapshot.files.values())
        age_days = (time.time() - newest_ns / 1e9) / _DAY_S
        if age_days < self._keep_days:
            age = f'{max(0.0, age_days):.1f} days ago'
            self._keep(snapshot.root, f'its last change was {age}, and not {self._keep_days:g}')
            return False
        return not self._holds_more(snapshot)

    def delete(self, reader: Reader, snapshot: Snapshot) -> bool:
        """
        Delete the root, of which a place has all files with the same bytes.

        :param reader: reader of the root
        :param snapshot: the state whose files were compared
        :return: False: it is kept, because it is open or cannot be moved
        :raise ChangedError: if the root has changed since
        """
        root = reader.root.resolve()
        aside = root.with_name(f'.{root.name}{_ASIDE}')
        try:
            lock = DatasetLock(root)
            try:
                if reader.read().files != snapshot.files:
                    raise ChangedError(str(root))
                if self._holds_more(snapshot):
                    return False
                # A kill leaves the whole dataset or none, never a part of it.
                root.rename(aside)
            finally:
                lock.release()
        except (DatasetLockedError, OSError) as error:
            self._keep(root, str(error))
            return False
        remove_leftovers(root)
        if aside.exists():
            self._say(f'{aside} cannot be removed as a whole: delete it')
        return True

    def _holds_more(self, snapshot: Snapshot) -> bool:
        found = sorted(_only_here(snapshot))
        if found:
            only = f'{count_text(len(found), "file")}, such as {found[0]!r}'
            self._keep(snapshot.root, f'no other place has {only}; move or delete them')
        return bool(found)

    def _keep(self, root: Path, reason: str) -> None:
        """Say why a root is kept, unless this is the reason that was said last."""
        kind = reason.split(' was ')[0]
        if kind != self._said:
            self._said = kind
            self._say(f'{root} is kept: {reason}')


def remove_leftovers(root: Path) -> None:
    """Remove the roots beside this one whose deletion has begun, and may have been killed."""
    for one in root.resolve().parent.glob(f'.*{_ASIDE}'):
        shutil.rmtree(one, ignore_errors=True)


def _only_here(snapshot: Snapshot) -> Iterator[str]:
    """Yield the files of which there is no copy, without those that a recorder makes anew."""
    for folder, folders, names in os.walk(snapshot.root):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for name in (*names, *links):
            path = Path(folder, name).relative_to(snapshot.root).as_posix()
            if path in snapshot.files or path.startswith(_UNDONE):
                continue
            if path.startswith(_ONLY_HERE) or not path.startswith(f'{OWN}/'):
                yield path
