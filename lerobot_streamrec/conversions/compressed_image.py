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
"""sensor_msgs/CompressedImage to a picture, after a look at the header of its file."""

from __future__ import annotations

from typing import Any, Protocol

from lerobot_streamrec.conversions.image import refuse_depth
from lerobot_streamrec.errors import FrameShapeError, UndecodableError, UnsupportedEncodingError
from lerobot_streamrec.frame import CompressedPicture
import numpy as np
import numpy.typing as npt

JPEG_MAGIC = b'\xff\xd8\xff'
PNG_MAGIC = b'\x89PNG\r\n\x1a\n'

# Markers of ITU-T T.81, table B.1. Frames that libav decodes: baseline, extended and progressive,
# all of them Huffman coded.
_FRAMES = (0xC0, 0xC1, 0xC2)
_OTHER_FRAMES = (0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD9))
_SCAN, _END, _FILL = 0xDA, 0xD9, 0xFF
# Real headers have some twenty; garbage must not hold the callback up.
_MAX_STEPS = 1000


def picture_size(data: memoryview, codec: str) -> tuple[int, int]:
    """
    Read the size of a picture.

    :param data: the whole file, which begins with the magic bytes of its format
    :param codec: ``mjpeg`` or ``png``
    :return: height, width
    :raise UndecodableError: if the header is not whole, or no decoder takes such a picture
    :raise FrameShapeError: if the header says that the picture is empty
    """
    height, width = _png_size(data) if codec == 'png' else _jpeg_size(data)
    if height < 1 or width < 1:
        raise FrameShapeError(f'{codec} picture of {width}x{height} pixels: both must be positive')
    return height, width


def _png_size(data: memoryview) -> tuple[int, int]:
    begin = len(PNG_MAGIC)
    if len(data) < begin + 16 or bytes(data[begin + 4 : begin + 8]) != b'IHDR':
        raise UndecodableError(f'png picture of {len(data)} bytes has no whole IHDR')
    return _number(data, begin + 12, 4), _number(data, begin + 8, 4)


def _jpeg_size(data: memoryview) -> tuple[int, int]:
    at = 2
    for _ in range(_MAX_STEPS):
        if at + 2 > len(data):
            break
        if data[at] != _FILL:
            raise UndecodableError(f'mjpeg picture has {data[at]:#04x} for a marker at byte {at}')
        marker = data[at + 1]
        if marker == _FILL:
            at += 1
            continue
        if marker in _WITHOUT_LENGTH:
            at += 2
            continue
        if marker in (_SCAN, _END, 0):
            break
        if marker in _FRAMES:
            return _jpeg_frame_size(data, at + 4)
        if marker in _OTHER_FRAMES:
            raise UndecodableError(
                f'mjpeg picture is of the kind SOF{marker - 0xC0}; baseline, extended and '
                'progressive Huffman coded ones can be decoded'
            )
        if at + 4 > len(data):
            break
        at += 2 + max(2, _number(data, at + 2, 2))
    raise UndecodableError(f'mjpeg picture of {len(data)} bytes has no header that tells its size')


def _jpeg_frame_size(data: memoryview, at: int) -> tuple[int, int]:
    """Read the size behind the length of a frame's header."""
    if at + 5 > len(data):
        raise UndecodableError(f'mjpeg picture of {len(data)} bytes ends in its header')
    if data[at] != 8:
        raise UndecodableError(f'mjpeg picture has {data[at]} bits per sample; 8 can be decoded')
    return _number(data, at + 1, 2), _number(data, at + 3, 2)


def _number(data: memoryview, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], 'big')


_CODECS = {JPEG_MAGIC: 'mjpeg', PNG_MAGIC: 'png'}
_NAMES = ['jpeg', 'png', 'h264', 'h265', 'av1']
# Words in the format that promise a picture.
_SAID = ('jpeg', 'jpg', 'png')


class CompressedImageMessage(Protocol):
    """What is looked at of a sensor_msgs/CompressedImage."""

    format: str
    data: Any


def compressed_picture(
    message: CompressedImageMessage, parameter: str = 'camera.<name>'
) -> CompressedPicture:
    """
    Look at a message's data as a picture; it keeps the message's buffer alive.

    Data begin with the magic bytes of their format, so that ``format`` need not be believed:
    drivers write ``jpeg``, ``bgr8; jpeg compressed bgr8`` and what not. Colours are those that
    the file itself says.

    :param message: sensor_msgs/CompressedImage or alike
    :param parameter: prefix of the camera's parameters, for the messages of errors
    :raise UnsupportedEncodingError: if its format is none that is read here, or depth as PNG
    :raise UndecodableError: if there are no data, they are not what the format says, or the
        header is not whole
    :raise FrameShapeError: if the header says that the picture is empty
    """
    refuse_depth(message.format.partition(';')[0].strip(), parameter)
    data = picture_bytes(message)
    begin = bytes(data[: len(PNG_MAGIC)])
    for magic, codec in _CODECS.items():
        if begin.startswith(magic):
            height, width = picture_size(data.data, codec)
            return CompressedPicture(data, codec, height, width)
    if any(word in message.format.lower() for word in _SAID):
        raise UndecodableError(
            f'picture of {len(data)} bytes, format {message.format!r}, begins with '
            f'{begin.hex(" ")} and is neither JPEG nor PNG'
        )
    raise UnsupportedEncodingError(message.format, _NAMES)


def picture_bytes(message: CompressedImageMessage) -> npt.NDArray[np.uint8]:
    """
    Return a message's data without a copy, ``(bytes,)``.

    :raise UndecodableError: if there are none
    """
    data = np.frombuffer(message.data, dtype=np.uint8)
    if not data.size:
        raise UndecodableError(
            f'the picture is empty: its format is {message.format!r} and it has no data; check '
            'the camera and its driver'
        )
    return data
