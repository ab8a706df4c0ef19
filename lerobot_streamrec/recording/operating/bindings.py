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
"""Bindings of buttons to commands: ``0: toggle``, ``1 long: discard``, ``4+5: undo``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
import re

from lerobot_streamrec.errors import ConfigError, EpisodeError
from lerobot_streamrec.recording.operating.command import parse_command

_LONG = re.compile(r'(.*\S)\s+long', re.IGNORECASE | re.DOTALL)
_FORM = (
    'a binding is a button or several, perhaps the word long, a colon and a command, such as '
    "'0: toggle', '1 long: discard' or '4+5: undo'"
)

ButtonOf = Callable[[str], int]
"""Tells the number of a button by its name; raises ValueError that says what a name may be."""


@dataclass(frozen=True, slots=True)
class Binding:
    """
    A command, and how it is given.

    :param buttons: the buttons that are down together
    :param is_long: True if they have to be held
    :param command: a command that ``parse_command`` reads
    :param label: the buttons as the user wrote them, such as ``4+5`` or ``1 long``
    """

    buttons: frozenset[int]
    is_long: bool
    command: str
    label: str

    def __str__(self) -> str:
        return f'{self.label}: {self.command}'


def gamepad_button(name: str) -> int:
    """
    Read the number of a gamepad's button, its place in a message.

    :raise ValueError: if it is none
    """
    if not (name.isascii() and name.isdigit()):
        raise ValueError(f'{name!r} is no button: the buttons of a gamepad are 0, 1, 2 and so on')
    return int(name)


def parse_bindings(
    parameter: str, texts: Sequence[str], button_of: ButtonOf = gamepad_button
) -> tuple[Binding, ...]:
    """
    Read the bindings of a device. Empty texts are left out: ROS writes an empty list as [''].

    :param parameter: the setting that they stand in, for the error
    :param button_of: function that returns the number of a button by its name
    :raise ConfigError: if one cannot be read, has no such command, or is bound twice
    """
    found: dict[tuple[frozenset[int], bool], Binding] = {}
    for text in filter(str.strip, texts):
        one = _binding(parameter, text, button_of)
        before = found.setdefault((one.buttons, one.is_long), one)
        if before is not one:
            raise ConfigError(
                parameter, text, f'{one.label} is bound already: {before}; keep one of the two'
            )
    return tuple(found.values())


def checked_command(parameter: str, text: str, command: str) -> str:
    """
    Return a command without the blanks around it.

    :param parameter: the setting that it stands in, for the error
    :param text: the setting that the command is a part of, for the error
    :raise ConfigError: if there is no such command
    """
    try:
        parse_command(command)
    except EpisodeError as error:
        why = f'after the colon a command is needed: {error}'
        raise ConfigError(parameter, text, why) from error
    return command.strip()


def _binding(parameter: str, text: str, button_of: ButtonOf) -> Binding:
    trigger, colon, command = text.partition(':')
    if not colon:
        raise ConfigError(parameter, text, f'a colon and a command are missing; {_FORM}')
    held = _LONG.fullmatch(trigger.strip())
    names = [name.strip() for name in (held[1] if held else trigger).split('+')]
    if not all(names):
        raise ConfigError(parameter, text, f'the name of a button is missing; {_FORM}')
    try:
        buttons = [button_of(name) for name in names]
    except ValueError as error:
        raise ConfigError(parameter, text, f'{error}; {_FORM}') from error
    if len(set(buttons)) < len(buttons):
        raise ConfigError(
            parameter, text, 'the same button stands there twice: one button is written once'
        )
    return Binding(
        buttons=frozenset(buttons),
        is_long=held is not None,
        command=checked_command(parameter, text, command),
        label=f'{"+".join(names)}{" long" if held else ""}',
    )
