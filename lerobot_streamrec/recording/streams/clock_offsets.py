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
"""The clocks that differ from the others and by how much, and the account of clock steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median_high
from typing import Any, NamedTuple

from lerobot_streamrec.sync.row_clock import NS_PER_S


class Arrival(NamedTuple):
    """
    A message on its way to its stream.

    :param key: name of its stream
    :param stamp_ns: its stamp
    :param value: picture or vector
    :param now_ns: its arrival, steady clock
    :param is_of_clock: False if the stream's clock has jumped alone, so that the stamp does not
        tell the message's lag
    """

    key: str
    stamp_ns: int
    value: Any
    now_ns: int
    is_of_clock: bool = True


_SAME_S = 0.05
"""The synchronised clocks of two computers differ by less."""
_MAX_OFFSET_S = 60.0
"""The largest offset that can be set as a parameter."""
_MS_PER_S = 1000


@dataclass(frozen=True, slots=True)
class ClockReading:
    """
    The relation of a stream's stamps to this computer's clock.

    :param key: name of the stream
    :param lag_s: the smallest lag of the last seconds: arrival by this computer's clock minus the
        stamp, which includes ``offset_ms``, in seconds; None: not known
    :param offset_ms: the stream's setting
    :param is_periodic: True if stamps should be recent; False: the topic is published on change,
        or latched
    :param is_sure: True if there are enough messages; False: all of them may be late
    """

    key: str
    lag_s: float | None
    offset_ms: float = 0.0
    is_periodic: bool = True
    is_sure: bool = True


@dataclass(frozen=True, slots=True)
class OffClock:
    """
    A stream whose stamps do not fit those of the others.

    :param key: name of the stream
    :param ahead_s: lead of its stamps over those of the others, seconds; negative: behind
    :param offset_ms: value of the setting that corrects it; None: it is beyond the allowed range
    :param is_unfit: True if rows are closed before their samples arrive
    :param trouble: the fault, worded to follow the stream's name
    """

    key: str
    ahead_s: float
    offset_ms: int | None
    is_unfit: bool
    trouble: str

    @property
    def text(self) -> str:
        """The fault and its remedy, worded to follow the stream's name."""
        todo = 'its stamp parameter to receive'
        if self.offset_ms is not None:
            todo = f'its offset_ms parameter to {self.offset_ms}, or {todo}'
        return f'{self.trouble}; fix the clock, or set {todo}'


def off_clocks(readings: Sequence[ClockReading], max_lateness_s: float) -> Mapping[str, OffClock]:
    """
    Find the streams whose clock is off.

    Streams whose stamps agree with this computer's clock are right. If there are none, as when
    recorded data are replayed, the majority is right; of two streams, the one that is behind.

    The clock of a stream ahead of the others is off, since no message arrives before it is sent.
    A stream that is behind may only be delayed, and rows wait for it up to ``max_lateness_s``. A
    stream that is ahead shortens this wait for the delayed ones.

    :param readings: readings of all streams
    :param max_lateness_s: longest time for which rows wait for a stream
    :return: the streams that are off, by key; empty on a healthy robot
    """
    lags = [one.lag_s for one in readings if one.lag_s is not None and one.is_sure]
    if not lags:
        return {}
    right = [lag for lag in lags if -_SAME_S <= lag <= max(max_lateness_s, _SAME_S)]
    reference_s = min(right) if right else median_high(lags)
    periodic = [one.lag_s for one in readings if one.is_sure and one.is_periodic]
    # Streams later than this are behind themselves, whichever stream is ahead.
    latest_s = reference_s + max_lateness_s
    slowest_s = max(lag for lag in (reference_s, *periodic) if lag is not None and lag <= latest_s)
    found = {}
    for one in readings:
        if one.lag_s is None:
            continue
        ahead_s = reference_s - one.lag_s
        is_early = bool(right) and ahead_s > _SAME_S and one.lag_s < -_SAME_S
        is_closing = ahead_s > _SAME_S and slowest_s - one.lag_s > max_lateness_s
        is_behind = -ahead_s > max_lateness_s and one.is_periodic and one.is_sure
        if is_early or is_closing or is_behind:
            is_unfit = is_closing or is_behind
            found[one.key] = _off_clock(one, ahead_s, max_lateness_s, is_unfit=is_unfit)
    return found


def _off_clock(
    one: ClockReading, ahead_s: float, max_lateness_s: float, *, is_unfit: bool
) -> OffClock:
    offset_ms = round(one.offset_ms - ahead_s * _MS_PER_S)
    if ahead_s > 0:
        trouble = f'has stamps {_span(ahead_s)} ahead of the other streams: its clock is ahead'
        if is_unfit:
            trouble += (
                ', and rows are closed before the samples of the others arrive '
                f'(sync.max_lateness_s is {max_lateness_s:g})'
            )
    else:
        trouble = (
            f'has stamps {_span(-ahead_s)} behind the other streams, but rows wait only '
            f'{max_lateness_s:g} s (sync.max_lateness_s): its clock is behind, or its messages '
            'take that long'
        )
    is_possible = abs(offset_ms) <= _MAX_OFFSET_S * _MS_PER_S
    return OffClock(one.key, ahead_s, offset_ms if is_possible else None, is_unfit, trouble)


def _span(seconds: float) -> str:
    return f'{seconds:.2f} s' if seconds < _MAX_OFFSET_S else f'{seconds:.0f} s'


def lag_s(lag_ns: int | None, clock_here_ns: int) -> float | None:
    """
    Convert a lag from the steady clock to this computer's clock, in seconds.

    :param lag_ns: lag by the steady clock; None: not known
    :param clock_here_ns: this computer's clock minus the steady clock
    """
    return None if lag_ns is None else (lag_ns + clock_here_ns) / NS_PER_S


@dataclass(frozen=True, slots=True)
class ClockStep:
    """
    A step of a clock that was set while an episode was recorded.

    :param stamp_ns: instant of the step, in the time of the rows
    :param size_ns: size of the step; negative: back
    :param keys: streams that have this clock
    :param is_bridged: True if all streams of the clock made the step, so that rows continue in
        the old time; False: a single stream made it and no longer fits the others, or all made a
        step so small that rows repeat samples in between
    :param is_of_all: True if all streams have this clock
    """

    stamp_ns: int
    size_ns: int
    keys: tuple[str, ...]
    is_bridged: bool
    is_of_all: bool = False

    def sentence(self, start_ns: int) -> str:
        """
        Return a sentence on the step and its effect.

        :param start_ns: instant of row 0
        """
        whose = 'all streams' if self.is_of_all else ' and '.join(self.keys)
        after_s = max(0, self.stamp_ns - start_ns) / NS_PER_S
        text = f'the clock of {whose} jumped by {jump_text(self.size_ns)} after {after_s:.1f} s'
        if self.is_bridged:
            return f'{text}, and the rows continue in the old time'
        if self.is_of_all:
            return f'{text}, and the rows in between repeat the last samples before it'
        effect = 'its messages are refused' if self.size_ns > 0 else 'its messages are too late'
        return f'{text}, those of the other streams did not: {effect}'


@dataclass(slots=True)
class ClockAccount:
    """
    The clock steps and faults of an episode. Owned by the recorder's thread.

    :param steps: clock steps in the order in which they were noticed
    :param off: streams whose clock was off at a verb of the episode, by key
    """

    steps: list[ClockStep] = field(default_factory=list)
    off: dict[str, OffClock] = field(default_factory=dict)

    def sentences(self, start_ns: int) -> list[str]:
        """
        Return a sentence for each step.

        :param start_ns: instant of row 0
        """
        return [step.sentence(start_ns) for step in self.steps]

    @property
    def ahead(self) -> Sequence[str]:
        """The streams whose stamps close rows before the samples of the others arrive."""
        return [key for key, one in self.off.items() if one.is_unfit and one.ahead_s > 0]

    def as_record(self) -> list[dict[str, object]]:
        """Return the steps for the recorder's own record of the episode, as JSON."""
        return [
            {
                'stamp_ns': step.stamp_ns,
                'size_ns': step.size_ns,
                'streams': list(step.keys),
                'bridged': step.is_bridged,
            }
            for step in self.steps
        ]


def jump_text(size_ns: int) -> str:
    """Return the size of a clock step as a text, with its sign."""
    seconds = size_ns / NS_PER_S
    return f'{seconds:+.1f} s' if abs(seconds) >= 1 else f'{seconds:+.2f} s'
