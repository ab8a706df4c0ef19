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
"""The choice of each episode's rows, and the texts of the tasks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from lerobot_streamrec.dataset.check.episodes import EpisodeTable
from lerobot_streamrec.dataset.check.reading import UNREADABLE
from lerobot_streamrec.dataset.format.layout import TASKS
from lerobot_streamrec.dataset.rebuild.new_tree import is_of_dataset
from lerobot_streamrec.dataset.repair.row_sources import Rows
import pyarrow.parquet as pq


def rows_in_table(table: EpisodeTable) -> dict[int, int]:
    """Return the row number of each episode in meta/episodes; the first of several rows wins."""
    found: dict[int, int] = {}
    for row, index in enumerate(table.index.tolist()):
        if index >= 0 and table.length[row] > 0:
            found.setdefault(index, row)
    return found


def matched_rows(stretches: Sequence[Rows], table: EpisodeTable) -> dict[int, Rows]:
    """
    Choose the stretch of rows of each episode.

    :return: rows by ``episode_index``, in order; an episode is missing if its rows are unknown
    """
    of_episode: dict[int, list[Rows]] = defaultdict(list)
    for one in stretches:
        of_episode[one.episode_index].append(one)
    places = rows_in_table(table)
    found: dict[int, Rows] = {}
    for index, options in of_episode.items():
        if index < 0:
            continue
        if index in places:
            named = table.data_files[places[index]]
            # A copy of the file under another name is used only if the named file has no rows.
            chosen = [one for one in options if one.path == named] or options
            found[index] = max(chosen, key=lambda one: one.num_whole)
        elif len(options) == 1 and is_of_dataset(options[0].path):
            found[index] = options[0]
    taken = set(map(id, found.values()))
    for index, row in places.items():
        if index not in found:
            free = [one for one in stretches if id(one) not in taken]
            mistaken = [one for one in free if _is_of(one, table, row)]
            if len(mistaken) == 1:
                found[index] = mistaken[0]
    return dict(sorted(found.items()))


def _is_of(rows: Rows, table: EpisodeTable, row: int) -> bool:
    """Return whether rows match an episode in all respects but their ``episode_index``."""
    return (
        rows.path == table.data_files[row]
        and rows.from_index == table.from_index[row]
        and rows.length == table.length[row]
    )


Tasks = tuple[str | None, ...]
"""The texts of tasks by task_index; None where no text is known."""

_MAX_TASKS = 2**20


def read_tasks(
    root: Path, used: Mapping[int, Sequence[int]], named: Mapping[int, Sequence[str]]
) -> Tasks:
    """
    Read the tasks from their table, or else infer them from episodes that have one task.

    :param root: the dataset's folder
    :param used: distinct task numbers in the rows of each episode
    :param named: tasks that meta/episodes names for each episode
    """
    try:
        table = pq.read_table(root / TASKS)
        names = {'task', '__index_level_0__'} & set(table.column_names)
        texts = table.column(names.pop()).to_pylist()
        numbers = table.column('task_index').to_pylist()
    except UNREADABLE:
        return _from_episodes(used, named)
    by_place = _by_number(list(range(len(texts))), texts)
    by_number = _by_number(numbers, texts)
    # Readers go by row position; meta/episodes shows whether position or task_index is right.
    places, numbered = (_agreement(one, used, named) for one in (by_place, by_number))
    return by_place if places > numbered else by_number


def _by_number(numbers: Sequence[object], texts: Sequence[object]) -> Tasks:
    found = {
        number: text
        for number, text in zip(numbers, texts, strict=True)
        if isinstance(number, int) and 0 <= number < len(texts) and isinstance(text, str)
    }
    return _tuple(found)


def _tuple(found: Mapping[int, str]) -> Tasks:
    return tuple(found.get(number) for number in range(max(found, default=-1) + 1))


def _agreement(
    tasks: Tasks, used: Mapping[int, Sequence[int]], named: Mapping[int, Sequence[str]]
) -> int:
    def texts(numbers: Sequence[int]) -> set[str | None]:
        return {tasks[one] if 0 <= one < len(tasks) else None for one in numbers}

    return sum(texts(used[one]) == set(named[one]) for one in used if one in named)


def _from_episodes(
    used: Mapping[int, Sequence[int]], named: Mapping[int, Sequence[str]]
) -> Tasks:
    found: dict[int, str] = {}
    doubtful: set[int] = set()
    for episode, numbers in used.items():
        texts = named.get(episode, ())
        is_told = len(numbers) == len(texts) == 1 and 0 <= numbers[0] < _MAX_TASKS
        if is_told and found.setdefault(numbers[0], texts[0]) != texts[0]:
            doubtful.add(numbers[0])
    return _tuple({number: text for number, text in found.items() if number not in doubtful})
