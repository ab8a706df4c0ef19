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
"""Access units of video codecs in sensor_msgs/CompressedImage, read without decoding them."""

from __future__ import annotations

from collections.abc import Iterator
import re

from lerobot_streamrec.conversions.compressed_image import CompressedImageMessage, picture_bytes
from lerobot_streamrec.frame import AccessUnit

# Words in ``format``; nothing else tells these codecs apart.
_CODECS = {'h264': 'h264', 'h265': 'hevc', 'hevc': 'hevc', 'av1': 'av1'}

_START = b'\0\0\1'
# NAL unit types of ITU-T H.264, table 7-1: slices, slices of a key frame, sequence parameters.
_H264_SLICES, _H264_KEY, _H264_PARAMETERS = range(1, 6), range(5, 6), 7
# NAL unit types of ITU-T H.265, table 7-1.
_HEVC_SLICES, _HEVC_KEY, _HEVC_PARAMETERS = range(32), range(16, 22), 33
# OBU types of the AV1 specification, 6.2.2.
_AV1_SEQUENCE, _AV1_FRAMES = 1, (3, 6)
# A unit has few parts before its slices; the limit keeps garbage from blocking the callback.
_MAX_PARTS = 64


def access_unit(message: CompressedImageMessage) -> AccessUnit | None:
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
