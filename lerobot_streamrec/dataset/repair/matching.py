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
"""Which rows are whose, where meta/episodes and the rows do not agree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from lerobot_streamrec.dataset.check.episodes import EpisodeTable
from lerobot_streamrec.dataset.rebuild.new_tree import is_of_dataset
from lerobot_streamrec.dataset.repair.row_sources import Rows


def rows_in_table(table: EpisodeTable) -> dict[int, int]:
    """Return the row of each episode in meta/episodes; of several, the first one."""
    found: dict[int, int] = {}
    for row, index in enumerate(table.index.tolist()):
        if index >= 0 and table.length[row] > 0:
            found.setdefault(index, row)
    return found


def matched_rows(stretches: Sequence[Rows], table: EpisodeTable) -> dict[int, Rows]:
    """
    Choose the rows of each episode.

    :return: per ``episode_index``, in order; without those that it cannot be told of
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
            # A copy of the file under another name is nobody's, unless that is all there is.
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
    """Whether everything but their ``episode_index`` says that rows are an episode's."""
    return (
        rows.path == table.data_files[row]
        and rows.from_index == table.from_index[row]
        and rows.length == table.length[row]
    )
