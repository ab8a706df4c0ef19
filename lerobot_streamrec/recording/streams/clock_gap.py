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
"""Steps of all clocks ahead that are too small to be bridged: the rows have a gap there."""

from __future__ import annotations

from collections.abc import Mapping, Set

from lerobot_streamrec.recording.streams.stream import Stream
from lerobot_streamrec.sync.row_clock import NS_PER_S

GAP_NS = NS_PER_S // 10
"""A smaller step is not told from the jitter of delays."""
_MAX_TIME_FACTOR = 10
"""How many times faster than the steady clock simulated time may go."""
_MAX_ALLOWED_NS = 10 * NS_PER_S
_NO_PAUSE_NS = NS_PER_S // 10
_PATIENCE_NS = NS_PER_S


def is_ahead(
    streams: Mapping[str, Stream], stamp_ns: int, off_ns: int, *, now_ns: int, least_ns: int
) -> bool:
    """
    Tell whether a stamp is ahead of its own stream and of all others.

    :param streams: all streams, one of which has a sample
    :param stamp_ns: the stamp in the time of the rows
    :param off_ns: how much later it is than expected
    :param now_ns: arrival of its message, steady clock
    :param least_ns: smallest difference that counts
    """
    newest_ns = max(one.newest_ns for one in streams.values() if one.newest_ns is not None)
    arrived_ns = max(one.arrived_ns for one in streams.values() if one.arrived_ns is not None)
    # After a pause of all streams simulated time may be ahead.
    hurry_ns = _MAX_TIME_FACTOR * max(0, now_ns - arrived_ns - _NO_PAUSE_NS)
    allowed_ns = min(least_ns + hurry_ns, _MAX_ALLOWED_NS)
    return off_ns > allowed_ns and stamp_ns > newest_ns + allowed_ns


class ClockGap:
    """Collects the streams that go ahead by the same within a second. Owned by one thread."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self._begun_ns = 0
        self.stamp_ns = 0
        """Instant of the step, in the time of the rows."""

    def is_open(self, now_ns: int) -> bool:
        """
        Tell whether a stream went ahead a moment ago.

        :param now_ns: steady clock
        """
        return bool(self._sizes) and now_ns - self._begun_ns <= _PATIENCE_NS

    def hear(
        self, key: str, off_ns: int, *, stamp_ns: int, now_ns: int, live: Set[str]
    ) -> int | None:
        """
        Take note of a message that is ahead.

        :param key: name of its stream
        :param off_ns: how much later its stamp is than expected
        :param stamp_ns: its stamp in the time of the rows
        :param now_ns: its arrival, steady clock
        :param live: streams whose messages keep coming
        :return: size of the step if all live streams have made it; None if one has not. A stream
            without others may have lost messages, and tells nothing
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
