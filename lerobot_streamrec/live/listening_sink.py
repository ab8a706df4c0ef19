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
"""Takes what the recorder's own subscribers bring, and remembers what it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from lerobot_streamrec.conversions.parts import TimedVector
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.live.arrivals import Arrivals
from lerobot_streamrec.live.graph_watch import stamp_of
from lerobot_streamrec.nodes.parameters.stream_settings import Source
from lerobot_streamrec.recording.streams.stream import Stream


class TopicWitness:
    """
    One topic's messages.

    :param source: how they are read
    """

    def __init__(self, source: Source) -> None:
        self.stream = Stream(source.stream)
        self.arrivals = Arrivals()
        self.first_picture: Picture | None = None
        self.encoding = ''
        self.size_bytes = 0
        self.num_rejected = 0
        self.rejection = ''

    def push(self, stamp_ns: int, value: Any, now_ns: int) -> None:
        """Take in a sample; a VectorError refuses numbers that no column can hold as published."""
        value = self.stream.for_column(value)
        if self.stream.newest_ns is None:
            # A video is refused until its first key frame, which is no fault.
            self.num_rejected, self.rejection = 0, ''
        stamp_ns += self.stream.config.offset_ns
        self.stream.push(stamp_ns, value, now_ns, is_recording=False)

    def reject(self, reason: str) -> None:
        """Take note of a message that cannot be recorded, and why."""
        self.num_rejected += 1
        self.rejection = reason
        self.stream.reject(reason)

    def see(self, message: Any, received_ns: int) -> None:
        """Look at a message before it is read."""
        self.arrivals.push(received_ns, stamp_of(message))
        if self.stream.config.is_camera:
            self.encoding = getattr(message, 'encoding', '') or getattr(message, 'format', '')
            self.size_bytes = len(message.data)

    @property
    def values(self) -> dict[str, float]:
        """Numbers of the newest message, by name."""
        if self.stream.config.is_camera or self.stream.newest_ns is None:
            return {}
        vector = self.stream.newest_value
        if isinstance(vector, TimedVector):
            vector = vector.at(0)
        names = self.stream.config.names
        return {name: float(value) for name, value in zip(names, vector, strict=True)}


class Witness:
    """
    Stands where the recorder would. Owned by the executor's thread.

    :param sources: of all streams
    :param now_ns: steady clock
    """

    def __init__(self, sources: Iterable[Source], now_ns: Callable[[], int]) -> None:
        self.topics = {source.stream.key: TopicWitness(source) for source in sources}
        self._now_ns = now_ns

    def push_image(self, video_key: str, stamp_ns: int, picture: Picture) -> None:
        """Take in a picture."""
        topic = self.topics[video_key]
        if topic.first_picture is None:
            topic.first_picture = picture
        topic.push(stamp_ns, picture, self._now_ns())

    def push_vector(self, key: str, stamp_ns: int, values: Any) -> None:
        """Take in the numbers of a message."""
        self.topics[key].push(stamp_ns, values, self._now_ns())

    def reject(self, key: str, reason: str) -> None:
        """Take note of a message that cannot be recorded, and why."""
        self.topics[key].reject(reason)

    def ignore(self, key: str, reason: str) -> None:
        """Take note of a message that is not meant for this stream, with the reason."""
        self.topics[key].stream.ignore(reason)

    def contest(self, key: str, publishers: str) -> None:
        """Take note of a message that came while several publishers send the same data in turn."""
        self.topics[key].stream.contest(publishers, self._now_ns())

    def lose(self, key: str, num_messages: int) -> None:
        """Take note of what the middleware lost."""
        self.topics[key].arrivals.lose(num_messages)
