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
import logging
from typing import Any

from lerobot_streamrec.errors import EpisodeStateError, MessageError
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.recording.disk_watch import DiskWatch
from lerobot_streamrec.recording.encoder_selection import EncoderChoices
from lerobot_streamrec.recording.episode.take import Take
from lerobot_streamrec.recording.status import RecorderState
from lerobot_streamrec.recording.streams.streams import Streams
from lerobot_streamrec.sync.row_clock import NOTHING_KNOWN, NS_PER_S

_log = logging.getLogger(__name__)

# More samples than a tick has at 1 kHz, and few enough for their pictures to fit into memory.
_MAX_ACCEPTED = 64
_LOG_EVERY_NS = 5 * NS_PER_S


class Intake(ABC):
    """
    The part of the recorder that subscribers call. Owned by the recorder's thread.

    A pushed sample only waits. ``close_rows`` takes the samples into their streams and closes the
    rows that they complete, for many samples at once.

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
        self._accepted: list[tuple[str, int, Any, int]] = []
        """Key, stamp, value and arrival of each sample that was pushed and not yet taken in."""
        self._silent_until_ns: dict[str, int] = {}
        """The time, by key, until which no other rejected sample is logged."""
        self._has_new = False
        """True if samples came since rows were last closed."""
        self._is_closed = False
        self.verb_rows = NOTHING_KNOWN
        """The rows before and after the last verb of an episode."""

    @property
    def is_trying_encoders(self) -> bool:
        """True while encoders are being tried, so that a start may be refused or hasty."""
        return self._encoders.is_trying

    @property
    def num_queued(self) -> int:
        """The largest number of frames of a camera that wait for its encoder."""
        cameras = self._take.cameras.values() if self._take is not None else ()
        return max((one.num_queued for one in cameras), default=0)

    @property
    def state(self) -> RecorderState:
        """The state of the recorder."""
        if self._is_closed:
            return RecorderState.CLOSED
        if self._take is None:
            return RecorderState.IDLE
        return RecorderState.PAUSED if self._take.is_paused else RecorderState.RECORDING

    @property
    def seconds(self) -> float:
        """The length of the running episode's rows, in seconds."""
        return self._take.seconds if self._take is not None else 0.0

    @property
    def failure(self) -> str:
        """The reason why the running episode cannot be saved; empty if it can."""
        return (self._take.failure or '') if self._take is not None else ''

    def close_known_rows(self) -> bool:
        """
        Close rows up to the last one that a verb was told, unless a sample is on its way.

        :return: False if one is
        """
        self._take_in()
        return self._take is None or self._take.close_known_rows()

    def push_image(self, video_key: str, stamp_ns: int, picture: Picture) -> None:
        """
        Accept a picture; the next ``close_rows`` takes it in.

        :param video_key: name of the camera
        :param stamp_ns: its stamp, without ``offset_ms``
        :param picture: a frame, for instance; the caller must not change its buffer afterwards
        """
        self._accept(video_key, stamp_ns, picture)

    def push_vector(self, key: str, stamp_ns: int, values: Any) -> None:
        """
        Accept a state or an action; the next ``close_rows`` takes it in.

        :param key: name of the stream
        :param stamp_ns: its stamp, without ``offset_ms``
        :param values: ``(d,)`` floats, integers or flags, or a trajectory; the caller must not
            change them afterwards
        """
        self._accept(key, stamp_ns, values)

    def _accept(self, key: str, stamp_ns: int, value: Any) -> None:
        # The caller may have a robot to control, so all work is left to close_rows.
        self._accepted.append((key, stamp_ns, value, self._clock_ns()))
        if len(self._accepted) >= _MAX_ACCEPTED:
            self._take_in()

    def _take_in(self) -> None:
        """Take in the samples that were pushed; everything that depends on them calls this."""
        accepted, self._accepted = self._accepted, []
        if self._is_closed:
            return
        is_recording = self._take is not None and not self._take.is_paused
        for key, stamp_ns, value, now_ns in accepted:
            try:
                if self._take is not None and key in self._take.cameras:
                    self._take.cameras[key].refuse_damaged_header(value)
                self._follow(
                    self._streams.push(key, stamp_ns, value, now_ns, is_recording=is_recording)
                )
            except MessageError as error:
                self._reject(key, str(error))
                continue
            if self._take is None and (whole := self._streams[key].newest_whole):
                self._encoders.note_picture(key, whole)

    def _follow(self, taken_in: Iterable[tuple[str, Any]]) -> None:
        """Let the running take look at each accepted sample."""
        for key, value in taken_in:
            if self._take is not None:
                self._take.follow(key, value)
                self._has_new = True

    def close_rows(self) -> None:
        """
        Take in the samples so far, and close the rows of the running episode that they complete.

        Call this after each batch of samples, at least a few times a second. A sample that cannot
        be recorded is counted and logged.
        """
        self._take_in()
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
        self._take_in()
        self._streams[key].reject(reason)

    def _reject(self, key: str, reason: str) -> None:
        """Count a sample that cannot be recorded, and log it unless one was just logged."""
        stream, now_ns = self._streams[key], self._clock_ns()
        stream.reject(reason)
        if now_ns >= self._silent_until_ns.get(key, now_ns):
            self._silent_until_ns[key] = now_ns + _LOG_EVERY_NS
            _log.warning('%s (%s): %s', key, stream.config.topic, reason)

    def ignore(self, key: str, reason: str) -> None:
        """Keep the reason why a message is not meant for this stream."""
        self._take_in()
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

    def _refuse_while_recording(self) -> None:
        self._refuse_if_closed()
        if self._take is not None:
            raise EpisodeStateError('an episode is being recorded: save or discard it first')
