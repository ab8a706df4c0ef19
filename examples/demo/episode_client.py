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
"""The demo's operator: a small ROS node with the recorder's services and a gamepad."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import json
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from sensor_msgs.msg import Joy
from std_msgs.msg import String
from std_srvs.srv import Trigger

SERVICES = ('start', 'save', 'finalize')

_SPIN_S = 0.05
_RETRY_S = 0.3
# A task and a button go by different topics, which have no order. This keeps them apart.
_APART_S = 0.1
# The gamepad repeats its state, so that the recorder has heard it before the first press.
_JOY_PERIOD_S = 1.0
_PRESS_S = 0.2
_NUM_BUTTONS = 11


class ClientError(Exception):
    """The recorder refused, or did not answer in time."""


@dataclass(frozen=True)
class Call:
    """A request that is under way."""

    service: str
    sent_s: float
    future: Future


class EpisodeClient:
    """Calls /episode/* and waits; everything happens in the calling thread."""

    def __init__(self, check: Callable[[], None], say: Callable[[str], None]) -> None:
        """
        Join the ROS graph.

        :param check: called several times a second while waiting; raises to end the wait
        :param say: prints one line of progress
        """
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        self._check = check
        self._say = say
        self._node = Node('demo_operator', start_parameter_services=False)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._clients = {
            name: self._node.create_client(Trigger, f'/episode/{name}') for name in SERVICES
        }
        latched = QoSProfile(
            depth=1,
            reliability=ReliabilityPolicy.RELIABLE,
            durability=DurabilityPolicy.TRANSIENT_LOCAL,
        )
        self._task = self._node.create_publisher(String, '/episode/task', latched)
        self._joy = self._node.create_publisher(Joy, '/joy', 10)
        self._down: int | None = None
        self._node.create_timer(_JOY_PERIOD_S, self._publish_joy)
        self._events: list[dict[str, Any]] = []
        self._node.create_subscription(String, '/episode/events', self._hear, 50)
        self.status: dict[str, str] = {}
        self._node.create_subscription(
            DiagnosticStatus, '/episode/status', self._hear_status, latched
        )

    def close(self) -> None:
        """Leave the ROS graph."""
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown()

    def wait_for_recorder(self, timeout_s: float) -> None:
        """Wait until all services are there."""
        deadline_s = time.monotonic() + timeout_s
        while missing := [
            n for n, client in self._clients.items() if not client.service_is_ready()
        ]:
            if time.monotonic() > deadline_s:
                raise ClientError(f'no service /episode/{missing[0]} after {timeout_s:.0f} s')
            self.spin(_SPIN_S)

    def _hear(self, message: String) -> None:
        self._events.append(json.loads(message.data))

    def _hear_status(self, message: DiagnosticStatus) -> None:
        self.status = {one.key: one.value for one in message.values}

    def press(self, button: int, verb: str, timeout_s: float) -> None:
        """
        Press a button of the gamepad, again and again while the recorder is not ready for it.

        :param verb: the command that the button is bound to
        :raises ClientError: if it was not ready, or did not answer in time
        """
        begin_s = time.monotonic()
        while not (event := self._press_once(button, verb, timeout_s))['success']:
            self._say(f'gamepad button {button} has to wait: {event["message"]}')
            self._refuse_late(begin_s, timeout_s, event['message'])
            self.spin(_RETRY_S)
        self._say(f'gamepad button {button}: {event["message"]}')

    def _press_once(self, button: int, verb: str, timeout_s: float) -> dict[str, Any]:
        for self._down in (button, None):
            self._publish_joy()
            self.spin(_PRESS_S)
        return self._event(verb, timeout_s)

    def _publish_joy(self) -> None:
        self._joy.publish(Joy(buttons=[int(one == self._down) for one in range(_NUM_BUTTONS)]))

    def wait_for_saved(self, timeout_s: float) -> str:
        """
        Wait until an episode is durable, and return what is told of it.

        :raises ClientError: if it was not saved, or not in time
        """
        event = self._event('saved', timeout_s)
        message: str = event['message']
        if not event['success']:
            raise ClientError(f'not saved: {message}')
        return message

    def _event(self, verb: str, timeout_s: float) -> dict[str, Any]:
        begin_s = time.monotonic()
        while not (found := [one for one in self._events if one['verb'] == verb]):
            self._refuse_late(begin_s, timeout_s, f'no event {verb!r}')
            self.spin(_SPIN_S)
        self._events.remove(found[0])
        return found[0]

    def _refuse_late(self, begin_s: float, timeout_s: float, what: str) -> None:
        if time.monotonic() > begin_s + timeout_s:
            raise ClientError(f'{what} after {timeout_s:.0f} s')

    def set_task(self, task: str) -> None:
        """Tell the recorder what the next episodes are about."""
        self.spin(_APART_S)
        self._task.publish(String(data=task))
        self.spin(_APART_S)

    def call(self, service: str) -> Call:
        """Send a request and do not wait for its answer."""
        future = self._clients[service].call_async(Trigger.Request())
        return Call(service, time.monotonic(), future)

    def answer(self, call: Call, timeout_s: float) -> Trigger.Response:
        """Wait for an answer, be it success or not."""
        while not call.future.done():
            if time.monotonic() > call.sent_s + timeout_s:
                raise ClientError(f'/episode/{call.service}: no answer after {timeout_s:.0f} s')
            self.spin(_SPIN_S)
        return call.future.result()

    def finish(self, call: Call, timeout_s: float) -> None:
        """
        Wait for an answer that has to be success, and print it.

        :raises ClientError: if it is not, or does not come
        """
        response = self.answer(call, timeout_s)
        took_s = time.monotonic() - call.sent_s
        if not response.success:
            raise ClientError(f'/episode/{call.service}: {response.message}')
        self._say(f'/episode/{call.service} ({took_s:.2f} s): {response.message}')

    def start(self, timeout_s: float) -> None:
        """
        Start an episode, again and again while the recorder is not ready for it.

        :raises ClientError: if it was not ready in time
        """
        deadline_s = time.monotonic() + timeout_s
        heard = ''
        while True:
            call = self.call('start')
            response = self.answer(call, timeout_s)
            if response.success:
                took_s = time.monotonic() - call.sent_s
                self._say(f'/episode/start ({took_s:.2f} s): {response.message}')
                return
            if response.message != heard:
                heard = response.message
                self._say(f'/episode/start has to wait: {heard}')
            if time.monotonic() > deadline_s:
                raise ClientError(f'/episode/start: {heard}')
            self.spin(_RETRY_S)

    def spin(self, duration_s: float) -> None:
        """Let messages come in for a while."""
        deadline_s = time.monotonic() + duration_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            self._check()
            self._executor.spin_once(timeout_sec=min(left_s, _SPIN_S))
