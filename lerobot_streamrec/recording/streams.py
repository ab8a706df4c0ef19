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
"""All topics together: what one stream's stamps mean is told by those of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from lerobot_streamrec.frame import EncodedPacket
from lerobot_streamrec.recording.config import RecorderConfig, StreamConfig
from lerobot_streamrec.recording.stream import Stream
from lerobot_streamrec.sync.grid import Grid
from lerobot_streamrec.sync.phase import locked_start_ns
from lerobot_streamrec.sync.row_clock import FollowingClock, FreeClock, RowClock, WaitingClock
from lerobot_streamrec.video.copying_encoder import MAX_KEY_DISTANCE


class Streams:
    """
    Owned by the executor's thread.

    :param configs: one for each stream
    :param clock_ns: steady clock, for when messages arrived
    """

    def __init__(self, configs: Iterable[StreamConfig], clock_ns: Callable[[], int]) -> None:
        self._streams = {config.key: Stream(config) for config in configs}
        self._clock_ns = clock_ns

    def __getitem__(self, key: str) -> Stream:
        return self._streams[key]

    @property
    def all(self) -> tuple[Stream, ...]:
        """Return every stream, in the order of the settings."""
        return tuple(self._streams.values())

    @property
    def newest_ns(self) -> int | None:
        """Newest stamp of all streams; None without any."""
        stamps = [stream.newest_ns for stream in self._streams.values()]
        return max((stamp for stamp in stamps if stamp is not None), default=None)

    def check_stamp(self, key: str, stamp_ns: int) -> None:
        """
        Refuse a stamp that cannot be an instant of the running episode.

        :param key: of its stream
        :param stamp_ns: of the message
        :raise StampError: if it is far ahead of every stream
        """
        arrivals_ns = [one.arrived_ns for one in self._streams.values()]
        # An episode starts with a sample of every stream.
        quiet_ns = self._clock_ns() - max(at for at in arrivals_ns if at is not None)
        self._streams[key].check_stamp(stamp_ns, self.newest_ns, quiet_ns)

    def push(self, key: str, stamp_ns: int, value: Any, *, is_recording: bool) -> None:
        """
        Take in a sample.

        :param key: of its stream
        :param stamp_ns: its instant in the streams' time
        :param value: frame or vector
        :param is_recording: whether rows are being closed
        """
        self._streams[key].push(
            stamp_ns,
            value,
            self._clock_ns(),
            newest_of_all_ns=self.newest_ns,
            is_recording=is_recording,
        )

    def row_clock(self, not_before_ns: int, config: RecorderConfig) -> RowClock:
        """
        Make the clock of an episode.

        :param not_before_ns: the earliest instant of row 0
        :param config: settings
        """
        if config.clock:
            leader = self._streams[config.clock]
            clock = FollowingClock(leader, not_before_ns, config.fps)
            if not config.is_key_first:
                return clock
            return WaitingClock(clock, partial(_shows_key_frame, leader), MAX_KEY_DISTANCE)
        cameras = [stream for stream in self.all if stream.config.is_camera]
        stamps_ns = [stamp for camera in cameras for stamp in camera.recent_stamps_ns]
        start_ns = locked_start_ns(not_before_ns, stamps_ns, config.fps)
        return FreeClock(Grid(start_ns, config.fps))


def _shows_key_frame(camera: Stream, stamp_ns: int) -> bool:
    """Tell whether a video can begin with what a camera shows at an instant."""
    shown = camera.shown_at(stamp_ns)
    picture = shown.value if shown is not None else None
    return not isinstance(picture, EncodedPacket) or picture.is_key
