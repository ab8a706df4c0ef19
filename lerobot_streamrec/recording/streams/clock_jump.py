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
"""A suspected jump of a clock, judged by the messages of all streams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set

from lerobot_streamrec.sync.row_clock import NS_PER_S

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
        self._against: set[str] = set()

    @property
    def size_ns(self) -> int:
        """The amount by which the clock was set. Delays make a jump look smaller, never larger."""
        return max(self.sizes.values())

    @property
    def against(self) -> Set[str]:
        """The streams that have certainly not jumped."""
        return self._against

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
            self._against.add(key)

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
        if self._against & kind:
            return False
        alike = set(self.sizes) - self._against
        if live & kind <= alike and len(alike & kind) >= 2:
            return True
        is_sure = max(self._num_heard.values(), default=0) >= NUM_SURE
        if live <= alike and (len(live) >= 2 or is_sure):
            return True
        if live & kind <= alike and self._against:
            return False
        wait_ns = _WAIT_NS if len(alike) >= 2 else _WAIT_FOR_ONE_NS
        if not is_last and now_ns - self._begun_ns <= wait_ns:
            return None
        return len(alike & kind) >= 2 or (is_sure and not self._against)


def is_near(off_ns: int, size_ns: int) -> bool:
    """Tell whether a message's offset fits a jump of this size, allowing for a delay."""
    return abs(off_ns - size_ns) <= min(abs(size_ns) // 2, _MAX_TOLERANCE_NS)
