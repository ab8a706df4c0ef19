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
"""Parameters, wherever they come from: read once, and checked by name, type and value."""

from __future__ import annotations

from collections.abc import Mapping
import difflib
from typing import Any

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.option import Option, options_of

USE_SIM_TIME = 'use_sim_time'
# Parameters of one camera or feature, and the list that has to name it.
_LISTS = {'camera': 'cameras', 'feature': 'features'}
# Declared by rclpy itself.
_FOREIGN = (USE_SIM_TIME, 'start_type_description_service', 'qos_overrides.')

METADATA = 'metadata.'
"""The prefix of the parameters with texts about episodes."""


class ParameterReader:
    """
    The reader of parameters that a user has set, which also finds unknown ones.

    :param given: values by the full names of their parameters
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = dict(given)
        self._known: list[str] = []

    def is_given(self, name: str) -> bool:
        """Return whether the user has set a parameter."""
        return name in self._given

    def read(self, option: Option, prefix: str = '') -> Any:
        """
        Return the value of a parameter.

        :param prefix: prefix of the parameter's name, such as ``camera.front``
        :raise ConfigError: if the user's value is not allowed
        """
        option = option.below(prefix)
        self._known.append(option.name)
        value = option.default
        if option.name in self._given:
            value = option.check(self._given[option.name])
        self._declare(option, value)
        return value

    def _declare(self, option: Option, value: Any) -> None:
        """Make the parameter known to others; there is nobody who could look into a file's."""

    def read_fields(self, config: type, prefix: str = '', *names: str) -> dict[str, Any]:
        """
        Read the parameters of a dataclass.

        :param config: a dataclass with fields made by ``option``
        :param prefix: prefix of the parameters' names
        :param names: fields to read; none: all
        :return: values by field
        :raise ConfigError: naming the first parameter whose value is not allowed
        """
        options = options_of(config)
        return {name: self.read(options[name], prefix) for name in names or options}

    def read_texts(self, prefix: str) -> dict[str, str]:
        """
        Read all parameters with a prefix, whose names the user chooses; they may change later.

        :param prefix: the prefix with its dot, such as ``METADATA``
        :return: texts by name without the prefix; a number or a flag becomes its text
        :raise ConfigError: if a value is a list
        """
        texts = {}
        for name in [one for one in self._given if one.startswith(prefix)]:
            value = self._given[name]
            if isinstance(value, bool | int | float):
                self._given[name] = str(value).lower() if isinstance(value, bool) else str(value)
            about = Option(name, '', 'Text, a column of meta/episodes', is_live=True)
            texts[name.removeprefix(prefix)] = self.read(about)
        return texts

    def refuse_unknown(self) -> None:
        """
        Refuse unknown parameters, so that a mistyped name does not silently become a default.

        :raise ConfigError: if a parameter is unknown, with the nearest known name; or if
            use_sim_time has a wrong type, which rclpy accepts
        """
        for name, value in self._given.items():
            if name == USE_SIM_TIME and not isinstance(value, bool):
                raise ConfigError(name, value, 'true or false is needed')
            if name in self._known or name.startswith(_FOREIGN):
                continue
            raise ConfigError(name, value, f'there is no such parameter; {self._hint(name)}')

    def _hint(self, name: str) -> str:
        first = name.partition('.')[0]
        if first in _LISTS:
            listed = list(self._given.get(_LISTS[first], ()))
            if not any(name.startswith(f'{first}.{one}.') for one in listed):
                return f'{_LISTS[first]} is {listed}, and names no such {first}'
        if f'{name}.topic' in self._known:
            return f'did you mean {name}.topic?'
        near = difflib.get_close_matches(name.lower(), self._known, n=1, cutoff=0.6)
        return f'did you mean {near[0]}?' if near else f'known are {", ".join(self._known)}'
