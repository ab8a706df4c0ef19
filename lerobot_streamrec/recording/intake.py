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
"""The receiving side of the recorder: messages become samples, and samples become rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

from lerobot_streamrec.errors import EpisodeStateError
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.recording.disk_watch import DiskWatch
from lerobot_streamrec.recording.encoder_selection import EncoderChoices
from lerobot_streamrec.recording.episode.take import Take
from lerobot_streamrec.recording.streams.streams import Streams


class Intake(ABC):
    """
    The part of the recorder that subscribers call. Owned by the recorder's thread.

    A sample only waits in its stream. ``close_rows`` closes the rows that the samples complete,
    for many samples at once.

    :param streams: all streams
    :param encoders: is told the size of each camera's pictures
    :param disk: watches the free space on the disk
    :param clock_ns: steady clock
    """

    def __init__(
        self,
        streams: Streams,
        encoders: EncoderChoices,
        disk: DiskWatch,
        clock_ns: Callable[[], int],
    ) -> None:
        self._streams = streams
        self._encoders = encoders
        self._disk = disk
        self._clock_ns = clock_ns
        self._take: Take | None = None
        self._has_new = False
        """True if samples came since rows were last closed."""
        self._is_closed = False

    def push_image(self, video_key: str, stamp_ns: int, picture: Picture) -> None:
        """
        Accept a picture.

        :param video_key: name of the camera
        :param stamp_ns: its stamp, without ``offset_ms``
        :param picture: a frame, for instance; the caller must not change its buffer afterwards
        :raise FrameShapeError: if only the picture's header, which may be damaged, says that the
            camera's size has changed
        """
        if self._take is not None:
            self._take.refuse_damaged_header(video_key, picture)
        self._push(video_key, stamp_ns, picture)
        if self._take is None and (whole := self._streams[video_key].newest_whole):
            self._encoders.note_picture(video_key, whole)

    def push_vector(self, key: str, stamp_ns: int, values: Any) -> None:
        """
        Accept a state or an action.

        :param key: name of the stream
        :param stamp_ns: its stamp, without ``offset_ms``
        :param values: ``(d,)`` floats, integers or flags, or a trajectory
        :raise VectorError: if the feature's column cannot hold a number exactly as published
        """
        self._push(key, stamp_ns, values)

    def _push(self, key: str, stamp_ns: int, value: Any) -> None:
        if self._is_closed:
            return
        take = self._take
        is_recording = take is not None and not take.is_paused
        self._follow(self._streams.push(key, stamp_ns, value, is_recording=is_recording))

    def _follow(self, taken_in: Iterable[tuple[str, Any]]) -> None:
        """Let the running take look at each accepted sample."""
        for key, value in taken_in:
            if self._take is not None:
                self._take.follow(key, value)
                self._has_new = True

    def close_rows(self) -> None:
        """
        Close the rows of the running episode that the samples so far complete.

        Call this after each batch of samples, at least a few times a second.
        """
        if self._take is None or not self._has_new:
            return
        self._has_new = False
        self._take.advance()
        if self._disk.status.is_at_reserve:
            self._end_at_full_disk(self._disk.status.problem)

    @abstractmethod
    def _end_at_full_disk(self, problem: str) -> None:
        """End the running episode while there is still enough space to save it."""

    def reject(self, key: str, reason: str) -> None:
        """Count a message that could not be turned into a sample, and keep the reason."""
        self._streams[key].reject(reason)

    def ignore(self, key: str, reason: str) -> None:
        """Keep the reason why a message is not meant for this stream."""
        self._streams[key].ignore(reason)

    def contest(self, key: str, publishers: str) -> None:
        """Count a message that arrived while several publishers sent the same data in turn."""
        self._streams[key].contest(publishers, self._clock_ns())

    def lose(self, key: str, num_messages: int) -> None:
        """Count messages that the middleware lost."""
        self._streams[key].lose(num_messages)

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise EpisodeStateError('the recorder is closed: start it again')
