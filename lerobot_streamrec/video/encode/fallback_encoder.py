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
"""An encoder that may fail, and a second one that replaces it without losing a frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
import errno
import logging
from pathlib import Path

import av
from av.video.frame import VideoFrame
from lerobot_streamrec.durable import is_disk_full
from lerobot_streamrec.errors import EncoderError, EncoderProcessError
from lerobot_streamrec.video.codecs.config import EncoderConfig, VideoSpec
from lerobot_streamrec.video.encode.ffmpeg_encoder import open_file_encoder
from lerobot_streamrec.video.encode.mp4_encoder import (
    EncodedVideo,
    EncoderAccount,
    FileEncoder,
    ScalingEncoder,
)
from lerobot_streamrec.video.encode.replacing_encoder import ReplacingEncoder

_log = logging.getLogger(__name__)

# A failing device may damage the last packets that it writes, so their frames are kept as well.
_NUM_IN_DOUBT = 8

# No codec holds back this many frames (docs/encoding.md): the encoder takes frames and writes
# nothing.
_MAX_HELD_BACK = 256

# Disk errors, apart from a full disk, that the second encoder would meet as well.
_OF_THE_DISK = (errno.EROFS, errno.EFBIG)

_FAILURES = (EncoderError, av.FFmpegError, OSError, ValueError)


def open_with_fallback(
    path: Path,
    config: EncoderConfig,
    spec: VideoSpec,
    account: EncoderAccount,
) -> FileEncoder:
    """
    Open an encoder for a video, with a fallback if its settings allow one.

    A software codec in this process fails only when memory or disk run out, and a second attempt
    would fail in the same way. It gets no fallback and keeps no frames for one.

    :param path: file to create; its folder exists
    :param config: encoder settings, already checked
    :param spec: size and rate of the video
    :param account: records a failure
    :raise EncoderError: if no encoder can be opened
    """

    def choice(settings: EncoderConfig) -> EncoderChoice:
        return EncoderChoice(settings, lambda target: open_file_encoder(target, settings, spec))

    first, second = choice(config), choice(config.in_software())
    if first.config == second.config:
        return first.open(path)
    return FallbackEncoder(path, first, second, fps=spec.fps, account=account)


@dataclass(frozen=True, slots=True)
class EncoderChoice:
    """
    One of the two encoders.

    :param config: its settings
    :param open: opens the encoder, which writes to the given path
    """

    config: EncoderConfig
    open: Callable[[Path], FileEncoder]


class FallbackEncoder(ScalingEncoder):
    """
    Encodes with the first encoder until it fails, then with the second; no frame is lost.

    The frames that the first encoder has not written yet stay in memory, in the codec's pixel
    format: those that the codec holds back (docs/encoding.md) and a few more. Each takes 0.5 MB at
    640x480 and 3 MB at 1920x1080. After a failure, the second encoder writes a new file beside the
    first one: it encodes the decoded frames of the first file, then the frames in memory, then all
    later ones. Owned by one thread.

    :param path: file to create
    :param first: encoder that may fail at any time, even when it is opened
    :param second: encoder that makes a video of the same codec
    :param fps: frames per second
    :param account: records a failure
    """

    def __init__(
        self,
        path: Path,
        first: EncoderChoice,
        second: EncoderChoice,
        *,
        fps: int,
        account: EncoderAccount,
    ) -> None:
        super().__init__(path, first.config.pix_fmt)
        self._first = first
        self._second = second
        self._fps = fps
        self._account = account
        self._kept: deque[VideoFrame] = deque()
        self._failure: Exception | None = None
        self._encoder: FileEncoder
        try:
            self._encoder = first.open(path)
        except _FAILURES as error:
            self._go_on_after(error, 'cannot be opened', None)

    @property
    def num_written(self) -> int:
        """The number of frames in the file; codecs hold back the others."""
        return self._encoder.num_written

    def move(self, path: Path) -> None:
        """Rename the file while it grows; an OSError says that it does not exist yet."""
        self._encoder.move(path)
        self._path = path

    def _encode_frame(self, frame: VideoFrame) -> None:
        self.num_frames += 1
        if self._failure is not None:
            with self._both_reasons():
                self._encoder.encode(frame)
            return
        self._kept.append(frame)
        try:
            self._encoder.encode(frame)
            self._forget_written()
        except _FAILURES as error:
            what = f'failed at frame {self.num_frames - 1}'
            self._go_on_after(error, what, self._encoder)

    def _forget_written(self) -> None:
        held_back = self.num_frames - self._encoder.num_written
        while len(self._kept) > held_back + _NUM_IN_DOUBT:
            self._kept.popleft()
        if held_back > _MAX_HELD_BACK:
            raise EncoderError(
                f'it took {self.num_frames} frames and wrote none of the last {held_back}'
            )

    def finish(self) -> EncodedVideo:
        """
        Close the file and return its description.

        :raise EncoderError: if there was no frame, or both encoders fail
        """
        if self._failure is None:
            try:
                return self._encoder.finish()
            except _FAILURES as error:
                if not self.num_frames:
                    raise
                self._go_on_after(error, 'failed at the end of the video', self._encoder)
        with self._both_reasons():
            video = self._encoder.finish()
        info = self._second.config.as_info()
        return replace(video, encoder_info=info, trouble=self._account.trouble)

    def abort(self) -> None:
        """Close the file as it is. Never raises."""
        self._encoder.abort()

    def _go_on_after(self, error: Exception, what: str, first: FileEncoder | None) -> None:
        """
        Open the second encoder, and encode all frames so far with it.

        :param error: error of the first encoder
        :param what: description of its failure, as the predicate of a sentence
        :param first: the first encoder; None if it could not be opened
        :raise EncoderError: if the second encoder fails as well
        """
        if is_disk_full(error) or getattr(error, 'errno', None) in _OF_THE_DISK:
            raise error
        self._failure = error
        num_there = 0
        if first is not None:
            first.abort()
            # More packets of a program that died may have arrived since the last frame.
            num_there = first.num_written
        num_again = self.num_frames - len(self._kept)
        self._account.trouble = self._sentence(error, what, num_again)
        _log.warning('%s: %s: %s', self._path.stem, self._account.trouble, error)
        with self._both_reasons():
            self._encoder = ReplacingEncoder(
                self._path,
                self._second.open,
                fps=self._fps,
                num_frames=num_again,
                num_there=num_there,
                on_again=self._count_again,
            )
            while self._kept:
                self._encoder.encode(self._kept.popleft())

    def _count_again(self) -> None:
        self._account.num_again += 1

    def _sentence(self, error: Exception, what: str, num_again: int) -> str:
        reason = error.reason if isinstance(error, EncoderProcessError) else str(error)
        twice = f'frames 0 to {num_again - 1} were encoded twice, ' if num_again else ''
        return (
            f'{_named(self._first)} {what} ({reason}); {twice}'
            f'{"the rest" if num_again else "all frames"} with {_named(self._second)}'
        )

    @contextmanager
    def _both_reasons(self) -> Iterator[None]:
        try:
            yield
        except _FAILURES as error:
            raise EncoderError(
                f'{_named(self._second)}: {error}; it had replaced {_named(self._first)}, which '
                f'had failed: {self._failure}'
            ) from error


def _named(choice: EncoderChoice) -> str:
    return f'{choice.config.vcodec} (backend {choice.config.backend})'
