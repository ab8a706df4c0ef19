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
"""What a sync has uploaded: a journal of one line per file, which a kill can only cut short."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
import hashlib
import json
import os
from pathlib import Path
from typing import TextIO

from lerobot_streamrec.dataset.format.layout import SYNC
from lerobot_streamrec.durable import replace_durably


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
        self._journal.write(_line(path, entry))
        self._journal.flush()
        if is_durable:
            os.fsync(self._journal.fileno())

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
