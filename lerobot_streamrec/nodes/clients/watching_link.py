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
"""A link that also hears the state of each stream, and previews of the streams that are shown."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from lerobot_streamrec.nodes.clients.news import kind_of, Preview, Status, VECTOR
from lerobot_streamrec.nodes.clients.recorder_link import read_status, RecorderLink
from lerobot_streamrec.option import Option
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Float64MultiArray

_NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
_DIAGNOSTICS = QoSProfile(depth=10)
_NS_PER_S = 1e9


class WatchingLink(RecorderLink):
    """
    A link to one recorder that hears its diagnostics, and previews on request.

    Owned by one thread at a time, except for ``wake``.

    :param name: name of the node unless it is remapped; the node's name signs the commands
    :param arguments: command line with ``--ros-args``
    :param options: further parameters of the node
    :raise ConfigError: if ROS rejects the arguments, or a parameter cannot be used
    """

    def __init__(
        self, name: str, arguments: Sequence[str], options: Sequence[Option] = ()
    ) -> None:
        super().__init__(name, arguments, options)
        self.streams: dict[str, Status] = {}
        """The newest status of each stream, by its key, in the recorder's order."""
        self._previews: dict[str, Preview] = {}
        self._shown: dict[str, tuple[str, Any]] = {}
        # The recorder names its statuses like this, see nodes/status_messages.py.
        self._prefix = f'{self.recorder.strip("/").replace("/", ".")}: recorder/'
        self._node.create_subscription(
            DiagnosticArray, '/diagnostics', self._hear_diagnostics, _DIAGNOSTICS
        )
        # Only a condition with a callback ends the wait of an executor.
        self._guard = self._node.create_guard_condition(lambda: None)

    def wake(self) -> None:
        """End a wait in ``take_events``. Any thread may call this while the link is open."""
        self._guard.trigger()

    def show(self, keys: frozenset[str]) -> None:
        """
        Subscribe to the previews of these streams and no others.

        A stream that the diagnostics do not name, or that has no preview, is left out until a
        later call.
        """
        wanted = {
            key: topic
            for key, status in self.streams.items()
            if key in keys and (topic := status.value('preview'))
        }
        for key, (topic, subscription) in list(self._shown.items()):
            if wanted.get(key) != topic:
                self._node.destroy_subscription(subscription)
                del self._shown[key]
                self._previews.pop(key, None)
        for key in wanted.keys() - self._shown.keys():
            self._shown[key] = wanted[key], self._subscribe(key, wanted[key])

    def take_previews(self) -> dict[str, Preview]:
        """Return the previews that have arrived since the last call, the newest of each stream."""
        previews, self._previews = self._previews, {}
        return previews

    def _subscribe(self, key: str, topic: str) -> Any:
        kind, hear = CompressedImage, partial(self._hear_picture, key)
        if kind_of(key, self.streams[key]) == VECTOR:
            kind, hear = Float64MultiArray, partial(self._hear_vector, key)
        return self._node.create_subscription(kind, topic, hear, _NEWEST)

    def _hear_diagnostics(self, message: DiagnosticArray) -> None:
        heard = [one for one in message.status if one.name.startswith(self._prefix)]
        if heard:
            self._num_heard += 1
            now_s = time.monotonic()
            self.streams = {
                one.name.removeprefix(self._prefix): read_status(one, now_s) for one in heard
            }

    def _hear_picture(self, key: str, message: CompressedImage) -> None:
        self._num_heard += 1
        stamp = message.header.stamp
        stamp_s = stamp.sec + stamp.nanosec / _NS_PER_S
        self._previews[key] = Preview(key, stamp_s, jpeg=bytes(message.data))

    def _hear_vector(self, key: str, message: Float64MultiArray) -> None:
        self._num_heard += 1
        names = tuple(str(one.label) for one in message.layout.dim)
        self._previews[key] = Preview(key, time.time(), names=names, values=tuple(message.data))
