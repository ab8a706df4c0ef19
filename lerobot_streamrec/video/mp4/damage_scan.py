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
"""What is really in a video or a picture, however broken the file may be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
import struct

import av
from av.video.frame import VideoFrame
from lerobot_streamrec.errors import DatasetCorruptError
from lerobot_streamrec.video.codecs.depth_config import DEPTH_PIX_FMT
import numpy as np
import numpy.typing as npt

# A frame that was decoded around an error is not the frame that was recorded.
_DECODER_OPTIONS = {'err_detect': 'crccheck+bitstream+buffer+explode'}

# Size, type, and the size of a box that is larger than 4 GiB.
_BOX = struct.Struct('>I4sQ')
_BOX_HEADER = 8

# What a broken file makes PyAV raise: its own errors, and those of values that are not there,
# such as the width of a stream that no decoder was found for.
_ERRORS = (
    av.FFmpegError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    MemoryError,
)


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """
    What a video stream is.

    :param width: in pixels
    :param height: in pixels
    :param codec: canonical name, such as ``av1``
    :param pix_fmt: FFmpeg's pixel format
    :param fps: frames per second of the stream's header; 0 if it has none
    """

    width: int
    height: int
    codec: str
    pix_fmt: str
    fps: float

    def as_info(self) -> dict[str, object]:
        """Return what LeRobot stores of it in ``features[key]['info']``."""
        return {
            'video.height': self.height,
            'video.width': self.width,
            'video.codec': self.codec,
            'video.pix_fmt': self.pix_fmt,
            'video.fps': int(self.fps),
        }


@dataclass(frozen=True, slots=True)
class InspectedFrame:
    """
    One frame, decoded.

    :param time_s: its place in the file in seconds; NaN if it could not be decoded
    :param frame: None if it could not be decoded
    """

    time_s: float
    frame: VideoFrame | None

    def rgb(self, stride: int) -> npt.NDArray[np.uint8]:
        """
        Return every stride-th pixel in both directions.

        :return: ``(h, w, 3)`` uint8 RGB
        :raise DatasetCorruptError: if it cannot be had
        """
        assert self.frame is not None
        try:
            pixels = self.frame.to_ndarray(format='rgb24').astype(np.uint8, copy=False)
        except _ERRORS as error:
            raise DatasetCorruptError(f'a frame at {self.time_s} s has no RGB: {error}') from error
        return pixels[::stride, ::stride]

    def codes(self, stride: int) -> npt.NDArray[np.uint16]:
        """
        Return every stride-th code of depth in both directions.

        :return: ``(h, w)`` uint16
        :raise DatasetCorruptError: if it cannot be had
        """
        assert self.frame is not None
        try:
            # As LeRobot's reader does, whatever the file holds.
            codes = self.frame.to_ndarray(format=DEPTH_PIX_FMT).astype(np.uint16, copy=False)
        except _ERRORS as error:
            raise DatasetCorruptError(
                f'a frame at {self.time_s} s has no depth: {error}'
            ) from error
        return codes[::stride, ::stride]


def video_facts(path: Path) -> VideoFacts:
    """
    Read what a file says of its video.

    :raise DatasetCorruptError: if it cannot be read as a video
    """
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            return VideoFacts(
                width=stream.width,
                height=stream.height,
                codec=stream.codec_context.codec.canonical_name,
                pix_fmt=stream.format.name if stream.format else 'unknown',
                fps=float(stream.base_rate or stream.average_rate or 0),
            )
    except _ERRORS as error:
        raise DatasetCorruptError(f'it cannot be read as a video: {_reason(error)}') from error


def bytes_missing(path: Path) -> int:
    """
    Tell how many bytes an MP4 lacks at its end, by the sizes of its outermost boxes.

    :return: 0 if it is whole, or if it is no MP4
    :raise DatasetCorruptError: if it cannot be read
    """
    place = 0
    try:
        size = path.stat().st_size
        with path.open('rb') as file:
            while place + _BOX.size <= size:
                file.seek(place)
                length, kind, large = _BOX.unpack(file.read(_BOX.size))
                if place == 0 and kind != b'ftyp':
                    return 0
                # 1: the size follows the type; 0: the box takes the rest of the file.
                length = large if length == 1 else length
                if length < _BOX_HEADER:
                    return 0
                place += length
    except (OSError, struct.error) as error:
        raise DatasetCorruptError(f'it cannot be read: {error}') from error
    return max(0, place - size)


def packet_times(path: Path) -> npt.NDArray[np.float64]:
    """
    List when the frames of a video are shown, without decoding them.

    :return: seconds, ascending; of packets that were cut off there is none
    :raise DatasetCorruptError: if it cannot be read as a video
    """
    times = []
    try:
        with av.open(str(path)) as container:
            for packet in container.demux(video=0):
                sound = packet.size and not packet.is_corrupt and not packet.is_discard
                if sound and packet.pts is not None and packet.time_base is not None:
                    times.append(float(packet.pts * packet.time_base))
    except _ERRORS as error:
        if not times:
            raise DatasetCorruptError(f'it cannot be read as a video: {_reason(error)}') from error
    return np.sort(np.array(times, dtype=np.float64))


def inspect_frames(path: Path) -> Iterator[InspectedFrame]:
    """
    Decode a video from its first packet to its last; broken ones are yielded without a frame.

    :raise DatasetCorruptError: if it cannot be read as a video
    """
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = 'AUTO'
            stream.codec_context.options = _DECODER_OPTIONS
            packets = container.demux(stream)
            while True:
                try:
                    packet = next(packets, None)
                except _ERRORS:
                    # The file ends in the middle; the frames before it are still to come.
                    packet = None
                if packet is None:
                    yield from _decoded(stream, None)
                    return
                if packet.is_corrupt:
                    yield InspectedFrame(float('nan'), None)
                elif packet.size:
                    yield from _decoded(stream, packet)
    except _ERRORS as error:
        raise DatasetCorruptError(f'it cannot be read as a video: {_reason(error)}') from error


def _decoded(
    stream: av.VideoStream, packet: av.Packet[av.VideoStream] | None
) -> Iterator[InspectedFrame]:
    try:
        frames = stream.codec_context.decode(packet)
    except av.EOFError:
        return
    except _ERRORS:
        yield InspectedFrame(float('nan'), None)
        return
    for frame in frames:
        if frame.is_corrupt or frame.pts is None or stream.time_base is None:
            yield InspectedFrame(float('nan'), None)
        else:
            # Not by the frame's own time base: PyAV 17 forgets that of a file's last frames.
            yield InspectedFrame(float(frame.pts * stream.time_base), frame)


def decode_picture(content: bytes) -> VideoFrame:
    """
    Decode a picture file, such as a PNG.

    :raise DatasetCorruptError: if it cannot be decoded
    """
    try:
        with av.open(BytesIO(content), 'r') as container:
            stream = container.streams.video[0]
            stream.codec_context.options = _DECODER_OPTIONS
            frame = next(container.decode(stream), None)
    except _ERRORS as error:
        raise DatasetCorruptError(f'it cannot be decoded: {_reason(error)}') from error
    if frame is None or frame.is_corrupt:
        raise DatasetCorruptError('it cannot be decoded: there is no whole picture in it')
    return frame


def _reason(error: BaseException) -> str:
    """Return what FFmpeg says, without the path, which the reader knows."""
    text = error.strerror if isinstance(error, av.FFmpegError | OSError) else str(error)
    return text or type(error).__name__
