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
"""Packets of a camera's video stream to pixels."""

from __future__ import annotations

import av
from av.codec.context import Flags
from av.video.frame import VideoFrame
from lerobot_streamrec.errors import ReorderedPacketsError, UndecodableError
from lerobot_streamrec.frame import EncodedPacket

# libav's own decoder of AV1 needs hardware.
_DECODERS = {'h264': 'h264', 'hevc': 'hevc', 'av1': 'libdav1d'}


class PacketDecoder:
    """
    Decodes the packets that rows show, and those between them. Owned by one thread.

    :param codec: ``h264``, ``hevc`` or ``av1``
    """

    def __init__(self, codec: str) -> None:
        self._codec = codec
        self._context = self._open()
        self._last: EncodedPacket | None = None
        self._broken = ''
        self._is_reordered = False

    def _open(self) -> av.VideoCodecContext:
        context = av.CodecContext.create(_DECODERS[self._codec], 'r')
        assert isinstance(context, av.VideoCodecContext)
        # One packet in, one picture out.
        context.thread_count = 1
        context.flags |= Flags.low_delay
        context.options = {'err_detect': 'explode'}
        return context

    def decode(self, packet: EncodedPacket) -> VideoFrame:
        """
        Decode a packet, after all that it leans on and that was not decoded yet.

        :return: ``opaque`` is the packet if it follows the last one that was asked for, or begins
            anew where that ended; otherwise packets were left out in between
        :raise UndecodableError: if it, or one that it leans on, is not whole
        :raise ReorderedPacketsError: if frames come in another order than packets
        """
        run = self._run(packet)
        is_next = len(run) == 1
        self._last = packet
        for one in run:
            frame = self._decode(one)
        if frame is None or self._broken:
            kind = ReorderedPacketsError if self._is_reordered else UndecodableError
            raise kind(f'{self._codec} packet cannot be decoded: {self._broken}')
        if is_next:
            frame.opaque = packet
        return frame

    def _run(self, packet: EncodedPacket) -> list[EncodedPacket]:
        run = [packet]
        while (before := run[-1].previous) is not None and before is not self._last:
            run.append(before)
        return run[::-1]

    def _decode(self, packet: EncodedPacket) -> VideoFrame | None:
        """Decode one packet; what leans on a broken one is broken until the next key frame."""
        if packet.is_key:
            if self._broken:
                self._context = self._open()
            self._broken, self._is_reordered = '', False
        try:
            frames = self._context.decode(av.Packet(packet.data.tobytes()))
        except (av.FFmpegError, ValueError) as error:
            self._broken = self._broken or str(error)
            return None
        if len(frames) != 1:
            # libav knows by the parameter sets, or finds it out by the pictures' own counters.
            self._is_reordered = self._context.has_b_frames
            self._broken = self._broken or (
                'its pictures come in another order than its packets; turn off B-frames in the '
                'camera'
                if self._is_reordered
                else 'it does not hold exactly one picture'
            )
            return None
        if (frames[0].height, frames[0].width) != (packet.height, packet.width):
            self._broken = self._broken or 'it has another size than its key frame'
        return frames[0]
