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
"""An MP4 of packets that were encoded elsewhere."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import OutputContainer
from lerobot_streamrec.errors import EncoderError

# While the file grows, it is cut into fragments that can be read if the process is killed;
# closing turns it into an ordinary MP4 in place.
CONTAINER_OPTIONS = {'movflags': 'hybrid_fragmented', 'flush_packets': '1'}


class PacketFile:
    """
    Packet k is frame k and stands at ``k / fps``. Owned by one thread at a time.

    :param path: file to make
    :param template: a stream that tells what is said of all packets
    :param fps: frames per second
    :raise EncoderError: if it cannot be begun
    """

    def __init__(self, path: Path, template: av.VideoStream, fps: int) -> None:
        self._period = Fraction(1, fps)
        self.num_frames = 0
        try:
            self._container = av.open(
                str(path), 'w', format='mp4', container_options=dict(CONTAINER_OPTIONS)
            )
            self._stream = self._container.add_stream_from_template(template, opaque=True)
        except (av.FFmpegError, OSError) as error:
            raise EncoderError(f'cannot begin {path}: {error}') from error
        self._stream.time_base = self._period

    def mux(self, packet: av.Packet[Any]) -> None:
        """
        Append a packet as the next frame.

        :param packet: knows whether it is a key frame; its times are not looked at
        :raise av.FFmpegError: whatever the disk says
        """
        packet.stream = self._stream
        packet.time_base = self._period
        packet.pts = packet.dts = self.num_frames
        packet.duration = 1
        self._container.mux(packet)
        self.num_frames += 1

    def close(self) -> None:
        """
        Close the file.

        :raise av.FFmpegError: whatever the disk says
        """
        self._container.close()

    def abort(self) -> None:
        """Close the file as it is; never raises."""
        close_quietly(self._container)


def close_quietly(container: OutputContainer) -> None:
    """Close a file as it is; never raises: the first error is already on its way."""
    with suppress(av.FFmpegError, OSError, ValueError):
        container.close()
