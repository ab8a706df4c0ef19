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
"""The demo's operator: a small ROS node that calls the recorder's services."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import time

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from std_msgs.msg import String
from std_srvs.srv import Trigger

SERVICES = ('start', 'save', 'finalize')

_SPIN_S = 0.05
_RETRY_S = 0.3
# Requests to different services are not ordered. This keeps a save, a new task and the next
# start apart, and is still far less than the save takes.
_APART_S = 0.1


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
