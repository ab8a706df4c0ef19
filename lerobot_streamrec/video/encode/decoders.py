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
"""Which decoder makes pixels of what a camera sends."""

from __future__ import annotations

from typing import Any, TypeGuard

from lerobot_streamrec.depth_frame import CompressedDepth
from lerobot_streamrec.frame import CompressedPicture, EncodedPacket, Picture
from lerobot_streamrec.video.encode.depth_decoder import DepthDecoder
from lerobot_streamrec.video.encode.packet_decoder import PacketDecoder
from lerobot_streamrec.video.encode.picture_decoder import PictureDecoder

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
