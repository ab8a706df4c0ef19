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
"""A sync as a whole: attempts, waiting, verification, and a file with its status."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
import json
import os
from pathlib import Path
import random
import threading
import time

from filelock import FileLock, Timeout
from lerobot_streamrec.dataset.format.layout import INFO, OWN
from lerobot_streamrec.errors import (
    count_text,
    DatasetCorruptError,
    DatasetError,
    StreamrecError,
    SyncError,
)
from lerobot_streamrec.fleet.sync.expiry import Expiry, remove_leftovers
from lerobot_streamrec.fleet.sync.snapshot import ChangedError, poll, Reader, Snapshot
from lerobot_streamrec.fleet.sync.store import (
    advice_on,
    journal_path,
    Manifest,
    Store,
    Uploaded,
)
from lerobot_streamrec.fleet.sync.upload import (
    EPISODES_PER_STEP,
    Pace,
    reconcile,
    StoppedError,
    Upload,
)
from lerobot_streamrec.remote_files import digest_of

_POLL_S, _LOOK_AGAIN_S = 2.0, 60.0
_TELL_S, _SAY_S = 10.0, 60.0
_CHANGED_S, _MANY_CHANGES = 0.2, 50
_MB = 1e6


@dataclass(frozen=True, slots=True)
class Patience:
    """
    How long failures are borne.

    :param first_s: wait after the first failure, in seconds; each further one doubles it
    :param longest_s: longest wait before an attempt, in seconds
    :param give_up_s: time without success after which a sync ends that does not watch, in seconds
    :param num_first: number of attempts of such a sync if none ever succeeded
    """

    first_s: float = 1.0
    longest_s: float = 60.0
    give_up_s: float = 7200.0
    num_first: int = 4

    def wait_s(self, num_failures: int) -> float:
        """Return the wait after so many failures in succession, in seconds, with jitter."""
        longest_s = min(self.longest_s, self.first_s * 2.0 ** min(num_failures - 1, 30))
        return random.uniform(0.5, 1.0) * longest_s


class Sync:
    """
    A sync of one root to one place. One thread calls ``run``; any thread may set the event.

    :param root: the dataset's folder
    :param store: the place
    :param stop: event that ends the sync after the present file, or within it if it is large
    :param bandwidth_mib_s: largest number of MiB per second; None: no limit
    :param patience: how long failures are borne
    :param keep_days: days after its last change for which the root is kept, and then deleted once
        every file was read back from the place; None: nothing is ever deleted
    :param episodes_per_step: number of episodes after which a part becomes visible
    :param say: receives a line for people
    """

    def __init__(
        self,
        root: Path,
        store: Store,
        stop: threading.Event,
        *,
        bandwidth_mib_s: float | None = None,
        patience: Patience = Patience(),
        keep_days: float | None = None,
        episodes_per_step: int = EPISODES_PER_STEP,
        say: Callable[[str], None] = print,
    ) -> None:
        self._root = root
        self._store = store
        self._pace = Pace(bandwidth_mib_s, stop)
        self._patience = patience
        self._episodes_per_step = episodes_per_step
        self._say = say
        self._reader = Reader(root)
        self._snapshot = Snapshot(root)
        self._num_waiting = 0
        self._num_failures, self._failing_since_s = 0, 0.0
        self._num_changes = 0
        self._is_reconciled = self._has_worked = False
        self._left_out: tuple[str, ...] = ()
        self._told_s = self._said_s = 0.0
        self._verified: set[str] = set()
        self._expiry = None if keep_days is None else Expiry(keep_days, say)
        self._is_expiring = self._is_deleted = False

    def run(self, *, is_watching: bool = False, is_verifying: bool = False) -> int:
        """
        Copy the dataset, and follow its changes until the event is set or the root is deleted.

        :param is_watching: False: end once the place has the present state
        :param is_verifying: True: also read back every file and compare its SHA-256
        :return: number of files that still wait; above 0 only after the event
        :raise SyncError: if the place cannot be used, naming the reason and what helps
        :raise DatasetError: if the root holds no dataset, or it cannot be read
        """
        if not (self._root / INFO).exists() and not (self._root / OWN).is_dir():
            raise DatasetCorruptError(f'{self._root} holds no LeRobot dataset: there is no {INFO}')
        if self._expiry:
            remove_leftovers(self._root)
        with locked(self._root, self._store.url):
            manifest = Manifest(self._root, self._store.url)
            problem = ''
            try:
                while not self._pace.stop.is_set():
                    seen = poll(self._root)
                    if not self._try(manifest, is_watching, is_verifying):
                        continue
                    if not is_watching or self._is_deleted:
                        break
                    self._wait_for_change(seen)
            except (OSError, StreamrecError) as error:
                problem = str(error)
                raise
            finally:
                self._tell('ended', problem)
                manifest.close()
        return self._num_waiting

    def _try(self, manifest: Manifest, is_watching: bool, is_verifying: bool) -> bool:
        """Make one attempt, or wait after it has failed; return whether it has succeeded."""
        try:
            self._attempt(manifest, is_watching, is_verifying)
        except StoppedError:
            self._num_waiting = max(1, self._num_waiting)
            return False
        except ChangedError as error:
            # A recorder's commit, undo or label came between; what was uploaded stays.
            self._num_changes += 1
            if self._num_changes == _MANY_CHANGES:
                self._say(f'{self._root / str(error)} changes all the time; sync keeps trying')
            self._pace.stop.wait(_CHANGED_S)
            return False
        except (OSError, DatasetError) as error:
            self._fail(error, is_watching)
            return False
        self._num_failures, self._num_changes, self._has_worked = 0, 0, True
        return True

    def _attempt(self, manifest: Manifest, is_watching: bool, is_verifying: bool) -> None:
        self._snapshot = self._reader.read()
        if (left_out := self._snapshot.left_out) and left_out != self._left_out:
            also = f' and {len(left_out) - 1} more' if len(left_out) > 1 else ''
            reason = 'unreadable, no plain file, or no name in UTF-8'
            self._say(f'{left_out[0]!r}{also} cannot be copied: {reason}')
        self._left_out = left_out
        if not (self._snapshot.is_there or is_watching or len(manifest)):
            raise DatasetError(f'{self._root} has no episode yet; with --watch, sync waits for it')
        upload = Upload(
            self._store,
            manifest,
            self._snapshot,
            self._pace,
            self._episodes_per_step,
            self._note_progress,
        )
        self._num_waiting = len(upload.waiting())
        if not self._is_reconciled:
            reconcile(self._store, manifest, self._snapshot, self._say)
            self._is_reconciled = True
        if waiting := upload.waiting():
            self._num_waiting = len(waiting)
            stamps = (self._snapshot.files.get(path) for path in waiting)
            size_mb = sum(one.size for one in stamps if one) / _MB
            self._say(f'copying {_files(len(waiting))}, {size_mb:.1f} MB, to {self._store.url}')
            self._tell('copying')
            self._said_s = time.monotonic()
            upload.run()
        if is_verifying:
            self._verify(manifest)
        self._num_waiting = 0
        if waiting or not is_watching:
            episodes = count_text(len(self._snapshot.episodes), 'episode')
            self._say(f'{self._store.url} is up to date, with {episodes}')
        self._tell('up to date')
        self._expire(manifest)

    def _expire(self, manifest: Manifest) -> None:
        if self._expiry is None or not self._expiry.is_due(self._snapshot):
            self._is_expiring = False
            return
        if not self._is_expiring:
            # Files that were read back days ago may be lost by now.
            self._verified.clear()
            self._is_expiring = True
        self._verify(manifest)
        self._is_deleted = self._expiry.delete(self._reader, self._snapshot)
        if self._is_deleted:
            self._say(f'{self._root} was deleted: all of it is at {self._store.url}')

    def _note_progress(self, is_file_done: bool) -> None:
        now_s = time.monotonic()
        if is_file_done:
            self._num_waiting = max(1, self._num_waiting - 1)
            self._num_failures, self._has_worked = 0, True
            if now_s - self._said_s >= _SAY_S:
                self._said_s = now_s
                self._say(f'{_files(self._num_waiting)} left')
        if is_file_done or now_s - self._told_s >= _TELL_S:
            self._tell('copying')

    def _fail(self, error: OSError | DatasetError, is_watching: bool) -> None:
        """Say what is wrong and wait, or raise if waiting does not help."""
        now_s = time.monotonic()
        if not self._num_failures:
            self._failing_since_s = now_s
        self._num_failures += 1
        advice = advice_on(error) if isinstance(error, OSError) else ''
        problem = f'{error}{f" ({advice})" if advice else ""}'
        is_late = not is_watching and self._num_failures >= self._patience.num_first
        if not self._has_worked and (advice or is_late):
            raise SyncError(f'{self._store.url}: {problem}') from error
        if not is_watching and isinstance(error, DatasetError):
            raise error
        if not is_watching and now_s - self._failing_since_s > self._patience.give_up_s:
            text = f'{_files(self._num_waiting)} left, run the same command again: {problem}'
            raise SyncError(f'{self._store.url}: {text}') from error
        # The place may have lost or gained files meanwhile.
        self._is_reconciled = False
        wait_s = self._patience.wait_s(self._num_failures)
        self._tell('waiting', problem)
        self._say(f'{_files(self._num_waiting)} left, next attempt in {wait_s:.0f} s: {problem}')
        self._pace.stop.wait(wait_s)

    def _wait_for_change(self, seen: object) -> None:
        until_s = time.monotonic() + _LOOK_AGAIN_S
        while not self._pace.stop.wait(_POLL_S) and time.monotonic() < until_s:
            if poll(self._root) != seen:
                return

    def _verify(self, manifest: Manifest) -> None:
        """Read back all files; one that differs is uploaded again by the next attempt."""
        for path in self._snapshot.files:
            entry = manifest.get(path)
            if entry is None:
                raise OSError(f'{path} is not known to be at {self._store.url}')
            key = f'{path} {entry.sha256}'
            if key in self._verified:
                continue
            if digest_of(self._paced(path)) != entry.sha256:
                manifest.note(path, Uploaded(entry.size, '', 0, entry.holds, is_done=True))
                raise OSError(f'{path} was read back from {self._store.url} with other bytes')
            self._verified.add(key)
        self._say(f'{_files(len(self._snapshot.files))} read back, all as here')

    def _paced(self, path: str) -> Iterator[bytes]:
        for chunk in self._store.chunks(path):
            if self._pace.stop.is_set():
                raise StoppedError
            self._pace.spend(len(chunk))
            if time.monotonic() - self._told_s >= _TELL_S:
                self._tell('copying')
            yield chunk

    def _tell(self, state: str, problem: str = '') -> None:
        """Write the status for others, such as a node; it is no part of what must survive."""
        content = {
            'url': self._store.url,
            'pid': os.getpid(),
            'state': state,
            'episodes': len(self._snapshot.episodes),
            'files_waiting': self._num_waiting,
            'problem': problem,
            'updated_at': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        }
        self._told_s = time.monotonic()
        if self._is_deleted:
            return
        path = status_path(self._root, self._store.url)
        aside = path.with_suffix('.status-new')
        try:
            aside.write_text(json.dumps(content, indent=2) + '\n', 'utf-8')
            aside.replace(path)
        except OSError as error:
            self._say(f'{path} cannot be written: {error.strerror or error}')


def _files(number: int) -> str:
    return count_text(number, 'file')


def status_path(root: Path, url: str) -> Path:
    """Return the path of the status of a sync."""
    return journal_path(root, url).with_suffix('.json')


@contextmanager
def locked(root: Path, url: str) -> Iterator[None]:
    """
    Keep other syncs of the same root to the same place away; recorders do not look at this lock.

    :raise SyncError: if one is running
    """
    path = journal_path(root, url).with_suffix('.lock')
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise SyncError(
            f'another process syncs {root} to {url}: end it first, or leave the work to it'
        ) from error
    try:
        yield
    finally:
        lock.release()


def forget(root: Path, url: str) -> bool:
    """
    Forget what was uploaded; nothing at the place changes.

    :return: False if there was nothing to forget
    :raise SyncError: if a sync is running
    """
    path = journal_path(root, url)
    if not path.exists():
        return False
    with locked(root, url):
        path.unlink()
        status_path(root, url).unlink(missing_ok=True)
    return True
