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
"""A camera's packets put in a chain, from its key frames on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import io

import av
from lerobot_streamrec.errors import UndecodableError
from lerobot_streamrec.frame import AccessUnit, EncodedPacket

# libav's readers of such streams outside of any container.
_DEMUXERS = {'h264': 'h264', 'hevc': 'hevc', 'av1': 'obu'}

# A chain stays in memory until the next key frame.
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
    """Owned by the thread in which messages come."""

    def __init__(self) -> None:
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
        if self._num_packets > MAX_PACKETS:
            self._last = None
            raise UndecodableError(
                f'{unit.codec} packets without a key frame for {MAX_PACKETS} pictures: let the '
                'camera make one every second or two'
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
