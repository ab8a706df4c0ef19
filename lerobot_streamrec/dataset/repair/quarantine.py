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
"""The quarantine folder, which receives every old file that the repair changes or removes."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
import time

from lerobot_streamrec.dataset.format.files import free_path
from lerobot_streamrec.dataset.format.info_rules import json_bytes
from lerobot_streamrec.dataset.format.layout import LOCK, OWNER, QUARANTINE, REBUILD, STAGING
from lerobot_streamrec.dataset.rebuild.new_tree import files_below, is_of_dataset, NewTree
from lerobot_streamrec.dataset.repair.plan import RepairPlan

REPORT = 'report.json'

_NEVER = {str(one) for one in (LOCK, OWNER, REBUILD)}
# These folders are moved as a whole when the trees are exchanged.
_MOVED = (f'{QUARANTINE}/', f'{STAGING}/')


def quarantine_folder(root: Path) -> PurePosixPath:
    """Return the path, below the root, of a new quarantine folder for this repair."""
    name = time.strftime('repair-%Y%m%dT%H%M%SZ', time.gmtime())
    return QUARANTINE / free_path(root / QUARANTINE / name).name


def set_aside(plan: RepairPlan, tree: NewTree, folder: PurePosixPath) -> int:
    """
    Link every replaced or left-out file into the quarantine folder, at its path below the root.

    All files of meta are linked, changed or not, because they are needed to undo the repair.

    :return: number of files in the quarantine folder
    :raise RebuildError: if a file cannot be linked or copied
    """
    root, count = plan.sources.root, 0
    unchanged = []
    for relative in files_below(root):
        is_carried_over = not is_of_dataset(relative) and relative not in plan.strays
        source = root / relative
        stays = tree.sources.get(relative) == source and not relative.startswith('meta/')
        if relative in _NEVER or relative.startswith(_MOVED) or is_carried_over:
            continue
        if stays:
            unchanged.append(relative)
            continue
        target = folder / relative
        if source.exists():
            tree.link(source, target)
        else:
            # This is a broken symbolic link.
            tree.place(target).symlink_to(source.readlink())
        count += 1
    content = {
        'check': plan.sources.report.as_json(),
        'repair': plan.as_json(),
        # Together with the files in this folder, these make up the old dataset.
        'unchanged': unchanged,
    }
    tree.write(folder / REPORT, json_bytes(content, indent=2))
    return count
