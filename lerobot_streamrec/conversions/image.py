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
"""sensor_msgs/Image to a frame: the encodings of REP 118 that have pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from lerobot_streamrec.errors import FrameShapeError, UnsupportedEncodingError
from lerobot_streamrec.frame import Frame
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Layout:
    """
    How the pixels of an encoding lie in memory.

    :param pix_fmt: FFmpeg's name of the pixel format; without the byte order if samples have two
        bytes
    :param channels: samples of a pixel, in the first plane
    :param sample_bytes: 1 or 2; with one, ``is_bigendian`` means nothing
    :param is_paired: True if neighbours in a row share samples, so that the width has to be even
    :param chroma_step: for semi-planar formats, how many pixels of a row or column
        share a pair of the second plane; 0: there is no second plane
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
    # What has a type and no order of colours is read as OpenCV and rviz do.
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
        f'bayer_{pattern}{bits}': Layout(
            f'bayer_{pattern}{bits}', 1, bits // 8, is_paired=True
        )
        for bits in (8, 16)
        for pattern in _BAYER_PATTERNS
    },
}

_DEPTH = ('16UC1', '32FC1')

ENCODINGS = tuple(_LAYOUTS)
"""Image encodings that are understood."""


def layout_of(encoding: str, parameter: str) -> Layout:
    """
    Look an encoding up.

    :param encoding: encoding that the message names
    :param parameter: prefix of the camera's parameters, for the message of the error
    :raise UnsupportedEncodingError: if it is not one of ``ENCODINGS``
    """
    refuse_depth(encoding, parameter)
    try:
        return _LAYOUTS[encoding]
    except KeyError:
        raise UnsupportedEncodingError(encoding, list(ENCODINGS)) from None


def refuse_depth(encoding: str, parameter: str) -> None:
    """
    Refuse what is no picture.

    :param encoding: encoding that the message names
    :param parameter: prefix of the camera's parameters, for the message of the error
    :raise UnsupportedEncodingError: if it is depth
    """
    if encoding in _DEPTH:
        raise UnsupportedEncodingError(
            encoding,
            list(ENCODINGS),
            f'is depth by REP 118: set {parameter}.depth: true, or have the camera publish '
            'mono16 if it is a picture',
        )


class ImageMessage(Protocol):
    """What is looked at of a sensor_msgs/Image."""

    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: Any


def image_frame(message: ImageMessage, parameter: str = 'camera.<name>') -> Frame:
    """
    Look at a message's pixels as a frame; the frame keeps the message's buffer alive.

    :param message: sensor_msgs/Image or alike; its rows may be padded (``step``)
    :param parameter: prefix of the camera's parameters, for the messages of errors
    :raise UnsupportedEncodingError: if the encoding is not one of ``ENCODINGS``
    :raise FrameShapeError: if the sizes do not fit the data
    """
    layout = layout_of(message.encoding, parameter)
    height, width, encoding = message.height, message.width, message.encoding
    if height < 1 or width < 1:
        raise FrameShapeError(f'image of {width}x{height} pixels: both must be positive')
    if layout.is_paired and width % 2:
        raise FrameShapeError(
            f'image of {width}x{height} {encoding}: pixels come in pairs, so the width must be '
            'even; set an even region of interest at the camera'
        )
    return _semi_planar(message, layout) if layout.chroma_step else _packed(message, layout)


def _packed(message: ImageMessage, layout: Layout) -> Frame:
    height, width, step = message.height, message.width, message.step
    row_bytes = width * layout.channels * layout.sample_bytes
    check_step(message, row_bytes)
    data = data_of(message, step * height)
    samples: npt.NDArray[Any] = data.reshape(height, step)[:, :row_bytes]
    pix_fmt = layout.pix_fmt
    if layout.sample_bytes == 2:
        samples = samples.view('>u2' if message.is_bigendian else '<u2')
        pix_fmt += 'be' if message.is_bigendian else 'le'
    if layout.channels > 1:
        samples = samples.reshape(height, width, layout.channels)
    return Frame(samples, pix_fmt)


def _semi_planar(message: ImageMessage, layout: Layout) -> Frame:
    """
    Look at a plane of luma and one of pairs of chroma, one behind the other.

    Both height and step are luma's, as libcamera, V4L2 and Isaac ROS have it. Of an odd side, the
    last chroma belongs to one pixel instead of two.
    """
    height, width, step = message.height, message.width, message.step
    rows, columns = -(-height // layout.chroma_step), -(-width // layout.chroma_step)
    chroma_step = 2 * step // layout.chroma_step
    check_step(message, max(width, columns * layout.chroma_step))
    luma_bytes = step * height
    data = data_of(message, luma_bytes + chroma_step * rows)
    luma = data[:luma_bytes].reshape(height, step)[:, :width]
    chroma = data[luma_bytes:].reshape(rows, chroma_step)[:, : 2 * columns]
    return Frame(luma, layout.pix_fmt, chroma.reshape(rows, columns, 2))


def check_step(message: ImageMessage, row_bytes: int) -> None:
    """
    Refuse rows that are too short for their pixels.

    :raise FrameShapeError: naming what a row needs
    """
    if message.step < row_bytes:
        raise FrameShapeError(
            f'image of {message.width} pixels {message.encoding} with step {message.step}: '
            f'a row needs {row_bytes} bytes'
        )


def data_of(message: ImageMessage, size_bytes: int) -> npt.NDArray[np.uint8]:
    """
    Look at a message's buffer.

    :raise FrameShapeError: if it has another size
    """
    data = np.frombuffer(message.data, dtype=np.uint8)
    if data.size != size_bytes:
        raise FrameShapeError(
            f'image of {message.width}x{message.height} {message.encoding} with step '
            f'{message.step} has {data.size} bytes of data: {size_bytes} are needed'
        )
    return data
