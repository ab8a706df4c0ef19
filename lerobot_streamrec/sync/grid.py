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
"""The instants of an episode's rows."""

from __future__ import annotations

from dataclasses import dataclass

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Grid:
    """
    Row k is the instant ``start_ns + k / fps``, rounded down to a nanosecond.

    Every instant is computed from k alone, so that no error adds up over an episode.

    :param start_ns: instant of row 0, in the streams' own time, in nanoseconds
    :param fps: rows per second, a positive whole number
    """

    start_ns: int
    fps: int

    def stamp_ns(self, row: int) -> int:
        """Return the instant of a row."""
        return self.start_ns + row * NS_PER_S // self.fps

    def num_rows_until(self, stamp_ns: int) -> int:
        """Count the rows whose instant is at or before a stamp."""
        if stamp_ns < self.start_ns:
            return 0
        # The last row is the largest k with k * 1e9 // fps <= elapsed.
        elapsed_ns = stamp_ns - self.start_ns
        return ((elapsed_ns + 1) * self.fps - 1) // NS_PER_S + 1
