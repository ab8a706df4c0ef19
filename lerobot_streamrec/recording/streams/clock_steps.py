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
"""
Detects that the clock of all streams was set, and keeps their samples on one time line.

When NTP sets the clock of a robot, all stamps jump at once by the same amount. The steady clock,
which times the arrivals, does not jump, so a jump shows as a sudden change of the lag. Messages
are then held back for milliseconds, until the other streams show whether they jump as well. If
they do, later stamps are shifted back to the old time, and rows continue as if nothing had
happened. If they do not, the clock of one stream is wrong.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
import logging

from lerobot_streamrec.recording.streams.clock_jumps import (
    ClockGap,
    GAP_NS,
    is_ahead,
    is_near,
    Jump,
    NOISE_NS,
    NUM_SURE,
    StreamTime,
)
from lerobot_streamrec.recording.streams.clock_offsets import (
    Arrival,
    ClockAccount,
    ClockStep,
    jump_text,
)
from lerobot_streamrec.recording.streams.stream import Stream
from lerobot_streamrec.sync.row_clock import NS_PER_S

_log = logging.getLogger(__name__)

_MS = NS_PER_S // 1000
BACK_NS = 100 * _MS
"""Stamps that go back by less belong to messages that arrived out of order."""
AHEAD_NS = 400 * _MS
"""A smaller jump ahead leaves a gap in the rows, which is reported."""
_SILENT_PERIODS = 3
_SILENT_NS = 3 * NS_PER_S // 10


class ClockSteps:
    """
    The stage between the messages and their streams. Owned by the recorder's thread.

    :param streams: all streams, by key
    """

    def __init__(self, streams: Mapping[str, Stream]) -> None:
        self._streams = streams
        self._clocks = {key: StreamTime() for key in streams}
        self._held: deque[Arrival] = deque()
        self._jump: Jump | None = None
        self._decided: Arrival | None = None
        self._is_recording = False
        self._gap = ClockGap()
        self.account = ClockAccount()

    def begin_episode(self) -> ClockAccount:
        """Adopt the clocks' present time for a new account, while no message is held back."""
        self.take_up_clocks()
        self.account = ClockAccount()
        return self.account

    @property
    def has_moved(self) -> bool:
        """True if the clock of a stream was set since rows adopted the clocks' time."""
        return any(one.shift_ns or one.alone_ns is not None for one in self._clocks.values())

    def take_up_clocks(self) -> None:
        """Adopt the present time of the clocks for the rows."""
        for key, clock in self._clocks.items():
            # A stream that has been silent since the step is assumed to have made it.
            shift_ns = clock.shift_ns if clock.last_ns is None else clock.last_ns
            if clock.alone_ns is not None and clock.num_alone >= NUM_SURE:
                # The next start must see that this clock differs, even without a new message.
                shift_ns += clock.alone_ns
            if shift_ns:
                self._streams[key].move(shift_ns)
            self._clocks[key] = StreamTime()
        self._is_recording = False

    def admit(self, arrival: Arrival, *, is_recording: bool) -> Iterator[Arrival]:
        """
        Yield the messages that may be taken in now, in order, with stamps in the rows' time.

        The caller must push each one into its stream before it requests the next one.

        :param arrival: a message
        :param is_recording: True while rows are being closed
        """
        if self._is_recording and not is_recording:
            self.take_up_clocks()
        self._is_recording = is_recording
        yield from self._go_through(deque([arrival]))

    def as_usual(self, arrival: Arrival, *, is_recording: bool) -> Arrival | None:
        """
        Return an ordinary message with its stamp in the rows' time.

        This is the short path that almost every message takes.

        :param arrival: a message
        :param is_recording: True while rows are being closed
        :return: the message; None if ``admit`` has to decide about it
        """
        clock = self._clocks[arrival.key]
        expected_ns = self._streams[arrival.key].lags.expected_stamp_ns(arrival.now_ns)
        is_settled = self._jump is None and is_recording is self._is_recording
        if not is_settled or expected_ns is None or not clock.is_settled:
            return None
        # A stamp this close to the expected one is never taken for a jump.
        if not -BACK_NS <= arrival.stamp_ns - clock.shift_ns - expected_ns <= GAP_NS:
            return None
        if not clock.shift_ns:
            return arrival
        return arrival._replace(stamp_ns=arrival.stamp_ns - clock.shift_ns)

    def flush(self, now_ns: int) -> Iterator[Arrival]:
        """
        Decide about the messages that are held back, and yield them as ``admit`` does.

        :param now_ns: steady clock
        """
        while self._jump is not None:
            verdict = self._verdict(self._jump, now_ns, is_last=True)
            self._settle(self._jump, is_of_all=bool(verdict))
            yield from self._go_through(self._take_held())

    def _take_held(self) -> deque[Arrival]:
        held, self._held = self._held, deque()
        return held

    def _go_through(self, waiting: deque[Arrival]) -> Iterator[Arrival]:
        while waiting:
            one = waiting.popleft()
            if self._jump is None:
                shift_ns = self._shift_of(one)
                size_ns = self._jump_of(one, shift_ns)
                if size_ns is None or one is self._decided:
                    yield from self._pass(one, shift_ns)
                    continue
                self._jump = self._begin_jump(one, size_ns)
            self._held.append(one)
            self._hear(self._jump, one)
            verdict = self._verdict(self._jump, one.now_ns, is_last=False)
            if verdict is not None:
                self._settle(self._jump, is_of_all=verdict)
                waiting.extendleft(reversed(self._take_held()))

    # --- one message ---------------------------------------------------------------------------

    def _off_ns(self, one: Arrival, shift_ns: int) -> int | None:
        """Return how much later its stamp is than expected; None for the first message."""
        return self._streams[one.key].lags.off_ns(one.stamp_ns - shift_ns, one.now_ns)

    def _shift_of(self, one: Arrival) -> int:
        """Return the shift of a message, which was stamped before or after the last step."""
        clock = self._clocks[one.key]
        off_ns = self._off_ns(one, 0)
        if clock.before_ns is None or off_ns is None:
            return clock.shift_ns
        shifts, stream = (clock.shift_ns, clock.before_ns), self._streams[one.key]
        newest_ns, size_ns = stream.newest_ns, abs(shifts[0] - shifts[1])
        if newest_ns is not None and one.now_ns - (stream.arrived_ns or 0) < size_ns:
            # The last message arrived a moment ago, so this one's stamp is soon after it.
            is_before = one.stamp_ns - shifts[1] >= newest_ns
            is_after = one.stamp_ns - shifts[0] >= newest_ns - BACK_NS
            return max(shifts) if is_before and is_after else shifts[int(is_before)]
        if min(off_ns - shift for shift in shifts) > NOISE_NS:
            # The stream's own lags do not help, for instance after a latched message.
            lines_ns = [
                line
                for stream in self._streams.values()
                if (line := stream.lags.expected_stamp_ns(one.now_ns)) is not None
            ]
            off_ns = one.stamp_ns - max(lines_ns)
        if min(abs(off_ns - shift) for shift in shifts) > size_ns / 2:
            return clock.shift_ns
        possible = [shift for shift in shifts if off_ns - shift <= NOISE_NS]
        # No message arrives before it is stamped, and the shorter of two delays is likelier.
        return min(possible) if possible else max(shifts)

    def _note_shift(self, one: Arrival, shift_ns: int) -> None:
        clock = self._clocks[one.key]
        clock.last_ns = shift_ns
        if shift_ns == clock.shift_ns:
            # Messages of one topic keep their order, so no older stamp will follow.
            clock.before_ns = None

    def _jump_of(self, one: Arrival, shift_ns: int) -> int | None:
        """Return the jump of a message's stamp; None without one, or if its stream jumps alone."""
        off_ns = self._off_ns(one, shift_ns)
        if off_ns is None or self._is_alone(one, off_ns):
            return None
        line_ns, newest_ns = one.stamp_ns - shift_ns, self._streams[one.key].newest_ns
        is_back = newest_ns is not None and line_ns < newest_ns - BACK_NS
        if is_back and off_ns < -BACK_NS:
            return off_ns
        return off_ns if self._is_ahead(one, line_ns, off_ns, AHEAD_NS) else None

    def _is_ahead(self, one: Arrival, line_ns: int, off_ns: int, least_ns: int) -> bool:
        return is_ahead(self._streams, line_ns, off_ns, now_ns=one.now_ns, least_ns=least_ns)

    def _is_alone(self, one: Arrival, off_ns: int) -> bool:
        clock = self._clocks[one.key]
        return clock.alone_ns is not None and is_near(off_ns, clock.alone_ns)

    def _pass(self, one: Arrival, shift_ns: int) -> Iterator[Arrival]:
        clock, stream = self._clocks[one.key], self._streams[one.key]
        line_ns = one.stamp_ns - shift_ns
        off_ns = self._off_ns(one, shift_ns)
        is_alone = off_ns is not None and self._is_alone(one, off_ns)
        if not is_alone:
            if (
                self._is_recording
                and off_ns is not None
                and self._is_ahead(one, line_ns, off_ns, AHEAD_NS)
            ):
                # The clocks were set twice at once: rows up to here would show nothing new.
                self._refuse_ahead(one, off_ns, is_first=True)
                return
            if off_ns is not None and off_ns > GAP_NS:
                self._note_gap(one, line_ns, off_ns)
            self._note_shift(one, shift_ns)
            self._note_right(one.key)
            yield Arrival(one.key, line_ns, one.value, one.now_ns)
            return
        assert clock.alone_ns is not None
        if not self._is_recording:
            # No rows depend on this clock yet; it is judged when an episode starts.
            stream.begin_anew()
            self._clocks[one.key] = StreamTime()
            yield Arrival(one.key, one.stamp_ns, one.value, one.now_ns)
            return
        clock.num_alone += 1
        if clock.num_alone == NUM_SURE:
            self._tell_alone(one, line_ns - clock.alone_ns, clock.alone_ns)
        if clock.alone_ns < 0:
            yield Arrival(one.key, line_ns, one.value, one.now_ns, is_of_clock=False)
            return
        self._refuse_ahead(one, clock.alone_ns, is_first=clock.num_alone == 1)

    def _refuse_ahead(self, one: Arrival, size_ns: int, *, is_first: bool) -> None:
        stream = self._streams[one.key]
        reason = (
            f'stamp {one.stamp_ns} ns is {size_ns / NS_PER_S:.1f} s ahead of the '
            'stamps of its stream and of all others'
        )
        stream.reject(reason)
        if is_first:
            _log.warning('%s (%s): %s', one.key, stream.config.topic, reason)

    def _note_gap(self, one: Arrival, line_ns: int, off_ns: int) -> None:
        """Report a step ahead of all streams that is too small to be bridged."""
        is_new = not self._gap.is_open(one.now_ns)
        if not self._is_recording or (is_new and not self._is_ahead(one, line_ns, off_ns, GAP_NS)):
            return
        size_ns = self._gap.hear(
            one.key, off_ns, stamp_ns=line_ns, now_ns=one.now_ns, live=self._live(one.now_ns)
        )
        if size_ns is not None:
            keys = tuple(self._streams)
            step = ClockStep(self._gap.stamp_ns, size_ns, keys, is_bridged=False, is_of_all=True)
            self.account.steps.append(step)
            _log.warning('the clock of all streams jumped by %s', jump_text(size_ns))

    def _note_right(self, key: str) -> None:
        clock = self._clocks[key]
        if clock.num_alone >= NUM_SURE:
            _log.warning('%s: its stamps fit those of the other streams again', key)
        clock.alone_ns, clock.num_alone = None, 0

    def _tell_alone(self, one: Arrival, stamp_ns: int, size_ns: int) -> None:
        self.account.steps.append(ClockStep(stamp_ns, size_ns, (one.key,), is_bridged=False))
        _log.warning(
            'the clock of %s (%s) jumped by %s, those of the other streams did not',
            one.key,
            self._streams[one.key].config.topic,
            jump_text(size_ns),
        )

    # --- a jump --------------------------------------------------------------------------------

    def _begin_jump(self, one: Arrival, size_ns: int) -> Jump:
        expected_ns = self._streams[one.key].lags.expected_stamp_ns(one.now_ns)
        assert expected_ns is not None
        return Jump(one.key, size_ns, stamp_ns=expected_ns, now_ns=one.now_ns)

    def _hear(self, jump: Jump, one: Arrival) -> None:
        stream, shift_ns = self._streams[one.key], self._shift_of(one)
        off_ns = self._off_ns(one, shift_ns)
        if off_ns is None or stream.arrived_ns is None or self._is_alone(one, off_ns):
            return
        jump.hear(
            one.key,
            off_ns,
            stamp_ns=one.stamp_ns - shift_ns,
            newest_ns=stream.newest_ns,
            gap_ns=one.now_ns - stream.arrived_ns,
        )

    def _verdict(self, jump: Jump, now_ns: int, *, is_last: bool) -> bool | None:
        live = self._live(now_ns) | {jump.key}
        kind = {key for key in self._streams if self._is_here(key) == self._is_here(jump.key)}
        return jump.verdict(now_ns, live=live, kind=kind, is_last=is_last)

    def _is_here(self, key: str) -> bool:
        return self._streams[key].config.is_stamped_here

    def _live(self, now_ns: int) -> set[str]:
        return {key for key in self._streams if self._is_live(key, now_ns)}

    def _is_live(self, key: str, now_ns: int) -> bool:
        stream, clock = self._streams[key], self._clocks[key]
        if stream.arrived_ns is None or clock.alone_ns is not None:
            return False
        period_ns = NS_PER_S / stream.rate_hz if stream.rate_hz else NS_PER_S
        return now_ns - stream.arrived_ns <= _SILENT_PERIODS * period_ns + _SILENT_NS

    def _settle(self, jump: Jump, *, is_of_all: bool) -> None:
        # The first held message caused this decision and must not begin another jump.
        self._jump, self._decided = None, self._held[0]
        if not is_of_all:
            for key, size_ns in {**jump.sizes, jump.key: jump.first_ns}.items():
                self._clocks[key].alone_ns, self._clocks[key].num_alone = size_ns, 0
            return
        kinds = {self._is_here(key) for key in jump.sizes}
        keys = [
            key for key in self._streams if key not in jump.against and self._is_here(key) in kinds
        ]
        for key in keys:
            self._set_clock(key, jump.size_ns)
        text = jump_text(jump.size_ns)
        if not self._is_recording:
            _log.warning('the clock of %s jumped by %s', ' and '.join(keys), text)
            return
        step = ClockStep(
            jump.stamp_ns,
            jump.size_ns,
            tuple(keys),
            is_bridged=True,
            is_of_all=len(keys) == len(self._streams),
        )
        self.account.steps.append(step)
        _log.warning(
            'the clock of %s jumped by %s; the rows continue in the old time',
            ' and '.join(keys),
            text,
        )

    def _set_clock(self, key: str, size_ns: int) -> None:
        clock, stream = self._clocks[key], self._streams[key]
        if self._is_recording:
            clock.before_ns = clock.shift_ns
            clock.shift_ns += size_ns
            stream.resume()
        else:
            # No rows are being closed: the next ones are in the new time.
            clock.before_ns = clock.shift_ns - size_ns
            stream.move(size_ns)
        clock.last_ns, clock.alone_ns, clock.num_alone = None, None, 0
