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
"""What waits between the callbacks and an encoder, bounded in bytes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import auto, Enum
import threading

from lerobot_streamrec.frame import Picture


class Mark(Enum):
    """What else than a frame can come out of the queue."""

    REPEAT = auto()
    """Encode the last frame once more."""
    END = auto()
    """Nothing more will come."""
    ABORT = auto()
    """Leave the rest."""


@dataclass(frozen=True, slots=True)
class QueueStatistics:
    """
    A snapshot.

    :param num_queued: frames and repeats waiting now
    :param size_bytes: memory of the frames waiting now
    :param peak_queued: the most that ever waited
    :param peak_bytes: the most memory that ever waited
    """

    num_queued: int = 0
    size_bytes: int = 0
    peak_queued: int = 0
    peak_bytes: int = 0


class FrameQueue:
    """
    One producer, one consumer; pushing never blocks, and what is pushed always comes out.

    When the frames waiting exceed the bound, a pushed frame becomes a repeat of the one before:
    the count of frames never changes. A frame is taken if nothing waits, however large it is.

    :param max_bytes: bound on the memory of waiting frames
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._items: deque[Picture | Mark] = deque()
        self._size_bytes = 0
        self._peak_queued = 0
        self._peak_bytes = 0
        self._is_closed = False
        self._is_aborted = False
        self._changed = threading.Condition()

    def push(self, picture: Picture) -> bool:
        """Append a frame; False if a repeat took its place because the queue is full."""
        with self._changed:
            size_bytes = picture.size_bytes
            fits = not self._items or self._size_bytes + size_bytes <= self._max_bytes
            self._append(picture if fits else Mark.REPEAT)
            return fits

    def push_repeat(self) -> None:
        """Append a repeat of the frame before."""
        with self._changed:
            self._append(Mark.REPEAT)

    def _append(self, item: Picture | Mark) -> None:
        if self._is_aborted:
            return
        self._items.append(item)
        if not isinstance(item, Mark):
            self._size_bytes += item.size_bytes
        self._peak_queued = max(self._peak_queued, len(self._items))
        self._peak_bytes = max(self._peak_bytes, self._size_bytes)
        self._changed.notify()

    def close(self) -> None:
        """Say that nothing more will come. Idempotent; never blocks."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def abort(self) -> None:
        """Drop what waits, and end the consumer. Idempotent; never blocks."""
        with self._changed:
            self._is_aborted = True
            self._items.clear()
            self._size_bytes = 0
            self._changed.notify()

    def pop(self) -> Picture | Mark:
        """
        Wait for what comes next; the encoder thread only.

        Ends in any case: the producer closes or aborts every queue that it made.
        """
        with self._changed:
            while not (self._items or self._is_closed or self._is_aborted):
                self._changed.wait()
            if self._is_aborted:
                return Mark.ABORT
            if not self._items:
                return Mark.END
            item = self._items.popleft()
            if not isinstance(item, Mark):
                self._size_bytes -= item.size_bytes
            return item

    def statistics(self) -> QueueStatistics:
        """Return a snapshot; any thread."""
        with self._changed:
            return QueueStatistics(
                len(self._items), self._size_bytes, self._peak_queued, self._peak_bytes
            )
