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
"""The operator: a node that calls the recorder's services and subscribes to its status."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
import threading
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.msg import Parameter
from rcl_interfaces.srv import (
    DescribeParameters,
    GetParameters,
    ListParameters,
    SetParameters,
)
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter as RclpyParameter
from rclpy.parameter import parameter_value_to_python
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.task import Future
from std_msgs.msg import String
from std_srvs.srv import Trigger

from recorder_rig.surroundings import DISCOVERY_TIMEOUT_S, NODE_OPTIONS, wait_until

VERBS = ('start', 'save', 'discard', 'rotate', 'pause', 'resume', 'undo', 'finalize')
ANSWER_TIMEOUT_S = 90.0
STREAMS_TIMEOUT_S = 90.0

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_DEPTH = 100


@dataclass(frozen=True)
class Status:
    """
    One message of /episode/status or /diagnostics.

    :param arrived_s: arrival time by the monotonic clock, in seconds
    """

    arrived_s: float
    level: int
    name: str
    message: str
    hardware_id: str
    root: str
    values: dict[str, str]

    @classmethod
    def of(cls, message: DiagnosticStatus) -> Status:
        """Read a message."""
        values = {pair.key: pair.value for pair in message.values}
        root, hardware_id = values.get('root', ''), message.hardware_id
        level = message.level[0]
        return cls(
            time.monotonic(), level, message.name, message.message, hardware_id, root, values
        )


@dataclass(frozen=True)
class Call:
    """A service request, answered or not."""

    verb: str
    sent_s: float
    future: Future
    describe: Callable[[], str]

    @property
    def is_answered(self) -> bool:
        """True if the answer has come."""
        return self.future.done()

    def answer(self, timeout_s: float = ANSWER_TIMEOUT_S) -> Trigger.Response:
        """Wait for the answer, whether success or not."""
        wait_until(
            self.future.done,
            timeout_s,
            lambda: f'an answer of /episode/{self.verb}; {self.describe()}',
        )
        return self.future.result()

    def succeed(self, timeout_s: float = ANSWER_TIMEOUT_S) -> str:
        """Wait for the answer, which must be success, and return its message."""
        answer = self.answer(timeout_s)
        assert answer.success, f'/episode/{self.verb}: {answer.message}'
        return answer.message

    def fail(self, timeout_s: float = ANSWER_TIMEOUT_S) -> str:
        """Wait for the answer, which must be a failure, and return its message."""
        answer = self.answer(timeout_s)
        assert not answer.success, f'/episode/{self.verb}: {answer.message}'
        return answer.message


class Operator:
    """
    A client of the recorder that spins in its own thread. Its owner calls ``close``.

    :param context: ROS context of the session
    :param root: root of the dataset; statuses of recorders with another root are ignored
    :param recorder: full name of the recorder's node
    """

    def __init__(self, context: Context, root: Path, recorder: str = '/episode') -> None:
        self._root = str(root)
        self._recorder = recorder
        self.statuses: list[Status] = []
        self.diagnostics: list[list[Status]] = []
        self.node = Node('test_operator', context=context, **NODE_OPTIONS)
        self._clients = {verb: self.client(Trigger, verb) for verb in VERBS}
        self.node.create_subscription(DiagnosticStatus, f'{recorder}/status', self._hear, _DEPTH)
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._hear_all, _DEPTH)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, name='test_operator', daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        self._thread.join()
        self.node.destroy_node()

    def _spin(self) -> None:
        self._executor.spin()

    def _hear(self, message: DiagnosticStatus) -> None:
        status = Status.of(message)
        if status.root == self._root:
            self.statuses.append(status)

    def _hear_all(self, message: DiagnosticArray) -> None:
        statuses = [Status.of(one) for one in message.status]
        if statuses and statuses[0].root == self._root:
            self.diagnostics.append(statuses)

    # --- reports of the recorder ---------------------------------------------------------------

    @property
    def status(self) -> Status:
        """The newest status."""
        assert self.statuses, 'no status has come yet'
        return self.statuses[-1]

    def wait_for_recorder(self) -> None:
        """Wait until the recorder's services are available and its first status has come."""
        clients = self._clients.values()
        wait_until(
            lambda: self.statuses and all(one.service_is_ready() for one in clients),
            DISCOVERY_TIMEOUT_S,
            f'the services of the recorder, and a status for {self._root}',
        )

    def wait_for_streams(self) -> None:
        """Wait until the recorder has fresh samples of every stream."""
        self.wait_for_status(lambda one: one.level == 0, 'every stream is ready')

    def wait_for_rows(self, num_rows: int) -> None:
        """Wait until the running episode has at least ``num_rows`` rows."""
        self.wait_for_status(
            lambda one: one.values['state'] == 'recording'
            and int(one.values['rows']) >= num_rows,
            f'{num_rows} rows',
        )

    def wait_for_status(
        self,
        condition: Callable[[Status], object],
        what: str,
        timeout_s: float = STREAMS_TIMEOUT_S,
    ) -> Status:
        """Wait for a new status that meets a condition, and return it."""
        heard = len(self.statuses)
        found: list[Status] = []

        def look() -> bool:
            found.extend(one for one in self.statuses[heard:] if condition(one))
            return bool(found)

        wait_until(look, timeout_s, lambda: f'{what}; the last status: {self.statuses[-1:]}')
        return found[0]

    def wait_for_silence(self) -> None:
        """Wait until the recorder counts no new message between two diagnostics."""
        heard = len(self.diagnostics)

        def look() -> bool:
            new = self.diagnostics[heard:]
            told = [[one.values.get('received') for one in streams] for streams in new]
            return any(one == after for one, after in pairwise(told))

        wait_until(look, STREAMS_TIMEOUT_S, 'diagnostics without new messages')

    # --- verbs ---------------------------------------------------------------------------------

    def send(self, verb: str, on_answer: Callable[[], None] | None = None) -> Call:
        """
        Send a request.

        :param verb: one of VERBS
        :param on_answer: function that is called as soon as the answer arrives
        """
        sent_s = time.monotonic()
        future = self._clients[verb].call_async(Trigger.Request())
        if on_answer is not None:
            future.add_done_callback(lambda _: on_answer())
        return Call(verb, sent_s, future, self._describe_last_status)

    def _describe_last_status(self) -> str:
        if not self.statuses:
            return 'no status has come'
        last = self.statuses[-1]
        age_s = time.monotonic() - last.arrived_s
        return f'the last status is {age_s:.1f} s old: {last.message} {last.values}'

    def start(self) -> str:
        """Start an episode once every stream is there."""
        self.wait_for_streams()
        return self.send('start').succeed()

    def save(self, timeout_s: float = ANSWER_TIMEOUT_S) -> str:
        """Save the running episode, and wait until it is durable."""
        return self.send('save').succeed(timeout_s)

    def record(self, num_rows: int) -> str:
        """Record an episode of at least ``num_rows`` rows, and return the answer of the save."""
        self.start()
        self.wait_for_rows(num_rows)
        return self.save()

    # --- task and parameters -------------------------------------------------------------------

    def client(self, kind: Any, name: str) -> Any:
        """Make a client of one of the recorder's services."""
        return self.node.create_client(kind, f'{self._recorder}/{name}')

    def ask(self, kind: Any, name: str, request: Any) -> Any:
        """Call any service of the recorder, and wait for the answer."""
        client = self.client(kind, name)
        wait_until(client.service_is_ready, DISCOVERY_TIMEOUT_S, f'the service /episode/{name}')
        future = client.call_async(request)
        wait_until(future.done, ANSWER_TIMEOUT_S, f'an answer of /episode/{name}')
        self.node.destroy_client(client)
        return future.result()

    def set_parameter(self, name: str, value: Any) -> Any:
        """Set a parameter, and return the result with success and reason."""
        parameter: Parameter = RclpyParameter(name, value=value).to_parameter_msg()
        request = SetParameters.Request(parameters=[parameter])
        return self.ask(SetParameters, 'set_parameters', request).results[0]

    def parameter_names(self) -> list[str]:
        """Return the names of all parameters."""
        request = ListParameters.Request(depth=ListParameters.Request.DEPTH_RECURSIVE)
        return list(self.ask(ListParameters, 'list_parameters', request).result.names)

    def get_parameters(self, names: list[str]) -> dict[str, Any]:
        """Return the values of parameters."""
        values = self.ask(GetParameters, 'get_parameters', GetParameters.Request(names=names))
        found = [parameter_value_to_python(value) for value in values.values]
        # Lists come as arrays.
        return {
            name: value if isinstance(value, str | int | float | None) else list(value)
            for name, value in zip(names, found, strict=True)
        }

    def describe_parameters(self, names: list[str]) -> list[Any]:
        """Return the descriptors of parameters."""
        request = DescribeParameters.Request(names=names)
        return list(self.ask(DescribeParameters, 'describe_parameters', request).descriptors)

    def publish_task(self, task: str, qos: QoSProfile) -> Any:
        """Publish a task, see ``publish_text``."""
        return self.publish_text('task', task, qos)

    def publish_text(self, name: str, text: str, qos: QoSProfile) -> Any:
        """
        Publish a text on one of the episode node's topics: latched, or once there is a reader.

        :return: the publisher; a latched text exists only as long as the publisher
        """
        publisher = self.node.create_publisher(String, f'{self._recorder}/{name}', qos)
        if qos.durability != DurabilityPolicy.TRANSIENT_LOCAL:
            wait_until(
                publisher.get_subscription_count, DISCOVERY_TIMEOUT_S, f'a reader of {name}'
            )
        publisher.publish(String(data=text))
        return publisher
