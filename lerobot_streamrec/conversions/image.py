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

from lerobot_streamrec.conversions.encodings import Layout, layout_of
from lerobot_streamrec.errors import FrameShapeError
from lerobot_streamrec.frame import Frame
import numpy as np
import numpy.typing as npt


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
