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
"""Frames of a video as PNG files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
import math
from pathlib import Path
from typing import Any

import av
from lerobot_streamrec.depth_frame import DepthFrame, MILLIMETRES
from lerobot_streamrec.durable import folder_written_beside
from lerobot_streamrec.errors import ConfigError, VideoError
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.video.codecs.depth_config import depth_of_codes, DepthConfig
from lerobot_streamrec.video.codecs.pixels import rgb_pixels
from lerobot_streamrec.video.encode.decoders import decoded
from lerobot_streamrec.video.mp4.frame_decoder import Pixels, PyavDecoder
from lerobot_streamrec.video.mp4.packet_index import TOLERANCE_S
from lerobot_streamrec.video.tools.encoding_jobs import Progress
import numpy as np
import numpy.typing as npt

# Told apart from what was not measured.
_NEAREST = 40


def png_file(picture: Picture) -> bytes:
    """
    Return a picture as a PNG, in the colours that a dataset would show; depth in shades of gray.

    :param picture: as it goes to an encoder
    :raise UndecodableError: if it is compressed and not whole
    """
    shown = decoded(picture)
    if isinstance(shown, DepthFrame):
        return png_of_pixels(_shades(shown.values), 'gray')
    return png_of_pixels(rgb_pixels(shown), 'rgb24')


def png_of_pixels(pixels: npt.NDArray[Any], pix_fmt: str) -> bytes:
    """
    Return pixels as a PNG.

    :param pixels: ``(h, w, 3)`` uint8, ``(h, w)`` uint8, or ``(h, w)`` uint16
    :param pix_fmt: FFmpeg's name of what that is: ``rgb24``, ``gray`` or ``gray16be``
    """
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=pix_fmt)
    context = av.CodecContext.create('png', 'w')
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height = frame.width, frame.height
    context.pix_fmt = pix_fmt
    context.time_base = Fraction(1, 1)
    return b''.join(bytes(packet) for packet in (*context.encode(frame), *context.encode(None)))


def _shades(depth: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Show near as dark and far as bright, and what has no depth as black."""
    depth = depth.astype(np.float32)
    is_measured = np.isfinite(depth) & (depth > 0)
    shades = np.zeros(depth.shape, np.uint8)
    if is_measured.any():
        measured = depth[is_measured]
        low, high = float(measured.min()), float(measured.max())
        share = (measured - low) / max(high - low, 1e-9)
        shades[is_measured] = np.rint(_NEAREST + share * (255 - _NEAREST))
    return shades


@dataclass(frozen=True, slots=True)
class Choice:
    """
    Which frames are wanted.

    :param every: every so many-th, the first one among them
    :param start_s: from this instant on; None: from the beginning
    :param end_s: the frames before this instant; None: all
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
                raise ConfigError(name, value, 'seconds into the video are needed, 0 or more')
        if self.end_s is not None and self.end_s <= (self.start_s or 0):
            raise ConfigError('end_s', self.end_s, 'it must be after the start')


@dataclass(frozen=True, slots=True)
class Episode:
    """
    A part of a file.

    :param path: the video
    :param begin_s: beginning of its first frame, seconds into the file
    :param end_s: its frames are those before this; None: all
    :param depth: meaning of the codes of depth
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
    Write frames of a file as ``frame-000012.png``, by their numbers in the file.

    Colours have 8 bits; depth has 16, in millimetres. Nothing is left of a failure.

    :param path: a video
    :param folder: empty or not there; it appears with all its files
    :param choice: frames to read; None: all
    :param depth: meaning of the codes of depth; None: what LeRobot's defaults say
    :param progress: is told the frames done and to do
    :return: how many there are
    :raise ConfigError: if no such frames can be chosen
    :raise VideoError: if the file cannot be read, or the folder is not empty or not to be written
    """
    with folder_written_beside(folder) as part:
        episode = Episode(path, depth=depth or DepthConfig())
        return write_frames(episode, part, choice or Choice(), progress or _tell_nobody)


def write_frames(
    episode: Episode, folder: Path, choice: Choice, progress: Progress
) -> int:
    """
    Write frames into a folder that is there, by their numbers in the episode.

    :param progress: is told the frames looked at, and those to look at
    :return: how many were written
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
        raise VideoError(
            f'{episode.path} has no frame from {choice.start_s or 0:g} s on'
            + ('' if choice.end_s is None else f' and before {choice.end_s:g} s')
        )
    return num_files


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
        # Where frames do not stand evenly, numbers tell their order and no more.
        last = max(last + 1, round((at_s - episode.begin_s) * rate))
        progress(min(done + 1, total), total)
        if done % choice.every == 0:
            yield last, decoder.pixels(frame)


def _millimetres(depth: DepthConfig) -> Pixels:
    return depth_of_codes(depth, MILLIMETRES).astype(np.uint16)


def _tell_nobody(done: int, total: int) -> None:
    """Take note of nothing."""
