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
"""Detection of the leader arm's motion by the action's numbers."""

from __future__ import annotations

from typing import Any

from lerobot_streamrec.recording.streams.sampling import Course
from lerobot_streamrec.sync.row_clock import NS_PER_S
import numpy as np
import numpy.typing as npt


class Motion:
    """
    Compares the action with its values at the last motion. Owned by the executor's thread.

    :param threshold: change of an element that counts as motion, in the element's own unit
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._places: dict[str, npt.NDArray[np.float64]] = {}
        self._newest_ns: int | None = None
        self._moved_ns: int | None = None
        self.has_moved = False
        """True if the action has moved since ``watch``."""

    def watch(self, *, has_moved: bool = False) -> None:
        """
        Start again, with the next values as the place of rest.

        :param has_moved: True if the action is already moving
        """
        self._places.clear()
        self._moved_ns = self._newest_ns
        self.has_moved = has_moved

    def push(self, key: str, stamp_ns: int, values: Any) -> None:
        """
        Add an action message.

        :param key: stream that brings this part of the action
        :param stamp_ns: its stamp
        :param values: numbers ``(d,)``, or a trajectory
        """
        now_at = values.at(0) if isinstance(values, Course) else values
        place = np.asarray(now_at, dtype=np.float64).ravel()
        before = self._places.get(key)
        if self._newest_ns is None or stamp_ns < self._newest_ns - NS_PER_S:
            # The clock was set back, so the time without motion starts again.
            self._moved_ns = stamp_ns
            self._newest_ns = stamp_ns
        self._newest_ns = max(self._newest_ns, stamp_ns)
        if before is None or before.shape != place.shape:
            self._places[key] = place
        elif np.abs(place - before).max(initial=0.0) > self._threshold:
            self._places[key] = place
            self._moved_ns = stamp_ns
            self.has_moved = True

    @property
    def still_s(self) -> float:
        """The time without motion by the action's own stamps, in seconds."""
        if self._newest_ns is None or self._moved_ns is None:
            return 0.0
        return max(0, self._newest_ns - self._moved_ns) / NS_PER_S
