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
"""The benchmark's operator, which calls the recorder's services and reads /diagnostics."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
import re
import time

from diagnostic_msgs.msg import DiagnosticArray
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import Trigger

from benchmarks.child import BenchmarkError, Check

_SPIN_S = 0.05
_RETRY_S = 0.3
# Diagnostics come once a second, but later on a busy machine.
_DIAGNOSTICS_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """
    The answer of a service.

    :param success: True if the service did its work
    :param message: the recorder's message
    :param took_s: time from call to answer, in seconds
    """

    success: bool
    message: str
    took_s: float

    def count(self, noun: str) -> int:
        """
        Return the number before a noun, singular or plural.

        :raises BenchmarkError: if there is no such number
        """
        found = re.search(rf'(\d+) {noun}s?\b', self.message)
        if found is None:
            raise BenchmarkError(f'no number of {noun}s in the answer: {self.message}')
        return int(found.group(1))

    @property
    def remarks(self) -> list[str]:
        """The remarks of the recorder besides the counts."""
        return self.message.split('; ')[1:]


class RecorderClient:
    """
    A client of the recorder, which works in the calling thread.

    :param root: the dataset's folder, which identifies this recorder's diagnostics
    :param check: function that is called several times a second, and raises to end a wait
    """

    def __init__(self, root: Path, check: Check) -> None:
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        self._root = str(root)
        self._check = check
        self._num_diagnostics = 0
        self._peak_queued = 0
        self._node = Node('benchmark_operator', start_parameter_services=False)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._clients = {
            name: self._node.create_client(Trigger, f'/episode/{name}')
            for name in ('start', 'save')
        }
        self._node.create_subscription(
            DiagnosticArray, '/diagnostics', self._on_diagnostics, 10
        )

    def close(self) -> None:
        """Leave the ROS graph."""
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown()

    @property
    def peak_queued(self) -> int:
        """The most frames that waited for any one encoder since the last start."""
        return self._peak_queued

    def wait_for_recorder(self, timeout_s: float) -> None:
        """Wait until the services are available and diagnostics arrive."""
        deadline_s = time.monotonic() + timeout_s
        while not (
            self._num_diagnostics
            and all(client.service_is_ready() for client in self._clients.values())
        ):
            if time.monotonic() > deadline_s:
                raise BenchmarkError(f'the recorder was not up after {timeout_s:.0f} s')
            self._spin_once()

    def start(self, timeout_s: float) -> None:
        """
        Start an episode, and try again while the streams are not ready.

        :raises BenchmarkError: if the streams were not ready in time
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            self._peak_queued = 0
            answer = self._call('start', timeout_s)
            if answer.success:
                return
            if time.monotonic() > deadline_s:
                raise BenchmarkError(f'/episode/start: {answer.message}')
            self.spin(_RETRY_S)

    def save(self, timeout_s: float) -> Answer:
        """
        Save the episode.

        :raises BenchmarkError: if it was not saved
        """
        answer = self._call('save', timeout_s)
        if not answer.success:
            raise BenchmarkError(f'/episode/save: {answer.message}')
        return answer

    def spin(self, duration_s: float) -> None:
        """Receive messages for a while."""
        deadline_s = time.monotonic() + duration_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            self._spin_once(left_s)

    def spin_until_diagnostics(self) -> None:
        """Wait for the next diagnostics, so that the peaks cover the end of the episode."""
        heard = self._num_diagnostics
        deadline_s = time.monotonic() + _DIAGNOSTICS_TIMEOUT_S
        while self._num_diagnostics == heard:
            if time.monotonic() > deadline_s:
                raise BenchmarkError(f'no diagnostics for {_DIAGNOSTICS_TIMEOUT_S:.0f} s')
            self._spin_once()

    def _call(self, service: str, timeout_s: float) -> Answer:
        sent_s = time.monotonic()
        future = self._clients[service].call_async(Trigger.Request())
        while not future.done():
            if time.monotonic() > sent_s + timeout_s:
                raise BenchmarkError(f'/episode/{service}: no answer after {timeout_s:.0f} s')
            self._spin_once()
        took_s = time.monotonic() - sent_s
        response = future.result()
        return Answer(response.success, response.message, took_s)

    def _spin_once(self, timeout_s: float = _SPIN_S) -> None:
        self._check()
        self._executor.spin_once(timeout_sec=min(timeout_s, _SPIN_S))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        told = [{pair.key: pair.value for pair in one.values} for one in message.status]
        # The first status is that of the whole recorder, the next ones those of its streams.
        if not told or told[0].get('root') != self._root:
            return
        for values in told:
            self._peak_queued = max(self._peak_queued, int(values.get('peak_queued_frames', 0)))
        self._num_diagnostics += 1
