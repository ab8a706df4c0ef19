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
"""How many episodes are where on their way into the dataset."""

from __future__ import annotations

import threading


class EpisodeCounts:
    """
    Any thread may change and read them.

    :param num_saved: episodes in the dataset
    """

    def __init__(self, num_saved: int) -> None:
        self._lock = threading.Lock()
        self._num_saved = num_saved
        self._num_submitted = 0
        self._num_deferred = 0
        self._num_lost = 0

    def add(
        self, *, saved: int = 0, submitted: int = 0, deferred: int = 0, lost: int = 0
    ) -> None:
        """
        Count episodes; less than 0 takes away.

        :param saved: in the dataset
        :param submitted: on their way to the disk
        :param deferred: on the disk, and in the dataset when their videos are encoded
        :param lost: should have been saved and were not
        """
        with self._lock:
            self._num_saved += saved
            self._num_submitted += submitted
            self._num_deferred += deferred
            self._num_lost += lost

    @property
    def num_saved(self) -> int:
        """Episodes in the dataset."""
        with self._lock:
            return self._num_saved

    @property
    def num_deferred(self) -> int:
        """Episodes on the disk, and in the dataset when their videos are encoded."""
        with self._lock:
            return self._num_deferred

    @property
    def num_lost(self) -> int:
        """Episodes that should have been saved and were not."""
        with self._lock:
            return self._num_lost

    @property
    def next_index(self) -> int:
        """The index of an episode that is submitted now, if all before it can be saved."""
        with self._lock:
            return self._num_saved + self._num_deferred + self._num_submitted

    @property
    def deferred_index(self) -> int:
        """The index of an episode that is deferred now."""
        with self._lock:
            return self._num_saved + self._num_deferred
