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
"""The parameters of a node: declared once, with description and range, as they are read."""

from __future__ import annotations

from typing import Any

from lerobot_streamrec.nodes.graph.ros_start import empty_parameters
from lerobot_streamrec.option import Option
from lerobot_streamrec.settings.parameter_reader import ParameterReader
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


class NodeParameters(ParameterReader):
    """
    The reader of a node's parameters.

    :param node: made with ``automatically_declare_parameters_from_overrides=True``
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        given: dict[str, Any] = node.get_parameters_by_prefix('')
        values = {name: parameter.value for name, parameter in given.items()}
        # An empty list in a file has no type, so rclpy does not report it as a parameter.
        super().__init__(values | {name: [] for name in empty_parameters(node)})

    def _declare(self, option: Option, value: Any) -> None:
        name = option.name
        if self.is_given(name) and self._node.has_parameter(name):
            # rclpy has declared the override without a descriptor: once more, with one.
            self._node.undeclare_parameter(name)
        # An empty list has no type in ROS, so [''] stands for it. A parameter that is declared by
        # its type alone has no value, and `ros2 param` could not show it.
        stored = (list(value) or ['']) if option.kind is tuple else value
        typed = Parameter(name, _TYPES[option.kind], stored)
        self._node.declare_parameter(name, typed.value, _descriptor(option), ignore_override=True)


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
