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
"""Encodes saved takes whose pictures wait on the disk, one after the other, in its own thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
import logging
import threading

from lerobot_streamrec.dataset.takes.deferred import DeferredTake, encode_take, EncodedTake
from lerobot_streamrec.errors import EncoderError, InterruptedWorkError, StreamrecError
from lerobot_streamrec.recording.saving.futures import settle
from lerobot_streamrec.video.codecs.real_time import give_way, LATE_NICENESS, renounce_real_time

THREAD_NAME = 'encode'

_END_TIMEOUT_S = 10.0

_log = logging.getLogger(__name__)

Commit = Callable[[DeferredTake, EncodedTake | StreamrecError], Future[None]]
"""Is given what became of a take; done when that is in the dataset, or set aside."""


class LateEncoder:
    """
    Begins when enough takes wait, or when it is told to; ends with the take it is at.

    Its methods may be called from any thread. None blocks for longer than a frame takes, apart
    from ``join`` and from ``withdraw_last``, which waits for a codec that is busy.

    :param commit: called in the thread, after each take
    :param batch_size: begin as soon as so many wait; 0: only when told to
    """

    def __init__(self, commit: Commit, batch_size: int) -> None:
        self._commit = commit
        self._batch_size = batch_size
        self._changed = threading.Condition()
        self._waiting: list[DeferredTake] = []
        # Of those waiting, the first so many are to be encoded now.
        self._num_wanted = 0
        self._current: DeferredTake | None = None
        self._is_committing = False
        self._is_withdrawn = False
        self._is_stopped = False
        self._idle: list[Future[None]] = []
        self._activity = ''
        self._thread: threading.Thread | None = None

    @property
    def activity(self) -> str:
        """What is being encoded; empty: nothing."""
        return self._activity

    def add(self, take: DeferredTake) -> None:
        """Take note of a take that waits."""
        with self._changed:
            self._waiting.append(take)
            if self._batch_size and len(self._waiting) >= self._batch_size:
                self._want_all()

    def want_all(self) -> None:
        """Encode all that wait now."""
        with self._changed:
            self._want_all()

    def _want_all(self) -> None:
        self._num_wanted = len(self._waiting)
        if self._thread is None and self._num_wanted and not self._is_stopped:
            self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=False)
            self._thread.start()
        self._changed.notify_all()

    def when_idle(self) -> Future[None]:
        """Encode all; done when nothing waits any more, or the work was given up."""
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
        Encode the last take no more, and forget it.

        Waits until the codec is between two frames, 10 s at most.

        :return: False if it is encoded already and about to become an episode
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
                raise EncoderError('the encoder of the last episode does not answer; try again')
            return True

    def stop(self) -> None:
        """Give up soon what is being encoded; it stays on the disk. Idempotent."""
        with self._changed:
            self._is_stopped = True
            self._settle_idle()
            self._changed.notify_all()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread's end; False if it still runs after so many seconds."""
        if self._thread is not None:
            self._thread.join(timeout_s)
            return not self._thread.is_alive()
        return True

    # --- the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        renounce_real_time()
        give_way(LATE_NICENESS)
        while (take := self._next()) is not None:
            outcome = self._encode(take)
            if outcome is not None and self._may_commit():
                # Its errors were told to who cares for them.
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
        """Encode a take; None if that was given up."""
        num_frames = take.saved.num_rows * max(1, take.num_videos)

        def tell(num_done: int) -> None:
            if self._is_stopped or self._is_withdrawn:
                raise InterruptedWorkError('given up')
            percent = 100 * num_done // num_frames
            self._activity = f'encoding a saved episode: {percent} %, {self._left()}'

        try:
            tell(0)
            return encode_take(take.folder, take.saved.num_rows, tell)
        except InterruptedWorkError:
            return None
        except StreamrecError as error:
            return error
        # One take that nobody can encode must not keep the others from it.
        except Exception as error:  # noqa: BLE001
            _log.error('unexpected', exc_info=error)
            return EncoderError(f'unexpected: {error!r}')
        finally:
            self._activity = ''

    def _left(self) -> str:
        num_left = len(self._waiting) - 1
        return f'{num_left} more wait' if num_left != 1 else '1 more waits'

    def _may_commit(self) -> bool:
        with self._changed:
            # Nobody commits any more when the recorder ends.
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
