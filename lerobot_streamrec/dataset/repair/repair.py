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
Repair of a dataset, which is either whole afterwards or unchanged.

The quarantine folder receives every old file that the repair changes or removes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
import time

from lerobot_streamrec.dataset.about.card import refresh_card
from lerobot_streamrec.dataset.check.check import check_dataset, Watcher
from lerobot_streamrec.dataset.check.findings import CheckReport
from lerobot_streamrec.dataset.format.files import Files, free_path, lock_holder
from lerobot_streamrec.dataset.format.info_rules import json_bytes
from lerobot_streamrec.dataset.format.layout import LOCK, OWNER, QUARANTINE, REBUILD, STAGING
from lerobot_streamrec.dataset.rebuild.assemble import Progress
from lerobot_streamrec.dataset.rebuild.exchange import folder_beside, rebuilding
from lerobot_streamrec.dataset.rebuild.new_tree import (
    DISK,
    Disk,
    files_below,
    is_of_dataset,
    NewTree,
)
from lerobot_streamrec.dataset.rebuild.plan import locked
from lerobot_streamrec.dataset.repair.assemble import assemble_repaired
from lerobot_streamrec.dataset.repair.plan import NOT_MENDED, plan_repair, RepairPlan
from lerobot_streamrec.dataset.repair.sources import read_sources
from lerobot_streamrec.errors import RepairError

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


MIN_SECONDS = 1.0
"""The default minimum duration of a cut episode; shorter ones are set aside."""

_SHOWN = 3

_Snapshot = dict[str, tuple[int, int, int]]


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """
    The result of a check, and the plan of a repair.

    :param report: report of the check
    :param plan: plan of the repair; None if there is nothing to mend
    """

    report: CheckReport
    plan: RepairPlan | None
    _files: _Snapshot


@dataclass(frozen=True, slots=True, eq=False)
class Repair:
    """
    The outcome of a repair.

    :param report: report of a check of the dataset as it is now
    :param plan: plan that was carried out; None if nothing was done
    :param quarantine: folder with the files that were not kept; None if nothing was done
    :param num_files: number of files in that folder
    :param seconds: duration of the repair
    :param remarks: sentences on inexact results
    """

    report: CheckReport
    plan: RepairPlan | None = None
    quarantine: Path | None = None
    num_files: int = 0
    seconds: float = 0.0
    remarks: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return the outcome as JSON values, without the plan."""
        return {
            'done': self.plan is not None,
            'quarantine': str(self.quarantine) if self.quarantine else None,
            'num_quarantined_files': self.num_files,
            'remarks': list(self.remarks),
        }


class _FruitlessError(Exception):
    """The rewritten dataset is no better than the old one."""


def finish_interrupted(root: Path, disk: Disk = DISK) -> None:
    """
    Refuse a dataset that a recorder has open, and finish a rebuild that a crash interrupted.

    If neither is the case, nothing on disk changes.

    :raise DatasetLockedError: if a recorder or another tool writes to the dataset
    """
    root = root.resolve()
    is_interrupted = folder_beside(root).exists() or (root / REBUILD).exists()
    if is_interrupted or lock_holder(root) is not None:
        with locked(root, disk):
            pass


def examine(
    root: Path, *, min_seconds: float = MIN_SECONDS, watch: Watcher | None = None
) -> Examination:
    """
    Check a dataset with decoding and plan its repair, without changing or locking it.

    :param root: the dataset's folder
    :param min_seconds: minimum duration of a cut episode; shorter ones are set aside
    :param watch: receives the progress of the check
    :raise ConfigError: if the folder holds no dataset
    :raise DatasetCorruptError: if info.json lacks facts that a repair needs
    :raise RepairError: if no episode can be kept
    """
    root = root.resolve()
    files = _snapshot(root)
    report = check_dataset(root, progress=watch)
    if not _to_mend(report):
        return Examination(report, None, files)
    return Examination(report, plan_repair(read_sources(report), min_seconds), files)


def repair_dataset(
    root: Path,
    *,
    examined: Examination | None = None,
    min_seconds: float = MIN_SECONDS,
    watch: Watcher | None = None,
    progress: Progress | None = None,
    disk: Disk = DISK,
) -> Repair:
    """
    Keep all episodes that can be verified, and set everything else aside; nothing is deleted.

    The dataset is locked while files are written. A dataset without faults is not touched. The
    rewritten dataset is checked with decoding before it takes the old one's place.

    :param root: the dataset's folder
    :param examined: result of a recent ``examine``; None: the dataset is examined first
    :param min_seconds: minimum duration of a cut episode; shorter ones are set aside
    :param watch: receives the progress of the checks
    :param progress: receives the number of bytes written and the total
    :param disk: file operations, which tests replace
    :raise DatasetLockedError: if a recorder or another tool writes to the dataset
    :raise DatasetError: if the dataset cannot be repaired; it is unchanged then
    :raise VideoError: if a video cannot be read or written; the dataset is unchanged then
    """
    begin_s = time.monotonic()
    finish_interrupted(root, disk)
    examined = examined or examine(root, min_seconds=min_seconds, watch=watch)
    plan = examined.plan
    if plan is None:
        return Repair(examined.report)
    with locked(root, disk) as folder:
        if _snapshot(folder) != examined._files:
            raise RepairError(f'{folder} has changed since it was checked. Try again.')
        quarantine = quarantine_folder(folder)
        try:
            with rebuilding(folder, disk, left_out=plan.strays) as tree:
                remarks = assemble_repaired(plan, tree, progress)
                after = _verified(tree.folder, examined.report, watch)
                num_files = set_aside(plan, tree, quarantine)
        except _FruitlessError:
            remark = 'rewriting the files would not mend these faults; nothing was done'
            return Repair(examined.report, remarks=(remark,))
        refresh_card(Files(folder))
    return Repair(
        report=replace(after, root=folder),
        plan=plan,
        quarantine=folder / quarantine,
        num_files=num_files,
        seconds=time.monotonic() - begin_s,
        remarks=tuple(remarks),
    )


def _verified(folder: Path, before: CheckReport, watch: Watcher | None) -> CheckReport:
    """Check the rewritten dataset before the exchange; raise a RepairError if it has errors."""
    after = check_dataset(folder, progress=watch, is_locked=True)
    if after.errors:
        facts = ' '.join(f'{one.path}: {one.fact}' for one in after.errors[:_SHOWN])
        raise RepairError(
            f'{before.root} could not be repaired: the rewritten dataset has '
            f'{len(after.errors)} errors. {facts} Nothing has changed.'
        )
    if before.is_whole and len(_to_mend(after)) >= len(_to_mend(before)):
        raise _FruitlessError
    return after


def _to_mend(report: CheckReport) -> list[object]:
    return [one for one in report.findings if one.kind not in NOT_MENDED]


def _snapshot(root: Path) -> _Snapshot:
    """Return the mtime, size and inode of each file, which show whether the dataset changes."""
    found = {}
    for relative in files_below(root):
        if relative not in (str(LOCK), str(OWNER)):
            status = (root / relative).lstat()
            found[relative] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found
