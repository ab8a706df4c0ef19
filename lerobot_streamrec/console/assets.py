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
"""The files of the page, read once at the start: no request reaches the file system."""

from __future__ import annotations

from dataclasses import dataclass
import hashlib
import mimetypes
from pathlib import Path

INDEX = 'index.html'

# Not every machine's table of types has these, and browsers insist on them.
_TYPES = {'.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css'}


@dataclass(frozen=True, slots=True)
class Asset:
    """
    One file of the page.

    :param content: the file's bytes
    :param media_type: its type for browsers
    :param tag: text that changes with the content
    """

    content: bytes
    media_type: str
    tag: str


def read_assets() -> dict[str, Asset]:
    """Return all files of the page, by their paths below its folder."""
    folder = Path(__file__).with_name('page')
    return {
        path.relative_to(folder).as_posix(): _asset(path)
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    return Asset(content, kind or 'application/octet-stream', tag)
