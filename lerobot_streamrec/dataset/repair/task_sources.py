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
"""Tasks by their numbers, from whatever still tells them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lerobot_streamrec.dataset.check.reading import UNREADABLE
from lerobot_streamrec.dataset.format.layout import TASKS
import pyarrow.parquet as pq

Tasks = tuple[str | None, ...]
"""By task_index; None: a number that no text is known for."""

_MAX_TASKS = 2**20


def read_tasks(
    root: Path, used: Mapping[int, Sequence[int]], named: Mapping[int, Sequence[str]]
) -> Tasks:
    """
    Read the tasks, in or out of order; where there is no table, episodes with one task tell them.

    :param root: the dataset's folder
    :param used: per episode: the distinct task numbers of its rows
    :param named: per episode: the tasks that meta/episodes names
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
    # Readers go by place; what the episodes say tells which of the two was meant.
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
