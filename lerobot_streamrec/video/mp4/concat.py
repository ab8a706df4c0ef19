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
"""Joining of frames of several videos into one file by copying packets, without encoding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
from lerobot_streamrec.errors import VideoError
from lerobot_streamrec.video.mp4.packet_index import (
    compatibility,
    open_video,
    packets_of,
    VideoSurvey,
)


@dataclass(frozen=True, slots=True)
class Segment:
    """
    A range of frames of one video that is copied to another file.

    :param video: survey of the video
    :param first_frame: number of the first frame, which is a key frame
    :param num_frames: number of frames
    """

    video: VideoSurvey
    first_frame: int
    num_frames: int


def concatenate(
    segments: Sequence[Segment],
    target: Path,
    on_bytes: Callable[[int], None] = lambda _: None,
) -> int:
    """
    Write an ordinary MP4 whose frame k is shown at exactly ``k / fps``.

    Packets keep their order in the file, so that frames which depend on later ones can be decoded.

    :param segments: the frames to copy, in display order
    :param target: file to create; it is not synced to the disk
    :param on_bytes: called with the size of each copied packet
    :return: number of frames written
    :raise VideoError: if the videos cannot be joined, or a file cannot be read or written
    """
    first = segments[0].video
    for segment in segments[1:]:
        if problem := compatibility(first, segment.video):
            raise VideoError(f'{first.path} and {segment.video.path} cannot be joined: {problem}')
    ranges = [packets_of(one.video, one.first_frame, one.num_frames) for one in segments]
    delay = max(map(_delay, segments, ranges))
    period = Fraction(1, first.fps)
    copied = 0
    try:
        with (
            open_video(first.path) as template,
            av.open(
                str(target), 'w', format='mp4', container_options={'movflags': 'faststart'}
            ) as written,
        ):
            stream = written.add_stream_from_template(template.streams.video[0], opaque=True)
            stream.time_base = period
            for segment, places in zip(segments, ranges, strict=True):
                for place, packet in zip(places, _packets(segment, places), strict=True):
                    packet.stream = stream
                    packet.time_base = period
                    packet.pts = copied + segment.video.order[place] - segment.first_frame
                    packet.dts = copied + place - places.start - delay
                    packet.duration = 1
                    on_bytes(packet.size)
                    written.mux(packet)
                copied += segment.num_frames
    except (av.FFmpegError, IndexError, OSError, ValueError) as error:
        raise VideoError(f'{target} cannot be written: {error}') from error
    return copied


def _delay(segment: Segment, places: Iterable[int]) -> int:
    """Return the largest number of frames by which a packet lags behind its display order."""
    order = segment.video.order
    return max(
        position - (order[place] - segment.first_frame) for position, place in enumerate(places)
    )


def _packets(segment: Segment, places: range) -> Iterator[av.Packet[av.VideoStream]]:
    path = segment.video.path
    try:
        with open_video(path) as container:
            filled = (one for one in container.demux(container.streams.video[0]) if one.size)
            yield from islice(filled, places.start, places.stop)
    except (av.FFmpegError, IndexError, OSError) as error:
        raise VideoError(f'{path} cannot be read: {error}') from error
