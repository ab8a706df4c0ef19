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
"""A few small frames of an episode's video, side by side in one JPEG."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from lerobot_streamrec.errors import VideoError
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.mp4.damage_scan import decode_picture
from lerobot_streamrec.video.mp4.frame_decoder import PyavDecoder, RGB_PIX_FMT
from lerobot_streamrec.video.tools.extract import Episode
from lerobot_streamrec.video.tools.thumbnail import grey_of_depth, jpeg_of
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class ContactSheet:
    """
    Frames of one camera, spread over an episode.

    :param times_s: instants of the frames in the episode, in seconds
    :param frames: the frames, ``(n, height, width, 3)`` uint8 RGB; depth in shades of gray, as
        ``grey_of_depth`` shows it
    :param is_depth: True if the frames are depth
    """

    times_s: tuple[float, ...]
    frames: Pixels
    is_depth: bool

    def jpeg(self) -> bytes:
        """Return all frames, side by side, as one JPEG."""
        pixels = np.ascontiguousarray(np.concatenate(list(self.frames), axis=1))
        return jpeg_of(Frame(pixels, 'rgb24'), pixels.shape[1])


def contact_sheet(
    episode: Episode, length_s: Fraction, num_frames: int, width: int
) -> ContactSheet:
    """
    Decode key frames that are spread evenly over an episode.

    Where key frames are farther apart than that, the frames between them are decoded.

    :param episode: the part of a video file that belongs to the episode
    :param length_s: length of the episode, in seconds
    :param num_frames: number of frames, 1 or more
    :param width: width of a frame, in pixels; an even number
    :raise VideoError: if the video cannot be decoded there
    """
    times_s, frames, last_pts = [], [], -1
    with closing(PyavDecoder(episode.path)) as decoder:
        scaler, is_depth = VideoReformatter(), len(decoder.shape) == 2
        for place in range(num_frames):
            at_s = episode.begin_s + length_s * Fraction(2 * place + 1, 2 * num_frames)
            frame = decoder.key_frame(at_s, episode.begin_s)
            if frame.pts is not None and frame.pts <= last_pts:
                # Two times the same frame would look like a camera that stands still.
                frame = next(decoder.frames_from(at_s))
            assert frame.pts is not None
            last_pts = frame.pts
            times_s.append(max(0.0, float(frame.pts * decoder.time_base - episode.begin_s)))
            frames.append(
                _small_depth(decoder.pixels(frame), width)
                if is_depth
                else _small_colours(frame, width, scaler)
            )
    stacked = _stacked(frames, episode.path)
    if is_depth:
        # One scale for all frames, so that a camera that goes away from a wall shows a change.
        stacked = np.repeat(grey_of_depth(stacked)[..., None], 3, axis=3)
    return ContactSheet(tuple(times_s), stacked, is_depth)


def sheet_of_files(files: Sequence[bytes], times_s: Sequence[float], width: int) -> ContactSheet:
    """
    Make a contact sheet of picture files.

    :param files: one or more pictures, such as PNG files
    :param times_s: their instants in the episode, in seconds
    :param width: width of a frame, in pixels; an even number
    :raise DatasetCorruptError: if a picture cannot be decoded
    :raise VideoError: if the pictures have several sizes
    """
    scaler = VideoReformatter()
    frames = [_small_colours(decode_picture(one), width, scaler) for one in files]
    return ContactSheet(tuple(times_s), _stacked(frames, 'an episode'), is_depth=False)


def _stacked(frames: Sequence[npt.NDArray[Any]], what: object) -> npt.NDArray[Any]:
    if len({one.shape for one in frames}) > 1:
        raise VideoError(f'{what} has frames of several sizes')
    return np.stack(frames)


def _height_for(shape: Sequence[int], width: int) -> int:
    return max(2, 2 * round(shape[0] * width / shape[1] / 2))


def _small_colours(frame: VideoFrame, width: int, scaler: VideoReformatter) -> Pixels:
    height = _height_for((frame.height, frame.width), width)
    small = scaler.reformat(frame, width, height, RGB_PIX_FMT, interpolation='AREA')
    return small.to_ndarray().astype(np.uint8, copy=False)


def _small_depth(codes: npt.NDArray[np.uint16], width: int) -> npt.NDArray[np.uint16]:
    height = _height_for(codes.shape, width)
    rows = np.arange(height) * codes.shape[0] // height
    columns = np.arange(width) * codes.shape[1] // width
    small: npt.NDArray[np.uint16] = codes[rows][:, columns]
    return small
