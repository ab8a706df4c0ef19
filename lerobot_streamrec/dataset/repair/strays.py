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
"""Search for stray files, which belong to no dataset and are moved to the quarantine."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from lerobot_streamrec.dataset.format.layout import is_left_by_recording, OWN
from lerobot_streamrec.dataset.rebuild.new_tree import foreign_files

_FOLDERS = ('data', 'videos', 'meta/episodes')


def stray_files(root: Path) -> tuple[str, ...]:
    """Return the foreign files in folders of the format, and files left over from a recording."""
    return tuple(sorted(one for one in foreign_files(root) if _is_stray(PurePosixPath(one))))


def _is_stray(path: PurePosixPath) -> bool:
    # Other hidden folders belong to other programs.
    if path.parts[0] == OWN.name or any(one.startswith('.') for one in path.parts[:-1]):
        return False
    return is_left_by_recording(path.as_posix()) or any(
        path.is_relative_to(folder) for folder in _FOLDERS
    )
