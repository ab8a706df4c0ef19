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
"""A dataset in an object store, as a folder on this machine whose large files are read there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from functools import partial
import hashlib
import io
import os
from pathlib import Path, PurePosixPath
import shutil
import sys
import tempfile
import threading
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

from filelock import FileLock, Timeout
from lerobot_streamrec.dataset.format.layout import INFO
from lerobot_streamrec.errors import ConfigError, DatasetExistsError, RemoteError, SyncError
from lerobot_streamrec.fleet.sync.run import Patience, Sync
from lerobot_streamrec.fleet.sync.snapshot import Reader
from lerobot_streamrec.fleet.sync.store import advice_on, Manifest, Store, Uploaded
from lerobot_streamrec.installed import cache_folder
from lerobot_streamrec.remote_files import digest_of, make_placeholder, register, unregister

_FETCHES_AT_ONCE = 16
_LARGE = ('data/', 'videos/')
# Stands in the journal for the SHA-256 of a file that nobody has read here.
_UNREAD = 'unread'

PATIENCE = Patience(give_up_s=600.0)
"""The patience of an upload for which a command waits."""


class RemoteFile(io.RawIOBase):
    """
    A file in an object store, open at any position. Owned by one thread at a time.

    Its failures are no ``OSError``, which readers would take for damage of the file.

    :param stream: the open file
    :param url: the place, without credentials
    :param path: path of the file below the place
    """

    def __init__(self, stream: Any, url: str, path: str) -> None:
        self._stream = stream
        self._url = url
        self.name = path

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position; return it."""
        return int(self._stream.seek(offset, whence))

    def tell(self) -> int:
        """Return the position."""
        return int(self._stream.tell())

    def readinto(self, buffer: object) -> int:
        """
        Fill a buffer from the position on.

        :return: number of bytes; 0 at the end
        :raise RemoteError: if the store or the network fails
        """
        with _explaining(self._url, self.name):
            return int(self._stream.readinto(buffer))


def open_remote(store: Store, path: str, size: int | None = None) -> BinaryIO:
    """
    Open a file for reading at any position; it need not be closed.

    :param path: path of the file below the place
    :param size: its size when the place was listed, in bytes; None: unknown
    :raise RemoteError: if the store or the network fails, or the file was changed meanwhile
    """
    with _explaining(store.url, path):
        stream = store.open(path)
        found = stream.size()
    if size is not None and found != size:
        what = f'{path} has {found} bytes now, and had {size}'
        raise RemoteError(f'{store.url} was changed meanwhile: {what}. Run the command again.')
    return cast(BinaryIO, RemoteFile(stream, store.url, path))


def _open_as_listed(store: Store, folder: Path, path: str) -> BinaryIO:
    """Open a file; its placeholder, which other machines lack, has the size that was listed."""
    listed = folder / path
    return open_remote(store, path, listed.stat().st_size if listed.exists() else None)


@contextmanager
def mirrored(
    store: Store, fetched: tuple[str, ...], note: Callable[[int, int], None] = lambda *_: None
) -> Iterator[Path]:
    """
    Let a new folder stand for a dataset in an object store, for the duration of the block.

    :param store: the place
    :param fetched: begins of the paths of the files that are fetched now; all others are read
        there when they are opened
    :param note: receives the numbers of files that were and that will be fetched
    :return: the folder, which has the last name of the URL
    :raise RemoteError: if the place cannot be read or has no files
    """
    with tempfile.TemporaryDirectory(prefix='lerobot_streamrec-') as parent:
        folder = Path(parent).resolve() / name_of(store.url)
        with _explaining(store.url):
            sizes = store.files()
        if not sizes:
            raise RemoteError(
                f'there is no file at {store.url}: check the bucket and the prefix, and the '
                'options of the URL, such as region and endpoint_override'
            )
        try:
            _fill(folder, store, sizes, {one for one in sizes if one.startswith(fetched)}, note)
            register(folder, store.url, partial(_open_as_listed, store, folder))
            yield folder
        finally:
            unregister(folder)


def _fill(
    folder: Path,
    store: Store,
    sizes: dict[str, int],
    wanted: set[str],
    note: Callable[[int, int], None],
) -> None:
    """Fetch the wanted files, and make placeholders of the others."""
    for path in sizes:
        if {'', '.', '..'} & {*path.split('/')} or '\0' in path:
            raise RemoteError(f'{store.url} has a file with the name {path!r}, which is refused')
        try:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            if path not in wanted:
                make_placeholder(folder / path, sizes[path])
        except OSError as error:
            what = f'{path!r} of {store.url} cannot be shown as a file here'
            raise RemoteError(f'{what}: {error.strerror or error}') from error

    def fetch(path: str) -> None:
        with _explaining(store.url, path):
            content = b''.join(store.chunks(path))
        (folder / path).write_bytes(content)

    with ThreadPoolExecutor(_FETCHES_AT_ONCE, 'fetch') as pool:
        try:
            for number, _ in enumerate(pool.map(fetch, wanted), start=1):
                note(number, len(wanted))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def appended(
    store: Store,
    note: Callable[[int, int], None] = lambda *_: None,
    say: Callable[[str], None] = print,
) -> Iterator[Path]:
    """
    Let a folder stand for a dataset in an object store, and upload what the block adds to it.

    The folder is in the user's cache, and stays there until all is uploaded: if the command is
    killed, the next one goes on with it. Data and videos of the store are placeholders.

    :param store: the place, which may be empty
    :param note: receives the numbers of files that were and that will be fetched
    :param say: receives a line for people
    :return: the folder, which does not exist if the place is empty
    :raise ConfigError: if there is no folder for it
    :raise RemoteError: if the place cannot be read
    :raise SyncError: if another command appends to the place, or it cannot be written
    """
    try:
        name = hashlib.sha256(store.url.encode()).hexdigest()[:12]
        parent = cache_folder() / f'appending-{name}'
        parent.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:
        needed = f'a folder for new episodes is needed, set XDG_CACHE_HOME: {error}'
        raise ConfigError('--root', store.url, needed) from error
    lock = FileLock(parent / 'lock')
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise SyncError(f'another command appends to {store.url}: wait until it ends') from error
    folder = parent.resolve() / name_of(store.url)
    try:
        _begin(folder, store, note)
        register(folder, store.url, partial(_open_as_listed, store, folder))
        yield folder
        if (folder / INFO).is_file():
            Sync(folder, store, threading.Event(), patience=PATIENCE, say=say).run()
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        unregister(folder)
        lock.release()


def _begin(folder: Path, store: Store, note: Callable[[int, int], None]) -> None:
    """Fetch a dataset but its data and videos, unless an earlier command has done so."""
    with _explaining(store.url):
        is_current = folder.exists() and _is_still_there(folder, store)
        sizes = {} if is_current else store.files()
    if is_current:
        return
    # What was imported from bags can be imported again.
    shutil.rmtree(folder, ignore_errors=True)
    if not sizes:
        return
    new = folder.with_name(f'.{folder.name}.new')
    shutil.rmtree(new, ignore_errors=True)
    _fill(new, store, sizes, {one for one in sizes if not one.startswith(_LARGE)}, note)
    snapshot = Reader(new).read()
    with closing(Manifest(new, store.url)) as copied:
        for path, (size, mtime_ns) in snapshot.files.items():
            content = snapshot.contents.get(path)
            digest = _UNREAD if content is None else digest_of([content])
            held = snapshot.holds.get(path, '')
            copied.note(path, Uploaded(size, digest, mtime_ns, held, is_done=True))
    new.rename(folder)


def _is_still_there(folder: Path, store: Store) -> bool:
    """Return whether nobody else has written to a place since a command began to append."""
    with closing(Manifest(folder, store.url)) as copied:
        entry = copied.get(str(INFO))
    content = store.content(str(INFO))
    if entry is None or not entry.is_done:
        return entry is not None or content is None
    return content is not None and digest_of([content]) == entry.sha256


def refuse_present(store: Store) -> None:
    """
    Refuse a place with files, at which no new dataset can be made.

    :raise DatasetExistsError: naming the place
    :raise RemoteError: if it cannot be read
    """
    with _explaining(store.url):
        found = store.files()
    if found:
        raise DatasetExistsError(
            f'{store.url} has files, such as {min(found)}; name an empty place'
        )


def publish(root: Path, store: Store, say: Callable[[str], None] = print) -> None:
    """
    Upload a new dataset to an empty place, where it becomes visible as a whole or not at all.

    :param root: the dataset's folder
    :param say: receives a line for people
    :raise SyncError: if the place cannot be written
    """
    stop, step = threading.Event(), sys.maxsize
    work = Sync(root, store, stop, patience=PATIENCE, episodes_per_step=step, say=say)
    try:
        work.run()
    except BaseException:
        say(f'removing what was copied to {store.url}')
        with suppress(OSError), closing(Manifest(root, store.url)) as copied:
            for path in sorted(copied, key=str(INFO).__ne__):
                store.remove(path)
        raise


def name_of(url: str) -> str:
    """Return the last name of a URL, which names the dataset."""
    parts = urlsplit(url)
    return PurePosixPath(unquote(parts.path)).name or parts.netloc


@contextmanager
def _explaining(url: str, path: str = '') -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = f'{path} at {url}' if path else url
        hint = advice_on(error)
        raise RemoteError(
            f'{where} cannot be read: {error}{f" ({hint})" if hint else ""}'
        ) from error
