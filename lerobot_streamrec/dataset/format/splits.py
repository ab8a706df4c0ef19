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
"""The splits of info.json: ranges of episodes such as ``{"train": "0:40", "val": "40:50"}``."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
import re

_RANGE = re.compile(r'(\d{1,18}):(\d{1,18})')


def is_own(splits: object) -> bool:
    """Whether there are splits beside the one of all episodes that every writer makes."""
    return isinstance(splits, dict) and bool(splits) and set(splits) != {'train'}


def grown_splits(splits: object, total_episodes: int) -> object:
    """
    Return the splits of a dataset that has so many episodes now, of which the first ones are old.

    :param splits: the old splits; those that somebody has made stay as they are
    """
    if is_own(splits):
        return splits
    return {'train': f'0:{total_episodes}'} if total_episodes else {}


def chosen_splits(splits: object, kept: Sequence[int]) -> object:
    """
    Return the splits of a dataset made of some episodes of one.

    :param splits: splits of the source; ranges and lists are written in the new numbers, anything
        else stays
    :param kept: the old numbers, ascending
    """
    if not is_own(splits):
        return grown_splits(splits, len(kept))
    assert isinstance(splits, dict)
    return {name: _chosen(said, kept) for name, said in splits.items()}


def _chosen(said: object, kept: Sequence[int]) -> object:
    if isinstance(said, list):
        new = {old: number for number, old in enumerate(kept)}
        return [new[one] for one in said if isinstance(one, int) and one in new]
    match = _RANGE.fullmatch(said) if isinstance(said, str) else None
    if match is None:
        return said
    return ':'.join(str(bisect_left(kept, int(one))) for one in match.groups())
