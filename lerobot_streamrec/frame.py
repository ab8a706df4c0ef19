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
"""The picture as it travels from a message to an encoder, without a copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Frame:
    """
    One camera picture in the camera's own pixel format.

    The view keeps the message's buffer alive. Whoever pushes a frame gives it away: the buffer
    must not be written to afterwards.

    :param pixels: ``(height, width, channels)`` or, for one channel, ``(height, width)`` view,
        uint8; rows may be padded (the stride between rows is free, pixels are contiguous)
    :param pix_fmt: FFmpeg's name of the pixel format, such as ``rgb24`` or ``gray``
    """

    pixels: npt.NDArray[np.uint8]
    pix_fmt: str

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
        return int(self.pixels.strides[0]) * self.height
