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
"""Frames that a codec has taken but not written yet, and an account of an encoder's troubles."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
import threading

from lerobot_streamrec.frame import Picture


@dataclass(slots=True)
class EncoderAccount:
    """
    Failures of one encoder. The encoder thread writes them, and any thread may read them.

    :param trouble: the encoder that failed and its replacement, in a sentence; empty if none did
    :param num_again: number of frames encoded again so far; new frames wait meanwhile
    :param num_undecodable: number of frames that repeat the frame before because the camera's
        picture is damaged
    :param undecodable: why the last pictures cannot be decoded, in a sentence; empty if they can
    """

    trouble: str = ''
    num_again: int = 0
    num_undecodable: int = 0
    undecodable: str = ''


class KeptFrames:
    """
    The last frames that were given to an encoder, by frame number. Any thread may use it.

    :param max_bytes: bound on their memory; beyond it, the oldest frames are dropped
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._frames: deque[Picture | None] = deque()
        self._size_bytes = 0
        self._first = 0

    @property
    def first(self) -> int:
        """The number of the oldest frame that is kept."""
        return self._first

    @property
    def frames(self) -> tuple[Picture | None, ...]:
        """The kept frames, the oldest first; None stands for a repeat of the frame before."""
        with self._lock:
            return tuple(self._frames)

    def push(self, picture: Picture | None) -> None:
        """Keep one more frame; None stands for a repeat of the frame before."""
        with self._lock:
            self._frames.append(picture)
            self._size_bytes += 0 if picture is None else picture.size_bytes
            while self._size_bytes > self._max_bytes:
                self._forget_first()

    def forget_before(self, number: int) -> None:
        """Drop the frames before a number, because they are in the file."""
        with self._lock:
            while self._frames and self._first < number:
                self._forget_first()

    def _forget_first(self) -> None:
        picture = self._frames.popleft()
        self._size_bytes -= 0 if picture is None else picture.size_bytes
        self._first += 1
