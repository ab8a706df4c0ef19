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
"""Small pictures as messages, in every encoding."""

from __future__ import annotations

import array
from collections.abc import Callable
from typing import Any

from cdr_writer import CdrWriter
from examples.demo.drawing import MIN_HEIGHT, MIN_WIDTH, write_frame_number
from lerobot_streamrec.nodes.graph.topic_types import load_message_class
from lerobot_streamrec.settings.transports import VIDEO_TYPE
import numpy as np
import numpy.typing as npt
from packets import LivePackets
import raw_images
from sensor_msgs.msg import CompressedImage, Image

Rgb = npt.NDArray[np.uint8]

WIDTH, HEIGHT = 64, 48
QUADRANTS = ((220, 30, 40), (30, 180, 60), (40, 60, 210), (200, 200, 60))
"""The colours of the picture's quarters: top left, top right, bottom left, bottom right."""


def quadrants(width: int = WIDTH, height: int = HEIGHT) -> Rgb:
    """Draw a picture of four colours."""
    rgb = np.empty((height, width, 3), np.uint8)
    half_height, half_width = height // 2, width // 2
    rgb[:half_height, :half_width] = QUADRANTS[0]
    rgb[:half_height, half_width:] = QUADRANTS[1]
    rgb[half_height:, :half_width] = QUADRANTS[2]
    rgb[half_height:, half_width:] = QUADRANTS[3]
    return rgb


def quarters(rgb: Rgb) -> list[list[float]]:
    """Return the mean colour in the middle of each quarter, in the order of QUADRANTS."""
    height, width = rgb.shape[:2]
    means = []
    for row in (height // 4, 3 * height // 4):
        for column in (width // 4, 3 * width // 4):
            patch = rgb[row - 4 : row + 4, column - 4 : column + 4]
            means.append([float(mean) for mean in patch.mean(axis=(0, 1))])
    return means


class Picture:
    """
    A picture that is published repeatedly. Owned by the publishing thread.

    :param rgb: its pixels
    :param encoding: encoding of the message
    :param padding: number of bytes after each row, with a value that would be noticed
    :param is_bigendian: value of the message's field
    """

    def __init__(
        self, rgb: Rgb, encoding: str = 'rgb8', *, padding: int = 0, is_bigendian: int = 0
    ) -> None:
        # With an unknown encoding, the message has the pixels of rgb8.
        known = encoding if encoding in raw_images.ENCODINGS else 'rgb8'
        made = raw_images.image_message(rgb, known, padding, is_bigendian)
        self.message = Image(
            height=made.height,
            width=made.width,
            encoding=encoding,
            is_bigendian=is_bigendian,
            step=made.step,
        )
        self.message.data = array.array('B', made.data)

    def draw(self, number: int) -> None:
        """Change the picture before it is published with this number."""


class NumberedFile:
    """
    A picture that shows its number, as a compressed file.

    :param make_file: function that compresses pixels
    :param text: value of the message's field ``format``
    """

    def __init__(self, make_file: Callable[[Rgb], bytes], text: str) -> None:
        self._make_file = make_file
        self._canvas = np.full((MIN_HEIGHT, MIN_WIDTH, 3), 90, np.uint8)
        self.message = CompressedImage(format=text)

    def draw(self, number: int) -> None:
        """Paint the number, and compress the picture."""
        write_frame_number(self._canvas, number)
        self.message.data = array.array('B', self._make_file(self._canvas))


class NumberedPacket(NumberedFile):
    """
    A picture that shows its number, as a packet of video in a type that is not installed.

    :param kind: ``FFMPEG_TYPE`` or ``VIDEO_TYPE``
    :param text: the message's ``encoding`` or ``format``
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(LivePackets(), text)
        self._kind = kind

    @property
    def kind(self) -> type:
        """The class with which rclpy publishes bytes as this type."""
        return load_message_class('kind', self._kind)

    def payload(self) -> bytes:
        """Return the encoded message."""
        text, data = self.message.format, self.message.data.tobytes()
        return packet_message(self._kind, self.message.header, text, data)


def packet_message(kind: str, header: Any, text: str, data: bytes, order: str = '<') -> bytes:
    """
    Encode a message by the definition of its type.

    :param kind: ``FFMPEG_TYPE`` or ``VIDEO_TYPE``
    :param header: std_msgs/Header
    :param text: the message's ``encoding`` or ``format``
    :param data: packet of video
    :param order: byte order, ``<`` or ``>``
    """
    writer = CdrWriter(order)
    writer.message(header)
    if kind == VIDEO_TYPE:
        writer.value('sequence<uint8>', data)
        writer.text(text)
        return writer.data
    for type_name in ('int32', 'int32'):
        writer.value(type_name, 0)
    writer.text(text)
    for type_name in ('uint64', 'uint8', 'uint8'):
        writer.value(type_name, 1)
    writer.value('sequence<uint8>', data)
    return writer.data


class NumberedPicture(Picture):
    """
    A picture that shows its number, as small as a readable number allows.

    :param noise: True if the rest of the picture is noise, which is hard to encode
    :param height: height in pixels, at least MIN_HEIGHT
    """

    def __init__(self, *, noise: bool = False, height: int = MIN_HEIGHT) -> None:
        rgb = np.full((height, MIN_WIDTH, 3), 90, np.uint8)
        super().__init__(rgb)
        pixels = np.frombuffer(self.message.data, np.uint8)
        self._canvas = pixels.reshape(rgb.shape)
        self._noise = np.random.default_rng(0) if noise else None

    def draw(self, number: int) -> None:
        """Paint the number, and new noise below it."""
        if self._noise is not None:
            below = self._canvas[MIN_HEIGHT:]
            below[:] = self._noise.integers(0, 256, below.shape, np.uint8)
        write_frame_number(self._canvas, number)


class NumberedDepth(Picture):
    """
    A picture that shows its number in near and far depth, without depth in its first column.

    :param encoding: ``16UC1`` or ``32FC1``
    """

    def __init__(self, encoding: str = '16UC1') -> None:
        self._canvas = np.full((MIN_HEIGHT, MIN_WIDTH, 3), 90, np.uint8)
        self._dtype = np.dtype(np.uint16 if encoding == '16UC1' else np.float32)
        self.message = Image(
            height=MIN_HEIGHT,
            width=MIN_WIDTH,
            encoding=encoding,
            step=MIN_WIDTH * self._dtype.itemsize,
        )

    def draw(self, number: int) -> None:
        """Paint the number."""
        write_frame_number(self._canvas, number)
        depth: npt.NDArray[Any] = millimetres(self._canvas)
        if self._dtype.kind == 'f':
            depth = (depth / 1000).astype(np.float32)
            depth[:, 0] = np.nan
        self.message.data = array.array('B', depth.tobytes())


def millimetres(rgb: Rgb) -> npt.NDArray[np.uint16]:
    """Return depth that is far where a picture is bright, and 0 in the first column."""
    depth = 100 + 35 * rgb[..., 0].astype(np.uint16)
    depth[:, 0] = 0
    return depth
