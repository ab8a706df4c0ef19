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
"""From sensor_msgs/CompressedImage to coded images: files, or access units of a codec."""

from __future__ import annotations

from collections.abc import Iterator
import re

from lerobot_streamrec.conversions.cdr import CompressedImageBytes
from lerobot_streamrec.conversions.image import refuse_depth
from lerobot_streamrec.errors import FrameShapeError, UndecodableError, UnsupportedEncodingError
from lerobot_streamrec.frame import AccessUnit, CompressedPicture
import numpy as np
import numpy.typing as npt

JPEG_MAGIC = b'\xff\xd8\xff'
PNG_MAGIC = b'\x89PNG\r\n\x1a\n'

# Markers of ITU-T T.81, table B.1. libav decodes baseline, extended and progressive frames, all of
# them Huffman-coded.
_FRAMES = (0xC0, 0xC1, 0xC2)
_OTHER_FRAMES = (0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD9))
_SCAN, _END, _FILL = 0xDA, 0xD9, 0xFF
# Real headers have about twenty segments; the limit keeps garbage from blocking the callback.
_MAX_STEPS = 1000


def picture_size(data: memoryview, codec: str) -> tuple[int, int]:
    """
    Return the size that the header of a compressed image declares.

    :param data: the whole file, which begins with the magic bytes of its format
    :param codec: ``mjpeg`` or ``png``
    :return: height, width
    :raise UndecodableError: if the header is incomplete, or libav cannot decode this kind of image
    :raise FrameShapeError: if the header declares a height or width of 0
    """
    height, width = _png_size(data) if codec == 'png' else _jpeg_size(data)
    if height < 1 or width < 1:
        raise FrameShapeError(f'{codec} picture of {width}x{height} pixels: both must be positive')
    return height, width


def _png_size(data: memoryview) -> tuple[int, int]:
    begin = len(PNG_MAGIC)
    if len(data) < begin + 16 or bytes(data[begin + 4 : begin + 8]) != b'IHDR':
        raise UndecodableError(f'png picture of {len(data)} bytes has no complete IHDR chunk')
    return _number(data, begin + 12, 4), _number(data, begin + 8, 4)


def _jpeg_size(data: memoryview) -> tuple[int, int]:
    at = 2
    for _ in range(_MAX_STEPS):
        if at + 2 > len(data):
            break
        if data[at] != _FILL:
            raise UndecodableError(f'mjpeg picture has {data[at]:#04x}, no marker, at byte {at}')
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
                f'mjpeg picture is of the kind SOF{marker - 0xC0}; only baseline, extended and '
                'progressive Huffman-coded ones can be decoded'
            )
        if at + 4 > len(data):
            break
        at += 2 + max(2, _number(data, at + 2, 2))
    raise UndecodableError(f'mjpeg picture of {len(data)} bytes has no header with its size')


def _jpeg_frame_size(data: memoryview, at: int) -> tuple[int, int]:
    """Return the height and width that follow the length field of a frame's header."""
    if at + 5 > len(data):
        raise UndecodableError(f'mjpeg picture of {len(data)} bytes ends in its header')
    if data[at] != 8:
        raise UndecodableError(f'mjpeg picture has {data[at]} bits per sample; only 8 is allowed')
    return _number(data, at + 1, 2), _number(data, at + 3, 2)


def _number(data: memoryview, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], 'big')


_CODEC_OF_MAGIC = {JPEG_MAGIC: 'mjpeg', PNG_MAGIC: 'png'}
_NAMES = ['jpeg', 'png', 'h264', 'h265', 'av1']
# Words in ``format`` that promise a JPEG or PNG image.
_SAID = ('jpeg', 'jpg', 'png')


def compressed_picture(
    message: CompressedImageBytes, parameter: str = 'camera.<name>'
) -> CompressedPicture:
    """
    Return the compressed image in a message; it keeps the message's buffer alive.

    The codec is recognised by the magic bytes of the data, since ``format`` cannot be trusted:
    drivers write ``jpeg``, ``bgr8; jpeg compressed bgr8`` and many other texts. The colours are
    those that the file itself declares.

    :param message: sensor_msgs/CompressedImage or a similar object
    :param parameter: prefix of the camera's parameters, for error messages
    :raise UnsupportedEncodingError: if the format is not supported, or is depth
    :raise UndecodableError: if there is no data, if the data is not what the format says, or if
        the header is incomplete
    :raise FrameShapeError: if the header declares a height or width of 0
    """
    refuse_depth(message.format.partition(';')[0].strip(), parameter)
    data = picture_bytes(message)
    begin = bytes(data[: len(PNG_MAGIC)])
    for magic, codec in _CODEC_OF_MAGIC.items():
        if begin.startswith(magic):
            height, width = picture_size(data.data, codec)
            return CompressedPicture(data, codec, height, width)
    if any(word in message.format.lower() for word in _SAID):
        raise UndecodableError(
            f'picture of {len(data)} bytes, format {message.format!r}, begins with '
            f'{begin.hex(" ")} and is neither JPEG nor PNG'
        )
    raise UnsupportedEncodingError(message.format, _NAMES)


def picture_bytes(message: CompressedImageBytes) -> npt.NDArray[np.uint8]:
    """
    Return a message's data as a ``(bytes,)`` uint8 view, without a copy.

    :raise UndecodableError: if the message has no data
    """
    data = np.frombuffer(message.data, dtype=np.uint8)
    if not data.size:
        raise UndecodableError(
            f'the picture is empty: its format is {message.format!r} and it has no data; check '
            'the camera and its driver'
        )
    return data


# Words in ``format``; nothing else tells these codecs apart.
_CODECS = {
    'h264': 'h264',
    'h265': 'hevc',
    'hevc': 'hevc',
    'av1': 'av1',
    # Encoders' names, which some drivers write instead of the codec's.
    'libx264': 'h264',
    'libx265': 'hevc',
    'libsvtav1': 'av1',
    'libaom': 'av1',
}

_START = b'\0\0\1'
# NAL unit types of ITU-T H.264, table 7-1: slices, slices of a key frame, sequence parameters.
_H264_SLICES, _H264_KEY, _H264_PARAMETERS = range(1, 6), range(5, 6), 7
# NAL unit types of ITU-T H.265, table 7-1.
_HEVC_SLICES, _HEVC_KEY, _HEVC_PARAMETERS = range(32), range(16, 22), 33
# OBU types of the AV1 specification, 6.2.2.
_AV1_SEQUENCE, _AV1_FRAMES = 1, (3, 6)
# A unit has few parts before its slices; the limit keeps garbage from blocking the callback.
_MAX_PARTS = 64


def access_unit(message: CompressedImageBytes) -> AccessUnit | None:
    """
    Return the access unit in a message; its data is a view of the message's buffer.

    :param message: sensor_msgs/CompressedImage or a similar object, which holds one frame
    :return: the access unit; None if the message's format names no video codec
    :raise UndecodableError: if the message has no data
    """
    words = re.findall('[a-z0-9]+', message.format.lower())
    codec = next((_CODECS[word] for word in words if word in _CODECS), None)
    if codec is None:
        return None
    data = picture_bytes(message)
    raw = data.tobytes()
    is_key, parameters = _av1(raw) if codec == 'av1' else _annex_b(raw, codec)
    return AccessUnit(data, codec, is_key and bool(parameters), parameters)


def _annex_b(raw: bytes, codec: str) -> tuple[bool, bytes]:
    slices, key, wanted = (
        (_H264_SLICES, _H264_KEY, _H264_PARAMETERS)
        if codec == 'h264'
        else (_HEVC_SLICES, _HEVC_KEY, _HEVC_PARAMETERS)
    )
    parameters = b''
    at = raw.find(_START)
    for _ in range(_MAX_PARTS):
        if at < 0 or at + 3 >= len(raw):
            break
        header = raw[at + 3]
        kind = header & 0x1F if codec == 'h264' else header >> 1 & 0x3F
        if kind in slices:
            return kind in key, parameters
        after = raw.find(_START, at + 3)
        if kind == wanted:
            parameters += raw[at : after if after >= 0 else len(raw)]
        at = after
    return False, parameters


def _av1(raw: bytes) -> tuple[bool, bytes]:
    parameters = b''
    for kind, payload in _obus(raw):
        if kind == _AV1_SEQUENCE:
            parameters += payload
        # The first bit is show_existing_frame; the next two are the frame type, 0 for a key frame.
        elif kind in _AV1_FRAMES and payload:
            return payload[0] >> 5 == 0, parameters
    return False, parameters


def _obus(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the type and payload of every OBU, and stop where the data is incomplete."""
    at = 0
    for _ in range(_MAX_PARTS):
        if at >= len(raw):
            return
        header = raw[at]
        at += 2 if header & 4 else 1
        size = len(raw) - at
        if header & 2:
            size, at = _leb128(raw, at)
        yield header >> 3 & 15, raw[at : at + size]
        at += size


def _leb128(raw: bytes, at: int) -> tuple[int, int]:
    """Return the LEB128 number at a position, and the position after it."""
    number = 0
    for place, byte in enumerate(raw[at : at + 8]):
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return number, at + place + 1
    return len(raw), len(raw)
