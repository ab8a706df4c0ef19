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
"""One camera's episode into one MP4 file, encoded by an ffmpeg program."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from av.video.frame import VideoFrame
from lerobot_streamrec.errors import EncoderError
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.video.codecs.frame_scaler import FrameScaler
from lerobot_streamrec.video.codecs.raw_planes import raw_planes
from lerobot_streamrec.video.encode.ffmpeg_command import encoder_command
from lerobot_streamrec.video.encode.ffmpeg_output import FfmpegOutput
from lerobot_streamrec.video.encode.ffmpeg_process import FfmpegProcess
from lerobot_streamrec.video.encode.mp4_encoder import EncodedVideo


class FfmpegEncoder:
    """
    Encodes frames 0, 1, 2, ... at ``k / fps``, one for each call of ``encode`` or ``repeat``.

    Pictures are scaled here, as they are for every encoder, and the file is written here: the
    program only makes packets of raw frames. Owned by one thread.

    :param path: file to make with the first packet; its folder exists
    :param config: encoder settings of the backend ffmpeg, checked before
    :param fps: frames per second
    :param width: of every frame, in pixels
    :param height: of every frame, in pixels
    :raise EncoderProcessError: if the program cannot be started
    """

    def __init__(
        self, path: Path, config: EncoderConfig, *, fps: int, width: int, height: int
    ) -> None:
        self._path = path
        self._scaler = FrameScaler(config.pix_fmt)
        self._num_frames = 0
        self._last: VideoFrame | None = None
        self._process = FfmpegProcess(
            encoder_command(config, fps=fps, width=width, height=height),
            stall_timeout_s=config.ffmpeg.stall_timeout_s,
            name=path.stem,
        )
        self._output = FfmpegOutput(self._process, path, fps)

    @property
    def num_frames(self) -> int:
        """Frames given to the program so far."""
        return self._num_frames

    @property
    def num_written(self) -> int:
        """Frames that stand in the file; the program holds back the others."""
        return self._output.num_written

    def move(self, path: Path) -> None:
        """
        Rename the file while it grows.

        :raise OSError: if there is none yet, because the program holds all frames back
        """
        self._path = self._path.replace(path)

    def encode(self, picture: Frame | VideoFrame) -> None:
        """
        Encode a picture as the next frame; waits while the program is at work on others.

        :param picture: as the camera sent it, or as libav decoded it
        :raise EncoderProcessError: if the program has ended, or does nothing for too long
        :raise av.FFmpegError: whatever the disk says
        """
        self._last = self._scaler.scale(picture)
        self._write_last()

    def repeat(self) -> None:
        """
        Encode the last picture once more as the next frame.

        :raise EncoderError: if there was none, and as ``encode`` does
        """
        if self._last is None:
            raise EncoderError('there is no frame to repeat')
        self._write_last()

    def _write_last(self) -> None:
        assert self._last is not None
        self._output.raise_error()
        for plane in raw_planes(self._last):
            self._process.write(plane)
        self._num_frames += 1

    def finish(self) -> EncodedVideo:
        """
        Wait for what the program still holds, and close the file.

        :raise EncoderError: if there was no frame, or the program fails, or did not return a
            packet for each
        """
        if not self._num_frames:
            self.abort()
            raise EncoderError(f'{self._path}: there was no frame to encode')
        self._process.end_input()
        self._output.wait()
        self._output.raise_error()
        self._process.refuse_failure()
        num_given = self._output.num_given
        if num_given != self._num_frames:
            raise self._process.error(
                f'{self._path}: the program made {num_given} packets of {self._num_frames} frames'
            )
        self._output.finish()
        self._process.close()
        return EncodedVideo(self._path, self._num_frames, self._path.stat().st_size)

    def abort(self) -> None:
        """Kill the program and close the file as it is; never raises. Idempotent."""
        with suppress(OSError):
            self._process.kill()
        self._output.abort()
        self._process.close()
