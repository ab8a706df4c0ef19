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
"""Decoding of video frames: at given instants with little work, or all that can be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from lerobot_streamrec.errors import VideoError
from lerobot_streamrec.installed import streamrec_command
from lerobot_streamrec.video.codecs.depth_config import DEPTH_PIX_FMT
from lerobot_streamrec.video.mp4.packet_index import DECODER_OPTIONS, open_video, TOLERANCE_S
import numpy as np
import numpy.typing as npt


def decode_rgb(path: Path) -> Iterator[npt.NDArray[np.uint8]]:
    """
    Yield the frames of a video up to its end or the first damaged frame.

    :param path: an MP4 file; a file that is missing or no video has no frames
    :return: frames ``(height, width, 3)`` uint8 RGB, one at a time
    """
    for frame in decode_frames(path):
        yield frame.to_ndarray(format='rgb24').astype(np.uint8, copy=False)


def decode_codes(path: Path) -> Iterator[npt.NDArray[np.uint16]]:
    """
    Yield the depth codes of a video up to its end or the first damaged frame.

    :param path: an MP4 file; a file that is missing or no video has no frames
    :return: codes ``(height, width)`` uint16, one frame at a time
    """
    for frame in decode_frames(path):
        yield frame.to_ndarray(format=DEPTH_PIX_FMT).astype(np.uint16, copy=False)


def decode_frames(path: Path) -> Iterator[av.VideoFrame]:
    """
    Yield libav's frames of a video up to its end or the first damaged frame.

    :param path: an MP4 file; a file that is missing or no video has no frames
    :return: libav's frames, one at a time
    """
    try:
        with open_video(path) as container:
            stream = container.streams.video[0]
            if stream.codec_context is None:
                # The file is cut so short that even its codec is unknown.
                return
            try:
                for packet in container.demux(stream):
                    if packet.is_corrupt:
                        break
                    yield from packet.decode()
                else:
                    return
            except av.FFmpegError:
                pass
            # Decoders with several threads still hold intact frames from before the error.
            yield from stream.codec_context.decode(None)
    except (av.FFmpegError, IndexError, OSError):
        return


RGB_PIX_FMT = 'rgb24'

# While the distance of key frames is unknown, targets up to this far are reached without a seek.
_READ_ON_S = Fraction(1, 2)

Pixels = npt.NDArray[Any]


class FrameDecoder(Protocol):
    """One open video. Owned by one thread at a time."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a frame: ``(height, width, 3)`` of colour, ``(height, width)`` of depth."""

    def read(self, times_s: Sequence[Fraction]) -> Iterator[tuple[Fraction, Pixels]]:
        """
        Yield the frame that is nearest to each instant.

        :param times_s: instants in seconds into the file, ascending; repeats are allowed
        :return: for each instant, the time at which the frame is shown, in seconds, and its pixels
        :raise VideoError: if the file cannot be decoded there
        """

    def close(self) -> None:
        """Close the file. Idempotent."""


class PyavDecoder:
    """
    Reads on from the last frame that was found, and seeks only if a key frame is nearer.

    Owned by one thread at a time. Converts colours as LeRobot's reader does.

    :param path: a video file
    :param is_depth: True if frames are depth codes; None to decide by the file's pixel format, for
        which 12-bit gray means depth
    :raise VideoError: if the file cannot be read as a video
    """

    def __init__(self, path: Path, is_depth: bool | None = None) -> None:
        self._path = path
        self._scaler = VideoReformatter()
        try:
            self._container = open_video(path)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise VideoError(f'{path} cannot be read as a video: {error}') from error
        try:
            self._open_stream(is_depth)
        except (av.FFmpegError, OSError, ValueError, LookupError, AttributeError) as error:
            self._container.close()
            raise VideoError(f'{path} cannot be read as a video: {error}') from error

    def _open_stream(self, is_depth: bool | None) -> None:
        if not self._container.streams.video:
            raise ValueError('there is no video in it')
        stream = self._container.streams.video[0]
        base = stream.time_base
        if base is None or stream.format is None:
            raise ValueError('it does not state its pixel format')
        # With frame threads, decoders need several packets before they return the first frame.
        stream.thread_type = 'SLICE'
        stream.codec_context.options = DECODER_OPTIONS
        is_depth = stream.format.name == DEPTH_PIX_FMT if is_depth is None else is_depth
        self._pix_fmt = DEPTH_PIX_FMT if is_depth else RGB_PIX_FMT
        self._size = (stream.height, stream.width)
        self._stream = stream
        self._time_base = Fraction(base.numerator, base.denominator)
        self._begin_dts: int | None = None
        self._last_key: int | None = None
        self._key_distance: int | None = None
        self._before: VideoFrame | None = None
        self._next: VideoFrame | None = None
        self._frames: Iterator[VideoFrame] = iter(())
        self._start()
        self._begin_dts = self._landed

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a frame: ``(height, width, 3)`` of colour, ``(height, width)`` of depth."""
        return self._size if self._pix_fmt == DEPTH_PIX_FMT else (*self._size, 3)

    @property
    def time_base(self) -> Fraction:
        """The unit of a frame's ``pts``, in seconds."""
        return self._time_base

    @property
    def rate(self) -> Fraction:
        """The number of frames per second; 1 if the file does not state it."""
        rate = self._stream.base_rate or self._stream.average_rate
        return Fraction(rate.numerator, rate.denominator) if rate else Fraction(1)

    @property
    def duration_s(self) -> Fraction:
        """The duration of the video; 0 if the file does not state it."""
        return (self._stream.duration or 0) * self._time_base

    def pixels(self, frame: VideoFrame) -> Pixels:
        """
        Convert a frame of this decoder to pixels.

        :return: array of this decoder's ``shape``: uint8 RGB, or uint16 depth codes
        :raise VideoError: if the size of the frame differs from that in the file's header
        """
        if (frame.height, frame.width) != self._size:
            raise VideoError(f'{self._path} has frames of several sizes')
        return self._scaler.reformat(frame, format=self._pix_fmt).to_ndarray()

    def read(self, times_s: Sequence[Fraction]) -> Iterator[tuple[Fraction, Pixels]]:
        """
        Yield the frame that is nearest to each instant.

        :param times_s: instants in seconds into the file, ascending; repeats are allowed
        :return: for each instant, the time at which the frame is shown, in seconds, and its pixels
        :raise VideoError: if the file cannot be decoded there
        """
        last: VideoFrame | None = None
        pixels: Pixels = np.empty(0)
        for time_s in times_s:
            frame = self._nearest(time_s)
            if frame is not last:
                pixels, last = self.pixels(frame), frame
            assert frame.pts is not None
            yield frame.pts * self._time_base, pixels

    def key_frame(self, time_s: Fraction, begin_s: Fraction) -> VideoFrame:
        """
        Decode the last key frame up to an instant, which costs one frame.

        :param time_s: the instant, in seconds into the file
        :param begin_s: the earliest instant of interest; if the key frame is before it, the frame
            nearest to ``time_s`` is decoded instead
        :return: libav's frame
        :raise VideoError: if the file cannot be decoded there
        """
        self._seek(round(time_s / self._time_base))
        frame = self._next
        if frame is None or _pts(frame) * self._time_base < begin_s - TOLERANCE_S:
            return self._nearest(time_s)
        return frame

    def frames_from(self, time_s: Fraction) -> Iterator[VideoFrame]:
        """
        Decode from an instant to the end of the file.

        :return: libav's frames; the first one is the nearest to ``time_s``
        :raise VideoError: if the file cannot be decoded there
        """
        frame: VideoFrame | None = self._nearest(time_s)
        if frame is self._before:
            assert frame is not None
            yield frame
            frame = self._next
        while frame is not None:
            yield frame
            frame = self._advance()

    def frames_between(
        self, start_s: Fraction, end_s: Fraction | None
    ) -> Iterator[tuple[Fraction, VideoFrame]]:
        """
        Decode the frames of ``[start_s, end_s)``, with the tolerance at both bounds.

        A frame that is early by no more than the tolerance counts as on time.

        :param start_s: begin in seconds into the file
        :param end_s: end in seconds into the file; None for the end of the file
        :return: times in seconds and libav's frames
        :raise VideoError: if the file cannot be decoded there
        """
        for frame in self.frames_from(start_s):
            at_s = _pts(frame) * self._time_base
            if at_s < start_s - TOLERANCE_S:
                continue
            if end_s is not None and at_s > end_s - TOLERANCE_S:
                return
            yield at_s, frame

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._before = self._next = None
        # The generator refers to this object. Unless it is dropped, the codec and its threads live
        # until the garbage collector runs.
        self._frames = iter(())
        self._container.close()

    def _nearest(self, time_s: Fraction) -> VideoFrame:
        # Rounding to ticks: a tiny float error must not cost a seek to the key frame before.
        goal = round(time_s / self._time_base)
        if not self._is_near(goal):
            self._seek(goal)
        while self._next is not None and _pts(self._next) < goal:
            self._advance()
        before, after = self._before, self._next
        found = after or before
        if before is not None and after is not None and goal - _pts(before) <= _pts(after) - goal:
            found = before
        if found is None:
            raise VideoError(
                f'{self._path} has no frame that decodes near {float(time_s):.6f} s; '
                f'`{streamrec_command("probe", self._path)}` shows whether the file was cut off'
            )
        return found

    def _is_near(self, goal: int) -> bool:
        """Return True if reading on reaches the frame no later than a seek would."""
        known = self._before or self._next
        if known is None:
            return False
        if goal < _pts(known):
            return self._landed == self._begin_dts and self._before is None
        far = self._key_distance or _READ_ON_S / self._time_base
        return self._next is None or goal - _pts(self._next) <= far

    def _seek(self, goal: int) -> None:
        """
        Begin decoding at the last key frame before an instant.

        A frame that is shown before the key frame which it follows in the file cannot be decoded
        from there; the search then goes on at the previous key frame.
        """
        target = goal
        while True:
            try:
                self._container.seek(max(0, target), stream=self._stream)
                self._start()
            except (av.FFmpegError, OSError, ValueError) as error:
                raise self._broken(error) from error
            if self._next is not None and _pts(self._next) <= goal:
                return
            landed = self._landed
            if landed is None or landed == self._begin_dts or target <= 0:
                return
            target = min(landed, target) - 1

    def _start(self) -> None:
        """Decode the first frame at the present position."""
        self._landed: int | None = None
        self._last_key = None
        self._before = None
        self._frames = self._decode()
        self._next = next(self._frames, None)

    def _advance(self) -> VideoFrame | None:
        try:
            following = next(self._frames, None)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._broken(error) from error
        self._before, self._next = self._next, following
        return following

    def _decode(self) -> Iterator[VideoFrame]:
        for packet in self._container.demux(self._stream):
            if packet.size:
                if packet.is_corrupt:
                    raise ValueError('a packet is cut off')
                self._note(packet)
            for frame in packet.decode():
                if frame.is_corrupt or frame.pts is None:
                    raise ValueError('a frame is damaged')
                yield frame

    def _note(self, packet: av.Packet[av.VideoStream]) -> None:
        """Note where reading began, and the largest distance of key frames."""
        at = packet.dts if packet.dts is not None else packet.pts
        if self._landed is None:
            self._landed = at
        if packet.is_keyframe and packet.pts is not None:
            if self._last_key is not None:
                distance = packet.pts - self._last_key
                self._key_distance = max(self._key_distance or 0, distance)
            self._last_key = packet.pts

    def _broken(self, error: Exception) -> VideoError:
        last = self._before or self._next
        after = '' if last is None else f' after {float(_pts(last) * self._time_base):.6f} s'
        return VideoError(f'{self._path} cannot be decoded{after}: {error}')


def _pts(frame: VideoFrame) -> int:
    assert frame.pts is not None
    return frame.pts
