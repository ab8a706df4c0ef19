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
"""Parameters of buttons and topics that give commands, and the syntax of triggers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import re

from lerobot_streamrec.conversions.condition import (
    Condition,
    condition_of,
    TOPIC_AND_CONDITION,
)
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.option import option
from lerobot_streamrec.recording.operating.config import OperatingConfig
from lerobot_streamrec.recording.operating.presses import Binding, checked_command, parse_bindings
from lerobot_streamrec.settings.parameter_reader import ParameterReader
from lerobot_streamrec.settings.stream_settings import check_topic

_TRIGGER = re.compile(rf'{TOPIC_AND_CONDITION}:(?P<command>.*)', re.DOTALL)
_FORM = (
    'a trigger is a topic, optionally a selector with <, <=, > or >= and a number, a colon and a '
    "command, such as '/pedal/pressed: toggle' or '/leader/joint_states position[trigger] > 0.8: "
    "toggle'"
)


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
    topic = parts['topic']
    check_topic(parameter, topic)
    condition = condition_of(parameter, text, parts)
    return TriggerRule(text, topic, condition, checked_command(parameter, text, parts['command']))


JOY_TYPE = 'sensor_msgs/msg/Joy'
BINDINGS = 'teleop.joy.bindings'
TRIGGERS = 'teleop.triggers'


@dataclass(frozen=True, slots=True)
class TeleopSettings:
    """The ways in which an operator gives commands without a keyboard."""

    joy_topic: str = option('/joy', 'Topic of the gamepad, sensor_msgs/Joy', name='joy.topic')
    bindings: tuple[Binding, ...] = option(
        (),
        "Commands of the gamepad's buttons, such as '0: toggle', '1 long: discard', '4+5: undo'; "
        'empty: no gamepad',
        name='joy.bindings',
    )
    triggers: tuple[TriggerRule, ...] = option(
        (),
        "Other topics that give commands, such as '/pedal/pressed: toggle' or "
        "'/leader/joint_states position[trigger] > 0.8: toggle'",
    )
    long_press_s: float = option(
        0.8, 'Time for which a button is held in a long press, in seconds', 0.1, 60.0
    )
    debounce_s: float = option(
        OperatingConfig().debounce_s,
        'Time within which another press is a bouncing contact, and within which the same '
        'command counts once, in seconds; 0: every press and command counts',
        0.0,
        10.0,
    )


def refuse_long_bounces(long_press_s: float, debounce_s: float, prefix: str = '') -> None:
    """
    Refuse a debounce time that is not shorter than a long press.

    :param long_press_s: duration of a long press
    :param debounce_s: longest time that contacts bounce
    :param prefix: prefix of both parameters
    :raise ConfigError: if the debounce time is too long
    """
    if debounce_s >= long_press_s:
        why = f'it has to be less than {prefix}long_press_s, which is {long_press_s:g}'
        raise ConfigError(f'{prefix}debounce_s', debounce_s, why)


def read_teleop(reader: ParameterReader) -> TeleopSettings:
    """
    Read the parameters that begin with ``teleop``.

    :raise ConfigError: if a parameter cannot be used; the error names the first one
    """
    given = reader.read_fields(TeleopSettings, 'teleop')
    given['bindings'] = parse_bindings(BINDINGS, given['bindings'])
    given['triggers'] = parse_triggers(TRIGGERS, given['triggers'])
    settings = TeleopSettings(**given)
    if settings.joy_topic:
        check_topic('teleop.joy.topic', settings.joy_topic)
    elif settings.bindings:
        raise ConfigError('teleop.joy.topic', '', f'{BINDINGS} needs the topic of a gamepad')
    refuse_long_bounces(settings.long_press_s, settings.debounce_s, 'teleop.')
    return settings
