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
"""Where samples go: to the recorder, or to the look for motion first."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Protocol

from lerobot_streamrec.frame import Picture


class Sink(Protocol):
    """The recorder, or somebody who only looks at what would be recorded."""

    def push_image(self, video_key: str, stamp_ns: int, picture: Picture) -> None:
        """Take in a picture; a MessageError refuses it."""

    def push_vector(self, key: str, stamp_ns: int, values: Any) -> None:
        """Take in the numbers of a message; a MessageError refuses them."""

    def reject(self, key: str, reason: str) -> None:
        """Take note of a message that cannot be recorded, and why."""

    def ignore(self, key: str, reason: str) -> None:
        """Take note of a message that is not meant for this stream, with the reason."""

    def contest(self, key: str, publishers: str) -> None:
        """Take note of a message that came while several publishers send the same data in turn."""

    def lose(self, key: str, num_messages: int) -> None:
        """Take note of what the middleware lost."""


class MotionSink:
    """
    A recorder's sink with an onlooker. Owned by the executor's thread.

    :param sink: the recorder
    :param keys: streams of the action
    :param look: is given key, stamp in nanoseconds and numbers of each action
    """

    def __init__(
        self, sink: Sink, keys: Collection[str], look: Callable[[str, int, Any], None]
    ) -> None:
        self._sink = sink
        self._keys = keys
        self._look = look
        self.push_image = sink.push_image
        self.reject = sink.reject
        self.ignore = sink.ignore
        self.contest = sink.contest
        self.lose = sink.lose

    def push_vector(self, key: str, stamp_ns: int, values: Any) -> None:
        """Hand the numbers of a message on; a MessageError refuses them."""
        self._sink.push_vector(key, stamp_ns, values)
        if key in self._keys:
            self._look(key, stamp_ns, values)
