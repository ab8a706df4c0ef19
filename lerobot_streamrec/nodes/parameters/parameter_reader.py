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
"""ROS parameters: declared once, with description and range, checked by name, type and value."""

from __future__ import annotations

import difflib
from typing import Any

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.graph.ros_start import empty_parameters
from lerobot_streamrec.option import Option, options_of
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

_TYPES = {
    bool: Parameter.Type.BOOL,
    int: Parameter.Type.INTEGER,
    float: Parameter.Type.DOUBLE,
    str: Parameter.Type.STRING,
    tuple: Parameter.Type.STRING_ARRAY,
}

USE_SIM_TIME = 'use_sim_time'
# Parameters of one camera or feature, and the list that has to name it.
_LISTS = {'camera': 'cameras', 'feature': 'features'}
# Declared by rclpy itself.
_FOREIGN = (USE_SIM_TIME, 'start_type_description_service', 'qos_overrides.')

METADATA = 'metadata.'
"""The prefix of the parameters with texts about episodes."""


class ParameterReader:
    """
    The reader of a node's parameters, which also finds unknown ones.

    :param node: made with ``automatically_declare_parameters_from_overrides=True``
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        given: dict[str, Any] = node.get_parameters_by_prefix('')
        self._given = {name: parameter.value for name, parameter in given.items()}
        # An empty list in a file has no type, so rclpy does not report it as a parameter.
        self._given |= {name: [] for name in empty_parameters(node)}
        self._known: list[str] = []

    def is_given(self, name: str) -> bool:
        """Return whether the user has set a parameter."""
        return name in self._given

    def read(self, option: Option, prefix: str = '') -> Any:
        """
        Declare a parameter and return its value.

        :param prefix: prefix of the parameter's name, such as ``camera.front``
        :raise ConfigError: if the user's value is not allowed
        """
        option = option.below(prefix)
        name = option.name
        self._known.append(name)
        value = option.default
        if name in self._given:
            value = option.check(self._given[name])
            if self._node.has_parameter(name):
                # rclpy has declared the override without a descriptor: once more, with one.
                self._node.undeclare_parameter(name)
        # An empty list has no type in ROS, so [''] stands for it. A parameter that is declared by
        # its type alone has no value, and `ros2 param` could not show it.
        stored = (list(value) or ['']) if option.kind is tuple else value
        typed = Parameter(name, _TYPES[option.kind], stored)
        self._node.declare_parameter(name, typed.value, _descriptor(option), ignore_override=True)
        return value

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


def _descriptor(option: Option) -> ParameterDescriptor:
    """Return the description that `ros2 param describe` shows."""
    descriptor = ParameterDescriptor(
        description=option.description,
        read_only=not option.is_live,
        # A number may be written without a point in YAML.
        dynamic_typing=option.kind is float,
    )
    if option.low is not None and option.high is not None:
        low, high = option.low, option.high
        if option.kind is int:
            whole = IntegerRange(from_value=int(low), to_value=int(high), step=0)
            descriptor.integer_range = [whole]
        else:
            real = FloatingPointRange(from_value=float(low), to_value=float(high), step=0.0)
            descriptor.floating_point_range = [real]
    return descriptor
