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
"""The arrival times of a topic's messages, and the clock that stamps them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from statistics import median

from lerobot_streamrec.sync.gaps import GapCounter
from lerobot_streamrec.sync.row_clock import NS_PER_S

# The clocks of two synchronised computers differ by less than this.
_AHEAD_S = 0.05
# No driver holds a message back for this long.
_BEHIND_S = 10.0
_LATE_S = 0.5
_SHORT_S = 0.01
_LOSSY_SHARE = 0.05
# The facts of a look that goes on for hours are those of its newest messages.
_MAX_KEPT = 20_000
# Messages that arrive together after a pause tell nothing of their rate.
_SHORTEST_NS = NS_PER_S // 20
_UNITS = ((86_400 * 365.25, 'years'), (86_400, 'days'), (3600, 'h'), (60, 'min'))


class Stamps(Enum):
    """The quality of a topic's header stamps."""

    NONE = 'no header'
    ZERO = 'zero'
    GOOD = 'good'
    LATE = 'late'
    FOREIGN = 'of another clock'


@dataclass(frozen=True, slots=True)
class Heard:
    """
    The facts measured about a topic's messages.

    :param num_messages: number of messages that arrived
    :param rate_hz: messages per second; 0 if too few arrived
    :param num_missing: number of missing messages, inferred from the stamps of those that arrived
    :param num_zero: number of messages with a stamp of zero
    :param delay_s: median of receipt time minus header stamp, in seconds; None without stamps
    :param max_delay_s: maximum of receipt time minus header stamp, in seconds; None without stamps
    :param num_lost: number of messages that the middleware reports as lost
    :param min_delay_s: minimum of receipt time minus header stamp, in seconds; None without stamps
    """

    num_messages: int = 0
    rate_hz: float = 0.0
    num_missing: int = 0
    num_zero: int = 0
    delay_s: float | None = None
    max_delay_s: float | None = None
    num_lost: int = 0
    min_delay_s: float | None = None

    @property
    def is_lossy(self) -> bool:
        """True if so many messages were lost that the rate cannot be measured."""
        return self.num_lost > _LOSSY_SHARE * self.num_messages

    @property
    def stamps(self) -> Stamps:
        """The quality of the header stamps."""
        if self.num_zero:
            return Stamps.ZERO
        if self.delay_s is None:
            return Stamps.NONE
        if not -_AHEAD_S <= self.delay_s <= _BEHIND_S:
            return Stamps.FOREIGN
        return Stamps.LATE if self.delay_s > _LATE_S else Stamps.GOOD

    @property
    def is_badly_stamped(self) -> bool:
        """True if the header stamps are useless and arrival times must replace them."""
        return self.stamps in (Stamps.ZERO, Stamps.FOREIGN)

    @property
    def stamp_trouble(self) -> str:
        """The fault of the header stamps in words; empty if they are good."""
        if self.stamps is Stamps.ZERO:
            return 'its header stamps are zero: the publisher does not set them'
        if self.stamps is Stamps.FOREIGN:
            assert self.delay_s is not None
            side = 'behind' if self.delay_s > 0 else 'ahead of'
            return (
                f'its header stamps are {span_text(abs(self.delay_s))} {side} the clock of '
                'the computer that received them: they come from another clock'
            )
        if self.stamps is Stamps.LATE:
            assert self.delay_s is not None
            return (
                f'its messages arrive {span_text(self.delay_s)} after their header stamps: they '
                'are delayed, or the clocks differ'
            )
        return ''


class Arrivals:
    """Records the arrivals of a topic's messages. Owned by one thread."""

    def __init__(self) -> None:
        self._gaps = GapCounter()
        self._delays_ns: deque[int] = deque(maxlen=_MAX_KEPT)
        self._received_ns: deque[int] = deque(maxlen=_MAX_KEPT)
        self._num_messages = 0
        self._num_zero = 0
        self._num_lost = 0

    def lose(self, num_messages: int) -> None:
        """Count messages that the middleware lost."""
        self._num_lost += num_messages

    def push(self, received_ns: int, stamp_ns: int | None) -> None:
        """
        Record one message.

        :param received_ns: arrival time, in nanoseconds
        :param stamp_ns: header stamp, in nanoseconds; 0 if it is not set; None without a header
        """
        self._num_messages += 1
        self._received_ns.append(received_ns)
        if stamp_ns == 0:
            self._num_zero += 1
        elif stamp_ns is not None:
            self._delays_ns.append(received_ns - stamp_ns)
        self._gaps.push(stamp_ns or received_ns)

    @property
    def heard(self) -> Heard:
        """The facts measured so far."""
        delays_ns = self._delays_ns
        return Heard(
            num_messages=self._num_messages,
            rate_hz=self._rate_hz(),
            num_missing=self._gaps.num_missing,
            num_zero=self._num_zero,
            delay_s=median(delays_ns) / NS_PER_S if delays_ns else None,
            min_delay_s=min(delays_ns) / NS_PER_S if delays_ns else None,
            max_delay_s=max(delays_ns) / NS_PER_S if delays_ns else None,
            num_lost=self._num_lost,
        )

    def _rate_hz(self) -> float:
        if self._gaps.rate_hz or len(self._received_ns) < 2:
            return self._gaps.rate_hz
        # There are too few messages to learn the period from their stamps.
        span_ns = self._received_ns[-1] - self._received_ns[0]
        return (len(self._received_ns) - 1) * NS_PER_S / span_ns if span_ns > _SHORTEST_NS else 0.0


def span_text(seconds: float) -> str:
    """Return a span of time for people, in milliseconds if it is below one second."""
    if seconds < 0:
        return f'-{span_text(-seconds)}'
    if seconds < 1:
        return f'{seconds * 1e3:.1f} ms' if seconds < _SHORT_S else f'{seconds * 1e3:.0f} ms'
    for size_s, unit in _UNITS:
        # Almost an hour reads "1.0 h" rather than "60.0 min".
        if seconds >= 0.99 * size_s:
            return f'{seconds / size_s:.1f} {unit}'
    return f'{seconds:.1f} s'
