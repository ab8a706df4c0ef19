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
"""Extraction of a video's frames as PNG files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
import math
from pathlib import Path
from typing import Any

import av
from lerobot_streamrec.durable import folder_written_beside
from lerobot_streamrec.errors import ConfigError, VideoError
from lerobot_streamrec.frame import DepthFrame, MILLIMETRES, Picture
from lerobot_streamrec.video.codecs.depth_config import depth_of_codes, DepthConfig
from lerobot_streamrec.video.codecs.pixels import rgb_pixels
from lerobot_streamrec.video.encode.decoders import decoded
from lerobot_streamrec.video.mp4.frame_decoder import Pixels, PyavDecoder
from lerobot_streamrec.video.mp4.packet_index import TOLERANCE_S
from lerobot_streamrec.video.tools.encoding_jobs import Progress
from lerobot_streamrec.video.tools.thumbnail import grey_of_depth
import numpy as np
import numpy.typing as npt


def png_file(picture: Picture) -> bytes:
    """
    Return an image as a PNG, with the colours that a dataset shows; depth in shades of gray.

    :param picture: an image of any kind that encoders accept
    :raise UndecodableError: if the image is compressed and damaged
    """
    shown = decoded(picture)
    if isinstance(shown, DepthFrame):
        return png_of_pixels(grey_of_depth(shown.values), 'gray')
    return png_of_pixels(rgb_pixels(shown), 'rgb24')


def png_of_pixels(pixels: npt.NDArray[Any], pix_fmt: str) -> bytes:
    """
    Return pixels as a PNG.

    :param pixels: ``(h, w, 3)`` uint8, ``(h, w)`` uint8, or ``(h, w)`` uint16
    :param pix_fmt: FFmpeg's pixel format of these: ``rgb24``, ``gray`` or ``gray16be``
    """
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=pix_fmt)
    context = av.CodecContext.create('png', 'w')
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height = frame.width, frame.height
    context.pix_fmt = pix_fmt
    context.time_base = Fraction(1, 1)
    return b''.join(bytes(packet) for packet in (*context.encode(frame), *context.encode(None)))


@dataclass(frozen=True, slots=True)
class Choice:
    """
    The choice of frames to extract.

    :param every: distance of the chosen frames, beginning with the first one; 1 for all
    :param start_s: first instant of the choice, in seconds; None for the beginning
    :param end_s: instant before which all chosen frames are, in seconds; None for the end
    :raise ConfigError: at construction, if a value is not allowed
    """

    every: int = 1
    start_s: float | None = None
    end_s: float | None = None

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ConfigError('every', self.every, 'allowed are 1, 2 ...; 1 takes every frame')
        for name, value in (('start_s', self.start_s), ('end_s', self.end_s)):
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ConfigError(name, value, 'give 0 or more seconds into the video')
        if self.end_s is not None and self.end_s <= (self.start_s or 0):
            allowed = f'it must be after the start ({self.start_s or 0:g} s)'
            raise ConfigError('end_s', self.end_s, allowed)


@dataclass(frozen=True, slots=True)
class Episode:
    """
    The part of a video file that belongs to an episode.

    :param path: path of the video
    :param begin_s: instant of the first frame in the file, in seconds
    :param end_s: instant in the file before which all frames are, in seconds; None for its end
    :param depth: meaning of the depth codes
    """

    path: Path
    begin_s: Fraction = Fraction(0)
    end_s: Fraction | None = None
    depth: DepthConfig = field(default_factory=DepthConfig)


def extract_frames(
    path: Path,
    folder: Path,
    choice: Choice | None = None,
    *,
    depth: DepthConfig | None = None,
    progress: Progress | None = None,
) -> int:
    """
    Write frames of a file as ``frame-000012.png``, named by their numbers in the file.

    Colours have 8 bits; depth has 16 bits, in millimetres. A failure leaves nothing behind.

    :param path: path of a video
    :param folder: an empty or absent folder, which appears together with all its files
    :param choice: frames to write; None for all
    :param depth: meaning of the depth codes; None for LeRobot's defaults
    :param progress: called with the number of frames done and in all
    :return: number of written frames
    :raise VideoError: if the file cannot be read or has no such frame, or if the folder is not
        empty or cannot be written
    """
    with folder_written_beside(folder) as part:
        episode = Episode(path, depth=depth or DepthConfig())
        return write_frames(episode, part, choice or Choice(), progress or (lambda *_: None))


def write_frames(episode: Episode, folder: Path, choice: Choice, progress: Progress) -> int:
    """
    Write frames into an existing folder, named by their numbers in the episode.

    :param progress: called with the number of frames decoded and to decode
    :return: number of written frames
    :raise VideoError: if the file cannot be read, or has no such frame
    """
    num_files = 0
    with closing(PyavDecoder(episode.path)) as decoder:
        depth = _millimetres(episode.depth) if len(decoder.shape) == 2 else None
        for number, pixels in _chosen(decoder, episode, choice, progress):
            content = (
                png_of_pixels(pixels, 'rgb24')
                if depth is None
                else png_of_pixels(depth[pixels], 'gray16be')
            )
            (folder / f'frame-{number:06d}.png').write_bytes(content)
            num_files += 1
    if not num_files:
        raise no_frame(episode.path, choice.start_s or 0, choice.end_s)
    return num_files


def depth_files(episode: Episode) -> Iterator[bytes]:
    """
    Yield the frames of a depth camera as PNG files of 16 bits, in millimetres.

    :raise VideoError: if the file cannot be read
    """
    depth = _millimetres(episode.depth)
    with closing(PyavDecoder(episode.path, is_depth=True)) as decoder:
        for _, codes in _chosen(decoder, episode, Choice(), lambda *_: None):
            yield png_of_pixels(depth[codes], 'gray16be')


def no_frame(path: Path, start_s: float | Fraction, end_s: float | Fraction | None) -> VideoError:
    """Return the error of a video without a frame in a span of seconds."""
    before = '' if end_s is None else f' and before {float(end_s):g} s'
    return VideoError(f'{path} has no frame from {float(start_s):g} s on{before}')


def _chosen(
    decoder: PyavDecoder, episode: Episode, choice: Choice, progress: Progress
) -> Iterator[tuple[int, Pixels]]:
    start_s = episode.begin_s + Fraction(choice.start_s or 0)
    ends = [] if choice.end_s is None else [episode.begin_s + Fraction(choice.end_s)]
    end_s = min([*ends, *([] if episode.end_s is None else [episode.end_s])], default=None)
    rate = decoder.rate
    until_s = decoder.duration_s if end_s is None else min(end_s, decoder.duration_s)
    total = max(1, math.ceil((until_s - start_s - TOLERANCE_S) * rate))
    last = -1
    for done, (at_s, frame) in enumerate(decoder.frames_between(start_s, end_s)):
        # If frames are not evenly spaced, their numbers only tell their order.
        last = max(last + 1, round((at_s - episode.begin_s) * rate))
        progress(min(done + 1, total), total)
        if done % choice.every == 0:
            yield last, decoder.pixels(frame)


def _millimetres(depth: DepthConfig) -> Pixels:
    return depth_of_codes(depth, MILLIMETRES).astype(np.uint16)
