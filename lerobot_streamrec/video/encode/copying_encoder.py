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
"""An encoder that copies the packets of a compressed stream into an MP4."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import io
import logging
from pathlib import Path

import av
from av.video.frame import VideoFrame
from lerobot_streamrec.errors import EncoderError, UndecodableError
from lerobot_streamrec.frame import AccessUnit, EncodedPacket, Frame
from lerobot_streamrec.video.encode.mp4_encoder import EncodedVideo, FileEncoder
from lerobot_streamrec.video.encode.replacing_encoder import ReplacingEncoder
from lerobot_streamrec.video.mp4.video_info import PacketFile

# libav's demuxers for packet streams without a container.
_DEMUXERS = {'h264': 'h264', 'hevc': 'hevc', 'av1': 'obu'}

# A packet keeps all packets since its key frame in memory, so their number is bounded.
MAX_PACKETS = 1800


@contextmanager
def stream_of(data: bytes, codec: str) -> Iterator[av.VideoStream]:
    """
    Let libav read the parameter sets of a key frame.

    :param data: packet of the key frame
    :param codec: ``h264``, ``hevc`` or ``av1``
    :return: the stream that they describe
    :raise av.FFmpegError: if they cannot be read
    """
    with av.open(io.BytesIO(data), format=_DEMUXERS[codec]) as container:
        yield container.streams.video[0]


class PacketStream:
    """
    Chains the packets of a camera. Owned by the thread that receives the messages.

    :param max_packets: longest chain without a key frame
    """

    def __init__(self, max_packets: int = MAX_PACKETS) -> None:
        self._max_packets = max_packets
        self._last: EncodedPacket | None = None
        self._num_packets = 0
        self._parameters: tuple[str, bytes] | None = None
        self._size = (0, 0)

    def push(self, unit: AccessUnit) -> EncodedPacket:
        """
        Chain a message's packet to the packets before it.

        :raise UndecodableError: if no key frame precedes it, the last key frame is too far back,
            or the size of a key frame cannot be read
        """
        if unit.is_key:
            self._read_size(unit)
            self._num_packets = 0
            self._last = None
        elif self._last is None or self._last.codec != unit.codec:
            self._last = None
            raise UndecodableError(
                f'{unit.codec} packet without a key frame before it; the key frame has to come '
                'with its parameter sets'
            )
        self._num_packets += 1
        if self._num_packets > self._max_packets:
            self._last = None
            raise UndecodableError(
                f'{unit.codec} packets without a key frame for {self._max_packets} pictures: set '
                'the camera to send one every second or two'
            )
        height, width = self._size
        self._last = EncodedPacket(unit.data, unit.codec, height, width, self._last)
        return self._last

    def lose(self) -> None:
        """
        Note that packets were lost, and refuse those that follow until the next key frame.

        Decoders of H.264 and AV1 would fill in missing packets without reporting an error.
        """
        self._last = None

    def _read_size(self, unit: AccessUnit) -> None:
        if self._parameters == (unit.codec, unit.parameters):
            return
        self._last = None
        try:
            with stream_of(unit.data.tobytes(), unit.codec) as stream:
                self._size = (stream.height, stream.width)
        except (av.FFmpegError, IndexError, ValueError) as error:
            raise UndecodableError(f'{unit.codec} key frame cannot be read: {error}') from error
        if not all(self._size):
            raise UndecodableError(f'{unit.codec} key frame does not state its size')
        self._parameters = (unit.codec, unit.parameters)


_log = logging.getLogger(__name__)

MAX_KEY_DISTANCE = 60
"""Largest distance of key frames. Readers decode from a key frame on, so more slows training."""


class CopyingEncoder:
    """
    Copies packets until a frame cannot be copied, and encodes all frames from then on.

    It then decodes the copied packets and encodes them as well, so that a video has one encoder
    only. In both cases, each call writes one frame. Owned by one thread.

    :param path: file to create; its folder exists
    :param open_encoder: opens an encoder of the same codec that writes to the given path
    :param fps: frames per second
    :param max_key_distance: largest distance of key frames, in frames
    """

    def __init__(
        self,
        path: Path,
        open_encoder: Callable[[Path], FileEncoder],
        *,
        fps: int,
        max_key_distance: int = MAX_KEY_DISTANCE,
    ) -> None:
        self._path = path
        self._open_encoder = open_encoder
        self._fps = fps
        self._max_key_distance = max_key_distance
        self._copy: _Copy | None = None
        self._encoder: FileEncoder | None = None

    def encode(self, picture: Frame | VideoFrame) -> None:
        """
        Write a picture to the video as the next frame.

        :param picture: picture that is copied if its ``opaque`` is the packet that it was decoded
            from, and encoded otherwise
        :raise av.FFmpegError: if the codec or the disk fails
        """
        packet = picture.opaque if isinstance(picture, VideoFrame) else None
        if not isinstance(packet, EncodedPacket) or not self._copies(packet):
            self._encode_instead().encode(picture)

    def _copies(self, packet: EncodedPacket) -> bool:
        if self._encoder is not None:
            return False
        if self._copy is None:
            if not packet.is_key:
                return False
            self._copy = _Copy(self._path, packet, self._fps)
        if self._copy.key_distance(packet) > self._max_key_distance:
            return False
        self._copy.copy(packet)
        return True

    def repeat(self) -> None:
        """Encode the last picture once more as the next frame."""
        self._encode_instead().repeat()

    def _encode_instead(self) -> FileEncoder:
        if self._encoder is None:
            if self._copy is None:
                self._encoder = self._open_encoder(self._path)
            else:
                self._encoder = self._encode_again(self._copy)
        return self._encoder

    def _encode_again(self, copy: _Copy) -> FileEncoder:
        """Encode the copied packets again into a file that replaces the copy."""
        copy.close()
        self._copy = None
        _log.info('%s: %d copied packets are now encoded again', self._path.stem, copy.num_frames)
        return ReplacingEncoder(
            self._path,
            self._open_encoder,
            fps=self._fps,
            num_frames=copy.num_frames,
            num_there=copy.num_frames,
        )

    @property
    def num_written(self) -> int:
        """The number of frames in the file."""
        if self._encoder is not None:
            return self._encoder.num_written
        return self._copy.num_frames if self._copy is not None else 0

    def finish(self) -> EncodedVideo:
        """
        Close the file and return its description.

        :raise EncoderError: if there was no frame, or not all frames are in the file
        """
        if self._encoder is not None:
            return self._encoder.finish()
        if self._copy is None:
            raise EncoderError(f'{self._path}: there was no frame to encode')
        return self._copy.finish()

    def abort(self) -> None:
        """Close the file as it is. Never raises."""
        for one in (self._copy, self._encoder):
            if one is not None:
                one.abort()


class _Copy(PacketFile):
    """
    An MP4 of copied packets, in which frame k is shown at ``k / fps``.

    :param path: file to create
    :param first: a key frame, whose parameter sets describe the stream
    :param fps: frames per second
    """

    def __init__(self, path: Path, first: EncodedPacket, fps: int) -> None:
        self._path = path
        self._last_key = 0
        self._largest_distance = 0
        try:
            with stream_of(first.data.tobytes(), first.codec) as stream:
                super().__init__(path, stream, fps)
        except (av.FFmpegError, OSError, IndexError) as error:
            raise EncoderError(f'cannot begin {path}: {error}') from error

    def key_distance(self, packet: EncodedPacket) -> int:
        """Return the distance that a packet would have from its key frame, in frames."""
        return 0 if packet.is_key else self.num_frames - self._last_key

    def copy(self, packet: EncodedPacket) -> None:
        """Append a packet as the next frame."""
        if packet.is_key:
            distance = self.num_frames - self._last_key
            self._largest_distance = max(self._largest_distance, distance)
            self._last_key = self.num_frames
        copied = av.Packet(packet.data.tobytes())
        copied.is_keyframe = packet.is_key
        self.mux(copied)

    def finish(self) -> EncodedVideo:
        """Close the file and return its description."""
        self.close()
        info: dict[str, object] = {
            # The settings of the camera's encoder are unknown, except this measured distance.
            'video.g': self._largest_distance or None,
            'video.crf': None,
            'video.preset': None,
            'video.fast_decode': None,
            'video.video_backend': None,
            'video.extra_options': {},
        }
        size_bytes = self._path.stat().st_size
        return EncodedVideo(self._path, self.num_frames, size_bytes, encoder_info=info)
