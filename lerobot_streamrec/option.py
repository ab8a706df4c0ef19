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
"""
Settings that a user can change: each is described once, at the dataclass field that keeps it.

A field made by ``option`` carries its name, description, range and choices. ROS parameters are
declared from that, values are checked against it, and ``config/record.yaml`` is tested against it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

from lerobot_streamrec.errors import ConfigError

_METADATA = 'option'
# ROS reads a YAML null as a text.
_NULL_TEXTS = ('~', 'null', 'Null', 'NULL')
_NEEDED = {
    bool: 'true or false',
    int: 'a whole number',
    float: 'a number',
    str: 'a text',
    tuple: 'a list of texts',
}


@dataclass(frozen=True, slots=True)
class Option:
    """
    One setting as a user sees it.

    :param name: dotted name, below the prefix of its group
    :param default: bool, int, float, text or tuple of texts; its type is the type of the setting
    :param description: one sentence, with the unit
    :param low: least value of a number; None: no range
    :param high: greatest value of a number; None: no range
    :param choices: the allowed texts; empty: any
    :param is_live: True if it may change while the node runs
    """

    name: str
    default: Any
    description: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    is_live: bool = False

    @property
    def kind(self) -> type:
        """The Python type of the value."""
        return type(self.default)

    @property
    def allowed(self) -> str:
        """The allowed numbers or texts, in words; empty: any."""
        if self.choices:
            return f'allowed are {", ".join(self.choices)}'
        if self.low is None or self.high is None:
            return ''
        low, high = (int(x) if self.kind is int else f'{x:g}' for x in (self.low, self.high))
        return f'allowed is {low} to {high}'

    def below(self, prefix: str) -> Option:
        """Return the same setting under its whole name."""
        return replace(self, name=f'{prefix}.{self.name}') if prefix else self

    def check(self, value: Any) -> Any:
        """
        Return a value in this setting's type; a list becomes a tuple without empty texts.

        :raise ConfigError: if it has another type, is out of range, or is not among the choices
        """
        if self.kind is float and type(value) is int:
            value = float(value)
        is_right = type(value) is self.kind
        if self.kind is tuple and _is_list(value):
            # An empty list in YAML has no type in ROS, so a list of one empty text stands for it.
            value = [one for one in value if one != '']
            is_right = all(isinstance(one, str) for one in value)
        elif isinstance(value, str) and value in _NULL_TEXTS:
            why = 'ROS takes it for a text: give a value, or leave the parameter out'
            raise ConfigError(self.name, value, why)
        if not is_right:
            needed = f'{_NEEDED[self.kind]} is needed ({self.description})'
            raise ConfigError(self.name, value, needed)
        if self.choices and value not in self.choices:
            raise ConfigError(self.name, value, self.allowed)
        if self.low is not None and self.high is not None and not self.low <= value <= self.high:
            raise ConfigError(self.name, value, f'{self.allowed} ({self.description})')
        return tuple(value) if self.kind is tuple else value


def option(
    default: Any,
    description: str,
    low: float | None = None,
    high: float | None = None,
    *,
    name: str = '',
    choices: tuple[str, ...] = (),
    shown: Any = None,
    is_live: bool = False,
) -> Any:
    """
    Make a dataclass field that a user can set.

    :param default: default of the field, or a function that makes it
    :param description: one sentence, with the unit
    :param low: least value of a number
    :param high: greatest value of a number
    :param name: name of the setting, where that differs from the field's
    :param choices: the allowed texts; empty: any
    :param shown: the default of the setting, where that of the field has another type
    :param is_live: True if it may change while the node runs
    """
    shown = default if shown is None else shown
    metadata = {_METADATA: Option(name, shown, description, low, high, choices, is_live)}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def options_of(config: type) -> dict[str, Option]:
    """Return the settings of a dataclass by the names of its fields, in their order."""
    found = {one.name: one.metadata.get(_METADATA) for one in fields(config)}
    return {
        name: replace(setting, name=setting.name or name)
        for name, setting in found.items()
        if setting is not None
    }


def check_choices(config: Any) -> None:
    """
    Refuse a dataclass with a text that is not among the choices of its setting.

    :raise ConfigError: naming the setting
    """
    for name, setting in options_of(type(config)).items():
        if setting.choices:
            setting.check(getattr(config, name))


def _is_list(value: Any) -> bool:
    return value is not None and not isinstance(value, str | bool | int | float)
