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
"""How good or bad something is, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    """From best to worst; a note changes no verdict."""

    OK = 0
    NOTE = 1
    WARNING = 2
    PROBLEM = 3

    @property
    def word(self) -> str:
        """What people read."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Remark:
    """
    One thing to know.

    :param level: how bad it is
    :param text: what it is, and what to do
    """

    level: Level
    text: str


def worst(remarks: Iterable[Remark]) -> Level:
    """Return the verdict on what remarks are about."""
    level = max((one.level for one in remarks), default=Level.OK)
    return Level.OK if level is Level.NOTE else level
