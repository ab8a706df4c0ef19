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
"""Presses of buttons, and the bindings that turn them into commands."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
import math
import re

from lerobot_streamrec.errors import ConfigError, EpisodeError
from lerobot_streamrec.recording.operating.command import parse_command

_LONG = re.compile(r'(.*\S)\s+long', re.IGNORECASE | re.DOTALL)
_FORM = (
    'a binding is one button or several joined by +, optionally the word long, then a colon and '
    "a command, such as '0: toggle', '1 long: discard' or '4+5: undo'"
)

ButtonOf = Callable[[str], int]
"""Function from a button's name to its number; its ValueError says which names are allowed."""


@dataclass(frozen=True, slots=True)
class Binding:
    """
    A command and the press that gives it.

    :param buttons: buttons that are pressed together
    :param is_long: True if they must be held for a long press
    :param command: command in the form of ``parse_command``
    :param label: the press as the user wrote it, such as ``4+5`` or ``1 long``
    """

    buttons: frozenset[int]
    is_long: bool
    command: str
    label: str

    def __str__(self) -> str:
        return f'{self.label}: {self.command}'


def gamepad_button(name: str) -> int:
    """
    Return the number of a gamepad's button, which is its index in a Joy message.

    :raise ValueError: if the name is not a number
    """
    if not (name.isascii() and name.isdigit()):
        raise ValueError(
            f'{name!r} is not a button: the buttons of a gamepad are 0, 1, 2 and so on'
        )
    return int(name)


def parse_bindings(
    parameter: str, texts: Sequence[str], button_of: ButtonOf = gamepad_button
) -> tuple[Binding, ...]:
    """
    Read the bindings of a device. Empty texts are skipped, since ROS writes an empty list as [''].

    :param parameter: name of the setting that holds them, for the error
    :param texts: the bindings as texts
    :param button_of: function that returns the number of a button by its name
    :raise ConfigError: if a binding cannot be read, names an unknown command, or repeats a press
    """
    found: dict[tuple[frozenset[int], bool], Binding] = {}
    for text in filter(str.strip, texts):
        one = _binding(parameter, text, button_of)
        before = found.setdefault((one.buttons, one.is_long), one)
        if before is not one:
            raise ConfigError(
                parameter, text, f'{one.label} is already bound: {before}; keep one of the two'
            )
    return tuple(found.values())


def checked_command(parameter: str, text: str, command: str) -> str:
    """
    Return a command without the blanks around it, after checking it.

    :param parameter: name of the setting that holds it, for the error
    :param text: value of the setting, of which the command is a part, for the error
    :param command: the command
    :raise ConfigError: if there is no such command
    """
    try:
        parse_command(command)
    except EpisodeError as error:
        why = f'the text after the colon must be a command: {error}'
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
        raise ConfigError(parameter, text, 'it names the same button twice: name each button once')
    return Binding(
        buttons=frozenset(buttons),
        is_long=held is not None,
        command=checked_command(parameter, text, command),
        label=f'{"+".join(names)}{" long" if held else ""}',
    )


# A contact that opens for less counts as still closed. The debounce time is longer, since it must
# also bridge a foot that slips; with it, a command on release would be noticeably late.
_OPEN_S = 0.05


@dataclass(slots=True)
class _Button:
    """
    The state of one button.

    :param is_down: True if the button was down when last seen
    :param is_pressed: True during a press, which continues while the contact bounces
    :param opened_s: time at which the button last went up, steady clock
    """

    is_down: bool = False
    is_pressed: bool = False
    opened_s: float = -math.inf


@dataclass(slots=True)
class _Combination:
    """
    One or more buttons that are bound together.

    :param buttons: the buttons
    :param short: binding of a short press; None: there is none
    :param long: binding of a long press; None: there is none
    :param is_eager: True if the short press counts as soon as the buttons are down, because
        nothing else can be meant
    :param since_s: time at which all of them were down, steady clock; None: no press is pending
    :param silenced_by: buttons that must be released before this combination counts again
    """

    buttons: frozenset[int]
    short: Binding | None
    long: Binding | None
    is_eager: bool
    since_s: float | None = None
    silenced_by: set[int] = field(default_factory=set)


class Presses:
    """
    Finds the bindings that are meant by the buttons that are down. It reads no clock.

    - A press counts when the button goes down. If the button also has a long binding, or is bound
      together with others, the press counts on release.
    - A long press counts as soon as it is long enough, provided that ``tick`` is called then.
    - Buttons that are bound together count once, as soon as all of them are down, in any order.
      Then nothing else counts for any of them until all have been released.
    - A button that goes down again within the debounce time was not pressed again.
    - A button that is down when the device is first seen, or goes down within the debounce time
      after that, was not pressed: it must be released first.

    Owned by one thread.

    :param bindings: bindings of one device
    :param long_press_s: shortest duration of a long press
    :param debounce_s: longest time for which contacts bounce
    """

    def __init__(
        self, bindings: Sequence[Binding], *, long_press_s: float, debounce_s: float
    ) -> None:
        self._long_press_s = long_press_s
        self._debounce_s = debounce_s
        self._open_s = min(_OPEN_S, debounce_s)
        bound = {one.buttons for one in bindings}
        self._buttons = {number: _Button() for number in sorted(frozenset().union(*bound))}
        # If several combinations are complete at once, the largest one is meant.
        self._combinations = sorted(
            (_combination(buttons, bindings, bound) for buttons in bound),
            key=lambda one: (-len(one.buttons), sorted(one.buttons)),
        )
        self._settled_s: float | None = None

    @property
    def due_s(self) -> float:
        """The time of the next necessary ``tick``, steady clock; infinite: none until a press."""
        held = [
            one.since_s + self._long_press_s
            for one in self._combinations
            if one.long is not None
            and one.since_s is not None
            and all(self._buttons[number].is_down for number in one.buttons)
        ]
        return min([*held, *(end_s for end_s, _ in self._ends())], default=math.inf)

    def forget(self) -> None:
        """Start again, as with a new device: the next buttons are the first ones that are seen."""
        self._settled_s = None
        for number in self._buttons:
            self._buttons[number] = _Button()
        for one in self._combinations:
            one.since_s = None
            one.silenced_by.clear()

    def see(self, down: Collection[int], now_s: float) -> list[Binding]:
        """
        Update the buttons.

        :param down: numbers of the buttons that are down; all others are up
        :param now_s: steady clock
        :return: the bindings that were triggered, in order
        """
        if self._settled_s is None:
            self._settled_s = now_s + self._debounce_s
            for number, button in self._buttons.items():
                button.is_down = number in down
            return []
        meant = self.tick(now_s)
        for number, button in self._buttons.items():
            if button.is_down and number not in down:
                button.is_down, button.opened_s = False, now_s
        # Without a debounce time, a button that has gone up is released at once.
        meant += self.tick(now_s)
        for number, button in self._buttons.items():
            if number in down and not button.is_down:
                button.is_down = True
                if now_s >= max(self._settled_s, button.opened_s + self._debounce_s):
                    button.is_pressed = True
        return [*meant, *self._complete(now_s), *self._hold(now_s)]

    def tick(self, now_s: float) -> list[Binding]:
        """
        Update the time.

        :param now_s: steady clock
        :return: the bindings that were triggered, in order
        """
        meant = []
        for end_s, number in self._ends():
            if end_s <= now_s:
                opened_s = self._buttons[number].opened_s
                meant += [*self._hold(opened_s), *self._release(number)]
        return [*meant, *self._hold(now_s)]

    def _ends(self) -> list[tuple[float, int]]:
        """Return the times at which presses end unless the contacts close, with the buttons."""
        return sorted(
            (button.opened_s + self._open_s, number)
            for number, button in self._buttons.items()
            if button.is_pressed and not button.is_down
        )

    def _complete(self, now_s: float) -> list[Binding]:
        meant = []
        for one in self._combinations:
            is_pressed = all(self._buttons[number].is_pressed for number in one.buttons)
            if not is_pressed or one.silenced_by or one.since_s is not None:
                continue
            if one.is_eager and one.short is not None:
                meant.append(one.short)
                self._silence(one)
            else:
                one.since_s = now_s
                self._silence(one, is_more_spared=True)
        return meant

    def _hold(self, at_s: float) -> list[Binding]:
        """Return the long bindings whose buttons have been held long enough at an instant."""
        meant = []
        for one in self._combinations:
            if one.long is None or one.since_s is None:
                continue
            buttons = [self._buttons[number] for number in one.buttons]
            is_held = all(button.is_down or button.opened_s >= at_s for button in buttons)
            if is_held and at_s >= one.since_s + self._long_press_s:
                meant.append(one.long)
                self._silence(one)
        return meant

    def _release(self, number: int) -> list[Binding]:
        meant = []
        for one in self._combinations:
            if one.since_s is not None and number in one.buttons:
                if one.short is not None:
                    meant.append(one.short)
                self._silence(one)
        self._buttons[number].is_pressed = False
        for one in self._combinations:
            one.silenced_by.discard(number)
        return meant

    def _silence(self, by: _Combination, *, is_more_spared: bool = False) -> None:
        """
        Silence all combinations that share a button with this one until its buttons are released.

        :param by: the combination that counts
        :param is_more_spared: True: spare combinations that contain all of its buttons
        """
        for one in self._combinations:
            if one.buttons & by.buttons and not (is_more_spared and one.buttons >= by.buttons):
                one.since_s = None
                one.silenced_by |= by.buttons


def _combination(
    buttons: frozenset[int], bindings: Sequence[Binding], bound: Collection[frozenset[int]]
) -> _Combination:
    kinds = {one.is_long: one for one in bindings if one.buttons == buttons}
    short, long = kinds.get(False), kinds.get(True)
    is_part = any(buttons < other for other in bound)
    return _Combination(buttons, short, long, is_eager=long is None and not is_part)
