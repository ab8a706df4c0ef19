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
"""Triggers as users write them: a topic, perhaps a condition, and a command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import operator
import re

from lerobot_streamrec.conversions.selector import parse_selector, Selector
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.parameters.stream_settings import check_topic
from lerobot_streamrec.recording.operating.presses import checked_command

COMPARISONS = {'>': operator.gt, '<': operator.lt, '>=': operator.ge, '<=': operator.le}
"""Comparisons that a condition may use."""

_NUMBER = r'[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?'
# Colons between brackets belong to the selector: names may hold them, slices do.
_SELECTOR = r"""(?:\[(?:"[^"]*"|'[^']*'|[^]"'])*\]|[^][<>:\s])+"""
_CONDITION = rf'(?P<selector>{_SELECTOR})\s*(?P<comparison>[<>]=?)\s*(?P<threshold>{_NUMBER})'
_TRIGGER = re.compile(
    rf'\s*(?P<topic>[^\s:]+)(?:\s+{_CONDITION})?\s*:(?P<command>.*)', re.DOTALL
)
_FORM = (
    "a trigger is a topic, perhaps a selector with <, <=, > or >= and a number, a colon and a "
    "command, such as '/pedal/pressed: toggle' or '/leader/joint_states position[trigger] > 0.8: "
    "toggle'"
)


@dataclass(frozen=True, slots=True)
class Condition:
    """
    When a number of a message counts as pressed.

    :param selector: selector of one number
    :param comparison: one of ``COMPARISONS``
    :param threshold: number to compare with
    """

    selector: Selector
    comparison: str
    threshold: float

    def holds(self, value: float) -> bool:
        """Tell whether a number counts as pressed."""
        return bool(COMPARISONS[self.comparison](value, self.threshold))


@dataclass(frozen=True, slots=True)
class TriggerRule:
    """
    A topic that gives a command.

    :param text: the trigger as the user wrote it
    :param topic: name of the topic
    :param condition: None: the type of its messages decides
    :param command: a command that ``parse_command`` reads
    """

    text: str
    topic: str
    condition: Condition | None
    command: str


def parse_triggers(parameter: str, texts: Sequence[str]) -> tuple[TriggerRule, ...]:
    """
    Read triggers. Empty texts are left out: ROS writes an empty list as [''].

    The command begins behind the first colon after the topic, or after the condition, so that
    brackets of a selector and the command itself may hold more of them.

    :param parameter: the setting that they stand in, for the error
    :raise ConfigError: if one cannot be read, has no such command, or has two
    """
    found: dict[tuple[str, Condition | None], TriggerRule] = {}
    for text in filter(str.strip, texts):
        one = _trigger(parameter, text)
        before = found.setdefault((one.topic, one.condition), one)
        if before is not one:
            raise ConfigError(
                parameter, text, f'{before.text!r} is there already; keep one of the two'
            )
    return tuple(found.values())


def _trigger(parameter: str, text: str) -> TriggerRule:
    parts = _TRIGGER.fullmatch(text)
    if parts is None:
        raise ConfigError(parameter, text, f'it cannot be read; {_FORM}')
    topic, selector = parts['topic'], parts['selector']
    check_topic(parameter, topic)
    condition = None
    if selector is not None:
        parsed = parse_selector(parameter, selector)
        if parsed.trajectory is not None:
            raise ConfigError(parameter, text, '[time] stands for many numbers; one is needed')
        condition = Condition(parsed, parts['comparison'], float(parts['threshold']))
    return TriggerRule(text, topic, condition, checked_command(parameter, text, parts['command']))
