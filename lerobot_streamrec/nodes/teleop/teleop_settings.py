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
"""The parameters of the buttons and topics that give commands."""

from __future__ import annotations

from dataclasses import dataclass

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.parameters.parameter_reader import ParameterReader
from lerobot_streamrec.nodes.parameters.stream_settings import check_topic
from lerobot_streamrec.nodes.teleop.trigger_rule import parse_triggers, TriggerRule
from lerobot_streamrec.option import option
from lerobot_streamrec.recording.operating.config import OperatingConfig
from lerobot_streamrec.recording.operating.presses import Binding, parse_bindings

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
