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
"""The syntax of triggers: a topic, an optional condition, and a command."""

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
"""The comparisons that a condition may use."""

_NUMBER = r'[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?'
# Colons between brackets belong to the selector: slices have them, and names may have them.
_SELECTOR = r"""(?:\[(?:"[^"]*"|'[^']*'|[^]"'])*\]|[^][<>:\s])+"""
_CONDITION = rf'(?P<selector>{_SELECTOR})\s*(?P<comparison>[<>]=?)\s*(?P<threshold>{_NUMBER})'
_TRIGGER = re.compile(
    rf'\s*(?P<topic>[^\s:]+)(?:\s+{_CONDITION})?\s*:(?P<command>.*)', re.DOTALL
)
_FORM = (
    "a trigger is a topic, optionally a selector with <, <=, > or >= and a number, a colon and a "
    "command, such as '/pedal/pressed: toggle' or '/leader/joint_states position[trigger] > 0.8: "
    "toggle'"
)


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


@dataclass(frozen=True, slots=True)
class TriggerRule:
    """
    A topic that gives a command.

    :param text: the trigger as the user wrote it
    :param topic: name of the topic
    :param condition: condition of a press; None: the message type decides
    :param command: command that ``parse_command`` accepts
    """

    text: str
    topic: str
    condition: Condition | None
    command: str


def parse_triggers(parameter: str, texts: Sequence[str]) -> tuple[TriggerRule, ...]:
    """
    Parse triggers. Empty texts are skipped, because ROS writes an empty list as [''].

    The command begins after the first colon behind the topic or behind the condition, so the
    brackets of a selector and the command itself may contain more colons.

    :param parameter: parameter that contains the triggers, for the error
    :param texts: the triggers as the user wrote them
    :raise ConfigError: if a trigger cannot be parsed, its command is unknown, or two triggers have
        the same topic and condition
    """
    found: dict[tuple[str, Condition | None], TriggerRule] = {}
    for text in filter(str.strip, texts):
        one = _trigger(parameter, text)
        before = found.setdefault((one.topic, one.condition), one)
        if before is not one:
            raise ConfigError(
                parameter, text, f'{before.text!r} has the same topic and condition; keep one'
            )
    return tuple(found.values())


def _trigger(parameter: str, text: str) -> TriggerRule:
    parts = _TRIGGER.fullmatch(text)
    if parts is None:
        raise ConfigError(parameter, text, f'this is not a trigger; {_FORM}')
    topic, selector = parts['topic'], parts['selector']
    check_topic(parameter, topic)
    condition = None
    if selector is not None:
        parsed = parse_selector(parameter, selector)
        if parsed.trajectory is not None:
            raise ConfigError(parameter, text, '[time] selects many numbers; select one')
        condition = Condition(parsed, parts['comparison'], float(parts['threshold']))
    return TriggerRule(text, topic, condition, checked_command(parameter, text, parts['command']))
