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
"""One table of tasks for episodes of several datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lerobot_streamrec.dataset.catalog import Catalog
from lerobot_streamrec.dataset.rebuild.pieces import Kept
from lerobot_streamrec.dataset.tasks import TaskTable
from lerobot_streamrec.errors import DatasetCorruptError
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class UnifiedTasks:
    """
    Tasks of a new dataset, and what the numbers of the old ones become.

    :param table: dataset by dataset, each one's in the order they had there
    :param numbers: per dataset: the new number of each old one, -1 where no episode has it
    """

    table: TaskTable
    numbers: Mapping[Catalog, npt.NDArray[np.int64]]

    def keeps_numbers(self, episode: Kept) -> bool:
        """Whether the task numbers in an episode's rows stay as they are."""
        names = episode.catalog.tasks
        indices = [names.index(task) for task in episode.source.tasks]
        return all(self.numbers[episode.catalog][index] == index for index in indices)

    def renumbered(
        self, episode: Kept, task_index: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """
        Return the new numbers of an episode's rows.

        :raise DatasetCorruptError: if a row has a task that meta/episodes does not know of
        """
        numbers = self.numbers[episode.catalog]
        known = (task_index >= 0) & (task_index < len(numbers))
        new = np.where(known, numbers[np.where(known, task_index, 0)], -1)
        if (new < 0).any():
            raise DatasetCorruptError(
                f'{episode.catalog.root}: rows of episode {episode.source.episode_index} have '
                f'task_index {sorted(set(task_index[new < 0].tolist()))}, which is none of its '
                f'tasks {list(episode.source.tasks)}'
            )
        return np.asarray(new, dtype=np.int64)


def unified_tasks(kept: Sequence[Kept]) -> UnifiedTasks:
    """
    Give new numbers to the tasks of episodes: dataset by dataset, each in its own order.

    :raise DatasetCorruptError: if an episode has a task that its dataset's table lacks
    """
    used: dict[Catalog, set[str]] = {}
    for one in kept:
        used.setdefault(one.catalog, set()).update(one.source.tasks)
    table = TaskTable()
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
    return UnifiedTasks(table, numbers)


def same_tasks(catalog: Catalog) -> UnifiedTasks:
    """Keep a dataset's tasks as they are, whether or not an episode has them."""
    numbers = np.arange(len(catalog.tasks), dtype=np.int64)
    return UnifiedTasks(TaskTable(catalog.tasks), {catalog: numbers})
