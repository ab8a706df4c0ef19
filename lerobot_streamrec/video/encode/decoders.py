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
"""Compressed pictures and depth to pixels: which decoder a picture needs."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeGuard

import av
from av.video.frame import VideoFrame
from lerobot_streamrec.depth_frame import CompressedDepth, DepthFrame, METRES
from lerobot_streamrec.errors import UndecodableError
from lerobot_streamrec.frame import CompressedPicture, EncodedPacket, Picture
from lerobot_streamrec.video.codecs.rvl import decode_rvl
from lerobot_streamrec.video.encode.packet_decoder import PacketDecoder
import numpy as np
import numpy.typing as npt

# libav fills up what is missing of a JPEG that was cut short, and says nothing, unless it is told
# to refuse. PNG has checksums of its own.
_OPTIONS = {'err_detect': 'crccheck+explode'}
# What a whole file has behind its last pixels: the end, and what comes before it. Where only that
# is cut off, the decoders notice nothing; but then nothing tells that the pixels are whole.
_END = {'mjpeg': (b'\xff\xd9', b'\xff\xda'), 'png': (b'IEND', b'IDAT')}


class PictureDecoder:
    """
    Decodes pictures that stand by themselves. Owned by one thread.

    :param codec: FFmpeg's name of the decoder: ``mjpeg`` or ``png``
    """

    def __init__(self, codec: str) -> None:
        self._codec = codec
        self._context = self._open()

    def _open(self) -> av.VideoCodecContext:
        context = av.CodecContext.create(self._codec, 'r')
        assert isinstance(context, av.VideoCodecContext)
        # One picture in, one picture out: threads would hold some back.
        context.thread_count = 1
        context.options = _OPTIONS
        return context

    def decode(self, picture: CompressedPicture) -> VideoFrame:
        """
        Decode one picture.

        :param picture: a file of this decoder's codec
        :return: in the file's own pixel format, of the size that its header says
        :raise UndecodableError: if it is not whole, or no picture of this codec
        """
        data = picture.data.tobytes()
        end, before = _END[self._codec]
        if data.rfind(end) < data.rfind(before):
            raise self._error(picture, 'its end is missing')
        packet = av.Packet(data)
        # Otherwise libav takes a PNG for a difference to the one before, and adds the two up.
        packet.is_keyframe = True
        try:
            frames = self._context.decode(packet)
        except (av.FFmpegError, ValueError) as error:
            # What a broken picture left in the decoder must not show in the next one.
            self._context = self._open()
            raise self._error(picture, str(error)) from error
        if len(frames) != 1 or frames[0].is_corrupt:
            self._context = self._open()
            raise self._error(picture, 'it is not whole')
        frame = frames[0]
        if (frame.height, frame.width) != (picture.height, picture.width):
            raise self._error(
                picture,
                f'its header says {picture.width}x{picture.height} pixels, '
                f'there are {frame.width}x{frame.height}',
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


Coded = CompressedPicture | CompressedDepth | EncodedPacket
"""What has to be decoded before it can be encoded."""


class Decoders:
    """One decoder for each kind of picture that comes, made by the first. Owned by one thread."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def decode(self, picture: Coded) -> Any:
        """
        Decode a picture.

        :return: libav's frame, or a ``DepthFrame``
        :raise UndecodableError: if it is not whole
        """
        # PNG is the name of a colour's codec too.
        place = 'depth' if isinstance(picture, CompressedDepth) else picture.codec
        if place not in self._made:
            self._made[place] = _decoder_of(picture)
        return self._made[place].decode(picture)


def is_coded(picture: object) -> TypeGuard[Coded]:
    """Tell whether a picture has to be decoded; pixels need not."""
    return isinstance(picture, CompressedPicture | CompressedDepth | EncodedPacket)


def decoded(picture: Picture) -> Any:
    """
    Decode a picture by itself; pixels stay as they are.

    :return: a picture for encoders: a ``Frame``, a ``DepthFrame``, or libav's frame
    :raise UndecodableError: if it is not whole
    """
    return Decoders().decode(picture) if is_coded(picture) else picture


def _decoder_of(picture: Coded) -> PictureDecoder | PacketDecoder | DepthDecoder:
    if isinstance(picture, CompressedDepth):
        return DepthDecoder()
    if isinstance(picture, EncodedPacket):
        return PacketDecoder(picture.codec)
    return PictureDecoder(picture.codec)
