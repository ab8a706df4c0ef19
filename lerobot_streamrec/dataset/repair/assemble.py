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
"""Assembly of the tree that will replace a broken dataset."""

from __future__ import annotations

from contextlib import suppress

from lerobot_streamrec.dataset.check.reading import UNREADABLE
from lerobot_streamrec.dataset.format.info_rules import read_small_file
from lerobot_streamrec.dataset.format.layout import INFO, STATS, TASKS
from lerobot_streamrec.dataset.format.parquet import read_parquet
from lerobot_streamrec.dataset.format.statistics_file import (
    sidecar_bytes,
    sidecar_path,
    stats_json,
)
from lerobot_streamrec.dataset.format.tasks import task_columns, TaskColumns, TaskTable
from lerobot_streamrec.dataset.rebuild.assemble import (
    file_numbers,
    places_of,
    Progress,
    Steps,
    write_records,
)
from lerobot_streamrec.dataset.rebuild.foreign_files import numbered_meta_files
from lerobot_streamrec.dataset.rebuild.merged_features import UnifiedTasks
from lerobot_streamrec.dataset.rebuild.new_files import write_data_files, write_video_files
from lerobot_streamrec.dataset.rebuild.new_tree import NewTree
from lerobot_streamrec.dataset.rebuild.pieces import Piece, VideoSurveys
from lerobot_streamrec.dataset.repair.meta_writing import info_bytes, used_tasks, write_episodes
from lerobot_streamrec.dataset.repair.plan import RepairPlan
from lerobot_streamrec.dataset.repair.row_reader import RowReader
from lerobot_streamrec.dataset.repair.statistics import repaired_statistics
import numpy as np


def assemble_repaired(
    plan: RepairPlan, tree: NewTree, progress: Progress | None = None
) -> list[str]:
    """
    Fill a tree with the repaired dataset: link unchanged files, write the others.

    :return: sentences on inexact results
    :raise DatasetError: if a file cannot be read or written
    :raise VideoError: if a video cannot be read or written
    """
    size = plan.kept[0].catalog.info.chunks_size
    pieces = [*plan.data, *(one for group in plan.videos.values() for one in group)]
    # Every data file is read twice: first for its statistics, then to copy its rows.
    steps = Steps(_size_bytes(pieces) + _size_bytes(plan.data), progress)
    tasks = _tasks(plan)
    statistics = repaired_statistics(plan, tasks, steps.done)
    surveys = VideoSurveys(to_first_error=True)
    videos = {}
    for key, group in plan.videos.items():
        groups = [[one] for one in group]
        numbers = file_numbers(groups, size)
        videos[key] = write_video_files(key, groups, numbers, tree, surveys, steps.done)
    groups = [[one] for one in plan.data]
    numbers = file_numbers(groups, size)
    write_data_files(groups, numbers, tree, tasks, steps.done, RowReader(plan))
    data = places_of(groups, numbers)
    write_episodes(plan, tree, data, videos, statistics.episodes)
    tree.write(TASKS, tasks.table.as_bytes())
    tree.write(sidecar_path(len(plan.kept)), sidecar_bytes(statistics.features))
    before = None
    with suppress(OSError, ValueError):
        before = read_small_file(plan.sources.root / STATS)
    features = plan.sources.info.features
    tree.write(STATS, stats_json(statistics.features, features, before))
    write_records(plan.kept, tree, statistics.records)
    tree.write(INFO, info_bytes(plan, len(tasks.table.tasks)))
    numbered = numbered_meta_files(plan.kept[0].catalog) if plan.set_aside else []
    return [*surveys.remarks, *statistics.remarks, *numbered]


def _size_bytes(pieces: list[Piece] | tuple[Piece, ...]) -> int:
    return sum(one.size_bytes for one in pieces)


def _task_columns(plan: RepairPlan) -> TaskColumns:
    try:
        return task_columns(read_parquet(plan.sources.root / TASKS))
    except UNREADABLE:
        return TaskColumns()


def _tasks(plan: RepairPlan) -> UnifiedTasks:
    """Keep the tasks in their order, and unite tasks with the same text."""
    texts, table = plan.sources.tasks, TaskTable(others=_task_columns(plan))
    for number in used_tasks(plan):
        table = table.with_task(texts[number] or '')
    numbers = [table.index(text) if text in table.tasks else -1 for text in texts]
    return UnifiedTasks(table, {plan.kept[0].catalog: np.array(numbers, dtype=np.int64)})
