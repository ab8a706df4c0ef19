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
"""The properties of a video file, and the writing of packets to a new one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from lerobot_streamrec.errors import DatasetCorruptError, EncoderError
from lerobot_streamrec.video.mp4.damage_scan import bytes_missing, facts_of
from lerobot_streamrec.video.mp4.packet_index import open_video

# A growing file consists of fragments, so that it can be read if the process is killed. Closing it
# turns it into an ordinary MP4 in place.
CONTAINER_OPTIONS = {'movflags': 'hybrid_fragmented', 'flush_packets': '1'}


class PacketFile:
    """
    An MP4 in which packet k is frame k, shown at ``k / fps``. Owned by one thread at a time.

    :param path: file to create
    :param template: a stream with the codec parameters of all packets
    :param fps: frames per second
    :raise EncoderError: if the file cannot be created
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

        :param packet: a packet that is marked if it is a key frame; its times are overwritten
        :raise av.FFmpegError: if the disk fails
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

        :raise av.FFmpegError: if the disk fails
        """
        self._container.close()

    def abort(self) -> None:
        """Close the file as it is. Never raises."""
        close_quietly(self._container)


def close_quietly(container: OutputContainer) -> None:
    """Close a file as it is. Never raises, because an earlier error is already being reported."""
    with suppress(av.FFmpegError, OSError, ValueError):
        container.close()


_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class VideoProbe:
    """
    The properties of one video file.

    :param path: the file
    :param info: LeRobot's ``features[key]['info']``, without encoder settings
    :param duration_s: exact duration of the video; 0 if the file does not state it
    :param num_frames: number of frames that can be shown, by counting them
    :param size_bytes: size of the file
    :param missing_bytes: number of bytes missing at the end of the file; 0 if it is complete
    """

    path: Path
    info: dict[str, object]
    duration_s: Fraction
    num_frames: int
    size_bytes: int
    missing_bytes: int = 0

    def as_json(self) -> dict[str, object]:
        """Return all properties for JSON, with the duration as a float."""
        return {
            'path': str(self.path),
            'duration_s': float(self.duration_s),
            'num_frames': self.num_frames,
            'size_bytes': self.size_bytes,
            'missing_bytes': self.missing_bytes,
            'info': self.info,
        }


@contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    try:
        with open_video(path) as container:
            yield container
    except (av.FFmpegError, OSError, ValueError, LookupError, AttributeError) as error:
        raise DatasetCorruptError(f'{path} cannot be read as a video: {error}') from error


def probe_video(path: Path) -> dict[str, object]:
    """
    Read what LeRobot stores about a video in ``features[key]['info']``, without encoder settings.

    The file does not state that a video is depth, so ``is_depth_map`` is always False, as in
    LeRobot's own function.

    :param path: an MP4 file
    :raise DatasetCorruptError: if the file cannot be read as a video
    """
    with _opened(path) as container:
        return _info(container)


def probe_file(path: Path) -> VideoProbe:
    """
    Read the properties of a video file, and count its frames without decoding them.

    :param path: a video file
    :raise DatasetCorruptError: if the file cannot be read as a video
    """
    with _opened(path) as container:
        return VideoProbe(
            path,
            _info(container),
            _duration_s(container),
            _num_frames(container),
            path.stat().st_size,
            bytes_missing(path),
        )


def _info(container: InputContainer) -> dict[str, object]:
    stream = _video_stream(container)
    if stream.base_rate is None or stream.format is None:
        raise ValueError('it does not state its frame rate or its pixel format')
    return {
        **facts_of(stream).as_info(),
        'video.channels': len(stream.format.components),
        'is_depth_map': False,
        **_audio_info(container),
    }


def _audio_info(container: InputContainer) -> dict[str, object]:
    if not container.streams.audio:
        return {'has_audio': False}
    stream = container.streams.audio[0]
    context = stream.codec_context
    return {
        'has_audio': True,
        'audio.channels': context.layout.nb_channels,
        'audio.codec': context.codec.canonical_name,
        'audio.bit_rate': stream.bit_rate,
        'audio.sample_rate': context.sample_rate,
        'audio.bit_depth': context.format.bits,
        'audio.channel_layout': context.layout.name,
    }


def _video_stream(container: InputContainer) -> av.VideoStream:
    if container.streams.video:
        return container.streams.video[0]
    if container.streams.audio:
        raise ValueError('there is audio in it, but no video')
    raise ValueError('there is no video in it')


def _duration_s(container: InputContainer) -> Fraction:
    """Return the duration of the video stream, as LeRobot does; audio may last longer."""
    stream = container.streams.video[0]
    if stream.duration is not None and stream.time_base is not None:
        return stream.duration * stream.time_base
    return Fraction(container.duration or 0, _MICROSECONDS)


def _num_frames(container: InputContainer) -> int:
    """Count the frames that can be shown; the header may also count frames that were cut off."""
    count = 0
    packets = container.demux(container.streams.video[0])
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError):
            return count
        if packet is None:
            return count
        count += bool(packet.size and not packet.is_corrupt and not packet.is_discard)
