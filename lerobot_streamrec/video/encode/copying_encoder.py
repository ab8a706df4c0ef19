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
"""A sink that copies the packets of a compressed stream into an MP4."""

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
from lerobot_streamrec.video.encode.mp4_encoder import EncodedVideo
from lerobot_streamrec.video.encode.open_encoder import FileEncoder
from lerobot_streamrec.video.encode.replacing_encoder import ReplacingEncoder
from lerobot_streamrec.video.mp4.video_info import PacketFile

# libav's readers of such streams outside of any container.
_DEMUXERS = {'h264': 'h264', 'hevc': 'hevc', 'av1': 'obu'}

MAX_PACKETS = 1800


@contextmanager
def stream_of(data: bytes, codec: str) -> Iterator[av.VideoStream]:
    """
    Let libav read a key frame's parameter sets.

    :param data: of a key frame
    :param codec: ``h264``, ``hevc`` or ``av1``
    :raise av.FFmpegError: if they cannot be read
    """
    with av.open(io.BytesIO(data), format=_DEMUXERS[codec]) as container:
        yield container.streams.video[0]


class PacketStream:
    """
    Owned by the thread in which messages come.

    :param max_packets: packets of a chain, which stays in memory until the next key frame
    """

    def __init__(self, max_packets: int = MAX_PACKETS) -> None:
        self._max_packets = max_packets
        self._last: EncodedPacket | None = None
        self._num_packets = 0
        self._parameters: tuple[str, bytes] | None = None
        self._size = (0, 0)

    def push(self, unit: AccessUnit) -> EncodedPacket:
        """
        Chain a message's content to those before it.

        :raise UndecodableError: if there is no key frame before it, or its size cannot be read
        """
        if unit.is_key:
            self._read_size(unit)
            self._num_packets = 0
            self._last = None
        elif self._last is None or self._last.codec != unit.codec:
            self._last = None
            raise UndecodableError(
                f'{unit.codec} packet without a key frame before it; it has to come with its '
                'parameter sets'
            )
        self._num_packets += 1
        if self._num_packets > self._max_packets:
            self._last = None
            raise UndecodableError(
                f'{unit.codec} packets without a key frame for {self._max_packets} pictures: let '
                'the camera make one every second or two'
            )
        height, width = self._size
        self._last = EncodedPacket(unit.data, unit.codec, height, width, self._last)
        return self._last

    def lose(self) -> None:
        """
        Take note that packets were lost: those that lean on them are refused.

        Decoders of H.264 and AV1 make something up for what is missing, and say nothing.
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
            raise UndecodableError(f'{unit.codec} key frame does not tell its size')
        self._parameters = (unit.codec, unit.parameters)


_log = logging.getLogger(__name__)

MAX_KEY_DISTANCE = 60
"""Readers of datasets decode from the key frame before: more frames apart makes training slow."""


class CopyingEncoder:
    """
    Copies packets while it can, and encodes from the first frame on that it cannot copy.

    Then what was copied is decoded and encoded as well: a video has one encoder, and one frame
    for each call in either way. Owned by one thread.

    :param path: file to make; its folder exists
    :param open_encoder: makes an encoder of the same codec that writes to a path
    :param fps: frames per second
    :param max_key_distance: how many frames key frames may be apart
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
        Put a picture into the video as the next frame.

        :param picture: copied if its ``opaque`` is the packet that it was decoded from
        :raise av.FFmpegError: whatever the codec or the disk says
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
        self._copy.mux(packet)
        return True

    def repeat(self) -> None:
        """Put the last picture into the video once more."""
        self._encode_instead().repeat()

    def _encode_instead(self) -> FileEncoder:
        if self._encoder is None:
            if self._copy is None:
                self._encoder = self._open_encoder(self._path)
            else:
                self._encoder = self._encode_again(self._copy)
        return self._encoder

    def _encode_again(self, copy: _Copy) -> FileEncoder:
        """Encode what was copied, beside it."""
        copy.close()
        self._copy = None
        _log.info(
            '%s: %d packets were copied and are encoded now', self._path.stem, copy.num_frames
        )
        return ReplacingEncoder(
            self._path,
            self._open_encoder,
            fps=self._fps,
            num_frames=copy.num_frames,
            num_there=copy.num_frames,
        )

    @property
    def num_written(self) -> int:
        """Frames that stand in the file."""
        if self._encoder is not None:
            return self._encoder.num_written
        return self._copy.num_frames if self._copy is not None else 0

    def finish(self) -> EncodedVideo:
        """
        Close the file and say what is in it.

        :raise EncoderError: if there was no frame, or not all of them are in it
        """
        if self._encoder is not None:
            return self._encoder.finish()
        if self._copy is None:
            raise EncoderError(f'{self._path}: there was no frame to encode')
        return self._copy.finish()

    def abort(self) -> None:
        """Close the file as it is; never raises."""
        for one in (self._copy, self._encoder):
            if one is not None:
                one.abort()


class _Copy:
    """
    An MP4 of packets that nobody has encoded again; frame k stands at ``k / fps``.

    :param path: file to make
    :param first: a key frame, which tells what is said of all
    :param fps: frames per second
    """

    def __init__(self, path: Path, first: EncodedPacket, fps: int) -> None:
        self._path = path
        self._last_key = 0
        self._largest_distance = 0
        try:
            with stream_of(first.data.tobytes(), first.codec) as stream:
                self._file = PacketFile(path, stream, fps)
        except (av.FFmpegError, OSError, IndexError) as error:
            raise EncoderError(f'cannot begin {path}: {error}') from error

    @property
    def num_frames(self) -> int:
        """Packets in it."""
        return self._file.num_frames

    def key_distance(self, packet: EncodedPacket) -> int:
        """Return how far a packet would stand behind its key frame, in frames."""
        return 0 if packet.is_key else self.num_frames - self._last_key

    def mux(self, packet: EncodedPacket) -> None:
        """Append a packet as the next frame."""
        if packet.is_key:
            distance = self.num_frames - self._last_key
            self._largest_distance = max(self._largest_distance, distance)
            self._last_key = self.num_frames
        copied = av.Packet(packet.data.tobytes())
        copied.is_keyframe = packet.is_key
        self._file.mux(copied)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def finish(self) -> EncodedVideo:
        """Close the file and say what is in it."""
        self.close()
        info: dict[str, object] = {
            # The camera's encoder does not say how it was set; this much was measured.
            'video.g': self._largest_distance or None,
            'video.crf': None,
            'video.preset': None,
            'video.fast_decode': None,
            'video.video_backend': None,
            'video.extra_options': {},
        }
        size_bytes = self._path.stat().st_size
        return EncodedVideo(self._path, self.num_frames, size_bytes, encoder_info=info)

    def abort(self) -> None:
        """Close the file as it is; never raises."""
        self._file.abort()
