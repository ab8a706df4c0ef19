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
"""A camera's picture as a PNG file, for people to look at."""

from __future__ import annotations

from fractions import Fraction

import av
from lerobot_streamrec.errors import UndecodableError
from lerobot_streamrec.frame import CompressedPicture, Frame, Picture
from lerobot_streamrec.video.picture_decoder import PictureDecoder
from lerobot_streamrec.video.pixels import rgb_pixels
import numpy as np
import numpy.typing as npt


def png_file(picture: Picture) -> bytes:
    """
    Return a picture as a PNG, in the colours that a dataset would show.

    :param picture: as it goes to an encoder
    :raise UndecodableError: if it is compressed and not whole
    """
    if isinstance(picture, CompressedPicture):
        return _png(rgb_pixels(PictureDecoder(picture.codec).decode(picture)), 'rgb24')
    if isinstance(picture, Frame):
        return _png(rgb_pixels(picture), 'rgb24')
    raise UndecodableError(f'{type(picture).__name__}: no picture can be made of it alone')


def _png(pixels: npt.NDArray[np.generic], pix_fmt: str) -> bytes:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=pix_fmt)
    context = av.CodecContext.create('png', 'w')
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height = frame.width, frame.height
    context.pix_fmt = pix_fmt
    context.time_base = Fraction(1, 1)
    return b''.join(bytes(packet) for packet in (*context.encode(frame), *context.encode(None)))
