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
"""From what an ffmpeg program writes into an MP4."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
import threading

import av
from lerobot_streamrec.errors import EncoderError
from lerobot_streamrec.video.encode.ffmpeg_process import FfmpegProcess
from lerobot_streamrec.video.mp4.packet_file import PacketFile

# The program says what it writes; libav need not look at packets to guess it.
_NUT_OPTIONS = {'probesize': '32', 'analyzeduration': '0', 'fpsprobesize': '0'}

_JOIN_S = 0.1
_DRAIN_BYTES = 65536


class FfmpegOutput:
    """
    Copies the program's packets into a file, in a thread of its own, until there are no more.

    :param process: its output is this thread's; everything else belongs to the caller's
    :param path: file to make with the first packet; its folder exists
    :param fps: frames per second
    """

    def __init__(self, process: FfmpegProcess, path: Path, fps: int) -> None:
        self._process = process
        self._path = path
        self._fps = fps
        self._file: PacketFile | None = None
        # Packets that may have been cut off: the end came while the last of them was read.
        self._doubtful: list[av.Packet[av.VideoStream]] = []
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f'ffmpeg:{path.stem}')
        self._thread.start()

    @property
    def num_written(self) -> int:
        """Packets in the file; any thread."""
        return self._file.num_frames if self._file is not None else 0

    @property
    def num_given(self) -> int:
        """Packets that came; after the end."""
        return self.num_written + len(self._doubtful)

    def raise_error(self) -> None:
        """
        Tell what the thread has died of; nothing while all is well.

        :raise EncoderError: what came is no video of these frames
        :raise av.FFmpegError: whatever the disk says
        """
        if self._error is not None:
            raise self._error

    def wait(self) -> None:
        """
        Wait for the end of the program's output, for as long as it is at work.

        :raise EncoderProcessError: if it does nothing for too long
        """
        while self._thread.is_alive():
            self._thread.join(_JOIN_S)
            self._process.refuse_stall()

    def finish(self) -> None:
        """
        Close the file; the program has ended well, so that its last packets are whole.

        :raise av.FFmpegError: whatever the disk says
        """
        assert self._file is not None
        for packet in self._doubtful:
            self._file.mux(packet)
        self._doubtful = []
        self._file.close()

    def abort(self) -> None:
        """Read what a program that was killed left, and close the file; never raises."""
        self._thread.join(_JOIN_S)
        # Its children may hold the pipe open.
        self._process.output.stop()
        self._thread.join()
        if self._file is not None:
            self._file.abort()

    def _run(self) -> None:
        try:
            for packet, stream in self._packets():
                self._take(packet, stream)
                self._process.progress()
        except (EncoderError, av.FFmpegError, OSError) as error:
            self._error = error
        # The caller learns of it with its next frame, and must not wait for room until then.
        while self._process.output.read(_DRAIN_BYTES):
            pass

    def _packets(self) -> Iterator[tuple[av.Packet[av.VideoStream], av.VideoStream]]:
        try:
            with av.open(
                self._process.output, mode='r', format='nut', options=_NUT_OPTIONS
            ) as container:
                stream = container.streams.video[0]
                for packet in container.demux(stream):
                    if packet.size:
                        yield packet, stream
        except (av.FFmpegError, IndexError, ValueError) as error:
            # A program that says nothing has its own reason, which its exit status tells.
            if not self._process.output.is_at_end:
                self._error = self._process.error(f'what it wrote cannot be read: {error}')

    def _take(self, packet: av.Packet[av.VideoStream], stream: av.VideoStream) -> None:
        if self._file is None:
            self._file = PacketFile(self._path, stream, self._fps)
        assert packet.pts is not None
        assert packet.time_base is not None
        number, due = Fraction(packet.pts) * packet.time_base * self._fps, self.num_given
        if round(number) != due:
            raise self._process.error(f'it gave frame {round(number)} when {due} was due')
        if self._process.output.is_at_end:
            self._doubtful.append(packet)
        else:
            self._file.mux(packet)
