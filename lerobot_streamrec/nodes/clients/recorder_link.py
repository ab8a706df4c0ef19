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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
import json
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.nodes.graph.distributions import make_executor
from lerobot_streamrec.nodes.graph.namesakes import LATCHED
from lerobot_streamrec.nodes.graph.ros_start import given_node, quiet, start_ros
from lerobot_streamrec.nodes.parameters.parameter_reader import ParameterReader
from lerobot_streamrec.option import Option
import rclpy
from rclpy.context import Context
from rclpy.exceptions import InvalidTopicNameException
from std_msgs.msg import String

RUNNING = ('recording', 'paused')
"""The phases in which an episode can be saved."""
_MAX_QUOTED = 80


@dataclass(frozen=True, slots=True)
class Status:
    """
    One status of the recorder.

    :param values: texts by their keys
    :param level: 0: fine; 1: a warning; 2: an error
    :param message: headline of the status
    :param heard_s: time of arrival on the steady clock
    """

    values: Mapping[str, str]
    level: int
    message: str
    heard_s: float

    def value(self, key: str) -> str:
        """Return the value of a key; empty if the status lacks it."""
        return self.values.get(key, '')

    @property
    def phase(self) -> str:
        """The recorder's phase, such as ``ready`` or ``resetting``."""
        return self.value('phase') or self.value('state') or 'unknown'

    @property
    def is_running(self) -> bool:
        """True if there is an episode that can be saved."""
        return self.phase in RUNNING

    @property
    def episode_index(self) -> int | None:
        """The index of the running or next episode; None if it is not known."""
        text = self.value('episode_index')
        return int(text) if text.isascii() and text.isdigit() else None


@dataclass(frozen=True, slots=True)
class Event:
    """
    An answer to a command, or the result of a save.

    :param at: local time of day, as text
    :param source: name of the sender of the command
    :param verb: verb of the command, or ``saved``
    :param success: True if the command was carried out
    :param message: text of the answer
    :param episode: index of the episode; None if the event concerns no episode
    """

    at: str
    source: str
    verb: str
    success: bool
    message: str
    episode: int | None = None


def read_status(message: DiagnosticStatus, heard_s: float) -> Status:
    """
    Return the status in a message of the recorder.

    :param message: a message of ``~/status``, or a part of one of ``/diagnostics``
    :param heard_s: time of arrival on the steady clock
    """
    values = {pair.key: pair.value for pair in message.values}
    return Status(values, message.level[0], message.message, heard_s)


def read_event(text: str) -> Event:
    """
    Parse one message of ``~/events``.

    :param text: a JSON object; any other text becomes an event that quotes it
    """
    try:
        fields = json.loads(text)
        episode = fields.get('episode')
        return Event(
            _time_of_day(str(fields.get('time', ''))),
            str(fields.get('source', '')),
            str(fields['verb']),
            fields['success'] is True,
            str(fields.get('message', '')),
            episode if isinstance(episode, int) else None,
        )
    except (ValueError, KeyError, AttributeError, RecursionError):
        return Event('', '?', '?', False, f'not an event of a recorder: {text[:_MAX_QUOTED]!r}')


def _time_of_day(time: str) -> str:
    try:
        # Python 3.10 cannot parse the letter Z for UTC.
        moment = datetime.fromisoformat(time.replace('Z', '+00:00'))
        return f'{moment.astimezone():%H:%M:%S}'
    except (ValueError, OverflowError):
        return ''


_RECORDER = Option(
    'recorder',
    'episode',
    "Name of the recorder's node; a relative name is in the namespace of this node",
)
# The number of messages that are read in a row. Keys are read even during a flood of messages.
_MAX_MESSAGES = 50
_STOP_TIMEOUT_S = 1.0


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
            reader = ParameterReader(self._node)
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
