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
"""Frames of several videos into one file, by copying packets: nothing is encoded again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
from lerobot_streamrec.errors import VideoError
from lerobot_streamrec.video.mp4.packet_index import compatibility, packets_of, VideoSurvey


@dataclass(frozen=True, slots=True)
class Segment:
    """
    Frames of one video that go into another file.

    :param video: where they are
    :param first_frame: begins with a key frame
    :param num_frames: how many
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
    Write an ordinary MP4 whose frame k stands at exactly ``k / fps``.

    Packets keep their order in the file, so that frames which lean on later ones stay decodable.

    :param segments: in the order in which they are to be shown
    :param target: file to make; not synced
    :param on_bytes: is told the size of what was copied, now and then
    :return: number of frames written
    :raise VideoError: if they cannot be joined, or if a file cannot be read or written
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
            av.open(str(first.path)) as template,
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
    """Return how many frames a packet may stand behind its place in the order of showing."""
    order = segment.video.order
    return max(
        position - (order[place] - segment.first_frame) for position, place in enumerate(places)
    )


def _packets(segment: Segment, places: range) -> Iterator[av.Packet[av.VideoStream]]:
    with av.open(str(segment.video.path)) as container:
        filled = (one for one in container.demux(container.streams.video[0]) if one.size)
        yield from islice(filled, places.start, places.stop)
