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

from dataclasses import dataclass, fields
import difflib
from typing import Any

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.graph.ros_start import empty_parameters
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

_TYPES = {
    bool: Parameter.Type.BOOL,
    int: Parameter.Type.INTEGER,
    float: Parameter.Type.DOUBLE,
    str: Parameter.Type.STRING,
    list: Parameter.Type.STRING_ARRAY,
}
_WORDS = {
    bool: 'true or false',
    int: 'a whole number',
    float: 'a number',
    str: 'a text',
    list: 'a list of texts',
}

USE_SIM_TIME = 'use_sim_time'
# Parameters of one camera or feature, and the list that has to name it.
_LISTS = {'camera': 'cameras', 'feature': 'features'}
# ROS takes what YAML means by no value for a text.
_NO_TEXTS = ('~', 'null', 'Null', 'NULL')
# Declared by rclpy itself.
_FOREIGN = (USE_SIM_TIME, 'start_type_description_service', 'qos_overrides.')


def defaults_of(config: type) -> dict[str, Any]:
    """Return the defaults of a configuration class: they stand there and nowhere else."""
    return {one.name: one.default for one in fields(config)}


@dataclass(frozen=True, slots=True)
class Spec:
    """
    One parameter.

    :param name: dotted
    :param default: tells the type as well; lists are of texts
    :param description: one sentence, with the unit
    :param low: least value of a number
    :param high: greatest value of a number
    :param read_only: True if it is fixed once the node runs
    """

    name: str
    default: bool | int | float | str | list[str]
    description: str
    low: float | None = None
    high: float | None = None
    read_only: bool = True

    @property
    def kind(self) -> type:
        """The Python type of the value."""
        return type(self.default)

    def descriptor(self) -> ParameterDescriptor:
        """Return what `ros2 param describe` shows."""
        descriptor = ParameterDescriptor(
            description=self.description,
            read_only=self.read_only,
            # A number may be written without a point in YAML.
            dynamic_typing=self.kind is float,
        )
        if self.low is not None and self.high is not None:
            if self.kind is int:
                descriptor.integer_range = [
                    IntegerRange(from_value=int(self.low), to_value=int(self.high), step=0)
                ]
            elif self.kind is float:
                descriptor.floating_point_range = [
                    FloatingPointRange(from_value=self.low, to_value=self.high, step=0.0)
                ]
        return descriptor

    def _number(self, limit: float) -> str:
        return str(int(limit)) if self.kind is int else f'{limit:g}'

    def checked(self, value: Any) -> Any:
        """
        Return a value in this parameter's type.

        :raise ConfigError: if it has another type, or is out of range
        """
        if self.kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if self.kind is list and _is_empty_list(value):
            value = []
        if value in _NO_TEXTS:
            why = 'ROS takes it for a text: give a value, or leave the parameter out'
            raise ConfigError(self.name, value, why)
        right = type(value) is self.kind
        if self.kind is list and right:
            right = all(isinstance(one, str) for one in value)
        if not right:
            raise ConfigError(
                self.name, value, f'{_WORDS[self.kind]} is needed ({self.description})'
            )
        if self.low is not None and self.high is not None and not self.low <= value <= self.high:
            raise ConfigError(
                self.name,
                value,
                f'allowed is {self._number(self.low)} to {self._number(self.high)} '
                f'({self.description})',
            )
        return value


class ParameterReader:
    """
    Reads the parameters of a node that declares its overrides by itself.

    :param node: made with ``automatically_declare_parameters_from_overrides=True``
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        given: dict[str, Any] = node.get_parameters_by_prefix('')
        self._given = {name: parameter.value for name, parameter in given.items()}
        # An empty list in a file has no type, and comes as no value at all.
        self._given |= {name: [] for name in empty_parameters(node)}
        self._known: list[str] = []

    def is_given(self, name: str) -> bool:
        """Tell whether the user has set a parameter."""
        return name in self._given

    def read(self, spec: Spec) -> Any:
        """
        Declare a parameter and return its value.

        :raise ConfigError: if the user's value is of another type, or out of range
        """
        self._known.append(spec.name)
        if spec.name not in self._given:
            self._declare(spec, spec.default)
            return spec.default
        value = spec.checked(self._given[spec.name])
        if self._node.has_parameter(spec.name):
            # Declared without a descriptor by the override: once more, with one.
            self._node.undeclare_parameter(spec.name)
        self._declare(spec, value)
        return value

    def _declare(self, spec: Spec, value: Any) -> None:
        # An empty list has no type, in YAML neither: one of an empty text stands for it. Declared
        # by its type alone it would have no value, and no value could be asked for beside it.
        typed = Parameter(spec.name, _TYPES[spec.kind], [''] if value == [] else value)
        self._node.declare_parameter(
            spec.name, typed.value, spec.descriptor(), ignore_override=True
        )

    def refuse_unknown(self) -> None:
        """
        Refuse parameters that nothing reads: a mistyped name must not become a default.

        :raise ConfigError: naming the first one and the nearest known name; or use_sim_time, which
            rclpy lets pass with a wrong type
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


def _is_empty_list(value: Any) -> bool:
    return value is not None and not isinstance(value, str | bool | int | float) and not len(value)
