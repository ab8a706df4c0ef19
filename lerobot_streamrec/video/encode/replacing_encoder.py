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
"""An encoder that encodes a video again and then continues it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from av.video.frame import VideoFrame
from lerobot_streamrec.errors import EncoderError
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.encode.mp4_encoder import EncodedVideo, FileEncoder
from lerobot_streamrec.video.mp4.frame_decoder import decode_frames

# After a kill, the packets of the fragment that is still open cannot be read.
_OPEN_FRAGMENT = 32


class ReplacingEncoder:
    """
    Encodes the frames of a file again into a new file, continues that, and replaces the old one.

    The new file replaces the old one as soon as it holds more frames. A kill at any time leaves
    the longer of the two at the path. Owned by one thread.

    :param path: a closed MP4; it may be missing if ``num_frames`` is 0
    :param open_encoder: opens an encoder of the same codec that writes to the given path
    :param fps: frames per second of both files
    :param num_frames: number of frames of the old file, from the first on, to encode again
    :param num_there: number of frames in the old file
    :param on_again: called for each frame that was encoded again
    :raise EncoderError: if fewer than ``num_frames`` frames can be decoded, or the encoder fails
    """

    def __init__(
        self,
        path: Path,
        open_encoder: Callable[[Path], FileEncoder],
        *,
        fps: int,
        num_frames: int,
        num_there: int,
        on_again: Callable[[], None] = lambda: None,
    ) -> None:
        self._path = path
        self._num_there = num_there
        self._is_placed = False
        self._encoder = open_encoder(path.with_name(f'{path.stem}.again{path.suffix}'))
        try:
            for frame in _frames(path, fps, num_frames):
                self._encoder.encode(frame)
                on_again()
            if self._encoder.num_frames != num_frames:
                missing = num_frames - self._encoder.num_frames
                raise EncoderError(
                    f'{path}: the last {missing} of {num_frames} frames cannot be decoded, and so '
                    f'not be encoded again'
                )
        except BaseException:
            self._encoder.abort()
            raise

    @property
    def num_frames(self) -> int:
        """The number of frames given to the codec so far, including those of the old file."""
        return self._encoder.num_frames

    @property
    def num_written(self) -> int:
        """The number of frames in the file at the path, be it the old or the new one."""
        return self._encoder.num_written if self._is_placed else self._num_there

    def move(self, path: Path) -> None:
        """
        Rename the file at the path, be it the old or the new one, while the new one grows.

        :raise OSError: if there is no file yet
        """
        if self._is_placed:
            self._encoder.move(path)
            self._path = path
        else:
            self._path = self._path.replace(path)

    def encode(self, picture: Frame | VideoFrame) -> None:
        """Encode a picture as the next frame."""
        self._encoder.encode(picture)
        self._place()

    def repeat(self) -> None:
        """Encode the last picture once more."""
        self._encoder.repeat()
        self._place()

    def _place(self) -> None:
        """Replace the old file once the new one holds more frames."""
        if not self._is_placed and self._encoder.num_written > self._num_there + _OPEN_FRAGMENT:
            self._encoder.move(self._path)
            self._is_placed = True

    def finish(self) -> EncodedVideo:
        """
        Close the new file, let it replace the old one, and return its description.

        :raise EncoderError: if not all frames are in the new file; the old one then stays in place
        """
        video = self._encoder.finish()
        assert video.path is not None
        video.path.replace(self._path)
        return replace(video, path=self._path)

    def abort(self) -> None:
        """Close the new file as it is. Never raises."""
        self._encoder.abort()


def _frames(path: Path, fps: int, num_frames: int) -> Iterator[VideoFrame]:
    """Yield the first num_frames frames, or those before a broken or misplaced one."""
    if not num_frames:
        return
    for index, frame in enumerate(decode_frames(path)):
        if frame.time is None or round(frame.time * fps) != index:
            return
        yield frame
        if index + 1 == num_frames:
            return
