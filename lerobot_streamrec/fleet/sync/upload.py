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
"""One pass of a sync: what the remote holds, and steps from there, each of use to readers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
import hashlib
from pathlib import Path
import threading
import time

from lerobot_streamrec.dataset.commit.undo import UNDO_DEPTH, UNDONE
from lerobot_streamrec.dataset.format.info import parse_info
from lerobot_streamrec.dataset.format.layout import INFO, QUARANTINE, STATS, SUBTASKS, TASKS
from lerobot_streamrec.dataset.format.statistics_file import sidecar_path
from lerobot_streamrec.errors import count_text, SyncError
from lerobot_streamrec.fleet.sync.snapshot import episodes_file, Snapshot
from lerobot_streamrec.fleet.sync.store import CHUNK_BYTES, Manifest, Store, Uploaded
from lerobot_streamrec.installed import streamrec_command
from lerobot_streamrec.remote_files import digest_of

_INFO = str(INFO)
EPISODES_PER_STEP = 25
"""The number of episodes after which a part of a backlog becomes visible."""
_MIB = 1 << 20
_AT_ONCE_BYTES = 8 * _MIB


class StoppedError(Exception):
    """The user has asked the sync to end."""


class Pace:
    """
    The limit of a bandwidth. The thread that syncs owns it; any thread may set the event.

    :param limit_mib_s: MiB per second; None: no limit
    :param stop: the event that ends all waiting
    """

    def __init__(self, limit_mib_s: float | None, stop: threading.Event) -> None:
        self._limit_bytes_s = limit_mib_s * _MIB if limit_mib_s else None
        self._due_s = 0.0
        self.stop = stop

    def spend(self, num_bytes: int) -> None:
        """Wait until so many more bytes may be sent, or the event is set."""
        if self._limit_bytes_s is not None:
            now_s = time.monotonic()
            self._due_s = max(self._due_s, now_s) + num_bytes / self._limit_bytes_s
            self.stop.wait(self._due_s - now_s)


class Upload:
    """
    The steps from what the remote holds to a snapshot. The thread that syncs owns it.

    :param store: the remote
    :param manifest: the files that were uploaded there
    :param snapshot: the wanted state
    :param pace: the limit of the bandwidth
    :param episodes_per_step: number of episodes after which a part becomes visible
    :param note: called after each piece of a file, and with True after each file that was
        uploaded or removed
    """

    def __init__(
        self,
        store: Store,
        manifest: Manifest,
        snapshot: Snapshot,
        pace: Pace,
        episodes_per_step: int = EPISODES_PER_STEP,
        note: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._manifest = manifest
        self._snapshot = snapshot
        self._pace = pace
        self._episodes_per_step = episodes_per_step
        self._note = note

    def waiting(self) -> list[str]:
        """Return the files that are to be uploaded or removed."""
        snapshot = self._snapshot
        new = [path for path in snapshot.files if not self._is_up(path)]
        return [*new, *(path for path in self._manifest if path not in snapshot.files)]

    def run(self) -> None:
        """
        Bring the remote to the state of the snapshot.

        After each single operation it is a dataset that readers can use, or there is none.

        :raise OSError: if the network or the store fails; the next pass goes on
        :raise ChangedError: if the local dataset has changed; another snapshot is needed
        :raise StoppedError: if the event of the pace is set
        :raise SyncError: if somebody else changes the remote, or too many episodes are gone
        """
        if not self.waiting():
            return
        before, total = self._total_at_remote(), len(self._snapshot.episodes)
        same = self._num_same(min(before, total))
        undone = (self._snapshot.root / QUARANTINE).glob(f'{UNDONE}-000000*')
        # Nothing but undo may take episodes away from the copy.
        if before - same > UNDO_DEPTH or (before and not total and not any(undone)):
            raise SyncError(
                f'{self._snapshot.root} has lost or changed {before - same} of the {before} '
                f'episodes at {self._store.url}, and `undo` has not done that. Nothing was '
                'changed there. Sync to another place, or delete the files there and run: '
                f'{_forget(self._store.url, self._snapshot.root)}'
            )
        if not self._snapshot.is_there or (same == 0 and before):
            # Readers find no dataset until the first episode of the new ones is up.
            self._remove(_INFO)
        elif same < min(before, total):
            self._put_info(same)
        if self._snapshot.is_there:
            self._grow(same, has_fewer=before > total == same)
        for path in [one for one in self._manifest if one not in self._snapshot.files]:
            self._remove(path)

    def _grow(self, first: int, *, has_fewer: bool) -> None:
        """Upload all files; info.json comes after those to which it refers."""
        snapshot, total = self._snapshot, len(self._snapshot.episodes)
        small = [str(one) for one in (TASKS, SUBTASKS, sidecar_path(total), STATS)]
        small = [path for path in small if path in snapshot.contents]
        # The tasks of episodes that are undone are taken back after info.json, as on the disk.
        late = [path for path in small if has_fewer and path in (str(TASKS), str(SUBTASKS))]
        ends = [*range(first, total, self._episodes_per_step), total]
        for begin, end in zip([0, *ends], ends, strict=False):
            self._put_all(snapshot.of_episodes(begin, end))
            if end == first < total:
                # Their files may have been labelled; the remote counts them already.
                continue
            self._put_all(sorted(snapshot.others))
            self._put_all([path for path in small if path not in late])
            self._put_info(end)
        self._put_all(late)

    def _put_all(self, paths: list[str]) -> None:
        for path in paths:
            if not self._is_up(path):
                self._put(path, self._snapshot.contents.get(path))

    def _put_info(self, total_episodes: int) -> None:
        content = self._snapshot.info_at(total_episodes)
        entry = self._manifest.get(_INFO)
        if entry is None or not entry.is_done or entry.sha256 != digest_of([content]):
            # Another root may be synced to the same place by mistake, from the same moment on.
            self._total_at_remote()
            self._put(_INFO, content)

    def _put(self, path: str, content: bytes | None = None) -> None:
        if self._pace.stop.is_set():
            raise StoppedError
        snapshot, stamp = self._snapshot, self._snapshot.files[path]
        if content is None and (stamp.size <= _AT_ONCE_BYTES or path.endswith('.parquet')):
            # With all bytes in memory, nothing but the store can end their upload too early.
            with snapshot.open(path) as file:
                content = file.read()
        size = stamp.size if content is None else len(content)
        begun = Uploaded(size, '', stamp.mtime_ns, snapshot.holds.get(path, ''), is_done=False)
        self._manifest.note(path, begun, is_durable=path == _INFO)
        digest = hashlib.sha256()
        self._store.put(path, self._chunks(path, content, digest.update))
        if (found := self._store.size(path)) != size:
            raise OSError(f'{path} has {found} bytes at {self._store.url} instead of {size}')
        self._manifest.note(path, replace(begun, sha256=digest.hexdigest(), is_done=True))
        self._note(True)

    def _chunks(
        self, path: str, content: bytes | None, update: Callable[[bytes], None]
    ) -> Iterator[bytes]:
        if content is not None:
            for at in range(0, len(content), CHUNK_BYTES):
                chunk = content[at : at + CHUNK_BYTES]
                self._pace.spend(len(chunk))
                update(chunk)
                yield chunk
            return
        # Of a file that grows, the part that was there.
        num_left = self._snapshot.files[path].size
        with self._snapshot.open(path) as file:
            while chunk := file.read(min(CHUNK_BYTES, num_left)):
                num_left -= len(chunk)
                self._pace.spend(len(chunk))
                if self._pace.stop.is_set():
                    raise StoppedError
                self._note(False)
                update(chunk)
                yield chunk

    def _remove(self, path: str) -> None:
        if self._pace.stop.is_set():
            raise StoppedError
        entry = self._manifest.get(path)
        if entry is None:
            return
        self._manifest.note(path, replace(entry, is_done=False), is_durable=path == _INFO)
        self._store.remove(path)
        self._manifest.note(path, None)
        self._note(True)

    def _is_up(self, path: str) -> bool:
        """Return whether the remote has a file as the snapshot has it."""
        entry, stamp = self._manifest.get(path), self._snapshot.files[path]
        if entry is None or not entry.is_done or not entry.sha256:
            return False
        content = self._snapshot.contents.get(path)
        if content is not None:
            return entry.sha256 == digest_of([content])
        if (entry.size, entry.mtime_ns) == stamp:
            return True
        if entry.size != stamp.size or local_digest(self._snapshot, path) != entry.sha256:
            return False
        self._manifest.note(path, replace(entry, mtime_ns=stamp.mtime_ns))
        return True

    def _num_same(self, limit: int) -> int:
        """Return how many of the first episodes are the same ones at the remote."""
        for episode in self._snapshot.episodes[:limit]:
            path = episodes_file(episode)
            entry = self._manifest.get(path)
            if entry is None or entry.holds != self._snapshot.holds[path]:
                return episode.episode_index
        return limit

    def _total_at_remote(self) -> int:
        """Return the number of episodes that readers see at the remote."""
        entry, content = self._manifest.get(_INFO), self._store.content(_INFO)
        if content is None:
            if entry is not None and entry.is_done:
                raise OSError(gone_text(self._store.url, self._snapshot.root))
            return 0
        if entry is None or (entry.is_done and entry.sha256 != digest_of([content])):
            raise SyncError(
                f'{self._store.url}/{_INFO} was changed by another program or another sync; '
                'nothing was changed there. Sync to another place, or end the other program, and '
                f'run: {_forget(self._store.url, self._snapshot.root)}'
            )
        return parse_info(content, self._store.url).total_episodes


def reconcile(
    store: Store, manifest: Manifest, snapshot: Snapshot, say: Callable[[str], None]
) -> None:
    """
    Compare what was uploaded with what the place holds, so that missing files are uploaded again.

    Without a manifest, files are read back, and a place that holds the same dataset is taken over.

    :raise OSError: if the network or the store fails, or the place has lost the dataset
    :raise SyncError: if the place holds something else
    """
    there = store.files()
    if not len(manifest):
        if there:
            _adopt(store, manifest, snapshot, there, say)
        return
    entries = {path: entry for path in manifest if (entry := manifest.get(path))}
    known = [path for path, one in entries.items() if one.is_done]
    if (str(INFO) in known and str(INFO) not in there) or (known and not set(known) & set(there)):
        raise OSError(gone_text(store.url, snapshot.root))
    # Another info.json is the work of another program, at which ``Upload`` stops.
    known = [path for path in known if path != str(INFO)]
    lost = [path for path in known if there.get(path) != entries[path].size]
    for path in lost:
        manifest.note(path, replace(entries[path], is_done=False))
    if lost:
        num_lost = count_text(len(lost), 'file')
        say(f'{store.url} has lost {num_lost}, such as {lost[0]}; copying again')


def _adopt(
    store: Store,
    manifest: Manifest,
    snapshot: Snapshot,
    there: dict[str, int],
    say: Callable[[str], None],
) -> None:
    known = [path for path in there if path in snapshot.files]
    say(f'{store.url} is not empty, and the list of copied files is lost: reading {len(known)}')
    found: dict[str, Uploaded] = {}
    for path in known:
        size, mtime_ns = snapshot.files[path]
        is_same = there[path] == size and store.digest(path) == (
            digest := local_digest(snapshot, path)
        )
        found[path] = (
            Uploaded(size, digest, mtime_ns, snapshot.holds.get(path, ''), is_done=True)
            if is_same
            else Uploaded(there[path], '', 0, '', is_done=False)
        )
    same = [path for path, one in found.items() if one.is_done]
    if not any(path.startswith(('data/', 'videos/')) for path in same):
        raise SyncError(
            f'{store.url} holds other files, such as {min(there)}, and not this dataset: '
            'nothing was changed there. Name an empty place, or one that this root was synced to.'
        )
    for path, entry in found.items():
        manifest.note(path, entry)
    if left := sorted(set(there) - set(found)):
        others = f'{count_text(len(left), "file")} not in {snapshot.root}, such as {left[0]}'
        say(f'left alone at {store.url}: {others}')


def gone_text(url: str, root: Path) -> str:
    """Return a sentence for a remote that has lost what was uploaded."""
    return (
        f'{url} no longer holds the dataset that was uploaded there. If it is a mounted folder, '
        f'mount it; if you have deleted the files, run `{_forget(url, root)}` and sync again'
    )


def _forget(url: str, root: Path) -> str:
    return streamrec_command('sync', root, url, '--forget')


def local_digest(snapshot: Snapshot, path: str) -> str:
    """
    Return the SHA-256 of a local file as hexadecimal digits.

    :raise ChangedError: if the file is not the one of the snapshot any more
    """
    if path in snapshot.contents:
        return digest_of([snapshot.contents[path]])
    with snapshot.open(path) as file:
        return digest_of(iter(partial(file.read, CHUNK_BYTES), b''))
