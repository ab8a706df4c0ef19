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
"""Where episodes were paused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Cut:
    """
    A pause in an episode, in the streams' time.

    :param row: the first row after it
    :param from_ns: instant of the row before it
    :param to_ns: instant of the first row after it
    """

    row: int
    from_ns: int
    to_ns: int

    @property
    def seconds(self) -> float:
        """How much lies between the two rows, in seconds."""
        return (self.to_ns - self.from_ns) / _NS_PER_S


def parse_cuts(raw: Iterable[Mapping[str, Any]]) -> tuple[Cut, ...]:
    """
    Read cuts as JSON holds them.

    :param raw: one object with the fields of ``Cut`` for each
    :raise KeyError, TypeError, ValueError, AttributeError: if they are something else
    """
    return tuple(Cut(*(int(one[key]) for key in ('row', 'from_ns', 'to_ns'))) for one in raw)


def cuts_within(cuts: Iterable[Cut], num_rows: int, first_row: int = 0) -> tuple[Cut, ...]:
    """
    Return the cuts between some of an episode's rows, counted from the first of those.

    A pause before the first row or after the last one cuts nothing.

    :param cuts: all of the episode
    :param num_rows: number of rows
    :param first_row: the first of them
    """
    moved = [replace(one, row=one.row - first_row) for one in cuts]
    return tuple(one for one in moved if 0 < one.row < num_rows)


def instant_ns(start_ns: int, fps: int, cuts: Iterable[Cut], row: int) -> int:
    """
    Return the instant of a row of a grid.

    :param start_ns: instant of row 0
    :param fps: rows per second
    :param cuts: all of the episode, in their order
    :param row: the row
    """
    begins = [(0, start_ns), *((one.row, one.to_ns) for one in cuts if one.row <= row)]
    first_row, first_ns = begins[-1]
    return first_ns + (row - first_row) * _NS_PER_S // fps
