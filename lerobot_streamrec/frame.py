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
"""Pictures as they travel from a message to an encoder, without a copy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Picture(Protocol):
    """What a camera's message brings: pixels, or what an encoder thread can make pixels of."""

    @property
    def height(self) -> int:
        """Rows of pixels."""

    @property
    def width(self) -> int:
        """Pixels per row."""

    @property
    def size_bytes(self) -> int:
        """Memory that the picture holds while it waits, in bytes."""


@dataclass(frozen=True, slots=True)
class Frame:
    """
    One camera picture in the camera's own pixel format.

    The view keeps the message's buffer alive. Whoever pushes a frame gives it away: the buffer
    must not be written to afterwards.

    :param pixels: ``(height, width, n)`` or, for one number per pixel, ``(height, width)`` view,
        uint8 or uint16 in the byte order that the pixel format names; for packed 4:2:2, n is the 2
        bytes of a pixel; rows may be padded (the stride between rows is free, pixels are
        contiguous)
    :param pix_fmt: FFmpeg's name of the pixel format, such as ``rgb24`` or ``gray``
    :param chroma: second plane of semi-planar formats, such as ``nv12``: ``(rows,
        columns, 2)`` uint8 view
    """

    pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
    pix_fmt: str
    chroma: npt.NDArray[np.uint8] | None = None

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Pixels per row."""
        return int(self.pixels.shape[1])

    @property
    def size_bytes(self) -> int:
        """Memory that the picture holds while it waits, in bytes, padding included."""
        size_bytes = int(self.pixels.strides[0]) * self.height
        if self.chroma is not None:
            size_bytes += int(self.chroma.strides[0]) * int(self.chroma.shape[0])
        return size_bytes


@dataclass(frozen=True, slots=True)
class CompressedPicture:
    """
    One camera picture in a file format that stands by itself, such as JPEG.

    The view keeps the message's buffer alive; whoever pushes a picture gives it away.

    :param data: the whole file, uint8 view
    :param codec: FFmpeg's name of its decoder: ``mjpeg`` or ``png``
    :param height: rows of pixels, as the file's header says
    :param width: pixels per row, as the file's header says
    """

    data: npt.NDArray[np.uint8]
    codec: str
    height: int
    width: int

    @property
    def size_bytes(self) -> int:
        """Memory that the picture holds while it waits, in bytes."""
        return int(self.data.size)


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """
    What one message of a video codec brings, before it is known what came before it.

    :param data: Annex B (h264, hevc) or OBUs (av1) of one picture, uint8 view
    :param codec: ``h264``, ``hevc`` or ``av1``
    :param is_key: True if decoding can begin with it: a key frame with its parameter sets
    :param parameters: of a key frame, what tells the decoder the size and the rest
    """

    data: npt.NDArray[np.uint8]
    codec: str
    is_key: bool
    parameters: bytes


@dataclass(frozen=True, slots=True)
class EncodedPacket:
    """
    One picture of a video stream, which leans on those before it.

    A packet keeps those before it alive, back to the key frame: whatever is dropped, repeated or
    overtaken on the way, it can be decoded.

    :param data: one access unit, uint8 view
    :param codec: ``h264``, ``hevc`` or ``av1``
    :param height: rows of pixels
    :param width: pixels per row
    :param previous: the packet before it; None: this is a key frame
    """

    data: npt.NDArray[np.uint8]
    codec: str
    height: int
    width: int
    previous: EncodedPacket | None = field(default=None, repr=False, compare=False)

    @property
    def is_key(self) -> bool:
        """Whether decoding can begin with it."""
        return self.previous is None

    @property
    def size_bytes(self) -> int:
        """Memory of the packet alone, in bytes."""
        return int(self.data.size)
