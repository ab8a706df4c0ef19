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
"""The thread that encodes one camera's frames of one episode to an MP4."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
import logging
from pathlib import Path
import sys
import threading
import time

from lerobot_streamrec.errors import (
    BrokenEncoderError,
    EncoderError,
    StreamrecError,
    UndecodableError,
)
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.video.codecs.scheduling import give_way
from lerobot_streamrec.video.encode.frame_queue import FrameQueue, Mark, QueueStatistics
from lerobot_streamrec.video.encode.mp4_encoder import EncodedVideo, VideoEncoder
from lerobot_streamrec.video.encode.spool import Spool, SpoolingEncoder

SPILL_THREAD = 'spill'

_log = logging.getLogger(__name__)


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
        self.first = 0
        """The number of the oldest frame that is kept."""

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
            while self._frames and self.first < number:
                self._forget_first()

    def _forget_first(self) -> None:
        picture = self._frames.popleft()
        self._size_bytes -= 0 if picture is None else picture.size_bytes
        self.first += 1


class EncoderThread:
    """
    Encodes exactly one frame for each push, in the order of the pushes.

    ``push``, ``push_repeat``, ``finish`` and ``abort`` belong to one thread (the recorder's) and
    never block. The encoder belongs to the encoder thread.

    :param video_key: names the thread, ``enc:<video_key>``
    :param open_encoder: opens the encoder; called in the encoder thread
    :param max_queue_bytes: bound on the memory of waiting frames
    :param spool: file for waiting frames that do not fit in memory; owned by this object from here
        on
    :param max_spool_bytes: bound on the size of the spool
    :param rest_path: file for frames that are encoded later, because the encoder failed or there
        is no time for them; None if such frames cannot be kept
    """

    def __init__(
        self,
        video_key: str,
        open_encoder: Callable[[], VideoEncoder],
        *,
        max_queue_bytes: int,
        spool: Spool | None = None,
        max_spool_bytes: int = 0,
        rest_path: Path | None = None,
    ) -> None:
        self.video_key = video_key
        self._rest_path = rest_path
        self._kept = KeptFrames(max_queue_bytes)
        self._open_encoder = open_encoder
        self._queue = FrameQueue(
            max_queue_bytes,
            spool,
            max_spool_bytes=max_spool_bytes,
            name=f'{SPILL_THREAD}:{video_key}',
            on_pop=self._kept.push,
        )
        # Acquired by whoever sets the result: the encoder thread itself, or ``rescue``.
        self._end = threading.Lock()
        self._is_mine = False
        self._encoder: VideoEncoder | None = None
        self.work = 0, 0.0
        """The number of frames that were encoded, and the seconds that took; any thread."""
        self._result: Future[EncodedVideo] = Future()
        self._thread = threading.Thread(target=self._run, name=f'enc:{video_key}', daemon=False)
        self._thread.start()

    def push(self, picture: Picture, *, num_held_up: int = 0) -> bool:
        """
        Encode a picture as the next frame.

        :param picture: one frame; see each encoder for the kinds it accepts
        :param num_held_up: number of pictures in memory that wait for later rows
        :return: False if a repeat replaced the frame because the queue is full
        """
        return self._queue.push(picture, num_held_up=num_held_up)

    def push_repeat(self) -> None:
        """Encode the last picture once more as the next frame."""
        self._queue.push_repeat()

    def finish(self) -> Future[EncodedVideo]:
        """
        End the input: no more frames will be pushed.

        :return: the video, or a BrokenEncoderError with the reason as its cause
        """
        self._queue.close()
        return self._result

    def park(self) -> None:
        """
        Let the thread store the remaining frames on disk once the input has ended.

        This serves a recorder that ends before the encoder has caught up. The result counts the
        stored frames. Never blocks; does nothing without a ``rest_path``.
        """
        if self._rest_path is not None:
            self._queue.park()

    def rescue(self, reason: str) -> bool:
        """
        Store the remaining frames in place of an encoder thread that hangs, after ``finish``.

        Sets the result and abandons the thread. Blocks until the frames are on disk. Called by the
        commit thread.

        :param reason: reason for the rescue, which becomes part of the result's ``trouble``
        :return: True if the result is set, be it a video or an error; False if there is no
            ``rest_path``, some frames are not in memory, or the encoder thread ends by itself
        """
        if self._rest_path is None or self._lacks_frames():
            return False
        if not self._end.acquire(blocking=False):
            return False
        try:
            self._queue.wait_until_parked()
            video = self._spool_all(self._rest_path)
        except (OSError, StreamrecError) as error:
            self._result.set_exception(self._broken(error))
        else:
            trouble = f'{reason}; the frames from {self._kept.first} on are encoded later'
            self._result.set_result(replace(video, trouble=trouble))
        return True

    def abort(self) -> None:
        """Drop all frames that are not encoded yet. Never raises."""
        self._queue.abort()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end; return False if it still runs after the timeout."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def error(self) -> BaseException | None:
        """The error that ended the thread; None while it runs or if it succeeded."""
        return self._result.exception() if self._result.done() else None

    def statistics(self) -> QueueStatistics:
        """Return a snapshot of the queue; any thread."""
        return self._queue.statistics()

    def _run(self) -> None:
        give_way()
        self._settle()
        if self._is_mine:
            # The take may stay in memory for a while, and an encoder is large.
            self._encoder = None

    def _settle(self) -> None:
        try:
            video = self._encode_all()
        # This is the thread's entry: every error must reach whoever waits for the result.
        except BaseException as error:  # noqa: BLE001
            if self._may_end():
                broken = self._broken(error)
                if self._queue.is_aborted:
                    # Its frames would keep the encoder in memory.
                    error.__traceback__ = None
                else:
                    _log.error('%s; the episode cannot be saved', broken)
                # Frees the waiting frames; an aborted queue ignores later pushes.
                self._queue.release()
                self._result.set_exception(broken)
        else:
            if self._may_end():
                self._queue.release()
                self._result.set_result(video)

    def _broken(self, error: BaseException) -> BrokenEncoderError:
        broken = BrokenEncoderError(f'encoder of {self.video_key}: {error}')
        broken.__cause__ = error
        return broken

    def _may_end(self) -> bool:
        """Claim the right to set the result; return False if ``rescue`` has claimed it."""
        self._is_mine = self._is_mine or self._end.acquire(blocking=False)
        return self._is_mine

    def _encode_all(self) -> EncodedVideo:
        encoder: VideoEncoder | None = None
        try:
            encoder = self._encoder = self._open_encoder()
            while (item := self._queue.pop()) is not Mark.END:
                if item is Mark.ABORT:
                    raise EncoderError('aborted')
                if item is Mark.PARK:
                    return self._park(encoder)
                self._encode(encoder, item)
            return encoder.finish()
        # After any error, the frames that the encoder has not written are still intact.
        except BaseException as error:
            if encoder is not None:
                encoder.abort()
            if self._lacks_frames() or not self._may_spool(error):
                raise
            return self._spool_rest(error)

    def _lacks_frames(self) -> bool:
        """Return True if frames are neither in the file nor in memory: they were too large."""
        return self._kept.first > self._num_written()

    def _num_written(self) -> int:
        return self._encoder.num_written if self._encoder is not None else 0

    def _may_spool(self, error: BaseException) -> bool:
        # A picture that cannot be decoded now cannot be decoded later either.
        is_of_encoder = isinstance(error, Exception) and not isinstance(error, UndecodableError)
        is_wanted = self._rest_path is not None and not self._queue.is_aborted
        return is_of_encoder and is_wanted and self._may_end()

    def _encode(self, encoder: VideoEncoder, item: Picture | Mark) -> None:
        begin_s = time.perf_counter()
        if isinstance(item, Mark):
            encoder.repeat()
        else:
            encoder.encode(item)
        num_frames, busy_s = self.work
        self.work = num_frames + 1, busy_s + time.perf_counter() - begin_s
        self._kept.forget_before(encoder.num_written)

    def _park(self, encoder: VideoEncoder) -> EncodedVideo:
        """
        Store the frames that the encoder has not written and those that wait on disk.

        It does not wait for the frames that the codec holds back, for which there may be no time.
        """
        assert self._rest_path is not None
        if not self._may_end():
            raise EncoderError('given up')
        if self._lacks_frames():
            # Some frames were too large to stay in memory, so the codec has to write them now.
            video = encoder.finish()
            num_spooled = self._queue.spill_rest()
            return replace(
                video, num_frames=video.num_frames + num_spooled, num_spooled=num_spooled
            )
        encoder.abort()
        return self._spool_all(self._rest_path)

    def _spool_all(self, path: Path) -> EncodedVideo:
        num_frames = self._spool_kept(path).finish().num_frames + self._queue.spill_rest()
        # A program may have written more since the last frame; frames kept twice do no harm.
        return EncodedVideo(num_frames=num_frames, num_spooled=num_frames - self._num_written())

    def _spool_kept(self, path: Path) -> SpoolingEncoder:
        rest = SpoolingEncoder(path, self._kept.first)
        for picture in self._kept.frames:
            if picture is None:
                rest.repeat()
            else:
                rest.encode(picture)
        return rest

    def _spool_rest(self, error: BaseException) -> EncodedVideo:
        """
        Store on disk the frames that a failed encoder has not written, and all that follow.

        :param error: the encoder's error
        :raise BaseException: the encoder's error, if the frames cannot be stored either
        """
        assert self._rest_path is not None
        _log.error(
            'encoder of %s: %s; unwritten frames are stored on disk and encoded later',
            self.video_key,
            error,
        )
        try:
            first, rest = self._kept.first, self._spool_kept(self._rest_path)
            # All frames go to this one file, including those that were spilled before.
            while (item := self._queue.pop(may_park=False)) is not Mark.END:
                self._kept.forget_before(sys.maxsize)
                if item is Mark.ABORT:
                    raise EncoderError('aborted')
                if isinstance(item, Mark):
                    rest.repeat()
                else:
                    rest.encode(item)
            video = rest.finish()
        except (OSError, StreamrecError) as second:
            raise error from second
        later = f'the frames from {first} on are encoded later'
        return replace(video, trouble=f'its encoder failed ({error}); {later}')
