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
"""An rclpy session for one command, in which every wait has a limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
import time
from typing import Any

from lerobot_streamrec.errors import ConfigError, StartInterruptedError
from lerobot_streamrec.nodes.graph.distributions import make_executor
from lerobot_streamrec.nodes.graph.node_parameters import NodeParameters
from lerobot_streamrec.nodes.graph.ros_start import given_node, quiet, start_ros, unused_files
from lerobot_streamrec.nodes.graph.stop_signals import StopSignals
from lerobot_streamrec.nodes.topics.reader import read_waiting, TICK_S
from lerobot_streamrec.nodes.topics.subscriber import Subscriber
from lerobot_streamrec.settings.checked_file import refuse_missing
from lerobot_streamrec.settings.parameter_reader import USE_SIM_TIME
from lerobot_streamrec.settings.recorder_settings import GivenSettings, NODE_NAME, read_settings
import rclpy
from rclpy.context import Context
from rclpy.logging import LoggingSeverity
from rclpy.node import Node
from rclpy.parameter import Parameter

_POLL_S = 0.1
_STOP_TIMEOUT_S = 1.0


def params_arguments(path: Path, ros_arguments: Sequence[str]) -> list[str]:
    """
    Return the arguments for a session that reads a parameter file.

    :param path: path of the file
    :param ros_arguments: further arguments from the command line, with ``--ros-args``
    :raise ConfigError: if the file does not exist
    """
    refuse_missing(path)
    return ['--ros-args', '--params-file', str(path), '--', *ros_arguments]


class Session:
    """
    A context with its nodes and their executor. Owned by the main thread.

    :param arguments: arguments for rclpy, with ``--ros-args``
    :param stop: signals, which end every wait
    :raise ConfigError: if rclpy rejects the arguments
    """

    def __init__(self, arguments: Sequence[str], stop: StopSignals) -> None:
        self._stop = stop
        self._context = Context()
        self._nodes: list[Node] = []
        self._subscribers: list[Subscriber] = []
        self._overrides: list[Parameter] = []
        self.recorder_name = ''
        """The full name of the node whose parameters were read."""
        self._arguments = list(arguments)
        start_ros(self._arguments, self._context)
        self._executor = make_executor(self._context)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown(timeout_sec=_STOP_TIMEOUT_S)
        for node in self._nodes:
            node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def node(self, name: str) -> Node:
        """Make a node and spin it, without its log: the report says what is worth knowing."""
        node = Node(name, context=self._context, **quiet(*self._overrides))
        node.get_logger().set_level(LoggingSeverity.FATAL)
        self.adopt(node)
        return node

    def adopt(self, node: Node) -> None:
        """Spin a node from now on, and destroy it at the end."""
        self._nodes.append(node)
        self._executor.add_node(node)

    def read_from(self, subscriber: Subscriber) -> None:
        """Read the messages of a subscriber during ``spin``, and destroy its node at the end."""
        self.adopt(subscriber.node)
        self._subscribers.append(subscriber)

    def read_settings(self) -> GivenSettings:
        """
        Read the parameters as the recorder would.

        The node that reads them has the recorder's name, because a parameter file names its node.
        It is in the graph for a moment only, and offers no services there.

        :raise ConfigError: for the first parameter that cannot be used
        """
        node = given_node(NODE_NAME, context=self._context, **quiet())
        try:
            self.recorder_name = node.get_fully_qualified_name()
            given = read_settings(NodeParameters(node))
            # The nodes of this command must share the recorder's clock.
            self._overrides = [node.get_parameter(USE_SIM_TIME)]
            return given
        except ConfigError as error:
            hint = unused_files(self._arguments, node.get_fully_qualified_name())
            if not hint:
                raise
            raise ConfigError(error.name, error.value, f'{error.allowed}{hint}') from error
        finally:
            node.destroy_node()

    @property
    def is_sim_time(self) -> bool:
        """True if the settings that were read use simulated time."""
        return any(bool(one.value) for one in self._overrides)

    def spin(
        self,
        duration_s: float,
        look: Callable[[], Any],
        *,
        period_s: float = _POLL_S,
        until: Callable[[], bool] | None = None,
    ) -> None:
        """
        Receive messages for a while.

        :param duration_s: longest time, in seconds
        :param look: function that is called every ``period_s``
        :param period_s: time between two calls of ``look``, in seconds
        :param until: function that ends the wait early by returning True; None for no early end
        :raise StartInterruptedError: if a signal interrupted the command
        """
        end_s = time.monotonic() + duration_s
        look_s = 0.0
        longest_s = TICK_S if self._subscribers else _POLL_S
        while (now_s := time.monotonic()) < end_s:
            if self._stop.wait(0):
                raise StartInterruptedError('interrupted')
            if now_s >= look_s:
                look()
                look_s = now_s + period_s
            if until is not None and until():
                return
            self._executor.spin_once(timeout_sec=min(longest_s, end_s - now_s))
            read_waiting(self._subscribers)
