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
"""How much faster than needed the encoders of a running episode are, measured all the time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
import logging
import time

from lerobot_streamrec.recording.config import DEFERRED, RecorderConfig
from lerobot_streamrec.recording.episode.take import Take
from lerobot_streamrec.sync.row_clock import NS_PER_S
from lerobot_streamrec.video.codecs.config import EncoderConfig, LADDER, LIGHT
from lerobot_streamrec.video.codecs.scheduling import usable_cores

SCARCE = 1.2
"""With less head-room than this, the operator is warned: frames will soon wait on the disk."""

# An operator can read a value that changes this often, and a stalled frame does not dominate it.
_PERIOD_NS = 2 * NS_PER_S

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HeadRoom:
    """
    The head-room of the last seconds.

    :param factor: how much faster than the rows encoding could be; less than 1: it falls behind
    :param warning: warning for the operator, with the settings that help; empty if there is enough
    """

    factor: float
    warning: str = ''


@dataclass(frozen=True, slots=True)
class _Mark:
    """Work that was done up to a moment: CPU time, and frames and seconds of each encoder."""

    time_ns: int
    cpu_s: float
    work: Mapping[str, tuple[int, float]]


class HeadRoomMeter:
    """
    Measures the running episode each time that it is asked. Belongs to the recorder's thread.

    The head-room is the smaller one of two: that of the slowest encoder thread, by the time that
    its frames take, and that of the cores, by the CPU time of this process.

    :param config: settings
    :param clock_ns: steady clock
    :param cpu_s: CPU time of this process
    """

    def __init__(
        self,
        config: RecorderConfig,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        cpu_s: Callable[[], float] = time.process_time,
    ) -> None:
        self._config = config
        self._clock_ns = clock_ns
        self._cpu_s = cpu_s
        self._take: Take | None = None
        self._encoders: Mapping[str, EncoderConfig] = {}
        self._mark: _Mark | None = None
        self._last: HeadRoom | None = None
        self._has_warned = False

    def begin(self, take: Take, encoders: Mapping[str, EncoderConfig]) -> None:
        """Follow an episode that begins, with its encoder settings by camera."""
        self._take, self._encoders = take, encoders
        self._mark, self._last, self._has_warned = None, None, False

    def measure(self, take: Take | None) -> HeadRoom | None:
        """
        Return the head-room, and log the first warning of an episode.

        :param take: the running take; None: no episode is being recorded
        :return: None without an episode or cameras, while it is paused, and in its first seconds
        """
        if take is None or take is not self._take or not take.cameras or take.is_paused:
            self._mark = self._last = None
            return None
        now_ns, begin = self._clock_ns(), self._mark
        if begin is not None and now_ns - begin.time_ns < _PERIOD_NS:
            return self._last
        work = {key: camera.thread.work for key, camera in take.cameras.items()}
        self._mark = _Mark(now_ns, self._cpu_s(), work)
        if begin is not None:
            self._last = self._between(begin, self._mark)
            if self._last.warning and not self._has_warned:
                self._has_warned = True
                _log.warning('%s', self._last.warning)
        return self._last

    def _between(self, begin: _Mark, end: _Mark) -> HeadRoom:
        seconds = (end.time_ns - begin.time_ns) / NS_PER_S
        cores = usable_cores()
        factors = {f'all {cores} cores': cores * seconds / max(1e-6, end.cpu_s - begin.cpu_s)}
        for key, (num_frames, busy_s) in end.work.items():
            num_before, busy_before_s = begin.work[key]
            # An encoder that has been busy with one frame all the time has encoded none.
            num_done = max(1, num_frames - num_before)
            if busy_s > busy_before_s:
                frame_s = (busy_s - busy_before_s) / num_done
                factors[f'the encoder of {key}'] = 1 / (frame_s * self._config.fps)
        limit = min(factors, key=factors.__getitem__)
        if (factor := factors[limit]) >= SCARCE:
            return HeadRoom(factor)
        return HeadRoom(
            factor,
            f'head-room {factor:.1f}: {limit} can hardly keep up, and frames will wait on the '
            f'disk; {self._advice()}',
        )

    def _advice(self) -> str:
        """Return what would help, beginning with what costs least."""
        advice = ['record fewer or smaller pictures']
        if self._config.encode != DEFERRED:
            advice.insert(0, 'set encode: deferred')
        lowest = LADDER[-1].vcodec, LADDER[-1].preset
        if any((one.vcodec, one.preset) != lowest for one in self._encoders.values()):
            advice.insert(0, f'set encoder.profile: {LIGHT} (a dataset of another codec keeps it)')
        return ', or '.join(advice)
