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
"""The problems found in a dataset."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


class DatasetError(Exception):
    """The dataset differs so much from the format that it cannot be read further."""


@dataclass
class Findings:
    """
    The problems of one dataset, in the order in which they were found.

    :ivar problems: problems of one line each.
    """

    problems: list[str] = field(default_factory=list)

    def expect(self, holds: Any, problem: str) -> None:
        """
        Note a problem unless a condition holds.

        :param holds: the condition.
        :param problem: the problem if the condition does not hold.
        """
        if not holds:
            self.add(problem)

    def add(self, problem: str) -> None:
        """
        Note a problem.

        :param problem: the problem, which is shortened to 400 characters.
        """
        self.problems.append(' '.join(problem.split())[:400])
