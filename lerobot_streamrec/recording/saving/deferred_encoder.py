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
"""A thread that encodes saved takes whose pictures wait on the disk, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
import logging
import threading

from lerobot_streamrec.dataset.takes.deferred import DeferredTake, encode_take, EncodedTake
from lerobot_streamrec.errors import EncoderError, InterruptedWorkError, StreamrecError
from lerobot_streamrec.recording.saving.futures import settle
from lerobot_streamrec.video.codecs.scheduling import give_way, LATE_NICENESS

THREAD_NAME = 'encode'

_END_TIMEOUT_S = 10.0

_log = logging.getLogger(__name__)

Commit = Callable[[DeferredTake, EncodedTake | StreamrecError], Future[None]]
"""Function that hands a take's outcome to the commit thread; the future says when it is done."""


class LateEncoder:
    """
    Encodes takes when enough of them wait, or on request. ``stop`` aborts the current one.

    Any thread may call its methods. None blocks for longer than a frame takes, except for
    ``join`` and for ``withdraw_last``, which waits for a busy codec.

    :param commit: function that the thread calls after each take
    :param batch_size: number of waiting takes at which it begins; 0: only on request
    """

    def __init__(self, commit: Commit, batch_size: int) -> None:
        self._commit = commit
        self._batch_size = batch_size
        self._changed = threading.Condition()
        self._waiting: list[DeferredTake] = []
        # This many of the waiting takes, from the first on, are to be encoded now.
        self._num_wanted = 0
        self._current: DeferredTake | None = None
        self._is_committing = False
        self._is_withdrawn = False
        self._is_stopped = False
        self._idle: list[Future[None]] = []
        self.activity = ''
        """A sentence on the take that is being encoded; empty: none."""
        self._thread: threading.Thread | None = None

    def add(self, take: DeferredTake) -> None:
        """Add a take, and encode all waiting ones if there are enough for a batch."""
        with self._changed:
            self._waiting.append(take)
            if self._batch_size and len(self._waiting) >= self._batch_size:
                self._want_all()

    def want_all(self) -> None:
        """Encode all takes that wait now."""
        with self._changed:
            self._want_all()

    def _want_all(self) -> None:
        self._num_wanted = len(self._waiting)
        if self._thread is None and self._num_wanted and not self._is_stopped:
            self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=False)
            self._thread.start()
        self._changed.notify_all()

    def when_idle(self) -> Future[None]:
        """Encode all; the future is done when no take waits any more, or after ``stop``."""
        idle: Future[None] = Future()
        with self._changed:
            self._want_all()
            if not self._waiting or self._is_stopped:
                settle(idle, None)
            else:
                self._idle.append(idle)
        return idle

    def withdraw_last(self) -> bool:
        """
        Remove the last take, and stop encoding it.

        This waits until the codec has finished a frame, for 10 s at most.

        :return: False if the take is already encoded and about to become an episode
        :raise EncoderError: if the codec does not stop in time
        """
        with self._changed:
            last = self._waiting[-1]
            if self._current is not last:
                self._forget(last)
                return True
            if self._is_committing:
                return False
            self._is_withdrawn = True
            if not self._changed.wait_for(lambda: self._current is not last, _END_TIMEOUT_S):
                self._is_withdrawn = False
                raise EncoderError('the encoder of the last episode does not respond; try again')
            return True

    def stop(self) -> None:
        """Abort the encoding soon; the takes stay on the disk. Idempotent."""
        with self._changed:
            self._is_stopped = True
            self._settle_idle()
            self._changed.notify_all()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end; return False if it still runs after the timeout."""
        if self._thread is not None:
            self._thread.join(timeout_s)
            return not self._thread.is_alive()
        return True

    # --- the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        give_way(LATE_NICENESS)
        while (take := self._next()) is not None:
            outcome = self._encode(take)
            if outcome is not None and self._may_commit():
                # This only waits: the committer has already reported its errors.
                self._commit(take, outcome).exception()
            self._end(take)

    def _next(self) -> DeferredTake | None:
        with self._changed:
            self._changed.wait_for(lambda: self._num_wanted or self._is_stopped)
            if self._is_stopped:
                return None
            self._current = self._waiting[0]
            return self._current

    def _encode(self, take: DeferredTake) -> EncodedTake | StreamrecError | None:
        """Encode a take; return its videos, the error, or None if the work was aborted."""
        num_frames = take.saved.num_rows * max(1, take.num_videos)

        def tell(num_done: int) -> None:
            if self._is_stopped or self._is_withdrawn:
                raise InterruptedWorkError('aborted')
            percent = 100 * num_done // num_frames
            self.activity = f'encoding a saved episode: {percent} %, {self._left()}'

        try:
            tell(0)
            return encode_take(take.folder, take.saved.num_rows, tell)
        except InterruptedWorkError:
            return None
        except StreamrecError as error:
            return error
        # A take that cannot be encoded must not keep the others from being encoded.
        except Exception as error:  # noqa: BLE001
            _log.error('unexpected error while encoding a saved episode', exc_info=error)
            return EncoderError(f'unexpected error: {error!r}')
        finally:
            self.activity = ''

    def _left(self) -> str:
        num_left = len(self._waiting) - 1
        return f'{num_left} more wait' if num_left != 1 else '1 more waits'

    def _may_commit(self) -> bool:
        with self._changed:
            # Nobody commits any more when the recorder shuts down.
            self._is_committing = not (self._is_withdrawn or self._is_stopped)
            return self._is_committing

    def _end(self, take: DeferredTake) -> None:
        with self._changed:
            if self._is_committing or self._is_withdrawn:
                self._forget(take)
            self._current = None
            self._is_committing = self._is_withdrawn = False
            self._changed.notify_all()

    def _forget(self, take: DeferredTake) -> None:
        if self._waiting.index(take) < self._num_wanted:
            self._num_wanted -= 1
        self._waiting.remove(take)
        self._settle_idle()

    def _settle_idle(self) -> None:
        if not self._waiting or self._is_stopped:
            while self._idle:
                settle(self._idle.pop(), None)
