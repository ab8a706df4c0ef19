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
"""Compressed depth to depth."""

from __future__ import annotations

from functools import lru_cache

from lerobot_streamrec.depth_frame import CompressedDepth, DepthFrame, METRES
from lerobot_streamrec.errors import UndecodableError
from lerobot_streamrec.frame import CompressedPicture
from lerobot_streamrec.video.codecs.rvl import decode_rvl
from lerobot_streamrec.video.encode.picture_decoder import PictureDecoder
import numpy as np
import numpy.typing as npt

_PNG_OF_16_BITS = 'gray16be'


class DepthDecoder:
    """Decodes pictures of the compressedDepth transport. Owned by one thread."""

    def __init__(self) -> None:
        self._png = PictureDecoder('png')

    def decode(self, picture: CompressedDepth) -> DepthFrame:
        """
        Decode one picture.

        :raise UndecodableError: if it is damaged, or has other than 16 bits
        """
        if picture.codec == 'rvl':
            levels = decode_rvl(picture.data, picture.height, picture.width)
        else:
            levels = self._decode_png(picture)
        if picture.unit == METRES:
            return DepthFrame(_metres(levels, *picture.inverse), picture.unit)
        return DepthFrame(levels, picture.unit)

    def _decode_png(self, picture: CompressedDepth) -> npt.NDArray[np.uint16]:
        data = np.frombuffer(picture.data, dtype=np.uint8)
        frame = self._png.decode(
            CompressedPicture(data, 'png', picture.height, picture.width)
        )
        if frame.format.name != _PNG_OF_16_BITS:
            raise UndecodableError(
                f'png picture has pixels of kind {frame.format.name}; depth has one channel of 16 '
                'bits'
            )
        plane = frame.planes[0]
        rows = np.frombuffer(plane, dtype='>u2').reshape(-1, plane.line_size // 2)
        return rows[: frame.height, : frame.width].astype(np.uint16)


def _metres(levels: npt.NDArray[np.uint16], a: float, b: float) -> npt.NDArray[np.float32]:
    """Undo the transport's coding of metres by their inverse; level 0 is no depth."""
    metres: npt.NDArray[np.float32] = _metres_of_levels(a, b)[levels]
    return metres


@lru_cache(maxsize=4)
def _metres_of_levels(a: float, b: float) -> npt.NDArray[np.float32]:
    """Return the depth of every level; a camera has the same a and b in all of its pictures."""
    # What a level near b becomes is no depth either, and is told by its sign or size.
    with np.errstate(divide='ignore', invalid='ignore', over='ignore'):
        table = np.float32(a) / (np.arange(1 << 16, dtype=np.float32) - np.float32(b))
    table[0] = np.nan
    return table
