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
"""One table of tasks for episodes of several datasets, and of other things that rows refer to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lerobot_streamrec.dataset.format.catalog import Catalog
from lerobot_streamrec.dataset.format.tasks import TaskColumns, TaskTable
from lerobot_streamrec.dataset.rebuild.index_tables import Numbers, UnitedTable
from lerobot_streamrec.dataset.rebuild.pieces import Kept
from lerobot_streamrec.errors import DatasetCorruptError
import numpy as np
import pyarrow as pa

TASK_INDEX = 'task_index'


@dataclass(frozen=True, slots=True)
class UnifiedTasks:
    """
    Tasks of a new dataset, and what the numbers of the old ones become.

    :param table: dataset by dataset, each one's in the order they had there
    :param numbers: per dataset: the new number of each old one, -1 where no episode has it
    :param others: tables of other things, by the columns that refer to them
    """

    table: TaskTable
    numbers: Mapping[Catalog, Numbers]
    others: Mapping[str, UnitedTable] = field(default_factory=dict)

    def keeps_numbers(self, episode: Kept) -> bool:
        """Whether the task numbers in an episode's rows stay as they are, and all others."""
        names = episode.catalog.tasks
        indices = [names.index(task) for task in episode.source.tasks]
        return all(self.numbers[episode.catalog][index] == index for index in indices) and all(
            np.array_equal(numbers, np.arange(len(numbers)))
            for numbers in (table.numbers[episode.catalog] for table in self.others.values())
        )

    def renumbered(self, episode: Kept, rows: pa.Table) -> dict[str, Numbers]:
        """
        Return the new numbers of an episode's rows, by their columns.

        :raise DatasetCorruptError: if a row has a task that meta/episodes does not know of, or
            the number of a thing that no table holds
        """
        old = _numbers(rows, TASK_INDEX)
        new = _replaced(old, self.numbers[episode.catalog])
        if (new < 0).any():
            why = f'its tasks are {list(episode.source.tasks)}'
            raise _unknown(episode, TASK_INDEX, old[new < 0], why)
        found = {TASK_INDEX: new}
        for column, table in self.others.items():
            old = _numbers(rows, column)
            new = _replaced(old, table.numbers[episode.catalog])
            lost = old[(new < 0) & (old >= 0)]
            if len(lost):
                raise _unknown(episode, column, lost, f'{table.path} has no such row')
            # Below 0, writers say that a row has none.
            found[column] = np.where(old < 0, old, new)
        return found


def _numbers(rows: pa.Table, column: str) -> Numbers:
    return np.asarray(rows.column(column).to_numpy(), dtype=np.int64)


def _replaced(old: Numbers, numbers: Numbers) -> Numbers:
    """Replace numbers by others; -1 where there is none."""
    known = (old >= 0) & (old < len(numbers))
    return np.where(known, np.append(numbers, -1)[np.where(known, old, -1)], -1)


def _unknown(episode: Kept, column: str, numbers: Numbers, why: str) -> DatasetCorruptError:
    return DatasetCorruptError(
        f'{episode.catalog.root}: rows of episode {episode.source.episode_index} have '
        f'{column} {sorted(set(numbers.tolist()))}, but {why}'
    )


def unified_tasks(
    kept: Sequence[Kept], others: Mapping[str, UnitedTable] | None = None
) -> UnifiedTasks:
    """
    Give new numbers to the tasks of episodes: dataset by dataset, each in its own order.

    :param others: tables of other things that rows refer to
    :raise DatasetCorruptError: if an episode has a task that its dataset's table lacks
    """
    used: dict[Catalog, set[str]] = {}
    for one in kept:
        used.setdefault(one.catalog, set()).update(one.source.tasks)
    columns = TaskColumns()
    for catalog in used:
        columns = columns.merged(catalog.task_columns)
    table = TaskTable(others=columns)
    for catalog, tasks in used.items():
        if lost := tasks - set(catalog.tasks):
            raise DatasetCorruptError(
                f'{catalog.root}/meta/tasks.parquet lacks tasks that episodes have: {sorted(lost)}'
            )
        for task in catalog.tasks:
            if task in tasks:
                table = table.with_task(task)
    numbers = {
        catalog: np.array(
            [table.index(task) if task in tasks else -1 for task in catalog.tasks], dtype=np.int64
        )
        for catalog, tasks in used.items()
    }
    return UnifiedTasks(table, numbers, others or {})


def same_tasks(catalog: Catalog) -> UnifiedTasks:
    """Keep a dataset's tasks as they are, whether or not an episode has them."""
    numbers = np.arange(len(catalog.tasks), dtype=np.int64)
    return UnifiedTasks(TaskTable(catalog.tasks), {catalog: numbers})
