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
"""The receivers of samples: the recorder, a wrapper that watches for motion, and a preview."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from typing import Any, NamedTuple, Protocol

from lerobot_streamrec.frame import EncodedPacket, Picture


class Sink(Protocol):
    """A receiver of samples: the recorder, or a tool that only inspects what it would record."""

    def push_image(self, video_key: str, stamp_ns: int, picture: Picture) -> None:
        """Take an image; a sink may raise a MessageError to reject it."""

    def push_vector(self, key: str, stamp_ns: int, values: Any) -> None:
        """Take the numbers of a message; a sink may raise a MessageError to reject them."""

    def reject(self, key: str, reason: str) -> None:
        """Count a message that cannot be recorded, and keep the reason."""

    def ignore(self, key: str, reason: str) -> None:
        """Count a message that is not meant for this stream, and keep the reason."""

    def contest(self, key: str, publishers: str) -> None:
        """Count a message that arrived while several publishers send the same data in turn."""

    def lose(self, key: str, num_messages: int) -> None:
        """Count messages that the middleware lost."""


class MotionSink:
    """
    A sink that also passes each action to a motion detector. Owned by the recorder's thread.

    :param sink: the recorder
    :param keys: stream keys of the action
    :param look: function that takes the key, the stamp in nanoseconds and the numbers of an action
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
        """Pass on the numbers of a message; a MessageError of the sink rejects them."""
        self._sink.push_vector(key, stamp_ns, values)
        if key in self._keys:
            self._look(key, stamp_ns, values)


class NewestSample(NamedTuple):
    """
    A sample that waits for its preview.

    :param stamp_ns: its stamp, without ``offset_ms``
    :param value: picture, or numbers as published
    :param data: the encoded message
    """

    stamp_ns: int
    value: Any
    data: bytes


class Newest:
    """
    A slot for the newest sample of a stream, which is kept only while its preview is wanted.

    The reader's thread puts samples in, and the preview's thread takes them out. Neither waits,
    because each of these is one operation of a deque.
    """

    def __init__(self) -> None:
        self.is_wanted = False
        """True while somebody subscribes to the preview; only the preview's thread sets it."""
        self.topic = ''
        """The full name of the preview's topic; empty: there is no preview."""
        self._kept: deque[NewestSample] = deque(maxlen=1)

    def put(self, stamp_ns: int, value: Any, data: bytes) -> None:
        """Keep a reference to a sample; of a video stream, only key frames are shown."""
        is_shown = not isinstance(value, EncodedPacket) or value.is_key
        if self.is_wanted and is_shown:
            self._kept.append(NewestSample(stamp_ns, value, data))

    def take(self) -> NewestSample | None:
        """Return the newest sample and forget it; None if none has come since the last call."""
        try:
            return self._kept.pop()
        except IndexError:
            return None
