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
"""Conversion of depth messages to depth images, without a copy and without decoding."""

from __future__ import annotations

import math
import struct

from lerobot_streamrec.conversions.cdr import CompressedImageBytes, ImageBytes
from lerobot_streamrec.conversions.compressed_image import picture_bytes, picture_size, PNG_MAGIC
from lerobot_streamrec.conversions.image import refuse_empty, rows_of
from lerobot_streamrec.errors import (
    FrameShapeError,
    UndecodableError,
    UnsupportedEncodingError,
)
from lerobot_streamrec.frame import CompressedDepth, DepthFrame, METRES, MILLIMETRES
import numpy as np

_UNITS: dict[str, tuple[str, str]] = {
    '16UC1': (MILLIMETRES, 'u2'),
    # Some drivers use this encoding for millimetres.
    'mono16': (MILLIMETRES, 'u2'),
    '32FC1': (METRES, 'f4'),
}

DEPTH_ENCODINGS = tuple(_UNITS)
"""Image encodings that are read as depth if the camera is set to be a depth camera (REP 118)."""

_TRANSPORT = 'compressedDepth'
_PNG, _RVL = 'png', 'rvl'
_HEADER = struct.Struct('<iff')
_RVL_SIZE = struct.Struct('<ii')
_MAX_PIXELS = 1 << 25


def depth_frame(message: ImageBytes, parameter: str = 'camera.<name>') -> DepthFrame:
    """
    Return a message's pixels as depth; the frame keeps the message's buffer alive.

    :param message: sensor_msgs/Image or a similar object; its rows may be padded (``step``)
    :param parameter: prefix of the camera's parameters, for error messages
    :raise UnsupportedEncodingError: if the encoding is not one of ``DEPTH_ENCODINGS``
    :raise FrameShapeError: if the image is empty, or its sizes do not fit the data
    """
    unit, kind = _unit(message.encoding, parameter)
    dtype = np.dtype(('>' if message.is_bigendian else '<') + kind)
    refuse_empty(message)
    return DepthFrame(rows_of(message, message.width * dtype.itemsize).view(dtype), unit)


def compressed_depth(
    message: CompressedImageBytes, parameter: str = 'camera.<name>'
) -> CompressedDepth:
    """
    Return the depth in a message of the compressedDepth transport, to be decoded later.

    :param message: sensor_msgs/CompressedImage or a similar object
    :param parameter: prefix of the camera's parameters, for error messages
    :raise UnsupportedEncodingError: if the transport is another one, or the encoding is not depth
    :raise UndecodableError: if the data is too short, or a header in it is invalid
    :raise FrameShapeError: if the image is empty, or has more than 2^25 pixels
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
    # Publishers that are older than the rvl codec name no codec and send png.
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
            f'is not depth, but {parameter}.depth is true: use the topic with depth, or set '
            f'{parameter}.depth to false',
        ) from None


def _png_size(data: memoryview) -> tuple[int, int]:
    if data[: len(PNG_MAGIC)] != PNG_MAGIC:
        raise UndecodableError(f'png picture of {data.nbytes} bytes lacks the PNG signature')
    return _bounded(*picture_size(data, _PNG))


def _rvl_size(data: memoryview) -> tuple[int, int]:
    if data.nbytes < _RVL_SIZE.size:
        raise UndecodableError(f'rvl picture of {data.nbytes} bytes is too short to hold its size')
    width, height = _RVL_SIZE.unpack_from(data)
    return _bounded(height, width)


def _bounded(height: int, width: int) -> tuple[int, int]:
    """Return a size unless it is empty, or larger than any real image (a header can claim any)."""
    if height < 1 or width < 1 or height * width > _MAX_PIXELS:
        raise FrameShapeError(
            f'depth picture of {width}x{height} pixels; allowed are 1 to {_MAX_PIXELS} in all'
        )
    return height, width
