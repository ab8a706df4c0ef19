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
"""The operator's words that begin to hold at an instant within an episode."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

_T = TypeVar('_T')


class Marks(Generic[_T]):
    """
    A value that the operator changes while rows are being closed. Owned by the recorder's thread.

    A row shows the last value that was set before its instant.

    :param value: the value at first
    """

    def __init__(self, value: _T) -> None:
        self._waiting: deque[tuple[int, _T]] = deque()
        self._shown = value
        self.newest = value
        """The value that was set last."""

    def set(self, stamp_ns: int, value: _T) -> None:
        """
        Change the value for the rows after an instant.

        :param stamp_ns: the instant, in the time of the streams
        :param value: the new value
        """
        self.newest = value
        self._waiting.append((stamp_ns, value))

    def at(self, stamp_ns: int) -> _T:
        """
        Return the value in a row; rows are asked for in their order.

        :param stamp_ns: the instant of the row
        """
        while self._waiting and self._waiting[0][0] < stamp_ns:
            self._shown = self._waiting.popleft()[1]
        return self._shown
