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
"""A video that is encoded once more, while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from av.video.frame import VideoFrame
from lerobot_streamrec.errors import EncoderError
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.encode.mp4_encoder import EncodedVideo
from lerobot_streamrec.video.encode.open_encoder import FileEncoder
from lerobot_streamrec.video.mp4.decode_prefix import decode_frames

# Of what was written, the fragment that is not closed yet cannot be read after a kill.
_OPEN_FRAGMENT = 32


class ReplacingEncoder:
    """
    Encodes what stands in a file once more beside it, goes on from there, and takes its place.

    It takes it as soon as there is more in it: a kill at any time leaves the longer one of the two
    at the path. Owned by one thread.

    :param path: a closed MP4; need not be there if nothing of it is wanted
    :param open_encoder: makes an encoder of the same codec that writes to a path
    :param fps: frames per second of both
    :param num_frames: of its frames, from the first on, are encoded again
    :param num_there: frames that stand in it
    :param on_again: is called for each frame that was encoded again
    :raise EncoderError: if fewer frames than that can be decoded, or whatever the encoder says
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
                    f'{path}: of {num_frames} frames that were to be encoded again, the last '
                    f'{missing} cannot be decoded'
                )
        except BaseException:
            self._encoder.abort()
            raise

    @property
    def num_frames(self) -> int:
        """Frames given to the codec so far, those of the file before included."""
        return self._encoder.num_frames

    @property
    def num_written(self) -> int:
        """Frames that stand in the file at the path, whichever of the two that is."""
        return self._encoder.num_written if self._is_placed else self._num_there

    def move(self, path: Path) -> None:
        """
        Rename the file while it grows, whichever of the two it is.

        :raise OSError: if there is none yet
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
        """Take the other file's place, once there is more in this one."""
        if not self._is_placed and self._encoder.num_written > self._num_there + _OPEN_FRAGMENT:
            self._encoder.move(self._path)
            self._is_placed = True

    def finish(self) -> EncodedVideo:
        """
        Close the file and say what is in it.

        :raise EncoderError: if not all frames are in it; then the other file keeps its place
        """
        video = self._encoder.finish()
        assert video.path is not None
        video.path.replace(self._path)
        return replace(video, path=self._path)

    def abort(self) -> None:
        """Close the file as it is; never raises."""
        self._encoder.abort()


def _frames(path: Path, fps: int, num_frames: int) -> Iterator[VideoFrame]:
    """Decode so many frames, or up to the first that is broken or does not stand in its place."""
    if not num_frames:
        return
    for index, frame in enumerate(decode_frames(path)):
        if frame.time is None or round(frame.time * fps) != index:
            return
        yield frame
        if index + 1 == num_frames:
            return
