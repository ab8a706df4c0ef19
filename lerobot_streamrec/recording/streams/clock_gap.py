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
"""Forward steps of all clocks that are too small to be bridged, and leave a gap in the rows."""

from __future__ import annotations

from collections.abc import Mapping, Set

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
