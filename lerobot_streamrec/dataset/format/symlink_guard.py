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
"""Symbolic links below a root lead elsewhere what is written, and pipes block whoever reads."""

from __future__ import annotations

from collections.abc import Iterator
import os
from pathlib import Path
import stat

from lerobot_streamrec.dataset.format.layout import OWN
from lerobot_streamrec.errors import DatasetError

READ_FOLDERS = ('meta', 'data', 'videos')
"""Folders that readers of the format look into."""

# Folders that files are put into, and the recorder's own files.
_PATTERNS = ('*', '*/*', 'videos/*/*', 'meta/episodes/*', f'{OWN}', f'{OWN}/*', f'{OWN}/*/*')


def refuse_links(root: Path) -> None:
    """
    Refuse a dataset of which a part lies elsewhere; the root itself may be a link.

    A file that is a link does no harm: files are replaced, never written into.

    :raise DatasetError: naming the link and where it leads
    """
    for path in _links(root):
        raise DatasetError(
            f'{path} is a symbolic link to {path.readlink()}: nothing is written outside of the '
            'root. Put the folder itself there, or make the root the link.'
        )


def refuse_special_files(root: Path) -> None:
    """
    Refuse a dataset with a pipe, a socket or a device in it, since to open one may never end.

    :raise DatasetError: naming it
    """
    folders = [root / name for name in (*READ_FOLDERS, str(OWN))]
    while folders:
        try:
            entries = sorted(os.scandir(folders.pop()), key=lambda entry: entry.name)
        except OSError:
            # The code that needs a folder refuses it if it is missing or cannot be listed.
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(Path(entry.path))
            elif _is_special(Path(entry)):
                raise DatasetError(
                    f'{entry.path} is neither a file nor a folder: remove it, since whoever '
                    'reads the dataset would wait for it'
                )


def _is_special(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        # A link that leads nowhere, or to itself, does not block.
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _links(root: Path) -> Iterator[Path]:
    for pattern in _PATTERNS:
        for path in sorted(root.glob(pattern)):
            is_ours = path.is_relative_to(root / OWN)
            if path.is_symlink() and (is_ours or not path.is_file()):
                yield path
