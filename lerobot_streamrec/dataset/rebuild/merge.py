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
"""Merging of several datasets into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
import time

from lerobot_streamrec.dataset.about.card import refresh_card
from lerobot_streamrec.dataset.about.robot_files import FOLDER as ROBOT
from lerobot_streamrec.dataset.format.catalog import Catalog, read_catalog, refuse_odd_dataset
from lerobot_streamrec.dataset.format.episode_index import EpisodeIndex
from lerobot_streamrec.dataset.format.files import DatasetLock, Files
from lerobot_streamrec.dataset.format.layout import INFO, OWN, refuse_inside_dataset
from lerobot_streamrec.dataset.rebuild.assemble import assemble_chosen, Progress
from lerobot_streamrec.dataset.rebuild.exchange import rebuilding
from lerobot_streamrec.dataset.rebuild.foreign_files import (
    find_foreign_files,
    ForeignFiles,
    index_tables,
    united_tables,
    UnitedTable,
)
from lerobot_streamrec.dataset.rebuild.merged_features import merged_info, MergedInfo
from lerobot_streamrec.dataset.rebuild.new_files import building
from lerobot_streamrec.dataset.rebuild.new_tree import DISK, Disk
from lerobot_streamrec.dataset.rebuild.pieces import kept_episodes
from lerobot_streamrec.dataset.rebuild.plan import Change, make_plan, measured, Plan
from lerobot_streamrec.errors import ConfigError, DatasetExistsError
from lerobot_streamrec.remote_files import is_place
from lerobot_streamrec.workers import HERE, Task, Workers

READ_WHOLE = ('meta/', f'{OWN}/')
"""Begins of the paths of files that a merge reads as a whole."""


@dataclass(frozen=True, slots=True)
class MergePlan:
    """
    The plan of a merged dataset.

    :param files: files of the new dataset
    :param info: content of its info.json
    :param tables: tables besides tasks.parquet to which rows refer, by the referring columns
    :param foreign: files that are not part of the LeRobot format
    """

    files: Plan
    info: MergedInfo
    tables: Mapping[str, UnitedTable]
    foreign: ForeignFiles

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences on everything that is moved, overruled, left out or not joined."""
        return (*self.info.remarks, *self.foreign.remarks, *self.files.remarks)


def plan_merge(
    catalogs: Sequence[Catalog], *, pack: bool = True, workers: Workers = HERE
) -> MergePlan:
    """
    Plan a dataset that holds all episodes of the given datasets, in the given order.

    :param pack: True to join neighbouring files as far as they fit
    :param workers: they read the videos
    :raise ConfigError: if no dataset has an episode
    :raise DatasetsDifferError: if the datasets are not of the same kind
    :raise DatasetCorruptError: if a file is missing or cannot be read
    """
    info = merged_info(catalogs)
    kept = kept_episodes((catalog, one) for catalog in catalogs for one in catalog.episodes)
    if not kept:
        raise ConfigError('roots', [str(one.root) for one in catalogs], 'none has an episode')
    tables = united_tables(catalogs)
    united = {
        path
        for one in catalogs
        for column, path in index_tables(one.root, one.info.features).items()
        if column in tables
    }
    foreign = find_foreign_files(catalogs, united)
    return MergePlan(make_plan(kept, pack=pack, workers=workers), info, tables, foreign)


def check_roots(out: Path, roots: Sequence[Path]) -> None:
    """
    Refuse a merge of a dataset with or into itself, and a target that is in use.

    :raise ConfigError: naming the root
    :raise DatasetExistsError: if the target is not empty, or lies in another dataset
    """
    seen: set[Path] = set()
    for root in (one.resolve() for one in roots):
        if root in seen:
            raise ConfigError('roots', str(root), 'it is named twice; name each dataset once')
        if out.resolve() == root or root in out.resolve().parents:
            raise ConfigError('out', str(out), f'it must not be in the dataset {root}')
        seen.add(root)
    refuse_inside_dataset(out)
    if out.is_dir() and not any(out.iterdir()):
        return
    if out.exists() or out.is_symlink():
        raise DatasetExistsError(f'{out} is there already; merge to an empty or new folder')


def merge_datasets(
    out: Path,
    roots: Sequence[Path],
    *,
    progress: Progress | None = None,
    disk: Disk = DISK,
    workers: Workers = HERE,
) -> Change:
    """
    Make a new dataset of all episodes of the given datasets, which stay as they are.

    Files that do not change are linked where the file system allows it, and copied elsewhere.
    Foreign files are copied; of different files with the same name, the first keeps its path and
    the others go to ``merged_from``. The new dataset appears whole, or not at all.

    :param out: folder of the new dataset, which is empty or does not exist
    :param roots: folders of the datasets to merge
    :param progress: receives the number of bytes done and the total
    :param disk: file operations, which tests replace; other processes get a copy
    :param workers: they read and write the files; the result is the same for all of them
    :raise WorkerError: if a process dies again and again; nothing is left at ``out`` then
    :raise ConfigError: if a root is named twice, or there is nothing to merge
    :raise DatasetExistsError: if ``out`` is not empty, or lies in another dataset
    :raise DatasetLockedError: if one of the datasets is being written
    :raise DatasetsDifferError: if the datasets are not of the same kind
    :raise DatasetError: if a file cannot be read or written; nothing is left at ``out`` then
    """
    begin_s = time.monotonic()
    check_roots(out, roots)
    indices = _read_rows(roots, workers)
    with ExitStack() as stack:
        for root in roots:
            _keep_writers_out(root, stack)
        catalogs = list(map(read_catalog, roots, indices))
        plan = plan_merge(catalogs, workers=workers)
        with building(out, disk) as tree:
            remarks = assemble_chosen(
                plan.files,
                tree,
                plan.info.content,
                progress,
                tables=plan.tables,
                workers=workers,
            )
            plan.foreign.copy(tree)
        refresh_card(Files(out))
        before = measured(*(one.root for one in catalogs))
        remarks = [*plan.remarks, *remarks]
        return Change.since(begin_s, before, out, len(plan.files.kept), remarks)


def add_datasets(
    root: Path,
    others: Sequence[Catalog],
    *,
    pack: bool,
    progress: Progress | None = None,
    disk: Disk = DISK,
) -> None:
    """
    Add all episodes of other datasets to a dataset whose lock the caller holds.

    They appear together, or not at all. Of foreign files, only those about the robot are copied.

    :param root: folder of the dataset, which may have no episode yet
    :param others: datasets of the same kind, which nobody writes and which stay as they are
    :param pack: True to join neighbouring files as far as they fit
    :param progress: receives the number of bytes done and the total
    :param disk: file operations, which tests replace
    :raise DatasetsDifferError: if the datasets are not of the same kind
    :raise DatasetError: if a file cannot be read or written; the dataset is unchanged then
    """
    present = [read_catalog(root)] if (root / INFO).is_file() else []
    plan = plan_merge([*present, *others], pack=pack)
    splits = present[0].raw_info.get('splits') if present else None
    # The new content of these tables must not be written into the old ones, by their links.
    left_out = {one.path for one in plan.tables.values()}
    with rebuilding(root, disk, left_out=left_out) as tree:
        content, tables = plan.info.content, plan.tables
        assemble_chosen(plan.files, tree, content, progress, tables=tables, splits=splits)
        for source, relative in plan.foreign.copies:
            if relative.startswith(f'{ROBOT}/') and not (tree.folder / relative).exists():
                tree.copy(source, relative)


def _read_rows(roots: Sequence[Path], workers: Workers) -> list[EpisodeIndex]:
    """Refuse datasets that cannot be merged; return their episodes files, as they were read."""
    # Only this machine has the names of the files of datasets that lie in a store.
    is_seen = workers.is_on_this_machine or not any(is_place(one.resolve()) for one in roots)
    checks = [Task(f'the rows of {root}', partial(refuse_odd_dataset, root)) for root in roots]
    return list((workers if is_seen else HERE).run(checks))


def _keep_writers_out(root: Path, stack: ExitStack) -> None:
    """Lock a dataset that has this recorder's folder, unless the dataset is read-only."""
    if (root / OWN).is_dir():
        try:
            stack.callback(DatasetLock(root).release)
        except OSError:
            return
