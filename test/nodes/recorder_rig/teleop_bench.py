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
"""The teleop code on a separate node, and publishers that drive it over DDS."""

from __future__ import annotations

from collections.abc import Callable
import time
from typing import Any

from lerobot_streamrec.nodes.graph.distributions import make_executor
from lerobot_streamrec.nodes.teleop.triggers import Teleop
from lerobot_streamrec.settings.parameter_reader import ParameterReader
from lerobot_streamrec.settings.teleop_settings import read_teleop
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import QoSProfile

from recorder_rig.surroundings import DISCOVERY_TIMEOUT_S, NODE_OPTIONS

RELIABLE = QoSProfile(depth=100)
_TURN_S = 0.02
_WAIT_S = 2.0


class TeleopBench:
    """
    A bench that spins in the test's thread. Its owner calls ``close``.

    :param context: context of the session
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._executor = make_executor(context)
        self._node: Node | None = None
        self._operator = Node('test_teleop', context=context, **NODE_OPTIONS)
        self.given: list[tuple[str, str]] = []
        """The commands, each with its source."""
        self.ahead_s = 0.0
        """The seconds by which the steady clock is ahead."""
        self.teleop: Teleop

    def start(self, parameters: dict[str, Any], *arguments: str, namespace: str = '') -> None:
        """Start the teleop code, without a debounce time unless one is given."""
        self._node = Node(
            'episode',
            context=self._context,
            namespace=namespace,
            cli_args=['--ros-args', *arguments],
            **NODE_OPTIONS,
        )
        wanted = {f'teleop.{name}': value for name, value in parameters.items()}
        settings = read_teleop(ParameterReader({'teleop.debounce_s': 0.0, **wanted}))
        self.teleop = Teleop(
            self._node, settings, lambda *given: self.given.append(given), self.clock_s
        )
        self._executor.add_node(self._node)

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        for node in filter(None, (self._node, self._operator)):
            node.destroy_node()

    def clock_s(self) -> float:
        """Return the time of the steady clock, in seconds."""
        return time.monotonic() + self.ahead_s

    @property
    def commands(self) -> list[str]:
        """The commands that were given."""
        return [command for command, _ in self.given]

    def turn(self) -> None:
        """Let the executor do its pending work."""
        self.teleop.look(self.clock_s())
        self._executor.spin_once(timeout_sec=_TURN_S)

    def spin_until(
        self, condition: Callable[[], object], act: Callable[[], None] | None = None
    ) -> None:
        """Spin until a condition holds, and act before every turn."""
        deadline_s = time.monotonic() + DISCOVERY_TIMEOUT_S
        while not condition():
            assert time.monotonic() < deadline_s, f'given were {self.given}'
            if act is not None:
                act()
            self.turn()

    def wait_for(self, command: str, repeat: Callable[[], None]) -> list[str]:
        """
        Wait until a command is given; return all given commands, and forget them.

        :param repeat: function that sends it again, in case the publisher had no reader yet
        """
        wait_s = time.monotonic() + _WAIT_S
        while command not in self.commands:
            self.turn()
            if time.monotonic() > wait_s:
                wait_s += _WAIT_S
                repeat()
        told, self.given[:] = self.commands, []
        return told

    def publisher(self, kind: type, topic: str, qos: QoSProfile = RELIABLE) -> Any:
        """Make a publisher, and wait until it has a subscription."""
        publisher = self._operator.create_publisher(kind, topic, qos)
        self.spin_until(publisher.get_subscription_count)
        return publisher

    def lonely_publisher(self, kind: type, topic: str, qos: QoSProfile = RELIABLE) -> Any:
        """Make a publisher without waiting for a subscription."""
        return self._operator.create_publisher(kind, topic, qos)

    def destroy(self, publisher: Any) -> None:
        """Destroy a publisher."""
        self._operator.destroy_publisher(publisher)
