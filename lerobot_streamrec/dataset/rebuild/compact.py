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
"""Joining of small files into few large ones; no row, timestamp, statistic or frame changes."""

from __future__ import annotations

from pathlib import Path
import time

from lerobot_streamrec.dataset.format.catalog import Catalog, read_catalog
from lerobot_streamrec.dataset.rebuild.assemble import assemble_same, Progress
from lerobot_streamrec.dataset.rebuild.exchange import rebuilding
from lerobot_streamrec.dataset.rebuild.new_tree import DISK, Disk
from lerobot_streamrec.dataset.rebuild.pieces import kept_episodes
from lerobot_streamrec.dataset.rebuild.plan import (
    Change,
    changing,
    make_plan,
    measured,
    Plan,
    refuse_unfinished_takes,
)


def plan_compaction(catalog: Catalog) -> Plan | None:
    """
    Find neighbouring files that fit into one file within the size limits of info.json.

    :return: a plan, whose ``joins`` is False if no files fit; None if there is no episode
    :raise DatasetCorruptError: if a file is missing or cannot be read
    """
    if not catalog.episodes:
        return None
    return make_plan(kept_episodes((catalog, one) for one in catalog.episodes), pack=True)


def compact_dataset(root: Path, *, progress: Progress | None = None, disk: Disk = DISK) -> Change:
    """
    Take the lock of a dataset and compact it.

    :param root: the dataset's folder
    :param progress: receives the number of bytes done and the total
    :param disk: file operations, which tests replace
    :raise DatasetError: if the dataset cannot be compacted; it is unchanged then
    :raise VideoError: if a video cannot be read or written; the dataset is unchanged then
    """
    with changing(root, disk) as locked:
        return compact(locked, progress=progress, disk=disk)


def no_change(root: Path) -> Change:
    """Return the result of compacting a dataset that has no episode yet."""
    nothing = measured(root)
    return Change(0, nothing, nothing, 0.0)


def compact(root: Path, *, progress: Progress | None = None, disk: Disk = DISK) -> Change:
    """
    Compact a dataset whose lock the caller holds; ``resumed_state`` reads its new state.

    Blocks while all files that are not full yet are copied. If no files can be joined, nothing
    on disk changes.

    :raise DatasetError: if the dataset cannot be compacted; it is unchanged then
    :raise VideoError: if a video cannot be read or written; the dataset is unchanged then
    """
    begin_s = time.monotonic()
    refuse_unfinished_takes(root)
    before = measured(root)
    while True:
        catalog = read_catalog(root)
        plan = plan_compaction(catalog)
        if plan is None or not plan.joins:
            break
        # A joined file may be smaller than the sum of its parts, and fit its neighbour now.
        with rebuilding(root, disk) as tree:
            assemble_same(plan, tree, progress)
    # The last plan joins nothing, so it has the reason for every pair of files.
    remarks = plan.remarks if plan else ()
    return Change.since(begin_s, before, root, len(catalog.episodes), remarks)
