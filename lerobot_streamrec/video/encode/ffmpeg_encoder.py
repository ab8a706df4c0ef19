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
"""An encoder that runs an ffmpeg program: its command, its input and its output."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
import threading

import av
from av.video.frame import VideoFrame
from lerobot_streamrec.errors import EncoderError
from lerobot_streamrec.video.codecs.codecs import codec_options, ffmpeg_encoder
from lerobot_streamrec.video.codecs.config import EncoderConfig, FFMPEG, VideoSpec
from lerobot_streamrec.video.codecs.picture_record import raw_planes
from lerobot_streamrec.video.encode.ffmpeg_process import FfmpegProcess
from lerobot_streamrec.video.encode.mp4_encoder import (
    EncodedVideo,
    FileEncoder,
    Mp4Encoder,
    ScalingEncoder,
)
from lerobot_streamrec.video.mp4.video_info import PacketFile

_COLOURS = ('-color_range', 'tv', '-colorspace', 'smpte170m')


def encoder_command(config: EncoderConfig, spec: VideoSpec) -> list[str]:
    """
    Return the program and its arguments: raw frames on stdin, packets in NUT on stdout.

    NUT keeps packet boundaries, marks key frames and needs no seeking in its output. The colour
    options are given for both input and output, because ffmpeg 4 does not pass them on, and later
    versions convert the colours if the two differ.

    :param config: settings of the backend ffmpeg
    :param spec: size and rate of the video
    """
    settings, options = config.ffmpeg, codec_options(config)
    if config.codec != 'av1':
        # Frame k has to be packet k, but hardware encoders may use B-frames by default.
        options.setdefault('bf', '0')
    return [
        settings.executable,
        *('-hide_banner', '-nostdin', '-loglevel', 'warning'),
        *settings.input_args,
        *('-f', 'rawvideo', '-pix_fmt', config.pix_fmt),
        *('-video_size', f'{spec.width}x{spec.height}', '-framerate', str(spec.fps), *_COLOURS),
        *('-i', 'pipe:0', *_COLOURS),
        *(('-vf', settings.filters) if settings.filters else ()),
        *('-c:v', ffmpeg_encoder(config)),
        *(text for name, value in options.items() for text in (f'-{name}', value)),
        *('-f', 'nut', '-flush_packets', '1', 'pipe:1'),
    ]


# The NUT header describes the stream, so libav need not probe packets.
_NUT_OPTIONS = {'probesize': '32', 'analyzeduration': '0', 'fpsprobesize': '0'}

_JOIN_S = 0.1
_DRAIN_BYTES = 65536


class FfmpegOutput:
    """
    Copies the program's packets to a file, in a thread of its own, until the output ends.

    :param process: the program; its output belongs to this thread, all else to the caller's
    :param path: file that the first packet creates; its folder exists
    :param fps: frames per second
    """

    def __init__(self, process: FfmpegProcess, path: Path, fps: int) -> None:
        self._process = process
        self._path = path
        self._fps = fps
        self._file: PacketFile | None = None
        # Packets that may be cut off, because the output ended while they were read.
        self._doubtful: list[av.Packet[av.VideoStream]] = []
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f'ffmpeg:{path.stem}')
        self._thread.start()

    @property
    def num_written(self) -> int:
        """The number of packets in the file; any thread."""
        return self._file.num_frames if self._file is not None else 0

    @property
    def num_given(self) -> int:
        """The number of packets that the program returned; valid after the end of its output."""
        return self.num_written + len(self._doubtful)

    def raise_error(self) -> None:
        """
        Raise the error that ended the thread, if there is one.

        :raise EncoderError: if the output is not a video of the frames
        :raise av.FFmpegError: if the disk fails
        """
        if self._error is not None:
            raise self._error

    def wait(self) -> None:
        """
        Wait for the end of the program's output.

        :raise EncoderProcessError: if the program stalls
        """
        while self._thread.is_alive():
            self._thread.join(_JOIN_S)
            self._process.refuse_stall()

    def finish(self) -> None:
        """
        Write the last packets, which are intact because the program succeeded; close the file.

        :raise av.FFmpegError: if the disk fails
        """
        assert self._file is not None
        for packet in self._doubtful:
            self._file.mux(packet)
        self._doubtful = []
        self._file.close()

    def abort(self) -> None:
        """Read the remaining output of a killed program, and close the file. Never raises."""
        self._thread.join(_JOIN_S)
        # Children of the program may still hold the pipe open.
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
        # The caller sees an error at its next frame. Until then the pipe must not fill up.
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
            # If the output has ended, the exit status tells the actual reason.
            if not self._process.output.is_at_end:
                self._error = self._process.error(f"the program's output cannot be read: {error}")

    def _take(self, packet: av.Packet[av.VideoStream], stream: av.VideoStream) -> None:
        if self._file is None:
            self._file = PacketFile(self._path, stream, self._fps)
        assert packet.pts is not None
        assert packet.time_base is not None
        number, due = Fraction(packet.pts) * packet.time_base * self._fps, self.num_given
        if round(number) != due:
            raise self._process.error(
                f'the program returned frame {round(number)} instead of frame {due}'
            )
        if self._process.output.is_at_end:
            self._doubtful.append(packet)
        else:
            self._file.mux(packet)


class FfmpegEncoder(ScalingEncoder):
    """
    Encodes frames 0, 1, 2, ... at ``k / fps``, one for each call of ``encode`` or ``repeat``.

    The recorder scales the pictures, as for every encoder, and writes the file; the program only
    turns raw frames into packets. Owned by one thread.

    :param path: file that the first packet creates; its folder exists
    :param config: encoder settings of the backend ffmpeg, already checked
    :param spec: size and rate of the video
    :raise EncoderProcessError: if the program cannot be started
    """

    def __init__(self, path: Path, config: EncoderConfig, spec: VideoSpec) -> None:
        super().__init__(path, config.pix_fmt)
        self._process = FfmpegProcess(
            encoder_command(config, spec),
            stall_timeout_s=config.ffmpeg.stall_timeout_s,
            name=path.stem,
        )
        self._output = FfmpegOutput(self._process, path, spec.fps)

    @property
    def num_written(self) -> int:
        """The number of frames in the file; the program holds back the others."""
        return self._output.num_written

    def _encode_frame(self, frame: VideoFrame) -> None:
        self._output.raise_error()
        for plane in raw_planes(frame):
            self._process.write(plane)
        self.num_frames += 1

    def finish(self) -> EncodedVideo:
        """
        Wait for the packets that the program still holds, and close the file.

        :raise EncoderError: if there was no frame, the program fails, or it did not return one
            packet for each frame
        """
        self._refuse_empty()
        self._process.end_input()
        self._output.wait()
        self._output.raise_error()
        self._process.refuse_failure()
        num_given = self._output.num_given
        if num_given != self.num_frames:
            raise self._process.error(
                f'{self._path}: the program returned {num_given} packets '
                f'for {self.num_frames} frames'
            )
        self._output.finish()
        self._process.close()
        return EncodedVideo(self._path, self.num_frames, self._path.stat().st_size)

    def abort(self) -> None:
        """Kill the program and close the file as it is. Never raises. Idempotent."""
        with suppress(OSError):
            self._process.kill()
        self._output.abort()
        self._process.close()


def open_file_encoder(path: Path, config: EncoderConfig, spec: VideoSpec) -> FileEncoder:
    """
    Open an encoder for a video.

    :param path: file to create; its folder exists
    :param config: encoder settings, already checked
    :param spec: size and rate of the video
    :raise EncoderError: if the encoder cannot be opened
    """
    kind = FfmpegEncoder if config.backend == FFMPEG else Mp4Encoder
    return kind(path, config, spec)
