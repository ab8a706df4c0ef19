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
"""The link between a client and a recorder: status and events in, commands out."""

from __future__ import annotations

from collections.abc import Sequence
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.clients.news import Event, read_event, Status
from lerobot_streamrec.nodes.graph.distributions import make_executor
from lerobot_streamrec.nodes.graph.namesakes import LATCHED
from lerobot_streamrec.nodes.graph.node_parameters import NodeParameters
from lerobot_streamrec.nodes.graph.ros_start import given_node, quiet, start_ros
from lerobot_streamrec.option import Option
import rclpy
from rclpy.context import Context
from rclpy.exceptions import InvalidTopicNameException
from std_msgs.msg import String

_RECORDER = Option(
    'recorder',
    'episode',
    "Name of the recorder's node; a relative name is in the namespace of this node",
)
# The number of messages that are read in a row. Keys are read even during a flood of messages.
_MAX_MESSAGES = 50
_STOP_TIMEOUT_S = 1.0


def read_status(message: DiagnosticStatus, heard_s: float) -> Status:
    """
    Return the status in a message of the recorder.

    :param message: a message of ``~/status``, or a part of one of ``/diagnostics``
    :param heard_s: time of arrival on the steady clock
    """
    values = {pair.key: pair.value for pair in message.values}
    return Status(values, message.level[0], message.message, heard_s)


class RecorderLink:
    """
    A separate node that communicates with one recorder. Owned by one thread at a time.

    :param name: name of the node unless it is remapped; the node's name signs the commands
    :param arguments: command line with ``--ros-args``
    :param options: further parameters of the node
    :raise ConfigError: if ROS rejects the arguments, or a parameter cannot be used
    """

    def __init__(
        self, name: str, arguments: Sequence[str], options: Sequence[Option] = ()
    ) -> None:
        self.status: Status | None = None
        """The newest status; None if none has arrived."""
        self._events: list[Event] = []
        self._num_heard = 0
        self._context = Context()
        start_ros(arguments, self._context)
        self._executor = make_executor(self._context)
        try:
            self._node = given_node(name, context=self._context, **quiet())
            reader = NodeParameters(self._node)
            recorder = reader.read(_RECORDER)
            self.values: dict[str, Any] = {one.name: reader.read(one) for one in options}
            """The values of the further parameters, by name."""
            reader.refuse_unknown()
            self._connect(recorder)
        except BaseException:
            self.close()
            raise
        self.name: str = self._node.get_name()
        """The name of the node."""
        self._executor.add_node(self._node)

    def close(self) -> None:
        """Shut down the node and its context."""
        self._executor.shutdown(timeout_sec=_STOP_TIMEOUT_S)
        rclpy.try_shutdown(context=self._context)

    def _connect(self, recorder: str) -> None:
        try:
            self._commands = self._node.create_publisher(String, f'{recorder}/command', 10)
            self._node.create_subscription(
                DiagnosticStatus, f'{recorder}/status', self._hear_status, LATCHED
            )
            self._node.create_subscription(String, f'{recorder}/events', self._hear_event, 50)
        except InvalidTopicNameException as error:
            why = str(error).partition('\n')[0]
            allowed = f'the name of a node is needed, such as episode or /left/episode ({why})'
            raise ConfigError(_RECORDER.name, recorder, allowed) from error
        self.recorder: str = self._commands.topic_name.rpartition('/')[0]
        """The full name of the recorder's node."""

    @property
    def is_heard(self) -> bool:
        """True if a node subscribes to the commands; False at first, until discovery."""
        return bool(self._commands.get_subscription_count())

    def send(self, command: str) -> None:
        """Publish a command, signed with the name of this node."""
        self._commands.publish(String(data=f'[{self.name}] {command}'))

    def take_events(self, wait_s: float = 0.0) -> list[Event]:
        """
        Read the messages that have arrived, and return the new events.

        :param wait_s: longest time to wait for the first message, in seconds
        """
        for number in range(_MAX_MESSAGES):
            num_before = self._num_heard
            self._executor.spin_once(timeout_sec=0 if number else wait_s)
            if self._num_heard == num_before:
                break
        events, self._events = self._events, []
        return events

    def _hear_status(self, message: DiagnosticStatus) -> None:
        self._num_heard += 1
        self.status = read_status(message, time.monotonic())

    def _hear_event(self, message: String) -> None:
        self._num_heard += 1
        self._events.append(read_event(message.data))
