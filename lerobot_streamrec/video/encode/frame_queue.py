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
"""The queue of frames between the callbacks and an encoder, bounded in bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import auto, Enum
import logging
import threading
import time

from lerobot_streamrec.errors import VideoError
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.video.codecs.picture_record import PictureRecord, to_record
from lerobot_streamrec.video.encode.spool import Place, Spool

_log = logging.getLogger(__name__)

# The spill thread moves frames to disk when more than this share of the memory is in use.
_SPILL_ABOVE = 0.5


class Mark(Enum):
    """The items, other than frames, that come out of the queue."""

    REPEAT = auto()
    """Encode the last frame once more."""
    END = auto()
    """No more items will come."""
    ABORT = auto()
    """Drop the remaining frames."""
    PARK = auto()
    """Stop encoding, and store the waiting frames on disk."""


@dataclass(frozen=True, slots=True)
class QueueStatistics:
    """
    A snapshot of the queue.

    :param num_queued: number of frames and repeats waiting now
    :param size_bytes: memory of the frames waiting now
    :param peak_queued: largest ``num_queued`` so far
    :param peak_bytes: largest ``size_bytes`` so far
    :param num_spilled: number of the waiting frames that are on disk
    :param spilled_bytes: size of the spool file that holds them
    :param total_spilled: number of frames moved to disk so far
    :param spill_left_s: seconds until the spool is full if it keeps growing at its present rate;
        None if no frame is on disk
    """

    num_queued: int = 0
    size_bytes: int = 0
    peak_queued: int = 0
    peak_bytes: int = 0
    num_spilled: int = 0
    spilled_bytes: int = 0
    total_spilled: int = 0
    spill_left_s: float | None = None


@dataclass(slots=True, eq=False)
class _Waiting:
    """
    One waiting frame.

    :param number: number of the frame
    :param what: the picture or mark; None once it is on disk
    :param place: its location on disk
    """

    number: int
    what: Picture | Mark | None
    place: Place | None = None


class FrameQueue:
    """
    A queue for one producer and one consumer. Pushing never blocks.

    When much of the memory is in use, a thread moves waiting frames to a spool, the oldest first.
    If there is no spool, or it cannot keep up, and the waiting frames exceed the bound, a pushed
    frame becomes a repeat of the frame before, so the number of frames never changes. An empty
    queue accepts a frame of any size.

    :param max_bytes: bound on the memory of waiting frames; frames of rows that were held up are
        allowed on top of it
    :param spool: file for waiting frames, owned by the queue from here on; None for no spilling
    :param max_spool_bytes: bound on the size of the spool
    :param name: name of the spill thread
    :param on_pop: called with each frame that leaves the queue, or None for a repeat, before any
        other thread can see that it left
    :param disk_timeout_s: longest time for one record, in seconds, before the disk counts as hung
    """

    def __init__(
        self,
        max_bytes: int,
        spool: Spool | None = None,
        *,
        max_spool_bytes: int = 0,
        name: str = 'spill',
        on_pop: Callable[[Picture | None], None] = lambda _: None,
        disk_timeout_s: float = 30.0,
    ) -> None:
        self._max_bytes = max_bytes
        self._items: deque[_Waiting] = deque()
        self._num_pushed = 0
        self._size_bytes = 0
        self._peak_queued = 0
        self._peak_bytes = 0
        self._held_up_bytes = 0
        self._num_spilled = 0
        self._total_spilled = 0
        self._is_closed = False
        self._is_aborted = False
        self._is_parked = False
        self._is_reading = False
        self._on_pop = on_pop
        self._disk_timeout_s = disk_timeout_s
        self._spill_began_s = 0.0
        self._changed = threading.Condition()
        self._spool = spool
        self._max_spool_bytes = max_spool_bytes
        self._name = name
        self._thread: threading.Thread | None = None

    def push(self, picture: Picture, *, num_held_up: int = 0) -> bool:
        """
        Append a frame.

        When a silent stream comes back, the rows that it held up are completed in quick
        succession. Their pictures are in memory already, so the bound is raised until they are
        encoded.

        :param picture: the frame
        :param num_held_up: number of pictures in memory that wait for later rows
        :return: False if a repeat replaced the frame because the queue is full
        """
        with self._changed:
            if self._size_bytes <= _SPILL_ABOVE * self._max_bytes:
                self._held_up_bytes = 0
            self._held_up_bytes = max(self._held_up_bytes, num_held_up * picture.size_bytes)
            room_bytes = self._max_bytes + self._held_up_bytes - self._size_bytes
            fits = not self._items or picture.size_bytes <= room_bytes
            self._append(picture if fits else Mark.REPEAT)
            return fits

    def push_repeat(self) -> None:
        """Append a repeat of the frame before."""
        with self._changed:
            self._append(Mark.REPEAT)

    def _append(self, what: Picture | Mark) -> None:
        if self._is_aborted:
            return
        self._items.append(_Waiting(self._num_pushed, what))
        self._num_pushed += 1
        if not isinstance(what, Mark):
            self._size_bytes += what.size_bytes
        self._peak_queued = max(self._peak_queued, len(self._items))
        self._peak_bytes = max(self._peak_bytes, self._size_bytes)
        if self._thread is None and self._is_too_much():
            self._thread = threading.Thread(target=self._spill, name=self._name, daemon=False)
            self._thread.start()
        self._changed.notify_all()

    def _is_too_much(self) -> bool:
        is_spilling = self._spool is not None and self._max_spool_bytes > 0
        return is_spilling and self._size_bytes > _SPILL_ABOVE * self._max_bytes

    @property
    def is_aborted(self) -> bool:
        """True if the waiting frames were dropped."""
        with self._changed:
            return self._is_aborted

    def close(self) -> None:
        """End the input: no more frames will be pushed. Idempotent; never blocks."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def park(self) -> None:
        """Ask the consumer to store the waiting frames on disk after ``close``. Never blocks."""
        with self._changed:
            self._is_parked = self._spool is not None
            self._changed.notify_all()

    def abort(self) -> None:
        """Drop the waiting frames, and end the consumer. Idempotent; never blocks."""
        with self._changed:
            self._is_aborted = True
            self._items.clear()
            self._size_bytes = 0
            self._num_spilled = 0
            self._changed.notify_all()

    def release(self) -> None:
        """End the spill thread and delete the spool; for the consumer, when it has finished."""
        self.abort()
        if not self._spill_has_ended():
            _log.error('%s: the disk hangs; the spool file is not deleted', self._name)
            return
        if self._spool is not None:
            self._spool.close()

    def _spill_has_ended(self) -> bool:
        """Wait until the spill thread has written its last record; return False on timeout."""
        if self._thread is not None:
            self._thread.join(self._disk_timeout_s)
            return not self._thread.is_alive()
        return True

    def _hangs(self, verb: str) -> VideoError:
        return VideoError(
            f'{self._name}: the disk has not {verb} a frame for {self._disk_timeout_s:g} s'
        )

    def wait_until_parked(self) -> None:
        """
        Park the queue, and wait until the consumer is not reading from the disk.

        :raise VideoError: if the disk does not return a frame in time
        """
        self.park()
        with self._changed:
            if not self._changed.wait_for(lambda: not self._is_reading, self._disk_timeout_s):
                raise self._hangs('returned')

    def spill_rest(self) -> int:
        """
        Store all waiting frames in the spool and keep it; for the caller that parked the queue.

        :return: number of waiting frames, now all in the spool
        :raise VideoError: if a frame depends on others, as packets do, or the disk hangs
        :raise OSError: if the disk fails
        """
        assert self._spool is not None
        if not self._spill_has_ended():
            raise self._hangs('stored')
        with self._changed:
            rest = list(self._items)
        for item in rest:
            if item.what is not None:
                self._spool.append(item.number, _record_of(item.what, item.number))
        self._spool.sync()
        self._spool.keep()
        return len(rest)

    def pop(self, *, may_park: bool = True) -> Picture | Mark:
        """
        Wait for the next item and return it; the encoder thread only.

        The wait always ends, because the producer closes or aborts every queue that it creates.

        :param may_park: False to get the waiting frames even if the queue is parked
        :raise VideoError: if the record of a spilled frame is damaged
        :raise OSError: if the disk fails
        """
        with self._changed:
            while not (self._items or self._is_closed or self._is_aborted):
                self._changed.wait()
            if self._is_aborted:
                return Mark.ABORT
            if may_park and self._is_parked and self._is_closed and self._items:
                return Mark.PARK
            if not self._items:
                return Mark.END
            item = self._items.popleft()
            # The spill thread may be waiting for room, or for the end.
            self._changed.notify_all()
            if item.what is not None:
                picture = None if isinstance(item.what, Mark) else item.what
                self._size_bytes -= 0 if picture is None else picture.size_bytes
                self._on_pop(picture)
                return item.what
            self._num_spilled -= 1
            self._is_reading = True
        picture = None
        try:
            assert self._spool is not None
            assert item.place is not None
            picture = self._spool.read(item.place)
        finally:
            with self._changed:
                self._is_reading = False
                self._on_pop(picture)
                self._changed.notify_all()
        return picture or Mark.REPEAT

    # --- the spill thread ----------------------------------------------------------------------

    def _spill(self) -> None:
        assert self._spool is not None
        while (item := self._next_to_spill()) is not None:
            what = item.what
            # Only this thread removes the content of a waiting frame.
            assert what is not None
            try:
                place = self._spool.append(item.number, _record_of(what, item.number))
            except VideoError:
                # A packet depends on others in memory and cannot be spilled; packets are small.
                return
            except OSError as error:
                _log.error('%s: frames cannot be spooled to disk: %s', self._name, error)
                return
            self._note_spilled(item, place)

    def _next_to_spill(self) -> _Waiting | None:
        """Wait for a frame that has to go to disk and return it; return None at the end."""
        assert self._spool is not None
        with self._changed:
            while not (self._is_aborted or self._is_parked):
                if not self._num_spilled and not self._is_reading:
                    self._spool.clear()
                    self._spill_began_s = time.monotonic()
                if self._num_spilled < len(self._items) and self._is_too_much():
                    if self._spool.size_bytes < self._max_spool_bytes:
                        return self._items[self._num_spilled]
                elif self._is_closed:
                    return None
                self._changed.wait()
            return None

    def _note_spilled(self, item: _Waiting, place: Place) -> None:
        with self._changed:
            at = self._num_spilled
            # The consumer may have taken the frame from the head meanwhile.
            if at >= len(self._items) or self._items[at] is not item:
                return
            if item.what is not None and not isinstance(item.what, Mark):
                self._size_bytes -= item.what.size_bytes
            item.what, item.place = None, place
            self._num_spilled += 1
            self._total_spilled += 1

    def statistics(self) -> QueueStatistics:
        """Return a snapshot of the queue; any thread."""
        with self._changed:
            return QueueStatistics(
                len(self._items),
                self._size_bytes,
                self._peak_queued,
                self._peak_bytes,
                self._num_spilled,
                self._spool.size_bytes if self._spool and self._num_spilled else 0,
                self._total_spilled,
                self._spill_left_s(),
            )

    def _spill_left_s(self) -> float | None:
        if self._spool is None or not self._num_spilled:
            return None
        # Reading frees no room: the file is emptied only after all of it was read.
        size_bytes, seconds = self._spool.size_bytes, time.monotonic() - self._spill_began_s
        return max(0, self._max_spool_bytes - size_bytes) * seconds / max(1, size_bytes)


def _record_of(what: Picture | Mark, number: int) -> PictureRecord | None:
    """Return the record of a frame; None if it repeats the frame before."""
    if isinstance(what, Mark):
        return None
    record = to_record(what)
    if record is None:
        raise VideoError(f'frame {number}: a {type(what).__name__} cannot be spooled to disk')
    return record
