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
"""Detection of other recorders with the same name, which the same commands would reach."""

from __future__ import annotations

import os
import socket
import time
import uuid

from diagnostic_msgs.msg import DiagnosticStatus
from lerobot_streamrec.recording.status import RecorderState
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile

STATUS_TOPIC = '~/status'
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
"""QoS of the status topic: a late subscription receives the last status."""

_ALL_LATCHED = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)

INSTANCE, PROCESS, STATE = 'instance', 'process', 'state'

# A recorder publishes its status twice a second, and later than that if it is busy.
_HEARD_S = 5.0
# Discovery takes up to this long. A recorder that is new in the graph has been heard by then,
# unless its process has ended.
_DISCOVERY_S = 3.0


class Namesakes:
    """
    A listener for the statuses of other recorders with the same full name.

    The graph alone cannot answer the question, because it lists a killed process for many more
    seconds. A running recorder publishes its status. The executor's thread hears the others, and
    the thread that owns the recorder looks.

    :param node: the main node; it publishes its own status with ``identity`` on the same topic
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._name = node.get_fully_qualified_name()
        self.identity = {
            INSTANCE: uuid.uuid4().hex,
            PROCESS: f'{os.getpid()} on {socket.gethostname()}',
        }
        """The values in a status that identify the recorder."""
        self._heard: tuple[str, float] | None = None
        self._changed_s = time.monotonic()
        self._num_others = 0
        node.create_subscription(DiagnosticStatus, STATUS_TOPIC, self._hear, _ALL_LATCHED)

    def _hear(self, message: DiagnosticStatus) -> None:
        values = {one.key: one.value for one in message.values}
        if values.get(INSTANCE) == self.identity[INSTANCE]:
            return
        if values.get(STATE) == RecorderState.CLOSED.value:
            self._heard = None
        else:
            self._heard = values.get(PROCESS, 'unknown'), time.monotonic()

    def look(self) -> str:
        """Return why no episode may start; empty if no other recorder has the same name."""
        now_s = time.monotonic()
        # Just after the start the graph does not even list our own publisher.
        num_others = max(0, self._node.count_publishers(STATUS_TOPIC) - 1)
        if num_others > self._num_others:
            self._changed_s = now_s
        elif self._num_others and not num_others:
            self._heard = None
        self._num_others = num_others
        heard = self._heard
        if heard is not None and now_s - heard[1] <= _HEARD_S:
            return (
                f'another recorder is called {self._name} (process {heard[0]}), and every '
                'command would reach both: stop it, or start one of them in another namespace '
                '(namespace:=...) or with another ROS_DOMAIN_ID'
            )
        return ''

    def is_settled(self) -> bool:
        """Return True once every recorder with the same name has had time to be heard."""
        return bool(self.look()) or time.monotonic() - self._changed_s >= _DISCOVERY_S
