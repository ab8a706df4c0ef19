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
"""Conditions on a number in a message, such as ``position[trigger] > 0.8``."""

from __future__ import annotations

from dataclasses import dataclass
import operator
import re
from typing import Any

from lerobot_streamrec.conversions.selector import parse_selector, Selector
from lerobot_streamrec.errors import ConfigError
import numpy as np
import numpy.typing as npt

COMPARISONS = {'>': operator.gt, '<': operator.lt, '>=': operator.ge, '<=': operator.le}
"""The comparisons that a condition may use."""

_NUMBER = r'[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?'
# Colons between brackets belong to the selector: slices have them, and names may have them.
_SELECTOR = r"""(?:\[(?:"[^"]*"|'[^']*'|[^]"'])*\]|[^][<>:\s])+"""
_CONDITION = rf'(?P<selector>{_SELECTOR})\s*(?P<comparison>[<>]=?)\s*(?P<threshold>{_NUMBER})'
TOPIC_AND_CONDITION = rf'\s*(?P<topic>[^\s:]+)(?:\s+{_CONDITION})?\s*'
"""A pattern of a topic, perhaps with a condition on its messages; for ``condition_of``."""


@dataclass(frozen=True, slots=True)
class Condition:
    """
    The condition under which a number in a message counts as pressed.

    :param selector: selector of one number
    :param comparison: comparison operator, one of ``COMPARISONS``
    :param threshold: number to compare with
    """

    selector: Selector
    comparison: str
    threshold: float

    def holds(self, value: float) -> bool:
        """Return True if a number counts as pressed."""
        return bool(COMPARISONS[self.comparison](value, self.threshold))

    def flag(self, values: Any) -> npt.NDArray[np.bool_]:
        """
        Return whether a message counts as pressed, as the value of a column.

        :param values: ``(1,)`` the selected number
        """
        return np.array([self.holds(values[0])])


def condition_of(parameter: str, text: str, parts: re.Match[str]) -> Condition | None:
    """
    Return the condition in a text that matches ``TOPIC_AND_CONDITION``; None if it has none.

    :param parameter: parameter that contains the text, for the error
    :param text: the whole text
    :param parts: the match
    :raise ConfigError: if the selector cannot be used
    """
    if parts['selector'] is None:
        return None
    parsed = parse_selector(parameter, parts['selector'])
    if parsed.trajectory is not None:
        raise ConfigError(parameter, text, '[time] selects many numbers; select one')
    return Condition(parsed, parts['comparison'], float(parts['threshold']))
