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
"""
The bytes of messages as the middleware delivers them, read without decoding the whole message.

ROS 2 middleware sends messages in plain CDR, version 1 (OMG DDS-XTypes 1.3, section 7.4.3): two
bytes that name the encoding and the byte order, two bytes of options, and then the fields in
order. A value of n bytes begins at a multiple of n, counted from the first field.
"""

from __future__ import annotations

from dataclasses import dataclass
import struct

from lerobot_streamrec.errors import MessageError

BEGIN = 4
"""The place of the first field: the bytes before it describe the encoding."""

_LITTLE = b'\x00\x01\x00\x00'
_NS_PER_S = 1_000_000_000
_ORDERS = {b'\x00\x00': '>', b'\x00\x01': '<'}
_TIMES = {order: struct.Struct(f'{order}iI') for order in '<>'}
_SIZES = {order: struct.Struct(f'{order}I') for order in '<>'}


def byte_order(data: bytes) -> str:
    """
    Return the byte order of a message as ``struct`` and NumPy write it: ``<`` or ``>``.

    :raise MessageError: if the bytes are not plain CDR
    """
    try:
        return _ORDERS[data[:2]]
    except KeyError:
        raise MessageError(
            f'a message of {len(data)} bytes begins with {data[:2].hex() or "nothing"}, but plain '
            'CDR begins with 0000 or 0001'
        ) from None


def first_time(data: bytes) -> tuple[int, int]:
    """
    Return the seconds and nanoseconds of the time with which a message begins.

    A std_msgs/Header begins with its stamp, so this is the stamp of a message whose first field
    is a header.

    :raise MessageError: if the message is too short, or not plain CDR
    """
    order = byte_order(data)
    if len(data) < BEGIN + 8:
        raise MessageError(f'a message of {len(data)} bytes is too short for its header')
    seconds, nanoseconds = _TIMES[order].unpack_from(data, BEGIN)
    return seconds, nanoseconds


class CdrCursor:
    """
    A place in the bytes of a message, which moves on with every value that is read.

    :param data: the whole message
    :raise MessageError: if the bytes are not plain CDR
    """

    def __init__(self, data: bytes) -> None:
        self.order = byte_order(data)
        self.place = BEGIN
        self._data = data
        self._size_of = _SIZES[self.order]

    def aligned(self, item_bytes: int) -> int:
        """Return the place of the next value if it has this size."""
        return self.place + (BEGIN - self.place) % item_bytes

    def move(self, item_bytes: int, count: int = 1) -> int:
        """
        Move past values of the same size, and return the place of the first one.

        :param item_bytes: size of one value, to which the first one is aligned
        :param count: number of values; 0 moves nowhere
        :raise MessageError: if the message ends before them
        """
        if not count:
            return self.place
        begin = self.aligned(item_bytes)
        end = begin + item_bytes * count
        if end > len(self._data):
            raise MessageError(
                f'the message has {len(self._data)} bytes, but its fields need {end} or more: it '
                'is damaged, or of another type'
            )
        self.place = end
        return begin

    def size(self) -> int:
        """Read the length of a text or of a list."""
        value: int = self._size_of.unpack_from(self._data, self.move(4))[0]
        return value

    def octet(self) -> int:
        """Read an unsigned number of one byte."""
        return self._data[self.move(1)]

    def text(self) -> str:
        """Read a text as rclpy does: up to its first zero byte, with a mark for invalid UTF-8."""
        count = self.size()
        begin = self.move(1, count)
        content = self._data[begin : begin + count]
        return content.partition(b'\0')[0].decode(errors='replace')

    def doubles(self, count: int) -> tuple[float, ...]:
        """Read numbers in double precision."""
        return struct.unpack_from(f'{self.order}{count}d', self._data, self.move(8, count))

    def octets(self) -> memoryview:
        """Return a view of a ``uint8[]``, without a copy."""
        count = self.size()
        begin = self.move(1, count)
        return memoryview(self._data)[begin : begin + count]


def frame_id(data: bytes) -> str:
    """
    Return the text after the time with which a message begins: the frame id of its header.

    :raise MessageError: if the message is too short, or not plain CDR
    """
    cursor = CdrCursor(data)
    cursor.move(4, 2)
    return cursor.text()


@dataclass(slots=True)
class ImageBytes:
    """
    The fields of a sensor_msgs/Image after its header.

    :param data: view of the message's bytes
    """

    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: memoryview


@dataclass(slots=True)
class CompressedImageBytes:
    """
    The fields of a sensor_msgs/CompressedImage after its header, or those of a similar message.

    :param format: the message's own description of its data, such as ``jpeg`` or ``h264``
    :param data: view of the message's bytes
    """

    format: str
    data: memoryview


def _after_header(data: bytes) -> CdrCursor:
    cursor = CdrCursor(data)
    cursor.move(4, 2)
    cursor.move(1, cursor.size())
    return cursor


def read_image(data: bytes) -> ImageBytes:
    """
    Read a sensor_msgs/Image.

    :param data: the whole message
    :raise MessageError: if the message is damaged
    """
    cursor = _after_header(data)
    return ImageBytes(
        height=cursor.size(),
        width=cursor.size(),
        encoding=cursor.text(),
        is_bigendian=cursor.octet(),
        step=cursor.size(),
        data=cursor.octets(),
    )


def read_compressed_image(data: bytes) -> CompressedImageBytes:
    """
    Read a sensor_msgs/CompressedImage.

    :param data: the whole message
    :raise MessageError: if the message is damaged
    """
    cursor = _after_header(data)
    return CompressedImageBytes(format=cursor.text(), data=cursor.octets())


def read_ffmpeg_packet(data: bytes) -> CompressedImageBytes:
    """
    Read a ffmpeg_image_transport_msgs/FFMPEGPacket.

    Its fields are header, width, height, encoding, pts, flags, is_bigendian and data. Width and
    height are read from the data instead, which cannot contradict itself.

    :param data: the whole message
    :raise MessageError: if the message is damaged
    """
    cursor = _after_header(data)
    cursor.move(4, 2)
    encoding = cursor.text()
    cursor.move(8)
    cursor.move(1, 2)
    return CompressedImageBytes(format=encoding, data=cursor.octets())


def read_compressed_video(data: bytes) -> CompressedImageBytes:
    """
    Read a foxglove_msgs/CompressedVideo.

    Its fields are timestamp, frame_id, data and format: the first two look like a header.

    :param data: the whole message
    :raise MessageError: if the message is damaged
    """
    cursor = _after_header(data)
    packet = cursor.octets()
    return CompressedImageBytes(format=cursor.text(), data=packet)


class _CdrBytes:
    """The bytes of a message that begins with a time, in little-endian plain CDR."""

    def __init__(self, stamp_ns: int, frame_id: str) -> None:
        self.data = bytearray(_LITTLE)
        self.value('iI', *divmod(stamp_ns, _NS_PER_S))
        self.octets(f'{frame_id}\0'.encode())

    def value(self, kinds: str, *values: int) -> None:
        """Append numbers of one size, aligned to it."""
        size = struct.calcsize(f'<{kinds[0]}')
        self.data += bytes((BEGIN - len(self.data)) % size)
        self.data += struct.pack(f'<{kinds}', *values)

    def octets(self, content: bytes) -> None:
        """Append a ``uint8[]``, or a text that ends with a zero byte."""
        self.value('I', len(content))
        self.data += content


def compressed_video(stamp_ns: int, frame_id: str, codec: str, packet: bytes) -> bytes:
    """
    Return a foxglove_msgs/CompressedVideo in CDR, which ``read_compressed_video`` reads.

    :param stamp_ns: stamp of the picture, in nanoseconds
    :param frame_id: name of the camera's coordinate frame
    :param codec: ``h264``, ``hevc`` or ``av1``
    :param packet: the picture's packet, in Annex B or OBUs
    """
    message = _CdrBytes(stamp_ns, frame_id)
    message.octets(packet)
    message.octets({'hevc': b'h265'}.get(codec, codec.encode()) + b'\0')
    return bytes(message.data)


def ffmpeg_packet(
    stamp_ns: int, frame_id: str, codec: str, packet: bytes, size: tuple[int, int], *, is_key: bool
) -> bytes:
    """
    Return an ffmpeg_image_transport_msgs/FFMPEGPacket in CDR, which ``read_ffmpeg_packet`` reads.

    :param size: width and height of the picture, in pixels
    :param is_key: True if decoding can begin at this packet
    """
    message = _CdrBytes(stamp_ns, frame_id)
    message.value('ii', *size)
    message.octets(codec.encode() + b'\0')
    message.value('Q', stamp_ns)
    message.value('BB', int(is_key), 0)
    message.octets(packet)
    return bytes(message.data)


@dataclass(frozen=True, slots=True)
class Transform:
    """
    One transform of a tf2_msgs/TFMessage: the pose of a child frame in its parent.

    :param frame_id: the parent
    :param child_frame_id: the child
    :param translation: x, y, z in metres
    :param rotation: quaternion x, y, z, w
    """

    frame_id: str
    child_frame_id: str
    translation: tuple[float, ...]
    rotation: tuple[float, ...]


def read_transforms(data: bytes) -> list[Transform]:
    """
    Read a tf2_msgs/TFMessage, without the stamps.

    :param data: the whole message
    :raise MessageError: if the message is damaged
    """
    cursor, found = CdrCursor(data), []
    for _ in range(cursor.size()):
        cursor.move(4, 2)
        names = cursor.text(), cursor.text()
        found.append(Transform(*names, cursor.doubles(3), cursor.doubles(4)))
    return found
