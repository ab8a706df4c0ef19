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
"""Images in colour and depth on their way from a message to an encoder, without a copy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Picture(Protocol):
    """An image from a camera: raw pixels, or compressed data that an encoder thread decodes."""

    @property
    def height(self) -> int:
        """Number of rows of pixels."""

    @property
    def width(self) -> int:
        """Number of pixels per row."""

    @property
    def size_bytes(self) -> int:
        """Memory that the image holds while it waits, in bytes."""


@dataclass(frozen=True, slots=True)
class Frame:
    """
    One camera image in the camera's own pixel format.

    The view keeps the message's buffer alive. Pushing a frame gives it away: the caller must not
    write to the buffer afterwards.

    :param pixels: ``(height, width, n)`` view, or ``(height, width)`` for one number per pixel;
        uint8, or uint16 in the byte order that the pixel format names; n is 2 bytes per pixel for
        packed 4:2:2; rows may be padded (any stride between rows, contiguous pixels)
    :param pix_fmt: FFmpeg's name of the pixel format, such as ``rgb24`` or ``gray``
    :param chroma: second plane of a semi-planar format such as ``nv12``, as a ``(rows, columns,
        2)`` uint8 view
    """

    pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
    pix_fmt: str
    chroma: npt.NDArray[np.uint8] | None = None

    @property
    def height(self) -> int:
        """Number of rows of pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Number of pixels per row."""
        return int(self.pixels.shape[1])

    @property
    def size_bytes(self) -> int:
        """Memory that the image holds while it waits, in bytes, including padding."""
        size_bytes = int(self.pixels.strides[0]) * self.height
        if self.chroma is not None:
            size_bytes += int(self.chroma.strides[0]) * int(self.chroma.shape[0])
        return size_bytes


@dataclass(frozen=True, slots=True)
class CompressedPicture:
    """
    One camera image in a self-contained file format, such as JPEG.

    The view keeps the message's buffer alive. Pushing an image gives it away: the caller must not
    write to the buffer afterwards.

    :param data: uint8 view of the whole file
    :param codec: FFmpeg's name of the decoder: ``mjpeg`` or ``png``
    :param height: number of rows of pixels, from the file's header
    :param width: number of pixels per row, from the file's header
    """

    data: npt.NDArray[np.uint8]
    codec: str
    height: int
    width: int

    @property
    def size_bytes(self) -> int:
        """Memory that the image holds while it waits, in bytes."""
        return int(self.data.size)


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """
    The access unit of one message of a video stream, not yet linked to the packets before it.

    :param data: uint8 view of one frame in Annex B (h264, hevc) or OBUs (av1)
    :param codec: ``h264``, ``hevc`` or ``av1``
    :param is_key: True if decoding can begin here: it is a key frame with its parameter sets
    :param parameters: parameter sets of a key frame, from which the decoder learns the size
    """

    data: npt.NDArray[np.uint8]
    codec: str
    is_key: bool
    parameters: bytes


@dataclass(frozen=True, slots=True)
class EncodedPacket:
    """
    One frame of a video stream, which depends on the packets before it.

    A packet keeps its predecessors alive back to the key frame, so it can be decoded even if
    samples are dropped, repeated or overtaken on their way to the encoder.

    :param data: uint8 view of one access unit
    :param codec: ``h264``, ``hevc`` or ``av1``
    :param height: number of rows of pixels
    :param width: number of pixels per row
    :param previous: the packet before this one; None for a key frame
    """

    data: npt.NDArray[np.uint8]
    codec: str
    height: int
    width: int
    previous: EncodedPacket | None = field(default=None, repr=False, compare=False)

    @property
    def is_key(self) -> bool:
        """True if decoding can begin with this packet."""
        return self.previous is None

    @property
    def size_bytes(self) -> int:
        """Memory of the packet alone, in bytes."""
        return int(self.data.size)


MILLIMETRES = 'mm'
METRES = 'm'


@dataclass(frozen=True, slots=True)
class DepthFrame:
    """
    One depth image in the unit of its camera.

    The view keeps the message's buffer alive. Pushing a frame gives it away: the caller must not
    write to the buffer afterwards.

    :param values: ``(height, width)`` view of uint16 millimetres or float32 metres in either byte
        order; rows may be padded
    :param unit: ``MILLIMETRES`` or ``METRES``
    """

    values: npt.NDArray[np.uint16] | npt.NDArray[np.float32]
    unit: str

    @property
    def height(self) -> int:
        """Number of rows of pixels."""
        return int(self.values.shape[0])

    @property
    def width(self) -> int:
        """Number of pixels per row."""
        return int(self.values.shape[1])

    @property
    def size_bytes(self) -> int:
        """Memory that the image holds while it waits, in bytes, including padding."""
        return int(self.values.strides[0]) * self.height


@dataclass(frozen=True, slots=True)
class CompressedDepth:
    """
    One depth image as the compressedDepth transport delivers it; an encoder thread decodes it.

    :param data: the compressed image after all headers; it keeps the message's buffer alive
    :param codec: ``png`` or ``rvl``
    :param unit: ``MILLIMETRES``, or ``METRES`` if the image holds levels of inverse depth
    :param height: height in pixels, as the compressed image declares it
    :param width: width in pixels, as the compressed image declares it
    :param inverse: coefficients (a, b), in metres, of depth = a / (level - b)
    """

    data: memoryview
    codec: str
    unit: str
    height: int
    width: int
    inverse: tuple[float, float] = (0.0, 0.0)

    @property
    def size_bytes(self) -> int:
        """Memory that the image holds while it waits, in bytes."""
        return self.data.nbytes


def depth_unit(picture: object) -> str:
    """Return the unit of a depth image, or an empty string for any other image."""
    return picture.unit if isinstance(picture, DepthFrame | CompressedDepth) else ''
