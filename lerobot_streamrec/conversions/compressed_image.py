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
"""sensor_msgs/CompressedImage to a picture that an encoder's thread can decode, without a copy."""

from __future__ import annotations

from typing import Any, Protocol

from lerobot_streamrec.conversions.encodings import refuse_depth
from lerobot_streamrec.conversions.picture_header import JPEG_MAGIC, picture_size, PNG_MAGIC
from lerobot_streamrec.errors import UndecodableError, UnsupportedEncodingError
from lerobot_streamrec.frame import CompressedPicture
import numpy as np
import numpy.typing as npt

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
