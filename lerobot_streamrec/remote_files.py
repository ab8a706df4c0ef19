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
Files of a dataset in an object store, which are read there, through paths on this machine.

A folder here stands for the place there. A file of it that was not fetched is a placeholder: an
empty one of the true size without any permission, so that names and sizes are found as always,
and nobody takes its zeros for content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
import hashlib
import os
from pathlib import Path
import stat
from typing import BinaryIO, NamedTuple

Opener = Callable[[str], BinaryIO]
"""
A function that opens a file, by its path below the place, for reading at any position.

Libraries do not close it, so it must hold nothing that has to be released.
"""


class _Place(NamedTuple):
    url: str
    opener: Opener


# The main thread changes it before it starts others, and after they have ended.
_PLACES: dict[str, _Place] = {}


def register(folder: Path, url: str, opener: Opener) -> None:
    """
    Let a folder stand for a place elsewhere. On another machine, the folder need not exist.

    :param folder: absolute path without symbolic links
    :param url: the place, without credentials
    :param opener: function that any thread may call
    """
    _PLACES[f'{folder}/'] = _Place(url, opener)


def unregister(folder: Path) -> None:
    """End what ``register`` began, if it did."""
    _PLACES.pop(f'{folder}/', None)


def registered() -> dict[Path, str]:
    """Return the URL of each folder that stands for a place elsewhere."""
    return {Path(folder): place.url for folder, place in _PLACES.items()}


def is_place(folder: Path) -> bool:
    """Return whether a folder stands for a place elsewhere."""
    return f'{folder}/' in _PLACES


def shown(text: str) -> str:
    """Return a text for people, with the URLs of places in place of their folders."""
    for folder, place in _PLACES.items():
        text = text.replace(folder, f'{place.url}/').replace(folder[:-1], place.url)
    return text


def registrations() -> list[tuple[Path, str, Opener]]:
    """Return the arguments of ``register`` for another process, which needs picklable openers."""
    return [(Path(folder), place.url, place.opener) for folder, place in _PLACES.items()]


def make_placeholder(path: Path, size_bytes: int) -> None:
    """
    Create a file that stands for one elsewhere.

    :raise OSError: if the disk refuses
    """
    with path.open('xb') as file:
        os.fchmod(file.fileno(), 0)
        file.truncate(size_bytes)


def is_elsewhere(path: Path) -> bool:
    """Return whether a file is not here, and is read where it lies."""
    return bool(_PLACES) and _find(path) is not None


def readable(path: Path) -> str | BinaryIO:
    """
    Return what libraries can read: the path, or the open file elsewhere for which it stands.

    :raise OSError: if there is no such file elsewhere
    """
    return _open_elsewhere(path) or str(path)


def opened(path: Path) -> BinaryIO:
    """
    Open a file for reading, here or elsewhere.

    :raise OSError: if it cannot be read here, or there is no such file elsewhere
    """
    return _open_elsewhere(path) or path.open('rb')


def size_bytes(path: Path) -> int:
    """
    Return the size of a file, here or elsewhere.

    :raise OSError: if there is none
    """
    try:
        return path.stat().st_size
    except FileNotFoundError:
        file = _open_elsewhere(path)
        if file is None:
            raise
        with file:
            return file.seek(0, os.SEEK_END)


def digest_of(chunks: Iterable[bytes]) -> str:
    """Return the SHA-256 of bytes as hexadecimal digits."""
    found = hashlib.sha256()
    for chunk in chunks:
        found.update(chunk)
    return found.hexdigest()


def _open_elsewhere(path: Path) -> BinaryIO | None:
    found = _find(path) if _PLACES else None
    return None if found is None else found[0].opener(found[1])


def _find(path: Path) -> tuple[_Place, str] | None:
    """Return the place of a file that is not here, and its path below the place."""
    name = os.path.abspath(path)  # noqa: PTH100 (pathlib keeps the dots)
    for folder, place in _PLACES.items():
        if name.startswith(folder):
            try:
                status = os.stat(name)  # noqa: PTH116 (for each of ten thousands)
            except FileNotFoundError:
                # Another machine has no placeholders.
                is_here = Path(folder).is_dir()
            else:
                is_here = not stat.S_ISREG(status.st_mode) or stat.S_IMODE(status.st_mode) != 0
            return None if is_here else (place, name[len(folder) :])
    return None
