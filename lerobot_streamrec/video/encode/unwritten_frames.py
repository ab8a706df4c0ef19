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
"""Frames that a codec has taken and not written yet, and how far an encoder is."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
import threading

from lerobot_streamrec.frame import Picture


@dataclass(slots=True)
class EncoderAccount:
    """
    Written by the encoder's thread, read by any.

    :param trouble: sentence on the encoder that failed and its replacement; empty: none failed
    :param num_again: frames that were encoded once more so far, during which no others are
    :param num_undecodable: frames that repeat the one before because the picture is damaged
    :param undecodable: why none of the last pictures can be decoded, in a sentence; empty: one can
    """

    trouble: str = ''
    num_again: int = 0
    num_undecodable: int = 0
    undecodable: str = ''


class KeptFrames:
    """
    The last frames that were given to an encoder, by number. Any thread.

    :param max_bytes: bound on their memory; the oldest are let go beyond it
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._frames: deque[Picture | None] = deque()
        self._size_bytes = 0
        self._first = 0

    @property
    def first(self) -> int:
        """Number of the oldest frame that is kept."""
        return self._first

    @property
    def frames(self) -> tuple[Picture | None, ...]:
        """They themselves, the oldest first; None: it repeats the one before."""
        with self._lock:
            return tuple(self._frames)

    def push(self, picture: Picture | None) -> None:
        """Keep one more frame; None: it repeats the one before."""
        with self._lock:
            self._frames.append(picture)
            self._size_bytes += 0 if picture is None else picture.size_bytes
            while self._size_bytes > self._max_bytes:
                self._forget_first()

    def forget_before(self, number: int) -> None:
        """Let frames go that stand in the file."""
        with self._lock:
            while self._frames and self._first < number:
                self._forget_first()

    def _forget_first(self) -> None:
        picture = self._frames.popleft()
        self._size_bytes -= 0 if picture is None else picture.size_bytes
        self._first += 1
