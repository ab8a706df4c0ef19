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
"""The red, green and blue of a frame, whatever its pixel format."""

from __future__ import annotations

from lerobot_streamrec.frame import Frame
import numpy as np
import numpy.typing as npt

_CHANNELS = {
    'rgb24': (0, 1, 2),
    'bgr24': (2, 1, 0),
    'rgba': (0, 1, 2),
    'bgra': (2, 1, 0),
    'gray': (0, 0, 0),
}

PIX_FMTS = tuple(_CHANNELS)
"""Pixel formats that a frame may have."""


def rgb_pixels(frame: Frame, stride: int = 1) -> npt.NDArray[np.uint8]:
    """
    Return every stride-th pixel in both directions.

    :param frame: a picture in one of ``PIX_FMTS``
    :param stride: 1 for all pixels
    :return: ``(h, w, 3)`` uint8 RGB, a small copy
    """
    pixels = frame.pixels[::stride, ::stride].astype(np.uint8, copy=False)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    return pixels[..., list(_CHANNELS[frame.pix_fmt])]
