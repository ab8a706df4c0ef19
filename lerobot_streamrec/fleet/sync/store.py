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
The place to which a dataset is copied, an object store or a folder that may be mounted.

A journal tells what was copied there: one line per file, which a kill can only cut short.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
import ctypes
from dataclasses import asdict, dataclass
from functools import cache
import hashlib
import json
import os
from pathlib import Path, PurePosixPath
import re
from typing import Any, TextIO
from urllib.parse import parse_qsl, unquote, urlsplit

from lerobot_streamrec.dataset.format.layout import SYNC
from lerobot_streamrec.durable import replace_durably
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.remote_files import digest_of
from pyarrow.fs import FileSelector, FileSystem, FileType

CHUNK_BYTES = 1 << 18
"""The largest number of bytes that are read or written at once."""

_KINDS = {'': 'local', 'file': 'local', 's3': 's3', 'gs': 'gcs', 'gcs': 'gcs'}
_OPTIONS = {
    'endpoint_override',
    'project_id',
    'region',
    'retry_limit_seconds',
    'scheme',
    'tls_ca_file_path',
}
_ALLOWED = 's3://BUCKET/PREFIX, gs://BUCKET/PREFIX or the path of a folder is needed'
_CREDENTIALS = (
    'name no credentials there, since it is shown and stored: they are found where the tools of '
    'the provider look, such as AWS_PROFILE, ~/.aws/credentials, GOOGLE_APPLICATION_CREDENTIALS, '
    'or the role of the machine'
)
_GCS_RETRY = 'retry_limit_seconds=30'
_ASIDE = '.streamrec-part'
_ADVICE = (
    (
        r'ACCESS_DENIED|INVALID_ACCESS_KEY_ID|SIGNATURE|TOKEN|UNRECOGNIZED_CLIENT'
        r'|HTTP status 40[13]|credential|PERMISSION_DENIED|Permission denied',
        'the place refuses these credentials: check them and their rights with the tools of the '
        'provider',
    ),
    (
        r'NO_SUCH_BUCKET|does not exist; make it|Not a directory|InvalidBucketName'
        r'|INVALID_BUCKET',
        'check the bucket or folder and the options of the URL, such as region and '
        'endpoint_override',
    ),
)


class Store:
    """
    The files below one prefix. The thread that syncs owns it; tests inject faults by a subclass.

    Every method may raise OSError, and connects first if it has to.

    :param url: URL or absolute path without credentials, as ``checked_url`` returns it
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_local = _KINDS[urlsplit(url).scheme] == 'local'
        self._opened: tuple[FileSystem, str] | None = None
        self._device: int | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process finds the credentials itself, and connects once.
        return _store_of, (self.url,)

    def files(self) -> dict[str, int]:
        """List the files, as paths below the prefix, with their sizes in bytes."""
        system, base = self._open()
        found = system.get_file_info(FileSelector(base, recursive=True, allow_not_found=True))
        sizes = {
            one.path[len(base) :].lstrip('/'): one.size
            for one in found
            if one.type == FileType.File and not one.path.endswith(_ASIDE)
        }
        # An empty folder may be the one on which a disk was mounted.
        if self.is_local and (sizes or self._device is None):
            self._device = _device_of(Path(base))
        return sizes

    def size(self, path: str) -> int | None:
        """Return the size of a file in bytes; None if there is none."""
        system, base = self._open()
        found = system.get_file_info(f'{base}/{path}')
        return found.size if found.type == FileType.File else None

    def content(self, path: str) -> bytes | None:
        """Return the content of a small file; None if there is none."""
        return None if self.size(path) is None else b''.join(self.chunks(path))

    def digest(self, path: str) -> str:
        """Read a file back; return the SHA-256 of its bytes as hexadecimal digits."""
        return digest_of(self.chunks(path))

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield the bytes of a file."""
        system, base = self._open()
        with system.open_input_stream(f'{base}/{path}', compression=None) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                yield chunk

    def open(self, path: str) -> Any:
        """Return an Arrow file for reading at any position, which need not be closed."""
        system, base = self._open()
        return system.open_input_file(f'{base}/{path}')

    def put(self, path: str, chunks: Iterable[bytes]) -> None:
        """
        Write a file, or replace it; readers see the old file, or all of the new one.

        :param chunks: its bytes; if the iteration raises, nothing becomes visible
        """
        system, base = self._open()
        target = PurePosixPath(f'{base}/{path}')
        if not self.is_local:
            self._write(system, str(target), chunks)
            return
        if self._device not in (None, _device_of(Path(base))):
            raise OSError(f'{base} is on another file system than before; it may be unmounted')
        aside = _aside(target)
        system.create_dir(str(target.parent), recursive=True)
        try:
            self._write(system, str(aside), chunks)
            replace_durably(Path(aside), Path(target))
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise

    def remove(self, path: str) -> None:
        """Delete a file, which may be missing."""
        system, base = self._open()
        target = PurePosixPath(f'{base}/{path}')
        # A kill may have left the other one.
        for one in (target, _aside(target)) if self.is_local else (target,):
            with suppress(FileNotFoundError):
                system.delete_file(str(one))

    def _write(self, system: FileSystem, target: str, chunks: Iterable[bytes]) -> None:
        stream, source = system.open_output_stream(target, compression=None), iter(chunks)
        while True:
            try:
                chunk = next(source, None)
            except BaseException:
                # Closing or freeing the stream of an object store would publish the part that
                # has been written, and pyarrow offers no other end. So it lives for ever.
                if not self.is_local:
                    ctypes.pythonapi.Py_IncRef(ctypes.py_object(stream))
                raise
            if chunk is None:
                break
            stream.write(chunk)
        stream.close()

    def _open(self) -> tuple[FileSystem, str]:
        """Connect; an object store may have to be asked for the region of its bucket."""
        if self._opened is None:
            url = self.url
            if _KINDS[urlsplit(url).scheme] == 'gcs' and 'retry_limit_seconds' not in url:
                url = f'{url}{"&" if "?" in url else "?"}{_GCS_RETRY}'
            try:
                system, base = FileSystem.from_uri(url)
            # Some builds of Arrow have no S3 or no GCS.
            except (ValueError, NotImplementedError) as error:
                raise ConfigError('URL', self.url, f'{error}; {_ALLOWED}') from error
            if self.is_local and not Path(base).parent.is_dir():
                raise FileNotFoundError(
                    f'the folder {Path(base).parent} does not exist; make it, or mount it'
                )
            self._opened = system, base.rstrip('/')
        return self._opened


@cache
def _store_of(url: str) -> Store:
    return Store(url)


def _aside(target: PurePosixPath) -> PurePosixPath:
    return target.with_name(f'.{target.name}{_ASIDE}')


def _device_of(base: Path) -> int:
    """Return the file system of a folder, or the one on which it will be made."""
    return (base if base.exists() else base.parent).stat().st_dev


def advice_on(error: OSError) -> str:
    """Return what helps against an error of a place that no attempt mends; empty: unknown."""
    return next((one for pattern, one in _ADVICE if re.search(pattern, str(error))), '')


def checked_url(text: str, root: Path | None = None) -> str:
    """
    Return the URL of a place without a slash at its end, or the absolute path of a folder.

    :param text: URL or path, as the user wrote it
    :param root: folder of a dataset which must not contain the place; None: there is none
    :raise ConfigError: if it cannot be used or holds credentials, which the message does not show
    """
    parts = urlsplit(text)
    shown = f'{parts.scheme}://{parts.netloc.rpartition("@")[2]}{parts.path}'
    # In a path, all characters mean themselves.
    query = parts.query if parts.scheme else ''
    names = [name for name, _ in parse_qsl(query, keep_blank_values=True)]
    if '@' in parts.netloc:
        raise ConfigError('URL', shown, _CREDENTIALS)
    if unknown := sorted({*names} - _OPTIONS):
        allowed = f'the options {", ".join(sorted(_OPTIONS))} are allowed'
        raise ConfigError('URL', shown, f'it has {", ".join(unknown)}: {allowed}; {_CREDENTIALS}')
    kind = _KINDS.get(parts.scheme)
    if kind is None or (kind != 'local' and not parts.netloc):
        raise ConfigError('URL', shown, _ALLOWED)
    if parts.scheme and parts.fragment:
        raise ConfigError('URL', shown, 'a # in a name is written as %23')
    if parts.scheme == 'file' and parts.netloc not in ('', 'localhost'):
        mount = f'files of the computer {parts.netloc} are reached once they are mounted'
        raise ConfigError('URL', shown, f'{mount}: name the path of the folder here')
    if kind == 'local':
        path = Path(unquote(parts.path) if parts.scheme else text).expanduser().absolute()
        if root is not None and path.resolve().is_relative_to(root.resolve()):
            raise ConfigError('URL', str(path), f'it lies in {root}; name a folder elsewhere')
        return str(path)
    options = f'?{query}' if query else ''
    return f'{parts.scheme}://{parts.netloc}{parts.path.rstrip("/")}{options}'


@dataclass(frozen=True, slots=True)
class Uploaded:
    """
    A file at the remote.

    :param size: its size in bytes
    :param sha256: SHA-256 of its bytes, hexadecimal; empty: unknown
    :param mtime_ns: time of the last change of the local file, in nanoseconds
    :param holds: the episodes of a file of meta/episodes, as ``Snapshot.holds`` returns them
    :param is_done: False: an upload or removal began, so the remote has the old file or this one
    """

    size: int
    sha256: str
    mtime_ns: int
    holds: str
    is_done: bool


class Manifest:
    """
    The files that were uploaded from one root to one place. The thread that syncs owns it.

    :param root: the dataset's folder
    :param url: the place, without credentials
    :raise OSError: if the journal cannot be written
    """

    def __init__(self, root: Path, url: str) -> None:
        self.path = journal_path(root, url)
        self.url = url
        self._files: dict[str, Uploaded] = dict(_read(self.path))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._journal = self._rewritten()

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def get(self, path: str) -> Uploaded | None:
        """Return what is known of a file; None: it was never uploaded, or was removed."""
        return self._files.get(path)

    def note(self, path: str, entry: Uploaded | None, *, is_durable: bool = False) -> None:
        """
        Write down what is true from now on.

        :param path: path of the file below the root
        :param entry: its state; None: it is not at the remote any more
        :param is_durable: True to sync the line to the disk, before a step that relies on it
        """
        if entry is None:
            self._files.pop(path, None)
        else:
            self._files[path] = entry
        try:
            self._journal.write(_line(path, entry))
            self._journal.flush()
            if is_durable:
                os.fsync(self._journal.fileno())
        except OSError as error:
            # Else nobody sees that this disk is full, and not the place.
            raise OSError(error.errno, error.strerror, str(self.path)) from error

    def close(self) -> None:
        """Close the journal, and remove it if nothing was uploaded."""
        self._journal.close()
        if not any(one.is_done for one in self._files.values()):
            self.path.unlink(missing_ok=True)

    def _rewritten(self) -> TextIO:
        """Write the journal anew, with one line for each file, and open it for more."""
        aside = self.path.with_suffix('.new')
        with aside.open('w', encoding='utf-8') as file:
            file.write(json.dumps({'url': self.url}) + '\n')
            file.writelines(_line(*one) for one in self._files.items())
        replace_durably(aside, self.path)
        return self.path.open('a', encoding='utf-8')


def journal_path(root: Path, url: str) -> Path:
    """Return the path of the journal of a root and a place."""
    return root / SYNC / f'{hashlib.sha256(url.encode()).hexdigest()[:12]}.jsonl'


def _line(path: str, entry: Uploaded | None) -> str:
    state = None if entry is None else asdict(entry)
    return json.dumps({'path': path, 'is': state}, separators=(',', ':')) + '\n'


def _read(path: Path) -> Iterator[tuple[str, Uploaded]]:
    """Yield the last state of each file; a line that a kill cut short is skipped."""
    files: dict[str, Uploaded | None] = {}
    with suppress(FileNotFoundError):
        for line in path.read_text('utf-8', 'replace').splitlines()[1:]:
            with suppress(ValueError, KeyError, TypeError):
                found = json.loads(line)
                files[found['path']] = None if found['is'] is None else Uploaded(**found['is'])
    yield from ((name, entry) for name, entry in files.items() if entry is not None)
