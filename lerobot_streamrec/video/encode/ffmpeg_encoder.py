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
"""A sink that encodes in an ffmpeg program: its command, its input and its output."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
import threading

import av
from av.video.frame import VideoFrame
from lerobot_streamrec.errors import EncoderError
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.codecs.codecs import codec_options, ffmpeg_encoder
from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.video.codecs.picture_record import raw_planes
from lerobot_streamrec.video.codecs.video_frame import FrameScaler
from lerobot_streamrec.video.encode.ffmpeg_process import FfmpegProcess
from lerobot_streamrec.video.encode.mp4_encoder import EncodedVideo
from lerobot_streamrec.video.mp4.video_info import PacketFile

_COLOURS = ('-color_range', 'tv', '-colorspace', 'smpte170m')


def encoder_command(config: EncoderConfig, *, fps: int, width: int, height: int) -> list[str]:
    """
    Return the program and its arguments: raw frames on stdin, packets in NUT on stdout.

    NUT keeps the borders of packets, tells key frames, and needs no way back in its output. What
    the colours are is said of the input and of the output: ffmpeg 4 does not pass it on, and
    later ones would convert what says otherwise.

    :param config: settings of the backend ffmpeg
    :param fps: frames per second
    :param width: width of every frame, in pixels
    :param height: height of every frame, in pixels
    """
    settings, options = config.ffmpeg, codec_options(config)
    if config.codec != 'av1':
        # Frame k has to be packet k; encoders in hardware have defaults of their own.
        options.setdefault('bf', '0')
    return [
        settings.executable,
        *('-hide_banner', '-nostdin', '-loglevel', 'warning'),
        *settings.input_args,
        *('-f', 'rawvideo', '-pix_fmt', config.pix_fmt, '-video_size', f'{width}x{height}'),
        *('-framerate', str(fps), *_COLOURS),
        *('-i', 'pipe:0', *_COLOURS),
        *(('-vf', settings.filters) if settings.filters else ()),
        *('-c:v', ffmpeg_encoder(config)),
        *(text for name, value in options.items() for text in (f'-{name}', value)),
        *('-f', 'nut', '-flush_packets', '1', 'pipe:1'),
    ]


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


class FfmpegEncoder:
    """
    Encodes frames 0, 1, 2, ... at ``k / fps``, one for each call of ``encode`` or ``repeat``.

    Pictures are scaled here, as they are for every encoder, and the file is written here: the
    program only makes packets of raw frames. Owned by one thread.

    :param path: file to make with the first packet; its folder exists
    :param config: encoder settings of the backend ffmpeg, checked before
    :param fps: frames per second
    :param width: width of every frame, in pixels
    :param height: height of every frame, in pixels
    :raise EncoderProcessError: if the program cannot be started
    """

    def __init__(
        self, path: Path, config: EncoderConfig, *, fps: int, width: int, height: int
    ) -> None:
        self._path = path
        self._scaler = FrameScaler(config.pix_fmt)
        self._num_frames = 0
        self._last: VideoFrame | None = None
        self._process = FfmpegProcess(
            encoder_command(config, fps=fps, width=width, height=height),
            stall_timeout_s=config.ffmpeg.stall_timeout_s,
            name=path.stem,
        )
        self._output = FfmpegOutput(self._process, path, fps)

    @property
    def num_frames(self) -> int:
        """Frames given to the program so far."""
        return self._num_frames

    @property
    def num_written(self) -> int:
        """Frames that stand in the file; the program holds back the others."""
        return self._output.num_written

    def move(self, path: Path) -> None:
        """
        Rename the file while it grows.

        :raise OSError: if there is none yet, because the program holds all frames back
        """
        self._path = self._path.replace(path)

    def encode(self, picture: Frame | VideoFrame) -> None:
        """
        Encode a picture as the next frame; waits while the program is at work on others.

        :param picture: as the camera sent it, or as libav decoded it
        :raise EncoderProcessError: if the program has ended, or does nothing for too long
        :raise av.FFmpegError: whatever the disk says
        """
        self._last = self._scaler.scale(picture)
        self._write_last()

    def repeat(self) -> None:
        """
        Encode the last picture once more as the next frame.

        :raise EncoderError: if there was none, and as ``encode`` does
        """
        if self._last is None:
            raise EncoderError('there is no frame to repeat')
        self._write_last()

    def _write_last(self) -> None:
        assert self._last is not None
        self._output.raise_error()
        for plane in raw_planes(self._last):
            self._process.write(plane)
        self._num_frames += 1

    def finish(self) -> EncodedVideo:
        """
        Wait for what the program still holds, and close the file.

        :raise EncoderError: if there was no frame, or the program fails, or did not return a
            packet for each
        """
        if not self._num_frames:
            self.abort()
            raise EncoderError(f'{self._path}: there was no frame to encode')
        self._process.end_input()
        self._output.wait()
        self._output.raise_error()
        self._process.refuse_failure()
        num_given = self._output.num_given
        if num_given != self._num_frames:
            raise self._process.error(
                f'{self._path}: the program made {num_given} packets of {self._num_frames} frames'
            )
        self._output.finish()
        self._process.close()
        return EncodedVideo(self._path, self._num_frames, self._path.stat().st_size)

    def abort(self) -> None:
        """Kill the program and close the file as it is; never raises. Idempotent."""
        with suppress(OSError):
            self._process.kill()
        self._output.abort()
        self._process.close()
