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
"""Conversion of sensor_msgs/Image to frames, for the encodings of colour and gray images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lerobot_streamrec.conversions.cdr import ImageBytes
from lerobot_streamrec.errors import FrameShapeError, UnsupportedEncodingError
from lerobot_streamrec.frame import Frame
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Layout:
    """
    The memory layout of an encoding's pixels.

    :param pix_fmt: FFmpeg's name of the pixel format; without the byte order if samples have two
        bytes
    :param channels: number of samples per pixel in the first plane
    :param sample_bytes: bytes per sample, 1 or 2; ``is_bigendian`` only matters for 2
    :param is_paired: True if neighbours in a row share samples, so that the width must be even
    :param chroma_step: for semi-planar formats, the number of pixels along a row or column that
        share a pair of the second plane; 0 if there is no second plane
    """

    pix_fmt: str
    channels: int
    sample_bytes: int = 1
    is_paired: bool = False
    chroma_step: int = 0


_UYVY = Layout('uyvy422', 2, is_paired=True)
_YUYV = Layout('yuyv422', 2, is_paired=True)
_BAYER_PATTERNS = ('rggb', 'bggr', 'gbrg', 'grbg')

_LAYOUTS = {
    'rgb8': Layout('rgb24', 3),
    'bgr8': Layout('bgr24', 3),
    'mono8': Layout('gray', 1),
    'rgba8': Layout('rgba', 4),
    'bgra8': Layout('bgra', 4),
    'mono16': Layout('gray16', 1, 2),
    # These encodings name no colour order; as in OpenCV and rviz, it is BGR.
    '8UC1': Layout('gray', 1),
    '8UC3': Layout('bgr24', 3),
    '8UC4': Layout('bgra', 4),
    'rgb16': Layout('rgb48', 3, 2),
    'bgr16': Layout('bgr48', 3, 2),
    'rgba16': Layout('rgba64', 4, 2),
    'bgra16': Layout('bgra64', 4, 2),
    'yuv422': _UYVY,
    'uyvy': _UYVY,
    'yuv422_yuy2': _YUYV,
    'yuyv': _YUYV,
    'nv12': Layout('nv12', 1, chroma_step=2),
    'nv21': Layout('nv21', 1, chroma_step=2),
    'nv24': Layout('nv24', 1, chroma_step=1),
    **{
        f'bayer_{pattern}{bits}': Layout(f'bayer_{pattern}{bits}', 1, bits // 8, is_paired=True)
        for bits in (8, 16)
        for pattern in _BAYER_PATTERNS
    },
}

_DEPTH = ('16UC1', '32FC1')

ENCODINGS = tuple(_LAYOUTS)
"""Image encodings that are supported."""


def refuse_depth(encoding: str, parameter: str) -> None:
    """
    Raise an error if an encoding is depth.

    :param encoding: encoding that the message names
    :param parameter: prefix of the camera's parameters, for the error message
    :raise UnsupportedEncodingError: if the encoding is depth
    """
    if encoding in _DEPTH:
        raise UnsupportedEncodingError(
            encoding,
            list(ENCODINGS),
            f'is depth by REP 118: set {parameter}.depth: true, or have the camera publish '
            'mono16 if its images are not depth',
        )


def image_frame(message: ImageBytes, parameter: str = 'camera.<name>') -> Frame:
    """
    Return a message's pixels as a frame; the frame keeps the message's buffer alive.

    :param message: sensor_msgs/Image or a similar object; its rows may be padded (``step``)
    :param parameter: prefix of the camera's parameters, for error messages
    :raise UnsupportedEncodingError: if the encoding is not one of ``ENCODINGS``
    :raise FrameShapeError: if the image is empty, if its sizes do not fit the data, or if its
        width is odd and the encoding needs an even one
    """
    height, width, encoding = message.height, message.width, message.encoding
    refuse_depth(encoding, parameter)
    layout = _LAYOUTS.get(encoding)
    if layout is None:
        raise UnsupportedEncodingError(encoding, list(ENCODINGS))
    refuse_empty(message)
    if layout.is_paired and width % 2:
        raise FrameShapeError(
            f'image of {width}x{height} {encoding}: pixels come in pairs, so the width must be '
            'even; set a region of interest of even width at the camera'
        )
    return _semi_planar(message, layout) if layout.chroma_step else _packed(message, layout)


def _packed(message: ImageBytes, layout: Layout) -> Frame:
    height, width = message.height, message.width
    samples: npt.NDArray[Any] = rows_of(message, width * layout.channels * layout.sample_bytes)
    pix_fmt = layout.pix_fmt
    if layout.sample_bytes == 2:
        samples = samples.view('>u2' if message.is_bigendian else '<u2')
        pix_fmt += 'be' if message.is_bigendian else 'le'
    if layout.channels > 1:
        samples = samples.reshape(height, width, layout.channels)
    return Frame(samples, pix_fmt)


def _semi_planar(message: ImageBytes, layout: Layout) -> Frame:
    """
    Return a frame from a plane of luma that is followed by a plane of chroma pairs.

    The message's height and step are those of the luma plane, as in libcamera, V4L2 and Isaac ROS.
    If a side is odd, the last chroma pair belongs to one pixel instead of two.
    """
    height, width, step = message.height, message.width, message.step
    rows, columns = -(-height // layout.chroma_step), -(-width // layout.chroma_step)
    chroma_step = 2 * step // layout.chroma_step
    _check_step(message, max(width, columns * layout.chroma_step))
    luma_bytes = step * height
    data = _data_of(message, luma_bytes + chroma_step * rows)
    luma = data[:luma_bytes].reshape(height, step)[:, :width]
    chroma = data[luma_bytes:].reshape(rows, chroma_step)[:, : 2 * columns]
    return Frame(luma, layout.pix_fmt, chroma.reshape(rows, columns, 2))


def refuse_empty(message: ImageBytes) -> None:
    """Raise a FrameShapeError if a message has no pixels."""
    if message.height < 1 or message.width < 1:
        raise FrameShapeError(
            f'image of {message.width}x{message.height} pixels: both must be positive'
        )


def rows_of(message: ImageBytes, row_bytes: int) -> npt.NDArray[np.uint8]:
    """
    Return a ``(height, row_bytes)`` view of a message's buffer, without the padding of its rows.

    :param row_bytes: bytes that the pixels of a row need
    :raise FrameShapeError: if the rows are too short, or the buffer has another size
    """
    _check_step(message, row_bytes)
    height, step = message.height, message.step
    return _data_of(message, step * height).reshape(height, step)[:, :row_bytes]


def _check_step(message: ImageBytes, row_bytes: int) -> None:
    """Raise a FrameShapeError if a message's rows are too short for their pixels."""
    if message.step < row_bytes:
        raise FrameShapeError(
            f'image of {message.width} pixels {message.encoding} with step {message.step}: '
            f'a row needs {row_bytes} bytes'
        )


def _data_of(message: ImageBytes, size_bytes: int) -> npt.NDArray[np.uint8]:
    """Return a view of a message's buffer; raise a FrameShapeError if it has another size."""
    data = np.frombuffer(message.data, dtype=np.uint8)
    if data.size != size_bytes:
        raise FrameShapeError(
            f'image of {message.width}x{message.height} {message.encoding} with step '
            f'{message.step} has {data.size} bytes of data: {size_bytes} are needed'
        )
    return data
