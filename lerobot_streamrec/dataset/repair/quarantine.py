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
"""Puts everything of a broken dataset aside that is not in the repaired one as it was."""

from __future__ import annotations

from collections.abc import Iterator
import json
import os
from pathlib import Path, PurePosixPath
import time

from lerobot_streamrec.dataset.format.layout import LOCK, OWNER, QUARANTINE, REBUILD, STAGING
from lerobot_streamrec.dataset.rebuild.new_tree import is_of_dataset, NewTree
from lerobot_streamrec.dataset.repair.plan import RepairPlan

REPORT = 'report.json'

_NEVER = {str(one) for one in (LOCK, OWNER, REBUILD)}
# They are moved as a whole when the trees are exchanged.
_MOVED = (f'{QUARANTINE}/', f'{STAGING}/')


def quarantine_folder(root: Path) -> PurePosixPath:
    """Return a folder for this repair, below the root, which is not there yet."""
    name = time.strftime('repair-%Y%m%dT%H%M%SZ', time.gmtime())
    folder, number = QUARANTINE / name, 1
    while (root / folder).exists():
        number += 1
        folder = QUARANTINE / f'{name}.{number}'
    return folder


def set_aside(plan: RepairPlan, tree: NewTree, folder: PurePosixPath) -> int:
    """
    Link what is replaced or left out into the quarantine folder, at its path below the root.

    All of meta is there, whether or not it has changed: it says how to undo the repair.

    :return: how many files there are
    :raise RebuildError: if one cannot be linked or copied
    """
    root, count = plan.sources.root, 0
    unchanged = []
    for relative in _files(root):
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
            # A link that leads nowhere.
            tree.place(target).symlink_to(source.readlink())
        count += 1
    content = {
        'check': plan.sources.report.as_json(),
        'repair': plan.as_json(),
        # With what lies here, they are the dataset of before.
        'unchanged': unchanged,
    }
    text = json.dumps(content, indent=2, ensure_ascii=False) + '\n'
    tree.write(folder / REPORT, text.encode())
    return count


def _files(root: Path) -> Iterator[str]:
    for folder, _, names in os.walk(root):
        for name in sorted(names):
            yield (Path(folder) / name).relative_to(root).as_posix()
