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
"""Clock jumps: suspected ones, judged by all streams, and steps that leave a gap in the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass

from lerobot_streamrec.recording.streams.stream import Stream
from lerobot_streamrec.sync.row_clock import NS_PER_S

GAP_NS = NS_PER_S // 10
"""A smaller step cannot be told from the jitter of delays."""
_MAX_TIME_FACTOR = 10
"""The largest speed of simulated time, as a multiple of the steady clock's."""
_MAX_ALLOWED_NS = 10 * NS_PER_S
_NO_PAUSE_NS = NS_PER_S // 10
_PATIENCE_NS = NS_PER_S


def is_ahead(
    streams: Mapping[str, Stream], stamp_ns: int, off_ns: int, *, now_ns: int, least_ns: int
) -> bool:
    """
    Tell whether a stamp is ahead of its own stream and of all others.

    :param streams: all streams, at least one of which has a sample
    :param stamp_ns: the stamp in the time of the rows
    :param off_ns: lead of the stamp over the expected one
    :param now_ns: arrival of its message, steady clock
    :param least_ns: smallest difference that counts
    """
    newest_ns = max(one.newest_ns for one in streams.values() if one.newest_ns is not None)
    arrived_ns = max(one.arrived_ns for one in streams.values() if one.arrived_ns is not None)
    # Simulated time may run ahead after a pause of all streams.
    hurry_ns = _MAX_TIME_FACTOR * max(0, now_ns - arrived_ns - _NO_PAUSE_NS)
    allowed_ns = min(least_ns + hurry_ns, _MAX_ALLOWED_NS)
    return off_ns > allowed_ns and stamp_ns > newest_ns + allowed_ns


class ClockGap:
    """Finds all streams stepping ahead alike within a second. Owned by one thread."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self._begun_ns = 0
        self.stamp_ns = 0
        """The instant of the step, in the time of the rows."""

    def is_open(self, now_ns: int) -> bool:
        """
        Tell whether a stream stepped ahead within the last second.

        :param now_ns: steady clock
        """
        return bool(self._sizes) and now_ns - self._begun_ns <= _PATIENCE_NS

    def hear(
        self, key: str, off_ns: int, *, stamp_ns: int, now_ns: int, live: Set[str]
    ) -> int | None:
        """
        Record a message that is ahead.

        :param key: name of its stream
        :param off_ns: lead of its stamp over the expected one
        :param stamp_ns: its stamp in the time of the rows
        :param now_ns: its arrival, steady clock
        :param live: streams whose messages keep arriving
        :return: size of the step once all live streams, two at least, have stepped alike; None
            before that, since a single stream may only have lost messages
        """
        if not self.is_open(now_ns):
            self._sizes, self._begun_ns, self.stamp_ns = {}, now_ns, stamp_ns - off_ns
        self._sizes[key] = max(off_ns, self._sizes.get(key, off_ns))
        if len(self._sizes) < 2 or not live <= set(self._sizes):
            return None
        largest_ns = max(self._sizes.values())
        is_alike = 2 * min(self._sizes.values()) > largest_ns
        self._sizes = {}
        return largest_ns if is_alike else None


NOISE_NS = NS_PER_S // 20
"""A message that is early by more than this proves that its clock was set."""
NUM_SURE = 3
"""So many messages prove the jump of a stream without others; one wrong stamp is no jump."""
_SAME_INSTANT_NS = NS_PER_S // 50
_MAX_TOLERANCE_NS = 5 * NS_PER_S
# Two streams that jump alike are enough if the others stay silent for this time. A single stream
# needs the longer time below.
_WAIT_NS = NS_PER_S // 2
_WAIT_FOR_ONE_NS = 2 * NS_PER_S


class Jump:
    """
    A jump of one stream, and the evidence of the others for or against it.

    :param key: name of the stream that jumped first
    :param size_ns: lead of its stamps over the expected ones; negative: they are early
    :param stamp_ns: instant of the jump, in the time of the rows
    :param now_ns: instant of the jump, steady clock
    """

    def __init__(self, key: str, size_ns: int, *, stamp_ns: int, now_ns: int) -> None:
        self.key = key
        self.stamp_ns = stamp_ns
        self._begun_ns = now_ns
        self.first_ns = size_ns
        self.sizes = {key: size_ns}
        """The sizes of the jumps of the streams that have jumped."""
        self._num_heard: Counter[str] = Counter()
        self.against: set[str] = set()
        """The streams that have certainly not jumped."""

    @property
    def size_ns(self) -> int:
        """The amount by which the clock was set. Delays make a jump look smaller, never larger."""
        return max(self.sizes.values())

    def hear(
        self, key: str, off_ns: int, *, stamp_ns: int, newest_ns: int | None, gap_ns: int
    ) -> None:
        """
        Add the evidence of a message.

        :param key: name of its stream
        :param off_ns: lead of its stamp over the expected one; negative: it is early
        :param stamp_ns: its stamp, in the time of the rows if its clock has not jumped
        :param newest_ns: stamp of its stream's newest sample from before the jump
        :param gap_ns: time since that sample arrived, steady clock
        """
        is_like_it = is_near(off_ns, self.size_ns)
        if self.size_ns > 0:
            is_against = off_ns <= NOISE_NS
        elif newest_ns is not None and gap_ns < -self.size_ns:
            # A jump back makes stamps go back. A delay looks similar, but stamps never go back.
            is_like_it, is_against = is_like_it and stamp_ns < newest_ns, stamp_ns >= newest_ns
        else:
            is_against = not is_like_it and off_ns > self.size_ns
        if is_like_it:
            self.sizes[key] = max(off_ns, self.sizes.get(key, off_ns))
            self._num_heard[key] += 1
        elif is_against and stamp_ns > self.stamp_ns + _SAME_INSTANT_NS:
            # The condition leaves out messages that were on their way when the clock jumped.
            self.against.add(key)

    def verdict(
        self, now_ns: int, *, live: Set[str], kind: Set[str], is_last: bool
    ) -> bool | None:
        """
        Tell whether the clock of all streams was set.

        :param now_ns: steady clock
        :param live: streams whose messages keep arriving
        :param kind: streams whose stamps come from the same source as those of the first one:
            their publishers, or the clock of this computer
        :param is_last: True if no other message will arrive
        :return: the verdict; None if it is not known yet
        """
        if self.against & kind:
            return False
        alike = set(self.sizes) - self.against
        if live & kind <= alike and len(alike & kind) >= 2:
            return True
        is_sure = max(self._num_heard.values(), default=0) >= NUM_SURE
        if live <= alike and (len(live) >= 2 or is_sure):
            return True
        if live & kind <= alike and self.against:
            return False
        wait_ns = _WAIT_NS if len(alike) >= 2 else _WAIT_FOR_ONE_NS
        if not is_last and now_ns - self._begun_ns <= wait_ns:
            return None
        return len(alike & kind) >= 2 or (is_sure and not self.against)


def is_near(off_ns: int, size_ns: int) -> bool:
    """Tell whether a message's offset fits a jump of this size, allowing for a delay."""
    return abs(off_ns - size_ns) <= min(abs(size_ns) // 2, _MAX_TOLERANCE_NS)


@dataclass(slots=True)
class StreamTime:
    """
    The relation of a stream's stamps to the time of the rows.

    :param shift_ns: stamps minus the time of the rows
    :param before_ns: the same for messages that were stamped before the last step, while some may
        be on their way; None: none is
    :param last_ns: the shift of the last message since the step; None: none has arrived
    :param alone_ns: size of a jump without the other streams; None: there was none
    :param num_alone: messages since that jump
    """

    shift_ns: int = 0
    before_ns: int | None = None
    last_ns: int | None = None
    alone_ns: int | None = None
    num_alone: int = 0

    @property
    def is_settled(self) -> bool:
        """True if messages arrived since the last step, and all have the new time by now."""
        return self.before_ns is None and self.alone_ns is None and self.last_ns is not None
