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
"""The episodes within a bag: where each begins and ends, and what was said about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lerobot_streamrec.recording.operating.command import Command


@dataclass(frozen=True, slots=True)
class Mark:
    """
    A command that was given while an episode was recorded.

    :param receive_ns: receive time of the command, in nanoseconds since 1970
    :param command: the command: pause, resume, subtask, or intervene
    :param first_row_ns: instant of the first row after a resume, in nanoseconds; None if it is not
        known
    :param last_row_ns: instant of the last row before a pause, in nanoseconds; None if it is not
        known
    """

    receive_ns: int
    command: Command
    first_row_ns: int | None = None
    last_row_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """
    One episode within a bag.

    :param begin_ns: receive time from which it may begin, in nanoseconds since 1970; it begins
        once every stream has a sample
    :param end_ns: receive time of the command that ends it; later messages do not belong to it
    :param task: its task; empty: the task of the parameter file
    :param texts: verdict, operator, notes and other texts, by column of meta/episodes
    :param marks: what was said while it was recorded, in order of receive time
    :param first_row_ns: instant of its first row, in nanoseconds; None: where a live start at
        begin_ns would put it
    :param last_row_ns: instant of its last row, in nanoseconds; None: where a live save at end_ns
        would put it
    """

    begin_ns: int
    end_ns: int
    task: str = ''
    texts: Mapping[str, str] = field(default_factory=dict)
    marks: tuple[Mark, ...] = ()
    first_row_ns: int | None = None
    last_row_ns: int | None = None
