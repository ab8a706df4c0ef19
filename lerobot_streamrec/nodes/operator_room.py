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
"""The connection between the episode machine and the ROS graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import time
from typing import Any

from lerobot_streamrec.errors import StreamrecError, StreamsNotReadyError
from lerobot_streamrec.nodes.graph.namesakes import Namesakes
from lerobot_streamrec.nodes.topics.reader import Reader
from lerobot_streamrec.nodes.topics.subscriber import Subscriber
from lerobot_streamrec.recording.operating.cues import Cues
from lerobot_streamrec.recording.operating.events import Event, EVENTS_TOPIC, FAILED
from lerobot_streamrec.recording.operating.surroundings import Surroundings
from lerobot_streamrec.recording.saving.summary import EpisodeSummary
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import String

_EVENTS = QoSProfile(
    depth=50,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.VOLATILE,
)


class OperatorRoom(Surroundings):
    """
    The surroundings of the episode machine in a ROS node. Owned by the reader's thread.

    :param node: the node `episode`
    :param subscribers: one subscriber for each stream
    :param namesakes: watch for other recorders with the same name
    :param cues: bell or voice for an operator who looks at the robot
    :param reader: thread that calls all methods except ``wake``
    :param collect: function to call in the reader's thread after ``wake``
    """

    def __init__(
        self,
        node: Node,
        subscribers: Sequence[Subscriber],
        namesakes: Namesakes,
        cues: Cues,
        reader: Reader,
        collect: Callable[[], None],
    ) -> None:
        self._node = node
        self._log: Any = node.get_logger()
        self._subscribers = subscribers
        self._namesakes = namesakes
        self._cues = cues
        self._reader = reader
        self._collect = collect
        self._told = ''
        self._events = node.create_publisher(String, EVENTS_TOPIC, _EVENTS)

    def obstacle(self) -> str | None:
        """Return an error if another recorder has the same name; None if that is not known yet."""
        before, self._told = self._told, self._namesakes.look()
        if self._told and self._told != before:
            self._log.error(self._told)
        return self._told if self._told or self._namesakes.is_settled() else None

    def read_waiting(self) -> None:
        """Read the messages that have arrived, since they belong to the episode that is ending."""
        self._reader.read()

    def hint(self, error: StreamrecError) -> str:
        """Return the number of publishers of each silent topic, and why they cannot be heard."""
        if not isinstance(error, StreamsNotReadyError):
            return ''
        hints = [
            one.hint
            for one in self._subscribers
            if any(problem.startswith(f'{one.key} ') for problem in error.problems)
        ]
        return f' ({"; ".join(hints)})' if hints else ''

    def advice(self, summary: EpisodeSummary) -> list[str]:
        """Return advice against the loss of messages in transport."""
        lossy = [one for one in self._subscribers if one.key in summary.lossy]
        return [text for text in dict.fromkeys(one.loss_advice for one in lossy) if text]

    def note_task(self, task: str) -> None:
        """Set the parameter `task` to the task that a command has set."""
        self._node.set_parameters([Parameter('task', value=task)])

    def publish(self, event: Event) -> None:
        """Publish an event, give the operator a cue, and log the event."""
        self._events.publish(String(data=event.as_json(time.time())))
        self._cues.tell(event)
        if event.verb == FAILED:
            # The failure was logged when it happened.
            return
        text = f'{event.message} ({event.source})'
        if event.success:
            self._log.info(text)
        else:
            self._log.error(text)

    def wake(self) -> None:
        """Schedule ``collect`` in the reader's thread. Any thread may call this."""
        self._reader.call(self._collect)
