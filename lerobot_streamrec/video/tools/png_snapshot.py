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
"""A camera's picture as a PNG file, for people to look at."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
from lerobot_streamrec.depth_frame import DepthFrame
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.video.codecs.pixels import rgb_pixels
from lerobot_streamrec.video.encode.decoders import decoded
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
