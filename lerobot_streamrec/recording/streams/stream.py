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
"""One topic's recent samples, and the counts of its messages."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from lerobot_streamrec.errors import VectorError
from lerobot_streamrec.frame import depth_unit, Picture
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.recording.streams.column_values import column_values
from lerobot_streamrec.recording.streams.sampling import Course, Shown, shown_at
from lerobot_streamrec.sync.gaps import GapCounter
from lerobot_streamrec.sync.lags import LagWindow, Lateness
from lerobot_streamrec.sync.row_clock import NS_PER_S, Policy
from lerobot_streamrec.sync.sample_buffer import PushResult, SampleBuffer
from lerobot_streamrec.video.encode.picture_fitness import PictureFitness
import numpy as np

JUMP_NS = 10 * NS_PER_S
"""A stamp this far behind its own stream comes from a clock that was set back."""

# Several publishers are assumed for this long after the last sign of them.
_CONTEST_NS = 5 * NS_PER_S
# With fewer stamps, the spread of a camera with jitter is not visible.
_PHASE_STAMPS = 100


@dataclass(frozen=True, slots=True)
class StreamCounts:
    """
    Counts of a stream's messages since the recorder began, or since an earlier snapshot.

    :param received: messages that arrived
    :param rejected: messages that could not be recorded
    :param late: messages that arrived after the rows that should have shown them were closed
    :param missing: messages that did not arrive, judged by the stamps of the others
    :param lost_in_transport: missing messages that the middleware reported as lost
    :param contested: messages that arrived while several publishers sent the same data in turn
    :param rejection: reason for the last rejection; empty if there was none
    """

    received: int = 0
    rejected: int = 0
    late: int = 0
    missing: int = 0
    lost_in_transport: int = 0
    contested: int = 0
    rejection: str = ''

    def since(self, before: StreamCounts) -> StreamCounts:
        """Return the counts since an earlier snapshot."""
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
    The samples and counts of one topic. Owned by the recorder's thread.

    :param config: the stream's settings
    :param preroll_ns: time for which samples are kept while no rows are closed; 0: only the newest
    :param preroll_bytes: memory for the pictures of that time
    """

    def __init__(self, config: StreamConfig, preroll_ns: int = 0, preroll_bytes: int = 0) -> None:
        self.config = config
        self._preroll_ns = preroll_ns
        self._preroll_bytes = preroll_bytes
        self._used_until_ns: int | None = None
        self._buffer: SampleBuffer[Any] = SampleBuffer(config.window)
        self._gaps = GapCounter()
        self.offset_ns = config.offset_ns
        self.max_age_ns = config.max_age_ns
        self._is_camera = config.is_camera
        self._counts = StreamCounts()
        # These two change with each message, and a new StreamCounts each time would be too slow.
        self._num_received = self._num_late = 0
        self.newest_ns: int | None = None
        """The stamp of the newest sample; None without any."""
        self.arrived_ns: int | None = None
        """The arrival of the last sample, steady clock; None without any."""
        self._recent_ns: deque[int] = deque(maxlen=_PHASE_STAMPS)
        self._lateness = Lateness()
        self.lags = LagWindow()
        self._fitness = PictureFitness()
        self.last_rejection = ''
        self.last_ignored = ''
        self._publishers = ''
        self._contested_ns: int | None = None

    @property
    def oldest_ns(self) -> int | None:
        """The stamp of the oldest sample that a row can show; None without any."""
        return self._buffer.oldest_ns

    @property
    def newest_value(self) -> Any:
        """The value of the newest sample."""
        return self._buffer.newest_value

    @property
    def picture_problem(self) -> str:
        """The reason why pictures cannot be recorded, as the end of a sentence; empty: none."""
        return self._fitness.problem

    @property
    def whole_picture(self) -> Picture:
        """A camera's newest picture that is known to decode; only without ``picture_problem``."""
        picture = self._fitness.whole
        assert picture is not None
        return picture

    @property
    def newest_whole(self) -> Picture | None:
        """As ``whole_picture``, or None if no picture has come that is known to decode."""
        return self._fitness.whole

    def look_at_pictures(self) -> None:
        """
        Decode a camera's newest pictures until one is whole, unless that was done already.

        This takes as long as a decoder needs for one picture, or for a few damaged ones.
        """
        self._fitness.settle()

    @property
    def recent_stamps_ns(self) -> tuple[int, ...]:
        """The last stamps, which show the camera's phase."""
        return tuple(self._recent_ns)

    @property
    def rate_hz(self) -> float:
        """The messages per second according to their stamps; 0 until that is known."""
        return self._gaps.rate_hz

    @property
    def nominal_hz(self) -> float:
        """The highest rate that the stream has kept for some seconds; 0 until that is known."""
        return self._gaps.nominal_hz

    def counts(self) -> StreamCounts:
        """Return a snapshot of the counts."""
        return replace(
            self._counts,
            received=self._num_received,
            late=self._num_late,
            missing=self._gaps.num_missing,
        )

    def age_s(self, now_ns: int) -> float | None:
        """
        Return the time since the last sample arrived, in seconds; None without any.

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

        :param stamp_ns: its stamp in the time of the rows
        :param value: picture, or vector as ``for_column`` returns it
        :param now_ns: steady clock
        :param newest_of_all_ns: newest stamp of all streams before this one; None without any
        :param is_recording: True while rows are being closed
        :param is_of_clock: False if the stream's clock has jumped alone, so that the stamp does
            not tell the message's lag
        """
        newest_ns = self.newest_ns
        if newest_ns is not None and stamp_ns < newest_ns - JUMP_NS and not is_recording:
            # The clock was set back, or a simulation was restarted.
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

        It is after the rows of an earlier episode. A camera that has sent a new picture since then
        does not show the earlier ones, nor pictures from before a change of its size or unit.

        :return: the instant; None without a sample
        """
        samples = self._buffer.samples()
        if not samples:
            return None
        if self._used_until_ns is not None:
            later = [one for one in samples if one.stamp_ns > self._used_until_ns]
            # A stream without a new sample since then still holds its last one.
            samples = later if self._is_camera and later else samples
        kind, first_ns = _kind(samples[-1].value), samples[-1].stamp_ns
        for one in reversed(samples):
            if _kind(one.value) != kind:
                break
            first_ns = one.stamp_ns
        return first_ns if self._used_until_ns is None else max(first_ns, self._used_until_ns + 1)

    def for_column(self, value: Any) -> Any:
        """
        Convert a sample's value for its column; a picture stays as it is.

        :param value: picture, numbers ``(d,)`` as published, or a trajectory
        :raise VectorError: if the column cannot hold a number as published
        """
        if self._is_camera:
            return value
        dtype, names = self.config.dtype, self.config.names
        # The isinstance check of a Protocol is slow, and an array is never a Course.
        if isinstance(value, np.ndarray) or not isinstance(value, Course):
            return column_values(value, dtype, names)
        if not dtype.startswith('float'):
            raise VectorError(f'a trajectory has values between points, which {dtype} cannot hold')
        return value.converted(lambda point: column_values(point, dtype, names))

    def reject(self, reason: str) -> None:
        """Count a message that cannot be recorded, and keep the reason."""
        self.last_rejection = reason
        self._num_received += 1
        self._counts = replace(
            self._counts,
            rejected=self._counts.rejected + 1,
            rejection=reason,
        )

    def ignore(self, reason: str) -> None:
        """Keep the reason why a message is not meant for this stream, without counting it."""
        self.last_ignored = reason

    def contest(self, publishers: str, now_ns: int) -> None:
        """
        Count a message that arrived while several publishers sent the same data in turn.

        :param publishers: names of the publishers, for people
        :param now_ns: steady clock
        """
        self._publishers, self._contested_ns = publishers, now_ns
        self._counts = replace(self._counts, contested=self._counts.contested + 1)

    def rivals(self, now_ns: int) -> str:
        """
        Return the names of publishers that send the same data in turn; empty if none do.

        :param now_ns: steady clock
        """
        contested_ns = self._contested_ns
        is_contested = contested_ns is not None and now_ns - contested_ns <= _CONTEST_NS
        return self._publishers if is_contested else ''

    def lose(self, num_messages: int) -> None:
        """Count messages that the middleware lost."""
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
        Shift the stamps of all samples to the time of a clock that was set.

        :param by_ns: nanoseconds to add; negative: earlier stamps
        """
        self._buffer.move(by_ns)
        if self._used_until_ns is not None:
            self._used_until_ns += by_ns
        self.newest_ns = self._buffer.newest_ns
        self._recent_ns = deque((one + by_ns for one in self._recent_ns), maxlen=_PHASE_STAMPS)
        self.lags.move(by_ns)
        self.resume()

    def resume(self) -> None:
        """Count no sample as missing before the next one, because the clock was set."""
        self._gaps.resume()

    def nearest_ns(self, stamp_ns: int) -> int | None:
        """Return the stamp that is nearest to an instant; None without any sample."""
        nearest = self._buffer.nearest(stamp_ns)
        return None if nearest is None else nearest.stamp_ns

    def first_from_ns(self, stamp_ns: int) -> int | None:
        """Return the earliest stamp at or after an instant; None if there is none."""
        first = self._buffer.after(stamp_ns - 1)
        return None if first is None else first.stamp_ns

    def settled_until_ns(
        self, newest_of_all_ns: int, patience_ns: int, *, is_clock: bool = False
    ) -> int:
        """
        Return the latest instant for which no sample of this stream is still on its way.

        While the next sample is not due by the stream's rate, the last one holds. It also holds
        if the next one is overdue by more than messages are usually late: the stream is silent.
        In between, the next sample has probably been taken and will arrive. Unless the stream is
        silent, a row that lies between two samples waits for the later one with any other policy.

        :param newest_of_all_ns: newest stamp of all streams
        :param patience_ns: additional lateness to allow for a message
        :param is_clock: True if rows are at its samples, so that they wait in the same way
        :return: at most ``newest_of_all_ns``
        """
        period_ns, newest_ns = self._gaps.period_ns, self.newest_ns
        if period_ns is None or newest_ns is None or not self.config.max_age_ns:
            return newest_of_all_ns
        due_ns = newest_ns + period_ns
        overdue_ns = newest_of_all_ns - due_ns
        if overdue_ns > self._lateness.most_ns + patience_ns:
            return newest_of_all_ns
        if is_clock or self.config.policy is not Policy.HOLD:
            return newest_ns
        return newest_of_all_ns if overdue_ns < 0 else due_ns - 1

    def shown_at(self, stamp_ns: int) -> Shown | None:
        """Return the value that a row at an instant shows; None without a sample."""
        return shown_at(self._buffer, stamp_ns, self.config)

    def num_held_up(self, stamp_ns: int) -> int:
        """Count the samples after an instant, less the one that the next row shows."""
        return max(0, self._buffer.num_after(stamp_ns) - 1)

    def close_until(self, stamp_ns: int) -> None:
        """Forget the samples that no later row can show."""
        self._used_until_ns = stamp_ns
        self._buffer.close_until(stamp_ns)

    def forget_past(self) -> None:
        """Forget all samples but the newest, as while no rows are closed."""
        self._buffer.keep_newest()

    def reopen(self) -> None:
        """Forget which rows were closed, because the next take has its own."""
        self._buffer.reopen()


def _kind(value: Any) -> tuple[object, ...]:
    """Return the properties that all pictures of a video share; empty for numbers."""
    if not hasattr(value, 'size_bytes'):
        return ()
    return value.height, value.width, depth_unit(value)
