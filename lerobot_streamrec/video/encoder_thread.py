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
import threading
from typing import Any, Protocol

from lerobot_streamrec.errors import BrokenEncoderError, EncoderError
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.video.frame_queue import FrameQueue, Mark, QueueStatistics
from lerobot_streamrec.video.mp4_encoder import EncodedVideo
from lerobot_streamrec.video.real_time import give_way, renounce_real_time
from lerobot_streamrec.video.spool import Spool

SPILL_THREAD = 'spill'


class VideoEncoder(Protocol):
    """What encodes: Mp4Encoder, or a chain that ends with one, or a fake in tests."""

    def encode(self, picture: Any) -> None:
        """Encode a picture as the next frame; which kinds it takes is its own affair."""

    def repeat(self) -> None:
        """Encode the last picture once more."""

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
    """

    def __init__(
        self,
        video_key: str,
        open_encoder: Callable[[], VideoEncoder],
        *,
        max_queue_bytes: int,
        spool: Spool | None = None,
        max_spool_bytes: int = 0,
    ) -> None:
        self._video_key = video_key
        self._open_encoder = open_encoder
        self._queue = FrameQueue(
            max_queue_bytes,
            spool,
            max_spool_bytes=max_spool_bytes,
            name=f'{SPILL_THREAD}:{video_key}',
        )
        self._num_encoded = 0
        self._result: Future[EncodedVideo] = Future()
        self._thread = threading.Thread(target=self._run, name=f'enc:{video_key}', daemon=False)
        self._thread.start()

    def push(self, picture: Picture) -> bool:
        """Encode a picture as the next frame; False if it became a repeat (queue full)."""
        return self._queue.push(picture)

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
        there is no spool.
        """
        self._queue.park()

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
            broken = BrokenEncoderError(f'encoder of {self._video_key}: {error}')
            broken.__cause__ = error
            # Frees what waits; later pushes fall into an aborted queue.
            self._queue.release()
            self._result.set_exception(broken)
        else:
            self._queue.release()
            self._result.set_result(video)

    def _encode_all(self) -> EncodedVideo:
        encoder = self._open_encoder()
        try:
            while (item := self._queue.pop()) is not Mark.END:
                if item is Mark.ABORT:
                    raise EncoderError('aborted')
                if item is Mark.PARK:
                    return self._park(encoder)
                if item is Mark.REPEAT:
                    encoder.repeat()
                else:
                    encoder.encode(item)
                self._num_encoded += 1
            return encoder.finish()
        except BaseException:
            encoder.abort()
            raise

    def _park(self, encoder: VideoEncoder) -> EncodedVideo:
        if self._num_encoded:
            video = encoder.finish()
        else:
            # There is nothing to make a file of.
            encoder.abort()
            video = EncodedVideo()
        num_spooled = self._queue.spill_rest()
        return replace(
            video, num_frames=video.num_frames + num_spooled, num_spooled=num_spooled
        )
