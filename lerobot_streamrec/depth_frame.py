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
"""Depth images on their way from a message to an encoder, without a copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

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
