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
"""One topic's recent samples, and the account of what came and what did not."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from lerobot_streamrec.depth_frame import depth_unit
from lerobot_streamrec.errors import VectorError
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.recording.config import StreamConfig
from lerobot_streamrec.recording.streams.column_values import column_values
from lerobot_streamrec.recording.streams.sampling import Course, Shown, shown_at
from lerobot_streamrec.sync.gaps import GapCounter
from lerobot_streamrec.sync.lags import LagWindow, Lateness
from lerobot_streamrec.sync.row_clock import NS_PER_S
from lerobot_streamrec.sync.sample_buffer import PushResult, SampleBuffer
from lerobot_streamrec.video.encode.picture_fitness import PictureFitness
import numpy as np

JUMP_NS = 10 * NS_PER_S
"""A stamp so far behind its own stream is another clock's."""

# So long after the last sign of several publishers, there are several of them.
_CONTEST_NS = 5 * NS_PER_S
# With fewer, a camera whose stamps jitter shows too little of how far they spread.
_PHASE_STAMPS = 100


@dataclass(frozen=True, slots=True)
class StreamCounts:
    """
    What happened to a stream's messages; grows while the recorder lives.

    :param received: messages that came
    :param rejected: those that could not be recorded at all
    :param late: those that came after the rows that should have shown them were closed
    :param missing: messages that did not come, told from the stamps of those that did
    :param lost_in_transport: missing messages that the middleware says it lost
    :param contested: messages that came while several publishers sent the same data in turn
    :param rejection: reason for the last rejection; empty without any
    """

    received: int = 0
    rejected: int = 0
    late: int = 0
    missing: int = 0
    lost_in_transport: int = 0
    contested: int = 0
    rejection: str = ''

    def since(self, before: StreamCounts) -> StreamCounts:
        """Return what was added since an earlier snapshot."""
        return StreamCounts(
            self.received - before.received,
            self.rejected - before.rejected,
            self.late - before.late,
            self.missing - before.missing,
            self.lost_in_transport - before.lost_in_transport,
            self.contested - before.contested,
            self.rejection if self.rejected > before.rejected else '',
        )


class Stream:
    """
    Owned by the executor's thread.

    :param config: the stream's settings
    :param preroll_ns: time for which samples are kept while no rows are closed; 0: only the newest
    :param preroll_bytes: memory for the pictures among them, of this stream
    """

    def __init__(
        self, config: StreamConfig, preroll_ns: int = 0, preroll_bytes: int = 0
    ) -> None:
        self.config = config
        self._preroll_ns = preroll_ns
        self._preroll_bytes = preroll_bytes
        self._used_until_ns: int | None = None
        self._buffer: SampleBuffer[Any] = SampleBuffer()
        self._gaps = GapCounter()
        self.offset_ns = config.offset_ns
        self.max_age_ns = config.max_age_ns
        self._is_camera = config.is_camera
        self._counts = StreamCounts()
        # These two grow with each message: a new snapshot each time would take too long.
        self._num_received = self._num_late = 0
        self.newest_ns: int | None = None
        """Stamp of the newest sample."""
        self.arrived_ns: int | None = None
        """When the last sample arrived, steady clock; None without any."""
        self._recent_ns: deque[int] = deque(maxlen=_PHASE_STAMPS)
        self._lateness = Lateness()
        self.lags = LagWindow()
        self._fitness = PictureFitness()
        self.last_rejection = ''
        self.last_ignored = ''
        self._publishers = ''
        self._contested_ns: int | None = None

    @property
    def newest_value(self) -> Any:
        """Value of the newest sample."""
        return self._buffer.newest_value

    @property
    def picture_problem(self) -> str:
        """Why a camera's pictures cannot be recorded, as the end of a sentence; empty: nothing."""
        return self._fitness.problem

    @property
    def whole_picture(self) -> Picture:
        """A camera's newest picture that is known to decode; only while there is no problem."""
        picture = self._fitness.whole
        assert picture is not None
        return picture

    @property
    def whole_size(self) -> tuple[int, int] | None:
        """Width and height of that picture, in pixels; a damaged header may tell any size."""
        picture = self._fitness.whole
        return None if picture is None else (picture.width, picture.height)

    def look_at_pictures(self) -> None:
        """
        Decode a camera's newest pictures, if that was not done yet, until one is whole.

        It takes as long as a decoder takes for one picture, or for a few damaged ones.
        """
        self._fitness.settle()

    @property
    def recent_stamps_ns(self) -> tuple[int, ...]:
        """The last stamps, from which the phase is told."""
        return tuple(self._recent_ns)

    @property
    def rate_hz(self) -> float:
        """Messages per second by their stamps; 0 until it is known."""
        return self._gaps.rate_hz

    def counts(self) -> StreamCounts:
        """Return a snapshot."""
        return replace(
            self._counts,
            received=self._num_received,
            late=self._num_late,
            missing=self._gaps.num_missing,
        )

    def age_s(self, now_ns: int) -> float | None:
        """
        Return how long ago the last sample arrived, in seconds; None without any.

        :param now_ns: steady clock
        """
        return None if self.arrived_ns is None else (now_ns - self.arrived_ns) / NS_PER_S

    def push(
        self,
        stamp_ns: int,
        value: Any,
        now_ns: int,
        *,
        newest_of_all_ns: int | None = None,
        is_recording: bool,
        is_of_clock: bool = True,
    ) -> None:
        """
        Take in a sample.

        :param stamp_ns: its instant in the streams' time
        :param value: frame, or vector as ``for_column`` returns it
        :param now_ns: steady clock
        :param newest_of_all_ns: newest stamp of all streams before this one; None without any
        :param is_recording: True while rows are being closed
        :param is_of_clock: True if its stamp shows the present time of the stream's clock
        """
        newest_ns = self.newest_ns
        if newest_ns is not None and stamp_ns < newest_ns - JUMP_NS and not is_recording:
            # The clock was set back, or a simulation began anew.
            self.begin_anew()
        self.arrived_ns = now_ns
        if is_of_clock:
            self.lags.push(stamp_ns, now_ns)
            self._lateness.push((newest_of_all_ns or stamp_ns) - stamp_ns, now_ns)
        self.last_rejection = self.last_ignored = ''
        self._recent_ns.append(stamp_ns)
        self._gaps.push(stamp_ns)
        if self._is_camera:
            self._fitness.push(value, now_ns, may_look=not is_recording)
        self._num_received += 1
        if self._buffer.push(stamp_ns, value) is not PushResult.ACCEPTED:
            self._num_late += 1
        self.newest_ns = self._buffer.newest_ns
        if not is_recording:
            self._keep_recent(newest_of_all_ns)

    def _keep_recent(self, newest_of_all_ns: int | None) -> None:
        if not self._preroll_ns:
            self._buffer.keep_newest()
            return
        assert self.newest_ns is not None
        newest_ns = max(newest_of_all_ns or self.newest_ns, self.newest_ns)
        self._buffer.forget_before(newest_ns - self._preroll_ns)
        if self._is_camera:
            self._buffer.forget_beyond(self._preroll_bytes, lambda picture: picture.size_bytes)

    def unused_from_ns(self) -> int | None:
        """
        Return the earliest instant at which an episode may begin, as far as this stream goes.

        No row shows what a row of an earlier episode has shown. Pictures
        from before a camera changed its size or unit cannot stand in the video.

        :return: None without a sample
        """
        samples = self._buffer.samples()
        if not samples:
            return None
        if self._used_until_ns is not None:
            later = [one for one in samples if one.stamp_ns > self._used_until_ns]
            # A stream that has brought nothing since then may hold what it brought before.
            samples = later if self._is_camera and later else samples
        kind, first_ns = _kind(samples[-1].value), samples[-1].stamp_ns
        for one in reversed(samples):
            if _kind(one.value) != kind:
                break
            first_ns = one.stamp_ns
        return first_ns if self._used_until_ns is None else max(first_ns, self._used_until_ns + 1)

    def for_column(self, value: Any) -> Any:
        """
        Return a sample as its column holds it; a picture as it is.

        :param value: picture, numbers ``(d,)`` as published, or a trajectory
        :raise VectorError: if the column cannot hold a number as published
        """
        if self._is_camera:
            return value
        dtype, names = self.config.dtype, self.config.names
        # To look whether something is a course takes long, and arrays are none.
        if isinstance(value, np.ndarray) or not isinstance(value, Course):
            return column_values(value, dtype, names)
        if not dtype.startswith('float'):
            raise VectorError(f'a trajectory has values in between, which {dtype} cannot hold')
        return value.converted(lambda point: column_values(point, dtype, names))

    def reject(self, reason: str) -> None:
        """Take note of a message that cannot be recorded, and why."""
        self.last_rejection = reason
        self._num_received += 1
        self._counts = replace(
            self._counts,
            rejected=self._counts.rejected + 1,
            rejection=reason,
        )

    def ignore(self, reason: str) -> None:
        """Take note of a message that is not meant for this stream, without counting it."""
        self.last_ignored = reason

    def contest(self, publishers: str, now_ns: int) -> None:
        """
        Take note that a message came while several publishers send the same in turn.

        :param publishers: names of the publishers, for people
        :param now_ns: steady clock
        """
        self._publishers, self._contested_ns = publishers, now_ns
        self._counts = replace(self._counts, contested=self._counts.contested + 1)

    def rivals(self, now_ns: int) -> str:
        """
        Return which publishers send the same data in turn; empty if none do.

        :param now_ns: steady clock
        """
        contested_ns = self._contested_ns
        is_contested = contested_ns is not None and now_ns - contested_ns <= _CONTEST_NS
        return self._publishers if is_contested else ''

    def lose(self, num_messages: int) -> None:
        """Take note of what the middleware lost before us."""
        lost = self._counts.lost_in_transport + num_messages
        self._counts = replace(self._counts, lost_in_transport=lost)

    def begin_anew(self) -> None:
        """Forget all samples and stamps; the counts stay."""
        self._buffer.clear()
        self.newest_ns = self._used_until_ns = None
        self._gaps.clear()
        self._recent_ns.clear()
        self.lags.clear()
        self._lateness.clear()

    def move(self, by_ns: int) -> None:
        """
        Give the samples so far later stamps: those that a clock which was set would have given.

        :param by_ns: by how much; less than 0: earlier ones
        """
        self._buffer.move(by_ns)
        if self._used_until_ns is not None:
            self._used_until_ns += by_ns
        self.newest_ns = self._buffer.newest_ns
        self._recent_ns = deque((one + by_ns for one in self._recent_ns), maxlen=_PHASE_STAMPS)
        self.lags.move(by_ns)
        self.resume()

    def resume(self) -> None:
        """Count no sample as missing before the next one: its clock was set."""
        self._gaps.resume()

    def nearest_ns(self, stamp_ns: int) -> int | None:
        """Return the stamp that is nearest to an instant; None without any."""
        nearest = self._buffer.nearest(stamp_ns)
        return None if nearest is None else nearest.stamp_ns

    def settled_until_ns(self, newest_of_all_ns: int, patience_ns: int) -> int:
        """
        Return the latest instant for which no sample of this stream is on its way any more.

        A stream whose next sample is not due yet, by its rate, holds the last one. So does a
        silent stream: its next sample is overdue by more than its messages are usually late. In
        between, the next sample has been taken and will arrive.

        :param newest_of_all_ns: newest stamp of all streams
        :param patience_ns: how much later than usual a message may be
        :return: at most ``newest_of_all_ns``
        """
        period_ns, newest_ns = self._gaps.period_ns, self.newest_ns
        if period_ns is None or newest_ns is None or not self.config.max_age_ns:
            return newest_of_all_ns
        due_ns = newest_ns + period_ns
        overdue_ns = newest_of_all_ns - due_ns
        if 0 <= overdue_ns <= self._lateness.most_ns + patience_ns:
            return due_ns - 1
        return newest_of_all_ns

    def shown_at(self, stamp_ns: int) -> Shown | None:
        """Return what a row at an instant shows; None without a sample."""
        return shown_at(self._buffer, stamp_ns, self.config)

    def num_held_up(self, stamp_ns: int) -> int:
        """Count the samples that wait for rows after the one that follows an instant."""
        return max(0, self._buffer.num_after(stamp_ns) - 1)

    def close_until(self, stamp_ns: int) -> None:
        """Forget what no later row can show."""
        self._used_until_ns = stamp_ns
        self._buffer.close_until(stamp_ns)

    def forget_past(self) -> None:
        """Keep the newest sample alone; no row is closed."""
        self._buffer.keep_newest()

    def reopen(self) -> None:
        """Forget which rows were closed: the next take has its own."""
        self._buffer.reopen()


def _kind(value: Any) -> tuple[object, ...]:
    """Return what all pictures of a video have in common; of numbers: nothing."""
    if not hasattr(value, 'size_bytes'):
        return ()
    return value.height, value.width, depth_unit(value)
