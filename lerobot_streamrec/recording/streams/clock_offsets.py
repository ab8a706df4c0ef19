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
"""Clocks that differ from the others, by how much, and the account of their steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median_high
from typing import Any, NamedTuple

from lerobot_streamrec.sync.row_clock import NS_PER_S


class Arrival(NamedTuple):
    """
    A message.

    :param key: name of its stream
    :param stamp_ns: its instant
    :param value: frame or vector
    :param now_ns: its arrival, steady clock
    :param is_of_clock: True if the stream's own clock stamped it; False: the clock has jumped
    """

    key: str
    stamp_ns: int
    value: Any
    now_ns: int
    is_of_clock: bool = True


_SAME_S = 0.05
"""Clocks of two computers that are kept together differ by less."""
_MAX_OFFSET_S = 60.0
"""No larger offset can be set as a parameter."""
_MS_PER_S = 1000


@dataclass(frozen=True, slots=True)
class ClockReading:
    """
    How a stream's stamps stand to the clock of this computer.

    :param key: name of the stream
    :param lag_s: arrival by the clock here minus the instant of the sample, which includes
        ``offset_ms``, seconds: as small as it was in the last seconds; None: it is not known
    :param offset_ms: the setting
    :param is_periodic: True if its stamps should be fresh; False: it is published on change, or
        was latched
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
    :param ahead_s: how far it is ahead of the others, seconds; less than 0: behind
    :param offset_ms: the setting that mends it; None: it is beyond what may be set
    :param is_unfit: True if rows are closed before their samples have come
    :param trouble: the fault, in words that follow the stream's name
    """

    key: str
    ahead_s: float
    offset_ms: int | None
    is_unfit: bool
    trouble: str

    @property
    def text(self) -> str:
        """The fault and its remedy, in words that follow the stream's name."""
        todo = 'its stamp parameter to receive'
        if self.offset_ms is not None:
            todo = f'its offset_ms parameter to {self.offset_ms}, or {todo}'
        return f'{self.trouble}; mend the clock, or set {todo}'


def off_clocks(
    readings: Sequence[ClockReading], max_lateness_s: float
) -> Mapping[str, OffClock]:
    """
    Find the streams whose clock is off.

    Where the stamps of some streams are those of the clock here, these are right. Otherwise, as
    when recorded data are replayed, most streams are; of two, the one that is behind.

    A stream ahead of the others has a clock that is off, since no message comes before it is
    sent. One that is behind may be delayed as well: up to ``max_lateness_s`` that is waited for.
    A stream that is ahead takes its share of that from those that are delayed.

    :param readings: readings of all streams
    :param max_lateness_s: how long rows wait for a stream
    :return: the streams that are off, by key; none on a healthy robot
    """
    lags = [one.lag_s for one in readings if one.lag_s is not None and one.is_sure]
    if not lags:
        return {}
    right = [lag for lag in lags if -_SAME_S <= lag <= max(max_lateness_s, _SAME_S)]
    reference_s = min(right) if right else median_high(lags)
    periodic = [one.lag_s for one in readings if one.is_sure and one.is_periodic]
    # Those that are later than that are behind, whoever is ahead.
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
                ', and rows are closed before the samples of the others come '
                f'(sync.max_lateness_s is {max_lateness_s:g})'
            )
    else:
        trouble = (
            f'has stamps {_span(-ahead_s)} behind the other streams, and rows wait for '
            f'{max_lateness_s:g} s (sync.max_lateness_s): its clock is behind, or its messages '
            'take that long'
        )
    is_possible = abs(offset_ms) <= _MAX_OFFSET_S * _MS_PER_S
    return OffClock(one.key, ahead_s, offset_ms if is_possible else None, is_unfit, trouble)


def _span(seconds: float) -> str:
    return f'{seconds:.2f} s' if seconds < _MAX_OFFSET_S else f'{seconds:.0f} s'


def lag_s(lag_ns: int | None, clock_here_ns: int) -> float | None:
    """
    Return a lag by the clock of this computer, in seconds.

    :param lag_ns: by the steady clock; None: it is not known
    :param clock_here_ns: the clock of this computer minus the steady one
    """
    return None if lag_ns is None else (lag_ns + clock_here_ns) / NS_PER_S


@dataclass(frozen=True, slots=True)
class ClockStep:
    """
    Clocks that were set while an episode was recorded.

    :param stamp_ns: instant of the step, in the time of the rows
    :param size_ns: size of the step; less than 0: back
    :param keys: streams that have this clock
    :param is_bridged: True if all streams made the step, so that rows go on in the old time;
        False: one stream alone made it, and does not fit the others any more, or all of them made
        one that is so small that rows repeat their samples meanwhile
    :param is_of_all: True if no stream had another clock
    """

    stamp_ns: int
    size_ns: int
    keys: tuple[str, ...]
    is_bridged: bool
    is_of_all: bool = False

    def sentence(self, start_ns: int) -> str:
        """
        Say what happened.

        :param start_ns: instant of row 0
        """
        whose = 'all streams' if self.is_of_all else ' and '.join(self.keys)
        after_s = max(0, self.stamp_ns - start_ns) / NS_PER_S
        text = f'the clock of {whose} jumped by {jump_text(self.size_ns)} after {after_s:.1f} s'
        if self.is_bridged:
            return f'{text}, and the rows go on in the old time'
        if self.is_of_all:
            return f'{text}, and the rows in between repeat the samples of before'
        effect = 'its messages are refused' if self.size_ns > 0 else 'its messages are too late'
        return f'{text}, those of the others did not: {effect}'


@dataclass(slots=True)
class ClockAccount:
    """
    Grows while an episode is recorded. Owned by the executor's thread.

    :param steps: in the order in which they were noticed
    :param off: streams whose clock was off at the end, by key
    """

    steps: list[ClockStep] = field(default_factory=list)
    off: dict[str, OffClock] = field(default_factory=dict)

    def sentences(self, start_ns: int) -> list[str]:
        """
        Say what happened.

        :param start_ns: instant of row 0
        """
        return [step.sentence(start_ns) for step in self.steps]

    @property
    def ahead(self) -> Sequence[str]:
        """Streams whose stamps close rows before the samples of the others come."""
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
    """Return by how much a clock was set, in words."""
    seconds = size_ns / NS_PER_S
    return f'{seconds:+.1f} s' if abs(seconds) >= 1 else f'{seconds:+.2f} s'
