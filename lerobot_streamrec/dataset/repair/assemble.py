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
"""Assembly of the tree that will replace a broken dataset, with its new meta files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import chain, groupby
from typing import Any

from lerobot_streamrec.dataset.check import finding_codes as kinds
from lerobot_streamrec.dataset.check.reading import UNREADABLE
from lerobot_streamrec.dataset.format.episode_table import VideoPlace
from lerobot_streamrec.dataset.format.features import DEFAULT_FEATURES
from lerobot_streamrec.dataset.format.info_rules import (
    info_faults,
    json_bytes,
    read_small_file,
    REPLACEMENTS,
)
from lerobot_streamrec.dataset.format.layout import (
    DATA_PATH,
    EPISODES_PATH,
    FileIndex,
    INFO,
    STATS,
    TASKS,
    VIDEO_PATH,
)
from lerobot_streamrec.dataset.format.parquet import read_parquet, read_schema, to_bytes
from lerobot_streamrec.dataset.format.statistics_file import (
    AllStatistics,
    sidecar_bytes,
    sidecar_path,
    stats_json,
)
from lerobot_streamrec.dataset.format.tasks import task_columns, TaskColumns, TaskTable
from lerobot_streamrec.dataset.rebuild.assemble import counted, Progress, write_records
from lerobot_streamrec.dataset.rebuild.foreign_files import numbered_meta_files
from lerobot_streamrec.dataset.rebuild.merged_features import UnifiedTasks
from lerobot_streamrec.dataset.rebuild.new_files import write_data_files, write_video_files
from lerobot_streamrec.dataset.rebuild.new_tree import NewTree
from lerobot_streamrec.dataset.rebuild.pieces import as_new_files, file_index, Kept, places_of
from lerobot_streamrec.dataset.repair.plan import kept_rows, RepairPlan
from lerobot_streamrec.dataset.repair.statistics import repaired_statistics
from lerobot_streamrec.errors import DatasetCorruptError
from lerobot_streamrec.video.mp4.damage_scan import video_facts
from lerobot_streamrec.video.tools.encoding_jobs import WorkCounter
import numpy as np
import pyarrow as pa


def assemble_repaired(
    plan: RepairPlan, tree: NewTree, progress: Progress | None = None
) -> list[str]:
    """
    Fill a tree with the repaired dataset: link unchanged files, write the others.

    :return: sentences on inexact results
    :raise DatasetError: if a file cannot be read or written
    :raise VideoError: if a video cannot be read or written
    """
    size = plan.catalog.info.chunks_size
    # Every data file is read twice: first for its statistics, then to copy its rows.
    pieces = chain(plan.data, plan.data, *plan.videos.values())
    counter = WorkCounter(sum(one.size_bytes for one in pieces), progress)
    tasks = _tasks(plan)
    statistics = repaired_statistics(plan, tasks, counter.add)
    videos = {}
    for key, group in plan.videos.items():
        files = as_new_files([[one] for one in group], size)
        videos[key] = write_video_files(key, files, tree, plan.surveys, counter.add)
    data = as_new_files([[one] for one in plan.data], size)
    write_data_files(data, tree, tasks, counter.add, partial(kept_rows, plan))
    write_episodes(plan, tree, places_of(data), videos, statistics.episodes)
    tree.write(TASKS, tasks.table.as_bytes())
    tree.write(sidecar_path(len(plan.kept)), sidecar_bytes(statistics.features))
    before = None
    with suppress(OSError, ValueError):
        before = read_small_file(plan.sources.root / STATS)
    features = plan.sources.info.features
    tree.write(STATS, stats_json(statistics.features, features, before))
    write_records(plan.kept, tree, statistics.records)
    tree.write(INFO, info_bytes(plan, len(tasks.table.tasks)))
    numbered = numbered_meta_files(plan.catalog) if plan.set_aside else []
    return [*plan.surveys.remarks, *statistics.remarks, *numbered]


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
    return UnifiedTasks(table, {plan.catalog: np.array(numbers, dtype=np.int64)})


_COLUMNS = {'episode_index', 'tasks', 'length', 'dataset_from_index', 'dataset_to_index'}


def write_episodes(
    plan: RepairPlan,
    tree: NewTree,
    data: Mapping[Kept, FileIndex],
    videos: Mapping[str, Mapping[Kept, VideoPlace]],
    statistics: Mapping[Kept, AllStatistics],
) -> None:
    """
    Write meta/episodes; neighbouring episodes that shared a file still share one.

    :param data: new data file of each episode
    :param videos: new place of each episode's frames, per video key
    :param statistics: statistics of each episode
    :raise RebuildError: if a file cannot be written
    """
    table = plan.sources.table
    rows = table.places()

    def file_of(episode: Kept) -> str:
        row = rows.get(episode.source.episode_index)
        return '' if row is None else table.meta_files[row]

    others = _columns_of_others(plan)
    # Readers need the same columns in all files.
    fields = {field.name: field for one in others.values() for field in one.schema}
    tables: dict[FileIndex, pa.Table] = {}
    for number, (_, group) in enumerate(groupby(plan.kept, file_of)):
        file = file_index(number, plan.catalog.info.chunks_size)
        rows_of_file = [
            _with_columns(
                replace(
                    one.row(data[one], file, {key: places[one] for key, places in videos.items()}),
                    statistics=statistics[one],
                ).as_table(),
                others.get(rows.get(one.source.episode_index, -1)),
                fields.values(),
            )
            for one in group
        ]
        # The statistics of depth cameras may be missing, so the columns can differ.
        tables[file] = pa.concat_tables(rows_of_file, promote_options='default')
    schema = pa.unify_schemas([one.schema for one in tables.values()])
    for file, one in tables.items():
        padded = pa.concat_tables([schema.empty_table(), one], promote_options='default')
        tree.write(file.path(EPISODES_PATH), to_bytes(padded))


def _columns_of_others(plan: RepairPlan) -> dict[int, pa.Table]:
    """Read the columns of other writers: a table of one row per row of meta/episodes."""
    table = plan.sources.table
    found: dict[int, pa.Table] = {}
    for path, group in groupby(range(len(table)), lambda row: table.meta_files[row]):
        rows = list(group)
        try:
            names = read_schema(plan.sources.root / path).names
            wanted = [name for name in names if not _is_of_format(name)]
            content = read_parquet(plan.sources.root / path, wanted) if wanted else None
        except DatasetCorruptError:
            # The check has already reported the damage, and read all that can be read.
            continue
        if content is not None and len(content) == len(rows):
            content = content.replace_schema_metadata(None)
            found.update({row: content.slice(at, 1) for at, row in enumerate(rows)})
    return found


def _is_of_format(column: str) -> bool:
    return column in _COLUMNS or column.startswith(('stats/', 'videos/', 'data/', 'meta/'))


def _with_columns(row: pa.Table, others: pa.Table | None, fields: Iterable[pa.Field]) -> pa.Table:
    for one in fields:
        # If a column has two types, the values of the second type stay in the quarantine folder.
        if others is not None and one in list(others.schema):
            row = row.append_column(one, others.column(one.name))
        else:
            row = row.append_column(one, pa.nulls(1, one.type))
    return row


def info_bytes(plan: RepairPlan, total_tasks: int) -> bytes:
    """Return info.json with its faults corrected."""
    raw = plan.sources.raw_info
    faulty = {fault.name for fault in info_faults(raw)}
    needs_path = bool(plan.sources.info.video_keys) or 'video_path' in faulty
    content = {
        **counted(raw, plan.kept, total_tasks),
        **{name: value for name, value in REPLACEMENTS.items() if name in faulty},
        'features': _features(plan),
        'chunks_size': plan.catalog.info.chunks_size,
        'data_path': DATA_PATH,
        'video_path': VIDEO_PATH if needs_path else raw.get('video_path'),
    }
    return json_bytes(content)


def _features(plan: RepairPlan) -> dict[str, Any]:
    described = dict(plan.sources.raw_info['features'])
    findings = plan.sources.report.findings
    for one in findings:
        if one.kind is kinds.WRONG_FEATURE and one.feature in DEFAULT_FEATURES:
            described[one.feature] = DEFAULT_FEATURES[one.feature].as_json()
    for key in {str(one.feature) for one in findings if one.kind is kinds.WRONG_VIDEO_INFO}:
        if plan.videos.get(key):
            described[key] = _with_video_info(described[key], plan, key)
    return described


def _with_video_info(entry: Mapping[str, Any], plan: RepairPlan, key: str) -> dict[str, Any]:
    try:
        facts = video_facts(plan.videos[key][0].path)
    except DatasetCorruptError:
        return dict(entry)
    real = facts.as_info()
    name = 'info' if entry.get('info') else 'video_info'
    said = entry.get(name) or {}
    return {**entry, name: {**said, **{one: real[one] for one in real if one in said}}}


def used_tasks(plan: RepairPlan) -> Sequence[int]:
    """Return the numbers of tasks to keep: those that info.json counts or that rows use."""
    total = plan.sources.info.totals.get('tasks', 0)
    in_rows = {text for one in plan.kept for text in one.source.tasks}
    return [
        number
        for number, text in enumerate(plan.sources.tasks)
        if text is not None and (number < total or text in in_rows)
    ]
