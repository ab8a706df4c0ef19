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
"""Decoders of compressed pictures and depth, and the choice among them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeGuard

import av
from av.video.frame import VideoFrame
from lerobot_streamrec.errors import UndecodableError
from lerobot_streamrec.frame import (
    CompressedDepth,
    CompressedPicture,
    DepthFrame,
    EncodedPacket,
    METRES,
    Picture,
)
from lerobot_streamrec.video.codecs.rvl import decode_rvl
from lerobot_streamrec.video.encode.packet_decoder import PacketDecoder
import numpy as np
import numpy.typing as npt

# Without these flags, libav fills in the missing part of a truncated JPEG and reports no error.
# PNG has checksums of its own.
_OPTIONS = {'err_detect': 'crccheck+explode'}
# The markers of a file's end and of its last pixel data. Decoders do not notice when only the end
# marker is cut off, but without it the pixels may be incomplete.
_END = {'mjpeg': (b'\xff\xd9', b'\xff\xda'), 'png': (b'IEND', b'IDAT')}


class PictureDecoder:
    """
    Decodes self-contained pictures. Owned by one thread.

    :param codec: FFmpeg's name of the decoder: ``mjpeg`` or ``png``
    """

    def __init__(self, codec: str) -> None:
        self._codec = codec
        self._context = self._open()

    def _open(self) -> av.VideoCodecContext:
        context = av.CodecContext.create(self._codec, 'r')
        assert isinstance(context, av.VideoCodecContext)
        # Every file has to return its picture at once; threads would hold some back.
        context.thread_count = 1
        context.options = _OPTIONS
        return context

    def decode(self, picture: CompressedPicture) -> VideoFrame:
        """
        Decode one picture.

        :param picture: a file of this decoder's codec
        :return: a frame in the file's own pixel format, of the size that its header states
        :raise UndecodableError: if the file is damaged, or no picture of this codec
        """
        data = picture.data.tobytes()
        end, before = _END[self._codec]
        if data.rfind(end) < data.rfind(before):
            raise self._error(picture, 'its end is missing')
        packet = av.Packet(data)
        # Otherwise libav treats a PNG as a difference from the previous one and adds both up.
        packet.is_keyframe = True
        try:
            frames = self._context.decode(packet)
        except (av.FFmpegError, ValueError) as error:
            # Remains of a broken picture in the decoder must not show in the next one.
            self._context = self._open()
            raise self._error(picture, str(error)) from error
        if len(frames) != 1 or frames[0].is_corrupt:
            self._context = self._open()
            raise self._error(picture, 'it is damaged')
        frame = frames[0]
        if (frame.height, frame.width) != (picture.height, picture.width):
            raise self._error(
                picture,
                f'its header says {picture.width}x{picture.height} pixels, but it holds '
                f'{frame.width}x{frame.height}',
            )
        return frame

    def _error(self, picture: CompressedPicture, why: str) -> UndecodableError:
        return UndecodableError(
            f'{self._codec} picture of {picture.size_bytes} bytes cannot be decoded: {why}'
        )


_PNG_OF_16_BITS = 'gray16be'


class DepthDecoder:
    """Decodes pictures of the compressedDepth transport. Owned by one thread."""

    def __init__(self) -> None:
        self._png = PictureDecoder('png')

    def decode(self, picture: CompressedDepth) -> DepthFrame:
        """
        Decode one picture.

        :raise UndecodableError: if it is damaged, or its pixels do not have 16 bits
        """
        if picture.codec == 'rvl':
            levels = decode_rvl(picture.data, picture.height, picture.width)
        else:
            levels = self._decode_png(picture)
        if picture.unit == METRES:
            return DepthFrame(_metres_of_levels(*picture.inverse)[levels], picture.unit)
        return DepthFrame(levels, picture.unit)

    def _decode_png(self, picture: CompressedDepth) -> npt.NDArray[np.uint16]:
        data = np.frombuffer(picture.data, dtype=np.uint8)
        frame = self._png.decode(CompressedPicture(data, 'png', picture.height, picture.width))
        if frame.format.name != _PNG_OF_16_BITS:
            raise UndecodableError(
                f'png picture has the pixel format {frame.format.name}; depth needs one channel '
                'of 16 bits'
            )
        plane = frame.planes[0]
        rows = np.frombuffer(plane, dtype='>u2').reshape(-1, plane.line_size // 2)
        return rows[: frame.height, : frame.width].astype(np.uint16)


@lru_cache(maxsize=4)
def _metres_of_levels(a: float, b: float) -> npt.NDArray[np.float32]:
    """
    Return the metres of every level, which the transport codes by their inverse; 0 is no depth.

    The table is cached, since a camera keeps its a and b.
    """
    # Levels near b give no valid depth either; their sign or size shows that later.
    with np.errstate(divide='ignore', invalid='ignore', over='ignore'):
        table = np.float32(a) / (np.arange(1 << 16, dtype=np.float32) - np.float32(b))
    table[0] = np.nan
    return table


Coded = CompressedPicture | CompressedDepth | EncodedPacket
"""The kinds of pictures that have to be decoded before they can be encoded."""


class Decoders:
    """One decoder for each kind of picture, created on first use. Owned by one thread."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def decode(self, picture: Coded) -> Any:
        """
        Decode a picture.

        :return: libav's frame, or a ``DepthFrame``
        :raise UndecodableError: if the picture is damaged
        """
        # Colour pictures may be PNG too, so the codec's name does not identify depth.
        place = 'depth' if isinstance(picture, CompressedDepth) else picture.codec
        if place not in self._made:
            self._made[place] = _decoder_of(picture)
        return self._made[place].decode(picture)


def is_coded(picture: object) -> TypeGuard[Coded]:
    """Return True if a picture has to be decoded, and False for raw pixels."""
    return isinstance(picture, CompressedPicture | CompressedDepth | EncodedPacket)


def decoded(picture: Picture) -> Any:
    """
    Decode a single picture; return raw pixels unchanged.

    :return: a picture for encoders: a ``Frame``, a ``DepthFrame``, or libav's frame
    :raise UndecodableError: if the picture is damaged
    """
    return Decoders().decode(picture) if is_coded(picture) else picture


def _decoder_of(picture: Coded) -> PictureDecoder | PacketDecoder | DepthDecoder:
    if isinstance(picture, CompressedDepth):
        return DepthDecoder()
    if isinstance(picture, EncodedPacket):
        return PacketDecoder(picture.codec)
    return PictureDecoder(picture.codec)
