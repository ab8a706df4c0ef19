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
"""sensor_msgs/Image to a frame, without a copy."""

from __future__ import annotations

from typing import Any, Protocol

from lerobot_streamrec.errors import FrameShapeError, UnsupportedEncodingError
from lerobot_streamrec.frame import Frame
import numpy as np

# sensor_msgs/image_encodings.hpp to FFmpeg's pixel formats, with the bytes of a pixel. All of
# them have one byte per channel, for which is_bigendian means nothing: either value is right.
_ENCODINGS = {
    'rgb8': ('rgb24', 3),
    'bgr8': ('bgr24', 3),
    'mono8': ('gray', 1),
    'rgba8': ('rgba', 4),
    'bgra8': ('bgra', 4),
}

ENCODINGS = tuple(_ENCODINGS)
"""Image encodings that are understood."""


class ImageMessage(Protocol):
    """What is looked at of a sensor_msgs/Image."""

    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: Any


def image_frame(message: ImageMessage) -> Frame:
    """
    Look at a message's pixels as a frame; the frame keeps the message's buffer alive.

    :param message: sensor_msgs/Image or alike; its rows may be padded (``step``)
    :raise UnsupportedEncodingError: if the encoding is not one of ``ENCODINGS``
    :raise FrameShapeError: if the sizes do not fit the data
    """
    try:
        pix_fmt, channels = _ENCODINGS[message.encoding]
    except KeyError:
        raise UnsupportedEncodingError(message.encoding, list(ENCODINGS)) from None
    height, width, step = message.height, message.width, message.step
    if height < 1 or width < 1:
        raise FrameShapeError(f'image of {width}x{height} pixels: both must be positive')
    if step < width * channels:
        raise FrameShapeError(
            f'image of {width} pixels {message.encoding} with step {step}: '
            f'a row needs {width * channels} bytes'
        )
    data = np.frombuffer(message.data, dtype=np.uint8)
    if data.size != step * height:
        raise FrameShapeError(
            f'image of {width}x{height} {message.encoding} with step {step} has '
            f'{data.size} bytes of data: {step * height} are needed'
        )
    rows = data.reshape(height, step)[:, : width * channels]
    pixels = rows if channels == 1 else rows.reshape(height, width, channels)
    return Frame(pixels, pix_fmt)
