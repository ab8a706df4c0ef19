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
from typing import Any, Protocol

from lerobot_streamrec.conversions.image import ImageMessage
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
_PNG_BEGIN = b'\x89PNG\r\n\x1a\n'
# After the signature: length and name of the first chunk, then width and height.
_PNG_SIZE = struct.Struct('>8s4s4sII')
_MAX_PIXELS = 1 << 25


class CompressedMessage(Protocol):
    """What is looked at of a sensor_msgs/CompressedImage."""

    format: str
    data: Any


def depth_frame(message: ImageMessage) -> DepthFrame:
    """
    Look at a message's pixels as depth; the frame keeps the message's buffer alive.

    :param message: sensor_msgs/Image or alike; its rows may be padded (``step``)
    :raise UnsupportedEncodingError: if the encoding is not one of ``DEPTH_ENCODINGS``
    :raise FrameShapeError: if the sizes do not fit the data
    """
    unit, kind = _unit(message.encoding)
    dtype = np.dtype(('>' if message.is_bigendian else '<') + kind)
    height, width, step = message.height, message.width, message.step
    if height < 1 or width < 1:
        raise FrameShapeError(f'image of {width}x{height} pixels: both must be positive')
    row_bytes = width * dtype.itemsize
    if step < row_bytes:
        raise FrameShapeError(
            f'image of {width} pixels {message.encoding} with step {step}: '
            f'a row needs {row_bytes} bytes'
        )
    data = np.frombuffer(message.data, dtype=np.uint8)
    if data.size != step * height:
        raise FrameShapeError(
            f'image of {width}x{height} {message.encoding} with step {step} has '
            f'{data.size} bytes of data: {step * height} are needed'
        )
    rows = data.reshape(height, step)[:, :row_bytes]
    return DepthFrame(rows.view(dtype), unit)


def compressed_depth(message: CompressedMessage) -> CompressedDepth:
    """
    Look at a message of the compressedDepth transport; it is decoded later.

    :param message: sensor_msgs/CompressedImage or alike
    :raise UnsupportedEncodingError: if it is of another transport, or no depth
    :raise UndecodableError: if it is too short, or its headers are none
    :raise FrameShapeError: if the picture is too large to be one
    """
    encoding, _, rest = message.format.partition(';')
    transport, *codec = rest.split() or ['']
    if transport != _TRANSPORT or codec not in ([], [_PNG], [_RVL]):
        raise UnsupportedEncodingError(
            message.format, [f'{one}; {_TRANSPORT} {_PNG} or {_RVL}' for one in DEPTH_ENCODINGS]
        )
    unit, _ = _unit(encoding.strip())
    data = memoryview(message.data).cast('B')
    if data.nbytes < _HEADER.size:
        raise UndecodableError(f'{message.format} of {data.nbytes} bytes has no header')
    _, a, b = _HEADER.unpack_from(data)
    if unit == METRES and not (math.isfinite(a) and math.isfinite(b) and a > 0):
        raise UndecodableError(f'{message.format} has parameters {a} and {b} in its header')
    data = data[_HEADER.size :]
    # Publishers of before rvl do not name the codec.
    read = _rvl if codec == [_RVL] else _png
    picture = read(data, unit, (a, b) if unit == METRES else (0.0, 0.0))
    if picture.height < 1 or picture.width < 1 or picture.height * picture.width > _MAX_PIXELS:
        raise FrameShapeError(
            f'{message.format} says that it has {picture.width}x{picture.height} pixels; allowed '
            f'are 1 to {_MAX_PIXELS}'
        )
    return picture


def _unit(encoding: str) -> tuple[str, str]:
    try:
        return _UNITS[encoding]
    except KeyError:
        raise UnsupportedEncodingError(
            encoding, [f'{", ".join(DEPTH_ENCODINGS)} on a camera whose parameter depth is true']
        ) from None


def _rvl(data: memoryview, unit: str, inverse: tuple[float, float]) -> CompressedDepth:
    if data.nbytes < _RVL_SIZE.size:
        raise UndecodableError(f'rvl picture of {data.nbytes} bytes has no size')
    width, height = _RVL_SIZE.unpack_from(data)
    return CompressedDepth(data[_RVL_SIZE.size :], _RVL, unit, height, width, inverse)


def _png(data: memoryview, unit: str, inverse: tuple[float, float]) -> CompressedDepth:
    if data.nbytes < _PNG_SIZE.size or data[: len(_PNG_BEGIN)] != _PNG_BEGIN:
        raise UndecodableError(f'png picture of {data.nbytes} bytes does not begin as one')
    *_, width, height = _PNG_SIZE.unpack_from(data)
    return CompressedDepth(data, _PNG, unit, height, width, inverse)
