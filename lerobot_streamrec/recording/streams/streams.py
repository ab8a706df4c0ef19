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
"""All streams of a recorder, and log lines when a stream goes stale or comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
import logging
import time
from typing import Any

from lerobot_streamrec.frame import EncodedPacket
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.recording.streams.clock_offsets import (
    Arrival,
    ClockAccount,
    ClockReading,
    lag_s,
    off_clocks,
    OffClock,
)
from lerobot_streamrec.recording.streams.clock_steps import ClockSteps
from lerobot_streamrec.recording.streams.stream import Stream
from lerobot_streamrec.sync.row_clock import (
    FollowingClock,
    FreeClock,
    Grid,
    KnownRows,
    locked_start_ns,
    NOTHING_KNOWN,
    NS_PER_S,
    RowClock,
    WaitingClock,
)
from lerobot_streamrec.video.encode.copying_encoder import MAX_KEY_DISTANCE

_log = logging.getLogger(__name__)


class StaleLog:
    """Logs each stale stream once, and its return. Owned by the recorder's thread."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def clear(self) -> None:
        """Forget which streams were reported, because another episode begins."""
        self._told.clear()

    def look(self, stream: Stream, now_ns: int) -> None:
        """
        Log that a stream is stale, unless that was logged already.

        :param now_ns: steady clock
        """
        config = stream.config
        if config.key not in self._told and _is_stale(stream, now_ns):
            self._told.add(config.key)
            _log.warning(
                '%s (%s) is stale: no sample has arrived for %.1f s (max_age_s is %g)',
                config.key,
                config.topic,
                stream.age_s(now_ns),
                config.max_age_s,
            )

    def come(self, stream: Stream, now_ns: int) -> None:
        """
        Log that a stale stream is back. Call this before the stream takes its new sample in.

        :param now_ns: steady clock
        """
        if not self._told and not _is_stale(stream, now_ns):
            return
        self.look(stream, now_ns)
        config = stream.config
        if config.key in self._told:
            self._told.discard(config.key)
            _log.warning(
                '%s (%s) is back after %.1f s', config.key, config.topic, stream.age_s(now_ns)
            )


def _is_stale(stream: Stream, now_ns: int) -> bool:
    limit_ns, arrived_ns = stream.max_age_ns, stream.arrived_ns
    return bool(limit_ns) and arrived_ns is not None and now_ns - arrived_ns > limit_ns


class Streams:
    """
    All streams of a recorder. Owned by the recorder's thread.

    :param configs: settings of each stream
    :param clock_ns: steady clock, which times the arrival of messages
    :param max_lateness_s: longest time for which rows wait for a stream
    :param wall_ns: this computer's clock, to find streams with a wrong clock; no row depends on it
    :param preroll_ns: time before the start that becomes part of an episode
    :param preroll_bytes: memory for each camera's pictures of that time
    """

    def __init__(
        self,
        configs: Iterable[StreamConfig],
        clock_ns: Callable[[], int],
        max_lateness_s: float,
        wall_ns: Callable[[], int] = time.time_ns,
        *,
        preroll_ns: int = 0,
        preroll_bytes: int = 0,
    ) -> None:
        self._preroll_ns = preroll_ns
        self._streams = {
            config.key: Stream(config, preroll_ns, preroll_bytes) for config in configs
        }
        self.all = tuple(self._streams.values())
        """Every stream, in the order of the settings."""
        self.clock_ns = clock_ns
        self._max_lateness_s = max_lateness_s
        self.wall_ns = wall_ns
        self.is_human_by_command = False
        """Whether a human intervenes, as far as commands say so."""
        # Rows show one topic of these features, or another while a human intervenes.
        self._switched = {one.config.feature for one in self.all if one.config.is_for_human}
        self._steps = ClockSteps(self._streams)
        self._stale_log = StaleLog()

    def __getitem__(self, key: str) -> Stream:
        return self._streams[key]

    @property
    def is_human(self) -> bool:
        """Whether a human intervenes now: a stream that says so wins over commands."""
        said = (one for one in self.all if one.config.is_intervention)
        stream = next(said, None)
        if stream is None or stream.newest_ns is None:
            return self.is_human_by_command
        return bool(stream.newest_value[0])

    def is_idle(self, stream: Stream) -> bool:
        """Tell whether rows show another stream instead of this one at present."""
        config = stream.config
        return config.feature in self._switched and config.is_for_human is not self.is_human

    @property
    def newest_ns(self) -> int | None:
        """The newest stamp of all streams; None without any sample."""
        stamps = [stream.newest_ns for stream in self.all if stream.newest_ns is not None]
        return max(stamps) if stamps else None

    def push(
        self, key: str, stamp_ns: int, value: Any, now_ns: int, *, is_recording: bool
    ) -> Iterable[tuple[str, Any]]:
        """
        Take in a sample, and earlier ones that were held back until this one.

        A sample is held back while it is not clear whether the clocks were set.

        :param key: name of its stream
        :param stamp_ns: its stamp, without ``offset_ms``
        :param value: picture or vector
        :param now_ns: its arrival by the steady clock
        :param is_recording: True while rows are being closed
        :return: key and value of each sample that is taken in, one after the other; none if the
            sample has to wait or is refused
        :raise VectorError: if the column of a vector cannot hold it exactly as published
        """
        stream = self._streams[key]
        arrival = Arrival(key, stamp_ns + stream.offset_ns, stream.for_column(value), now_ns)
        usual = self._steps.as_usual(arrival, is_recording=is_recording)
        if usual is not None:
            self._take_in_one(usual, is_recording=is_recording)
            return ((key, usual.value),)
        arrivals = self._steps.admit(arrival, is_recording=is_recording)
        return self._take_in(arrivals, is_recording=is_recording)

    def flush(self, *, is_recording: bool) -> Iterator[tuple[str, Any]]:
        """Take in or refuse the samples that are held back; return the same as ``push``."""
        arrivals = self._steps.flush(self.clock_ns())
        return self._take_in(arrivals, is_recording=is_recording)

    def _take_in(
        self, arrivals: Iterator[Arrival], *, is_recording: bool
    ) -> Iterator[tuple[str, Any]]:
        for one in arrivals:
            self._take_in_one(one, is_recording=is_recording)
            yield one.key, one.value

    def _take_in_one(self, one: Arrival, *, is_recording: bool) -> None:
        stream = self._streams[one.key]
        if is_recording and not self.is_idle(stream):
            self._stale_log.come(stream, one.now_ns)
        stream.push(
            one.stamp_ns,
            one.value,
            one.now_ns,
            newest_of_all_ns=self.newest_ns,
            is_recording=is_recording,
            is_of_clock=one.is_of_clock,
        )

    def begin_episode(self) -> ClockAccount:
        """Adopt the present time of the clocks, and return the account of the new episode."""
        for _ in self.flush(is_recording=False):
            pass
        self._stale_log.clear()
        return self._steps.begin_episode()

    @property
    def has_moved_clocks(self) -> bool:
        """True if a clock was set, so that rows are in another time than the clocks are now."""
        return self._steps.has_moved

    def take_up_clocks(self) -> None:
        """Adopt the present time of the clocks within the same episode."""
        for _ in self.flush(is_recording=False):
            pass
        self._steps.take_up_clocks()

    def tell_stale(self) -> None:
        """Log the streams that have gone stale in the running episode."""
        for stream in self._streams.values():
            if not self.is_idle(stream):
                self._stale_log.look(stream, self.clock_ns())

    def off_clocks(self) -> Mapping[str, OffClock]:
        """Return the streams whose clock differs from those of the others, by key."""
        clock_here_ns = self.wall_ns() - self.clock_ns()
        readings = [_reading(stream, clock_here_ns) for stream in self._streams.values()]
        return off_clocks(readings, self._max_lateness_s)

    def _begin_ns(self) -> int | None:
        """Return the earliest instant of row 0: now, or the start of the available pre-roll."""
        newest_ns = self.newest_ns
        if not self._preroll_ns or newest_ns is None:
            return newest_ns
        unused_ns = [one for stream in self.all if (one := stream.unused_from_ns()) is not None]
        return min(newest_ns, max([newest_ns - self._preroll_ns, *unused_ns]))

    def row_clock(
        self, config: RecorderConfig, *, is_first: bool = True, known: KnownRows = NOTHING_KNOWN
    ) -> RowClock:
        """
        Make the row clock of an episode, or of its part after a pause.

        Its first row is less than one row's period after now, or after the start of the pre-roll.
        With ``is_key_first`` the first row of an episode waits for a key frame. Every stream must
        have a sample.

        :param config: settings
        :param is_first: True if the episode has no rows yet
        :param known: the instant of the first row; if a stream lacks samples of that time, the
            first row is the next one for which every stream has a sample
        """
        not_before_ns = self._begin_ns() if is_first else self.newest_ns
        assert not_before_ns is not None
        if known.first_ns is not None:
            oldest_ns = max(one.oldest_ns for one in self.all if one.oldest_ns is not None)
            num_lost = -(-max(0, oldest_ns - known.first_ns) * config.fps // NS_PER_S)
            not_before_ns = Grid(known.first_ns, config.fps).stamp_ns(num_lost)
        if config.clock:
            leader, is_continued = self._streams[config.clock], known.is_continued
            clock = FollowingClock(
                leader,
                not_before_ns,
                config.fps,
                is_continued=is_continued,
                end_ns=known.last_ns,
            )
            if not config.is_key_first or not is_first or is_continued:
                return clock
            return WaitingClock(clock, partial(_shows_key_frame, leader), MAX_KEY_DISTANCE)
        if known.first_ns is not None:
            return FreeClock(Grid(not_before_ns, config.fps))
        cameras = [stream for stream in self.all if stream.config.is_camera]
        stamps_ns = [stamp for camera in cameras for stamp in camera.recent_stamps_ns]
        start_ns = locked_start_ns(not_before_ns, stamps_ns, config.fps)
        return FreeClock(Grid(start_ns, config.fps))


def _shows_key_frame(camera: Stream, stamp_ns: int) -> bool:
    """Tell whether a video can begin with the picture that a camera shows at an instant."""
    shown = camera.shown_at(stamp_ns)
    picture = shown.value if shown is not None else None
    return not isinstance(picture, EncodedPacket) or picture.is_key


def _reading(stream: Stream, clock_here_ns: int) -> ClockReading:
    lags, config = stream.lags, stream.config
    lag_ns = lags.steady_ns()
    is_sure = lag_ns is not None
    if lags.is_short:
        # A few messages may all be late, but none can be early.
        lag_ns = lags.least_ns
    return ClockReading(
        config.key,
        lag_s(lag_ns, clock_here_ns),
        offset_ms=config.offset_ms,
        is_periodic=config.max_age_s > 0,
        is_sure=is_sure,
    )
