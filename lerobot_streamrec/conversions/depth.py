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
"""Depth messages to depth, without a copy and without decoding."""

from __future__ import annotations

import math
import struct

from lerobot_streamrec.conversions.compressed_image import (
    CompressedImageMessage,
    picture_bytes,
    picture_size,
    PNG_MAGIC,
)
from lerobot_streamrec.conversions.image import check_step, data_of, ImageMessage
from lerobot_streamrec.depth_frame import CompressedDepth, DepthFrame, METRES, MILLIMETRES
from lerobot_streamrec.errors import (
    FrameShapeError,
    UndecodableError,
    UnsupportedEncodingError,
)
import numpy as np

_UNITS: dict[str, tuple[str, str]] = {
    '16UC1': (MILLIMETRES, 'u2'),
    # Some drivers have no other word for millimetres.
    'mono16': (MILLIMETRES, 'u2'),
    '32FC1': (METRES, 'f4'),
}

DEPTH_ENCODINGS = tuple(_UNITS)
"""Image encodings that are depth, if their camera is said to be one of depth (REP 118)."""

_TRANSPORT = 'compressedDepth'
_PNG, _RVL = 'png', 'rvl'
_HEADER = struct.Struct('<iff')
_RVL_SIZE = struct.Struct('<ii')
_MAX_PIXELS = 1 << 25


def depth_frame(message: ImageMessage, parameter: str = 'camera.<name>') -> DepthFrame:
    """
    Look at a message's pixels as depth; the frame keeps the message's buffer alive.

    :param message: sensor_msgs/Image or alike; its rows may be padded (``step``)
    :param parameter: prefix of the camera's parameters, for the messages of errors
    :raise UnsupportedEncodingError: if the encoding is not one of ``DEPTH_ENCODINGS``
    :raise FrameShapeError: if the sizes do not fit the data
    """
    unit, kind = _unit(message.encoding, parameter)
    dtype = np.dtype(('>' if message.is_bigendian else '<') + kind)
    height, width, step = message.height, message.width, message.step
    if height < 1 or width < 1:
        raise FrameShapeError(f'image of {width}x{height} pixels: both must be positive')
    row_bytes = width * dtype.itemsize
    check_step(message, row_bytes)
    rows = data_of(message, step * height).reshape(height, step)[:, :row_bytes]
    return DepthFrame(rows.view(dtype), unit)


def compressed_depth(
    message: CompressedImageMessage, parameter: str = 'camera.<name>'
) -> CompressedDepth:
    """
    Look at a message of the compressedDepth transport; it is decoded later.

    :param message: sensor_msgs/CompressedImage or alike
    :param parameter: prefix of the camera's parameters, for the messages of errors
    :raise UnsupportedEncodingError: if it is of another transport, or no depth
    :raise UndecodableError: if it is too short, or its headers are none
    :raise FrameShapeError: if the picture is empty, or too large to be one
    """
    encoding, _, rest = message.format.partition(';')
    unit, _ = _unit(encoding.strip(), parameter)
    transport, *codec = rest.split() or ['']
    if transport != _TRANSPORT or codec not in ([], [_PNG], [_RVL]):
        raise UnsupportedEncodingError(
            message.format, [f'{one}; {_TRANSPORT} {_PNG} or {_RVL}' for one in DEPTH_ENCODINGS]
        )
    data = picture_bytes(message).data
    if data.nbytes < _HEADER.size:
        raise UndecodableError(f'{message.format} of {data.nbytes} bytes has no header')
    _, a, b = _HEADER.unpack_from(data)
    if unit == METRES and not (math.isfinite(a) and math.isfinite(b) and a > 0):
        raise UndecodableError(f'{message.format} has parameters {a} and {b} in its header')
    inverse = (a, b) if unit == METRES else (0.0, 0.0)
    data = data[_HEADER.size :]
    # Publishers of before rvl do not name the codec.
    if codec != [_RVL]:
        height, width = _png_size(data)
        return CompressedDepth(data, _PNG, unit, height, width, inverse)
    height, width = _rvl_size(data)
    return CompressedDepth(data[_RVL_SIZE.size :], _RVL, unit, height, width, inverse)


def _unit(encoding: str, parameter: str) -> tuple[str, str]:
    try:
        return _UNITS[encoding]
    except KeyError:
        raise UnsupportedEncodingError(
            encoding,
            list(DEPTH_ENCODINGS),
            f'is no depth, and {parameter}.depth is true: read the topic of depth, or set that to '
            'false',
        ) from None


def _png_size(data: memoryview) -> tuple[int, int]:
    if data[: len(PNG_MAGIC)] != PNG_MAGIC:
        raise UndecodableError(f'png picture of {data.nbytes} bytes does not begin as one')
    return _bounded(*picture_size(data, _PNG))


def _rvl_size(data: memoryview) -> tuple[int, int]:
    if data.nbytes < _RVL_SIZE.size:
        raise UndecodableError(f'rvl picture of {data.nbytes} bytes has no size')
    width, height = _RVL_SIZE.unpack_from(data)
    return _bounded(height, width)


def _bounded(height: int, width: int) -> tuple[int, int]:
    """Refuse sizes that a few bytes could claim, and no memory holds."""
    if height < 1 or width < 1 or height * width > _MAX_PIXELS:
        raise FrameShapeError(
            f'depth picture of {width}x{height} pixels; allowed are 1 to {_MAX_PIXELS} in all'
        )
    return height, width
