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
"""Decoders of packet streams, and a thread that decodes the frames of a video file ahead."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from fractions import Fraction
from itertools import count
from pathlib import Path
from queue import Empty, Full, Queue
import threading

import av
from av.codec.context import Flags
from av.video.frame import VideoFrame
from lerobot_streamrec.errors import ReorderedPacketsError, UndecodableError, VideoError
from lerobot_streamrec.frame import EncodedPacket
from lerobot_streamrec.video.mp4.frame_decoder import Pixels, PyavDecoder
from lerobot_streamrec.video.mp4.packet_index import TOLERANCE_S

_AHEAD = 4
_POLL_S = 0.2


class FrameFeed:
    """
    Decodes the frames of a video file in a thread of its own, a few frames ahead.

    All methods belong to one other thread, which also has to call ``close``.

    :param name: name of the decoding thread
    :param path: a video file
    :param times_s: times of the frames, in seconds into the file, ascending
    :param is_depth: True if the frames are depth codes
    :param is_endless: True if the first frame follows the last
    """

    def __init__(
        self,
        name: str,
        path: Path,
        times_s: Sequence[Fraction],
        *,
        is_depth: bool,
        is_endless: bool,
    ) -> None:
        self._path = path
        self._times_s = times_s
        self._is_depth = is_depth
        self._is_endless = is_endless
        self._ready: Queue[Pixels | BaseException] = Queue(_AHEAD)
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=False)
        self._thread.start()

    def next(self, timeout_s: float) -> Pixels | None:
        """
        Wait for the next frame.

        :param timeout_s: longest time to wait, in seconds
        :return: ``(height, width, 3)`` uint8 RGB, or ``(height, width)`` uint16 depth codes; None
            if the frame is not decoded yet
        :raise VideoError: if the frame cannot be decoded
        """
        try:
            found = self._ready.get(timeout=timeout_s)
        except Empty:
            return None
        if isinstance(found, BaseException):
            raise found
        return found

    def close(self, timeout_s: float) -> bool:
        """
        End the thread. Idempotent.

        :param timeout_s: longest time to wait for its end, in seconds
        :return: True if the thread has ended
        """
        self._is_closed.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            with closing(PyavDecoder(self._path, self._is_depth)) as decoder:
                for _ in count() if self._is_endless else range(1):
                    if not self._play(decoder):
                        return
        # This is the thread's entry: every error must reach whoever waits for a frame.
        except BaseException as error:  # noqa: BLE001
            self._hand_over(error)

    def _play(self, decoder: PyavDecoder) -> bool:
        frames = decoder.read(self._times_s)
        for wanted_s, (at_s, pixels) in zip(self._times_s, frames, strict=True):
            if abs(at_s - wanted_s) > TOLERANCE_S:
                raise VideoError(
                    f'{self._path} has no frame at {float(wanted_s):.6f} s: the nearest is at '
                    f'{float(at_s):.6f} s'
                )
            if not self._hand_over(pixels):
                return False
        return True

    def _hand_over(self, found: Pixels | BaseException) -> bool:
        while not self._is_closed.is_set():
            try:
                self._ready.put(found, timeout=_POLL_S)
            except Full:
                continue
            return True
        return False


# libav's own AV1 decoder needs hardware, so libdav1d decodes AV1.
_DECODERS = {'h264': 'h264', 'hevc': 'hevc', 'av1': 'libdav1d'}


class PacketDecoder:
    """
    Decodes packets that rows show, and the packets between them. Owned by one thread.

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
        # Every packet has to return its picture at once; threads would hold some back.
        context.thread_count = 1
        context.flags |= Flags.low_delay
        context.options = {'err_detect': 'explode'}
        return context

    def decode(self, packet: EncodedPacket) -> VideoFrame:
        """
        Decode a packet, and before it the packets that it depends on and that are still undecoded.

        :return: libav's frame; its ``opaque`` is the packet, unless packets were skipped since the
            last packet that was asked for
        :raise UndecodableError: if the packet, or one that it depends on, is damaged
        :raise ReorderedPacketsError: if frames and packets have different orders
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
        """Decode one packet. After a broken one, all are broken until the next key frame."""
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
            # libav learns of reordering from the parameter sets or the pictures' own counters.
            self._is_reordered = self._context.has_b_frames
            self._broken = self._broken or (
                'its pictures come in another order than its packets; turn off B-frames in the '
                'camera'
                if self._is_reordered
                else 'it does not hold exactly one picture'
            )
            return None
        if (frames[0].height, frames[0].width) != (packet.height, packet.width):
            self._broken = self._broken or 'its size differs from that of its key frame'
        return frames[0]
