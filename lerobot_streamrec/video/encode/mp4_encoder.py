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
"""An encoder that writes one camera's episode to one MP4 file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
from av.video.frame import VideoFrame
from lerobot_streamrec.errors import EncoderError
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.codecs.codecs import codec_options, ffmpeg_encoder
from lerobot_streamrec.video.codecs.config import EncoderConfig, VideoSpec
from lerobot_streamrec.video.codecs.depth_config import DEPTH_PIX_FMT
from lerobot_streamrec.video.codecs.video_frame import FrameScaler, MATRIX_BT601, RANGE_LIMITED
from lerobot_streamrec.video.mp4.video_info import close_quietly, CONTAINER_OPTIONS

_SVT = 'libsvtav1'


@dataclass(frozen=True, slots=True)
class EncodedVideo:
    """
    A closed video file, or a video whose frames are still partly in a spool.

    :param path: the file; None if there is none yet
    :param num_frames: number of frames of the video
    :param size_bytes: size of the file, or of the spool that a ``SpoolingEncoder`` wrote
    :param num_spooled: number of frames at the end that are in a spool instead of the file
    :param num_undecodable: number of frames that repeat the frame before because the camera's
        picture could not be decoded
    :param encoder_info: the encoder's settings, as LeRobot stores them, if they differ from the
        configured ones
    :param trouble: the encoder that failed and its replacement, in a sentence; empty if none did
    """

    path: Path | None = None
    num_frames: int = 0
    size_bytes: int = 0
    num_spooled: int = 0
    num_undecodable: int = 0
    encoder_info: Mapping[str, object] | None = None
    trouble: str = ''

    @property
    def is_whole(self) -> bool:
        """True if all frames are in the file."""
        return self.path is not None and not self.num_spooled


@dataclass(slots=True)
class EncoderAccount:
    """
    Failures of one encoder. The encoder thread writes them, and any thread may read them.

    :param trouble: the encoder that failed and its replacement, in a sentence; empty if none did
    :param num_again: number of frames encoded again so far; new frames wait meanwhile
    :param num_undecodable: number of frames that repeat the frame before because the camera's
        picture is damaged
    :param undecodable: why the last pictures cannot be decoded, in a sentence; empty if they can
    """

    trouble: str = ''
    num_again: int = 0
    num_undecodable: int = 0
    undecodable: str = ''


class VideoEncoder(Protocol):
    """An encoder of frames: an Mp4Encoder, a chain that ends with one, or a fake in tests."""

    def encode(self, picture: Any) -> None:
        """Encode a picture as the next frame; see each encoder for the kinds it accepts."""

    def repeat(self) -> None:
        """Encode the last picture once more."""

    @property
    def num_written(self) -> int:
        """The number of frames in the file; codecs hold back the others."""

    def finish(self) -> EncodedVideo:
        """Close the file and return its description."""

    def abort(self) -> None:
        """Stop encoding and close the file as it is. Never raises."""


class FileEncoder(VideoEncoder, Protocol):
    """The encoder at the end of a chain, which writes the file. Owned by one thread."""

    @property
    def num_frames(self) -> int:
        """The number of frames given to the codec so far."""

    def move(self, path: Path) -> None:
        """
        Rename the file while it grows.

        :raise OSError: if it does not exist yet, because the codec holds back all frames
        """


class ScalingEncoder(ABC):
    """
    The base of encoders that scale each picture to the codec's pixel format. Owned by one thread.

    Every call of ``encode`` or ``repeat`` makes the next frame. A subclass encodes the scaled
    frame and counts it.

    :param path: file to create; its folder exists
    :param pix_fmt: FFmpeg's pixel format of the video
    """

    def __init__(self, path: Path, pix_fmt: str) -> None:
        self._path = path
        self._scaler = FrameScaler(pix_fmt)
        self.num_frames = 0
        """The number of frames given to the encoder so far."""
        self._last: VideoFrame | None = None

    def move(self, path: Path) -> None:
        """
        Rename the file while it grows.

        :raise OSError: if it does not exist yet, because the codec holds back all frames
        """
        self._path = self._path.replace(path)

    def _refuse_empty(self) -> None:
        """Close the file and raise an error if there was no frame."""
        if not self.num_frames:
            self.abort()
            raise EncoderError(f'{self._path}: there was no frame to encode')

    def encode(self, picture: Frame | VideoFrame) -> None:
        """
        Encode a picture as the next frame; wait while the encoder is busy.

        :param picture: the picture that the camera sent, or libav's frame of it
        :raise EncoderError: if the encoder fails
        :raise av.FFmpegError: if the codec or the disk fails
        """
        self._last = self._scaler.scale(picture)
        self._encode_frame(self._last)

    def repeat(self) -> None:
        """
        Encode the last picture once more as the next frame.

        :raise EncoderError: if there is no last picture, and whenever ``encode`` raises it
        """
        if self._last is None:
            raise EncoderError('there is no frame to repeat')
        self._encode_frame(self._last)

    @abstractmethod
    def _encode_frame(self, frame: VideoFrame) -> None:
        """Encode a scaled frame as the next one."""

    @abstractmethod
    def abort(self) -> None:
        """Stop encoding and close the file as it is. Never raises."""


class Mp4Encoder(ScalingEncoder):
    """
    Encodes frames 0, 1, 2, ... at ``k / fps``, one for each call of ``encode`` or ``repeat``.

    Owned by one thread. libav's scaler converts the camera's pixel format directly to the codec's.
    Depth codes are not colours and reach the codec unchanged. The first frame opens the codec, and
    the first packet creates the file.

    :param path: file to create; its folder exists
    :param config: encoder settings, already checked
    :param spec: size and rate of the video
    :raise EncoderError: if libav cannot set up the file
    :raise ValueError: if libav has no such codec
    """

    def __init__(self, path: Path, config: EncoderConfig, spec: VideoSpec) -> None:
        super().__init__(path, config.pix_fmt)
        self._fps = spec.fps
        self._num_packets = 0
        try:
            self._container = av.open(
                str(path), 'w', format='mp4', container_options=dict(CONTAINER_OPTIONS)
            )
            stream = self._container.add_stream(
                ffmpeg_encoder(config), rate=spec.fps, options=codec_options(config)
            )
        except (av.FFmpegError, OSError) as error:
            raise EncoderError(f'cannot begin {path}: {error}') from error
        assert isinstance(stream, av.VideoStream)
        self._stream = stream
        stream.width = spec.width
        stream.height = spec.height
        stream.pix_fmt = config.pix_fmt
        stream.time_base = Fraction(1, spec.fps)
        if config.pix_fmt != DEPTH_PIX_FMT:
            stream.codec_context.colorspace = MATRIX_BT601
            stream.codec_context.color_range = RANGE_LIMITED

    @property
    def num_written(self) -> int:
        """The number of frames in the file; the codec holds back the others."""
        return self._num_packets

    def _encode_frame(self, frame: VideoFrame) -> None:
        frame.pts = self.num_frames
        frame.time_base = Fraction(1, self._fps)
        self._mux(frame)
        self.num_frames += 1

    def _mux(self, frame: VideoFrame | None) -> None:
        for packet in self._stream.encode(frame):
            # Without a duration, the last frame of an AV1 file has length 0 and readers drop it.
            packet.duration = 1
            self._container.mux(packet)
            self._num_packets += 1

    def finish(self) -> EncodedVideo:
        """
        Write the packets that the codec still holds, and close the file.

        :raise EncoderError: if there was no frame, or the codec did not return one packet for each
            frame
        """
        self._refuse_empty()
        self._mux(None)
        self._container.close()
        if self._num_packets != self.num_frames:
            raise EncoderError(
                f'{self._path}: the codec returned {self._num_packets} packets '
                f'for {self.num_frames} frames'
            )
        return EncodedVideo(self._path, self.num_frames, self._path.stat().st_size)

    def abort(self) -> None:
        """Close the file as it is. Never raises. Packets that were muxed stay readable."""
        if self.num_frames and self._stream.codec_context.name == _SVT:
            # SVT-AV1 prints an error if it is closed before a flush has begun. Fetching one packet
            # is enough; the others are dropped.
            with suppress(av.FFmpegError, OSError, ValueError):
                next(iter(self._stream.codec_context.encode_lazy(None)), None)
        close_quietly(self._container)
