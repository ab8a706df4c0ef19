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
"""Repairs a dataset: whole afterwards, or as it was."""

from __future__ import annotations

from dataclasses import dataclass, replace
import os
from pathlib import Path
import time

from lerobot_streamrec.dataset.check import finding_codes as kinds
from lerobot_streamrec.dataset.check.check import check_dataset, Watcher
from lerobot_streamrec.dataset.check.findings import CheckReport
from lerobot_streamrec.dataset.format.files import lock_holder
from lerobot_streamrec.dataset.format.layout import LOCK, OWNER, REBUILD
from lerobot_streamrec.dataset.rebuild.assemble import Progress
from lerobot_streamrec.dataset.rebuild.exchange import folder_beside, rebuilding
from lerobot_streamrec.dataset.rebuild.new_tree import Disk
from lerobot_streamrec.dataset.rebuild.plan import locked
from lerobot_streamrec.dataset.repair.assemble import assemble_repaired
from lerobot_streamrec.dataset.repair.plan import plan_repair, RepairPlan
from lerobot_streamrec.dataset.repair.quarantine import quarantine_folder, set_aside
from lerobot_streamrec.dataset.repair.sources import read_sources
from lerobot_streamrec.errors import RepairError

MIN_SECONDS = 1.0
"""What is shorter after being cut is not kept."""

# What is no fault of the files, or nothing that writing them anew would change.
_NOT_MENDED = {
    kinds.CHANGED_MEANWHILE,
    kinds.INDEX_OUT_OF_TABLE,
    kinds.LINK_OUT_OF_ROOT,
    kinds.RECORDER_RUNS,
    kinds.UNENCODED_EPISODE,
    kinds.UNFINISHED_TAKE,
    kinds.VIDEO_TOO_LONG,
    kinds.WRONG_INDEX_TABLE,
}
_SHOWN = 3

_Snapshot = dict[str, tuple[int, int, int]]


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """
    What is wrong with a dataset, and what a repair would do.

    :param report: report of the check
    :param plan: None if there is nothing to mend
    """

    report: CheckReport
    plan: RepairPlan | None
    _files: _Snapshot


@dataclass(frozen=True, slots=True, eq=False)
class Repair:
    """
    What a repair has done.

    :param report: on the dataset as it is now
    :param plan: plan that was carried out; None: there was nothing to do
    :param quarantine: where lies what was not kept; None if nothing was done
    :param num_files: how many files lie there
    :param seconds: how long it took
    :param remarks: inexact steps, each a sentence
    """

    report: CheckReport
    plan: RepairPlan | None = None
    quarantine: Path | None = None
    num_files: int = 0
    seconds: float = 0.0
    remarks: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return what was done in JSON's types, without the plan."""
        return {
            'done': self.plan is not None,
            'quarantine': str(self.quarantine) if self.quarantine else None,
            'num_quarantined_files': self.num_files,
            'remarks': list(self.remarks),
        }


class _FruitlessError(Exception):
    """What was written anew is no better than what there was."""


def finish_interrupted(root: Path, disk: Disk | None = None) -> None:
    """
    Refuse a dataset that a recorder has open, and finish a rebuild that a crash interrupted.

    Touches nothing if there is neither.

    :raise DatasetLockedError: if a recorder or another tool writes there
    """
    root = root.resolve()
    is_interrupted = folder_beside(root).exists() or (root / REBUILD).exists()
    if is_interrupted or lock_holder(root) is not None:
        with locked(root, disk or Disk()):
            pass


def examine(
    root: Path, *, min_seconds: float = MIN_SECONDS, watch: Watcher | None = None
) -> Examination:
    """
    Check a dataset with decoding, and plan its repair. Changes nothing, and takes no lock.

    :param root: the dataset's folder
    :param min_seconds: an episode that is shorter after being cut is not kept
    :param watch: is told how far the check is
    :raise ConfigError: if there is no dataset
    :raise DatasetCorruptError: if info.json does not say what is needed
    :raise RepairError: if nothing is left to keep
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
    disk: Disk | None = None,
) -> Repair:
    """
    Keep what is verified, and set everything else aside; nothing is deleted.

    Takes the dataset's lock while it writes. If nothing is wrong, nothing is touched. What was
    written anew is checked with decoding before it takes the dataset's place.

    :param root: the dataset's folder
    :param examined: of just before, if there is one
    :param min_seconds: an episode that is shorter after being cut is not kept
    :param watch: is told how far the checks are
    :param progress: is told the bytes written and to write
    :param disk: the way to the disk
    :raise DatasetLockedError: if a recorder or another tool writes there
    :raise DatasetError: if it cannot be repaired; the dataset is as it was
    :raise VideoError: if a video cannot be read or written; the dataset is as it was
    """
    begin_s = time.monotonic()
    disk = disk or Disk()
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
            remark = 'what is wrong stays so when it is written anew; nothing was done'
            return Repair(examined.report, remarks=(remark,))
    return Repair(
        report=replace(after, root=folder),
        plan=plan,
        quarantine=folder / quarantine,
        num_files=num_files,
        seconds=time.monotonic() - begin_s,
        remarks=tuple(remarks),
    )


def _verified(folder: Path, before: CheckReport, watch: Watcher | None) -> CheckReport:
    """
    Check what was written, while the dataset is still as it was.

    :raise RepairError: if there are errors in it
    """
    after = check_dataset(folder, progress=watch, is_locked=True)
    if after.errors:
        facts = ' '.join(f'{one.path}: {one.fact}' for one in after.errors[:_SHOWN])
        raise RepairError(
            f'{before.root} could not be repaired: what was written anew has '
            f'{len(after.errors)} errors. {facts} Nothing has changed.'
        )
    if before.is_whole and len(_to_mend(after)) >= len(_to_mend(before)):
        raise _FruitlessError
    return after


def _to_mend(report: CheckReport) -> list[object]:
    return [one for one in report.findings if one.kind not in _NOT_MENDED]


def _snapshot(root: Path) -> _Snapshot:
    """Tell one state of a dataset from another, without reading it."""
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            relative = path.relative_to(root).as_posix()
            if relative not in (str(LOCK), str(OWNER)):
                status = path.lstat()
                found[relative] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found
