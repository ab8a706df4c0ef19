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
"""Inspection of the actual content of a video or picture file, however broken it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
import struct
from typing import Any

import av
from av.video.frame import VideoFrame
from lerobot_streamrec.errors import DatasetCorruptError
from lerobot_streamrec.remote_files import opened
from lerobot_streamrec.video.codecs.depth_config import DEPTH_PIX_FMT
from lerobot_streamrec.video.mp4.packet_index import DECODER_OPTIONS, open_video
import numpy as np
import numpy.typing as npt

# The size and type of an MP4 box, and its 64-bit size if it is larger than 4 GiB.
_BOX = struct.Struct('>I4sQ')
_BOX_HEADER = 8

# Broken files make PyAV raise its own errors, and errors of missing values, such as the width of a
# stream for which it found no decoder.
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
    The properties that a video stream states.

    :param width: width in pixels
    :param height: height in pixels
    :param codec: canonical name of the codec, such as ``av1``
    :param pix_fmt: FFmpeg's name of the pixel format
    :param fps: frames per second in the stream's header; 0 if it states none
    """

    width: int
    height: int
    codec: str
    pix_fmt: str
    fps: float

    def as_info(self) -> dict[str, object]:
        """Return the entries that LeRobot stores in ``features[key]['info']``."""
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
    One frame of a video, which may have failed to decode.

    :param time_s: its time in seconds into the file; NaN if it could not be decoded
    :param frame: libav's frame; None if it could not be decoded
    """

    time_s: float
    frame: VideoFrame | None

    def rgb(self, stride: int) -> npt.NDArray[np.uint8]:
        """
        Return every stride-th pixel in both directions.

        :return: ``(h, w, 3)`` uint8 RGB
        :raise DatasetCorruptError: if libav cannot convert the frame
        """
        return self._pixels('rgb24', 'RGB')[::stride, ::stride]

    def codes(self, stride: int) -> npt.NDArray[np.uint16]:
        """
        Return every stride-th depth code in both directions.

        :return: ``(h, w)`` uint16
        :raise DatasetCorruptError: if libav cannot convert the frame
        """
        # LeRobot's reader converts to this format as well, whatever the file holds.
        return self._pixels(DEPTH_PIX_FMT, 'depth codes')[::stride, ::stride]

    def _pixels(self, pix_fmt: str, kind: str) -> npt.NDArray[Any]:
        assert self.frame is not None
        try:
            return self.frame.to_ndarray(format=pix_fmt)
        except _ERRORS as error:
            raise DatasetCorruptError(
                f'the frame at {self.time_s} s cannot be converted to {kind}: {error}'
            ) from error


def video_facts(path: Path) -> VideoFacts:
    """
    Read the properties that a file states of its video.

    :raise DatasetCorruptError: if the file cannot be read as a video
    """
    try:
        with open_video(path) as container:
            return facts_of(container.streams.video[0])
    except _ERRORS as error:
        raise DatasetCorruptError(f'it cannot be read as a video: {_reason(error)}') from error


def facts_of(stream: av.VideoStream) -> VideoFacts:
    """Return the properties that an open file states of its video."""
    return VideoFacts(
        width=stream.width,
        height=stream.height,
        codec=stream.codec_context.codec.canonical_name,
        pix_fmt=stream.format.name if stream.format else 'unknown',
        fps=float(stream.base_rate or stream.average_rate or 0),
    )


def bytes_missing(path: Path) -> int:
    """
    Return the number of bytes missing at the end of an MP4, by the sizes of its top-level boxes.

    :return: number of bytes; 0 if the file is complete, or no MP4
    :raise DatasetCorruptError: if the file cannot be read
    """
    place = 0
    try:
        size = path.stat().st_size
        with opened(path) as file:
            while place + _BOX.size <= size:
                file.seek(place)
                length, kind, large = _BOX.unpack(file.read(_BOX.size))
                if place == 0 and kind != b'ftyp':
                    return 0
                # 1: the size follows the type. 0: the box fills the rest of the file.
                length = large if length == 1 else length
                if length < _BOX_HEADER:
                    return 0
                place += length
    except (OSError, struct.error) as error:
        raise DatasetCorruptError(f'it cannot be read: {error}') from error
    return max(0, place - size)


def packet_times(path: Path) -> npt.NDArray[np.float64]:
    """
    Return the times at which the frames of a video are shown, without decoding them.

    :return: times in seconds, ascending, without those of packets that are cut off
    :raise DatasetCorruptError: if the file cannot be read as a video
    """
    times = []
    try:
        with open_video(path) as container:
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
    Decode a video from its first packet to its last, and yield broken ones without a frame.

    :raise DatasetCorruptError: if the file cannot be read as a video
    """
    try:
        with open_video(path) as container:
            stream = container.streams.video[0]
            stream.thread_type = 'AUTO'
            stream.codec_context.options = DECODER_OPTIONS
            packets = container.demux(stream)
            while True:
                try:
                    packet = next(packets, None)
                except _ERRORS:
                    # The file is cut off here; the decoder may still hold earlier frames.
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
            # The frame's own time base is unreliable: PyAV 17 loses it for a file's last frames.
            yield InspectedFrame(float(frame.pts * stream.time_base), frame)


def decode_picture(content: bytes) -> VideoFrame:
    """
    Decode a picture file, such as a PNG.

    :raise DatasetCorruptError: if the file cannot be decoded
    """
    try:
        with av.open(BytesIO(content), 'r') as container:
            stream = container.streams.video[0]
            stream.codec_context.options = DECODER_OPTIONS
            frame = next(container.decode(stream), None)
    except _ERRORS as error:
        raise DatasetCorruptError(f'it cannot be decoded: {_reason(error)}') from error
    if frame is None or frame.is_corrupt:
        raise DatasetCorruptError('it cannot be decoded: there is no complete picture in it')
    return frame


def _reason(error: BaseException) -> str:
    """Return FFmpeg's message without the path, which the reader knows."""
    text = error.strerror if isinstance(error, av.FFmpegError | OSError) else str(error)
    return text or type(error).__name__
