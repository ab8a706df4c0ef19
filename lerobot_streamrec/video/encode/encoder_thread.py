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
"""One thread for one camera and episode: frames in, a finished MP4 out."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
import logging
from pathlib import Path
import sys
import threading
from typing import Any, Protocol

from lerobot_streamrec.errors import (
    BrokenEncoderError,
    EncoderError,
    StreamrecError,
    UndecodableError,
)
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.video.codecs.real_time import give_way, renounce_real_time
from lerobot_streamrec.video.encode.frame_queue import FrameQueue, Mark, QueueStatistics
from lerobot_streamrec.video.encode.mp4_encoder import EncodedVideo
from lerobot_streamrec.video.encode.spool import Spool, SpoolingEncoder
from lerobot_streamrec.video.encode.unwritten_frames import KeptFrames

SPILL_THREAD = 'spill'

_log = logging.getLogger(__name__)


class VideoEncoder(Protocol):
    """What encodes: Mp4Encoder, or a chain that ends with one, or a fake in tests."""

    def encode(self, picture: Any) -> None:
        """Encode a picture as the next frame; which kinds it takes is its own affair."""

    def repeat(self) -> None:
        """Encode the last picture once more."""

    @property
    def num_written(self) -> int:
        """Frames that stand in the file; codecs hold back the others."""

    def finish(self) -> EncodedVideo:
        """Close the file and say what is in it."""

    def abort(self) -> None:
        """Give up; never raises."""


class EncoderThread:
    """
    Encodes exactly one frame for each push, in the order of the pushes.

    ``push``, ``push_repeat``, ``finish`` and ``abort`` belong to one thread (the executor's) and
    never block; the encoder belongs to the encoder thread from here on.

    :param video_key: names the thread, ``enc:<video_key>``
    :param open_encoder: makes the encoder, called in the thread
    :param max_queue_bytes: bound on the memory of waiting frames
    :param spool: where frames wait on the disk when there are too many; belongs to this thread
        from here on
    :param max_spool_bytes: bound on the spool
    :param rest_path: where the frames go that are to be encoded later, because the encoder has
        failed or there is no time for them; None: nowhere
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
        self._video_key = video_key
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
        # Held by who brings the thread's work to its end: the thread itself, or a rescuer.
        self._end = threading.Lock()
        self._is_mine = False
        self._encoder: VideoEncoder | None = None
        self._result: Future[EncodedVideo] = Future()
        self._thread = threading.Thread(target=self._run, name=f'enc:{video_key}', daemon=False)
        self._thread.start()

    def push(self, picture: Picture, *, num_held_up: int = 0) -> bool:
        """
        Encode a picture as the next frame.

        :param picture: one frame; see each encoder for the kinds it accepts
        :param num_held_up: pictures in memory that wait for later rows
        :return: False if it became a repeat because the queue is full
        """
        return self._queue.push(picture, num_held_up=num_held_up)

    def push_repeat(self) -> None:
        """Encode the last picture once more as the next frame."""
        self._queue.push_repeat()

    def finish(self) -> Future[EncodedVideo]:
        """
        Say that no more frames come.

        :return: the video, or BrokenEncoderError with the reason as its cause
        """
        self._queue.close()
        return self._result

    def park(self) -> None:
        """
        Put on the disk what is not encoded when no more frames come; the result says how many.

        For when the recorder ends before the encoder has caught up. Never blocks; does nothing if
        there is no place for it.
        """
        if self._rest_path is not None:
            self._queue.park()

    def rescue(self, reason: str) -> bool:
        """
        Do what ``park`` does in the place of a thread that does not answer, after ``finish``.

        The result is there then; the thread is left to itself. Blocks for as long as the disk
        takes; the commit thread.

        :param reason: why that is necessary, for the result
        :return: False if there is no place for the frames, some are missing, or the thread is at
            its end
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
        """Leave everything that was not encoded yet; never raises."""
        self._queue.abort()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread's end; False if it still runs after so many seconds."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def error(self) -> BaseException | None:
        """What the thread died of; None while it lives or after a good end."""
        return self._result.exception() if self._result.done() else None

    def statistics(self) -> QueueStatistics:
        """Return a snapshot of the queue; any thread."""
        return self._queue.statistics()

    def _run(self) -> None:
        renounce_real_time()
        give_way()
        try:
            video = self._encode_all()
        # The thread's entry: whatever happens must reach the one who waits for the result.
        except BaseException as error:  # noqa: BLE001
            if self._may_end():
                broken = self._broken(error)
                if not self._queue.is_aborted:
                    _log.error('%s; the episode cannot be saved', broken)
                # Frees what waits; later pushes fall into an aborted queue.
                self._queue.release()
                self._result.set_exception(broken)
        else:
            if self._may_end():
                self._queue.release()
                self._result.set_result(video)

    def _broken(self, error: BaseException) -> BrokenEncoderError:
        broken = BrokenEncoderError(f'encoder of {self._video_key}: {error}')
        broken.__cause__ = error
        return broken

    def _may_end(self) -> bool:
        """Tell whether nobody else brings this to its end; nobody else will from now on."""
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
        # Whatever it is, the frames that the encoder has not written are whole.
        except BaseException as error:
            if encoder is not None:
                encoder.abort()
            if self._lacks_frames() or not self._may_spool(error):
                raise
            return self._spool_rest(error)

    def _lacks_frames(self) -> bool:
        """Tell whether frames are neither in the file nor in memory: they were too large."""
        return self._kept.first > self._num_written()

    def _num_written(self) -> int:
        return self._encoder.num_written if self._encoder is not None else 0

    def _may_spool(self, error: BaseException) -> bool:
        # What cannot be decoded now cannot be decoded later.
        is_of_encoder = isinstance(error, Exception) and not isinstance(error, UndecodableError)
        is_wanted = self._rest_path is not None and not self._queue.is_aborted
        return is_of_encoder and is_wanted and self._may_end()

    def _encode(self, encoder: VideoEncoder, item: Picture | Mark) -> None:
        if isinstance(item, Mark):
            encoder.repeat()
        else:
            encoder.encode(item)
        self._kept.forget_before(encoder.num_written)

    def _park(self, encoder: VideoEncoder) -> EncodedVideo:
        """
        Put on the disk what the encoder has taken and not written, and leave there what waits.

        It is not waited for what the codec holds back: that may take longer than there is time.
        """
        assert self._rest_path is not None
        if not self._may_end():
            raise EncoderError('given up')
        if self._lacks_frames():
            # Too large to be kept in memory; then it has to be encoded now.
            video = encoder.finish()
            num_spooled = self._queue.spill_rest()
            return replace(
                video, num_frames=video.num_frames + num_spooled, num_spooled=num_spooled
            )
        encoder.abort()
        return self._spool_all(self._rest_path)

    def _spool_all(self, path: Path) -> EncodedVideo:
        num_frames = self._spool_kept(path).finish().num_frames + self._queue.spill_rest()
        # A program has written more since the last frame; what was kept twice does no harm.
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
        Keep on the disk what an encoder that failed has not written, and all that comes.

        :raise BaseException: the encoder's, if the disk does not take them
        """
        assert self._rest_path is not None
        _log.error(
            'encoder of %s: %s; what it has not written goes to the disk, and is encoded later',
            self._video_key,
            error,
        )
        try:
            first, rest = self._kept.first, self._spool_kept(self._rest_path)
            # All of it goes to one file, what was spilled as well.
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
