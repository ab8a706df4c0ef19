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
"""An encoder whose packets are sent one by one while the pictures come, instead of to a file."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import av
from av.video.frame import VideoFrame
from lerobot_streamrec.errors import CodecError, EncoderError
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.codecs.codecs import ffmpeg_encoder, live_options
from lerobot_streamrec.video.codecs.config import EncoderConfig, FFMPEG, PYAV, VideoSpec
from lerobot_streamrec.video.codecs.video_frame import FrameScaler, MATRIX_BT601, RANGE_LIMITED


class LivePacket(NamedTuple):
    """
    The packet of one picture.

    :param stamp_ns: stamp of the picture, in nanoseconds
    :param data: Annex B or OBUs; key frames come with their parameter sets
    :param is_key: True if decoding can begin here
    """

    stamp_ns: int
    data: bytes
    is_key: bool


class LiveEncoder:
    """
    Encodes pictures of one size to packets, in their order and without B frames.

    Owned by one thread.

    :param config: settings of the backend pyav; not ``auto``
    :param spec: size and rate of the pictures
    :raise CodecError: for the backend ffmpeg, whose packets come from another process
    :raise EncoderError: if the encoder cannot be opened
    """

    def __init__(self, config: EncoderConfig, spec: VideoSpec) -> None:
        if config.backend == FFMPEG:
            allowed = f'packets that are sent while pictures come need {PYAV}'
            raise CodecError('encoder.backend', FFMPEG, allowed)
        self.codec = config.codec
        """FFmpeg's name of the codec: ``h264``, ``hevc`` or ``av1``."""
        self.size = spec.width, spec.height
        """Width and height of the pictures, in pixels."""
        self._scaler = FrameScaler(config.pix_fmt)
        self._time_base = Fraction(1, spec.fps)
        self._num_frames = 0
        self._stamps_ns: dict[int, int] = {}
        try:
            self._context = self._opened(config, spec)
        except (av.FFmpegError, ValueError) as error:
            raise self._error(error) from error

    def _opened(self, config: EncoderConfig, spec: VideoSpec) -> av.VideoCodecContext:
        context = av.CodecContext.create(ffmpeg_encoder(config), 'w')
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height = self.size
        context.pix_fmt = config.pix_fmt
        context.time_base, context.framerate = self._time_base, Fraction(spec.fps)
        context.colorspace, context.color_range = MATRIX_BT601, RANGE_LIMITED
        # Without the flag GLOBAL_HEADER, which files set, parameter sets come in the packets.
        context.options = live_options(config)
        context.open()
        return context

    def encode(self, picture: Frame | VideoFrame, stamp_ns: int) -> list[LivePacket]:
        """
        Encode a picture, and return the packets that are ready: usually its own.

        :raise EncoderError: if the encoder fails
        """
        try:
            frame = self._scaler.scale(picture)
            frame.pts, frame.time_base = self._num_frames, self._time_base
            self._stamps_ns[self._num_frames] = stamp_ns
            self._num_frames += 1
            return self._packets(frame)
        except (av.FFmpegError, ValueError) as error:
            raise self._error(error) from error

    def finish(self) -> list[LivePacket]:
        """
        Return the packets that the encoder still holds.

        :raise EncoderError: if the encoder fails
        """
        try:
            return self._packets(None) if self._num_frames else []
        except av.FFmpegError as error:
            raise self._error(error) from error

    def _packets(self, frame: VideoFrame | None) -> list[LivePacket]:
        return [
            LivePacket(self._stamps_ns.pop(one.pts or 0), bytes(one), one.is_keyframe)
            for one in self._context.encode(frame)
        ]

    def _error(self, error: Exception) -> EncoderError:
        width, height = self.size
        return EncoderError(f'{self.codec} encoder of {width}x{height} pictures: {error}')
