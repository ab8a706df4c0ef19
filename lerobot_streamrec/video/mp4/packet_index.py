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
"""The survey of a video that is needed before its packets are copied to another file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from lerobot_streamrec.errors import VideoError
from lerobot_streamrec.remote_files import readable

TOLERANCE_S = Fraction(1, 10_000)
"""LeRobot's tolerance: readers do not find a frame that is further from its instant."""

# Decoding has to fail on errors: a frame with concealed errors is not the recorded frame.
DECODER_OPTIONS = {'err_detect': 'crccheck+bitstream+buffer+explode'}

_REMOTE_BUFFER_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class VideoSurvey:
    """
    The packets of one video; ``order[i]`` is the frame in the i-th packet of the file.

    :param path: the file
    :param fps: frames per second; frame k is shown at ``k / fps``
    :param traits: traits by name, which must be equal for two files to be joined
    :param order: frame number of each packet, in file order
    :param key_packets: indices of ``order`` where decoding can begin
    """

    path: Path
    fps: int
    traits: dict[str, object]
    order: tuple[int, ...] = field(repr=False)
    key_packets: frozenset[int] = field(repr=False)

    @property
    def num_frames(self) -> int:
        """The number of frames in the file."""
        return len(self.order)


def open_video(path: Path) -> InputContainer:
    """
    Open a video, here or elsewhere; the caller closes it.

    :raise av.FFmpegError: if it cannot be read as a video
    :raise OSError: if there is no such file
    """
    return av.open(readable(path), 'r', buffer_size=_REMOTE_BUFFER_BYTES)


@contextmanager
def opened_video(path: Path) -> Iterator[tuple[InputContainer, av.VideoStream]]:
    """
    Open a file for the duration of the block.

    :return: the file and its first video
    :raise VideoError: if the file cannot be read as a video, in the block as well
    """
    try:
        with open_video(path) as container:
            if not container.streams.video:
                raise ValueError('there is no video in it')
            yield container, container.streams.video[0]
    except (av.FFmpegError, LookupError, OSError, ValueError) as error:
        raise VideoError(f'{path} cannot be read as a video: {error}') from error


def survey_video(path: Path, fps: int, *, to_first_error: bool = False) -> VideoSurvey:
    """
    Read all packets of a video without decoding them.

    :param path: an MP4
    :param fps: frames per second of the dataset
    :param to_first_error: True to accept a file that breaks off and survey the packets before;
        frames may then be missing, or off their instant by less than a quarter of a period
    :raise VideoError: if the file cannot be read, or its frames are not at ``k / fps``, one for
        each k
    """
    order: list[int] = []
    keys: set[int] = set()
    tolerance_s = Fraction(1, 4 * fps) if to_first_error else TOLERANCE_S
    with opened_video(path) as (container, stream):
        for packet in _demuxed(container, stream, to_first_error=to_first_error):
            if packet.is_keyframe:
                keys.add(len(order))
            order.append(_frame_of(packet, path, fps, tolerance_s))
        traits = _traits(stream, len(container.streams))
    frames = sorted(set(order)) if to_first_error else range(len(order))
    if sorted(order) != list(frames):
        raise VideoError(
            f'the {len(order)} frames of {path} are not at 0, 1/{fps}, 2/{fps} ... s, one at each'
        )
    return VideoSurvey(path, fps, traits, tuple(order), frozenset(keys))


def _demuxed(
    container: InputContainer, stream: av.VideoStream, *, to_first_error: bool
) -> Iterator[av.Packet[av.VideoStream]]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError):
            if not to_first_error:
                raise
            return
        if packet is None or (to_first_error and packet.is_corrupt):
            return
        if packet.size:
            yield packet


def read_traits(path: Path) -> dict[str, object]:
    """
    Read the traits that must be equal for two files to be joined, from the file's beginning alone.

    :raise VideoError: if the file cannot be read
    """
    with opened_video(path) as (container, stream):
        return _traits(stream, len(container.streams))


def _frame_of(
    packet: av.Packet[av.VideoStream], path: Path, fps: int, tolerance_s: Fraction
) -> int:
    if packet.pts is None or packet.time_base is None:
        raise VideoError(f'{path} has a frame without a timestamp')
    if packet.is_discard:
        raise VideoError(f'{path} has frames that its edit list hides')
    # Whole numbers, since a dataset may have millions of packets, and fractions are slow.
    time_base = packet.time_base
    numerator, denominator = packet.pts * time_base.numerator * fps, time_base.denominator
    frame = round(numerator / denominator)
    off = abs(numerator - frame * denominator) * tolerance_s.denominator
    if off >= tolerance_s.numerator * denominator * fps:
        at_s = float(packet.pts * time_base)
        raise VideoError(f'{path} has a frame at {at_s:.6f} s, which is no multiple of 1/{fps} s')
    return frame


def _traits(stream: av.VideoStream, num_streams: int) -> dict[str, object]:
    context = stream.codec_context
    if context is None:
        # A file that was cut short may not even state its codec.
        raise IndexError('its codec is not known')
    return {
        'codec': context.codec.canonical_name,
        'size': f'{context.width}x{context.height}',
        # PyAV 17 reads the name of an unknown format from invalid memory, hence the check.
        'pixel format': context.format.name if context.format else None,
        'colour matrix': int(context.colorspace),
        'colour range': int(context.color_range),
        'number of streams': num_streams,
        'codec header': context.extradata or b'',
    }


def compatibility(one: VideoSurvey, other: VideoSurvey) -> str:
    """Return why two videos cannot be joined; empty if they can."""
    if one.fps != other.fps:
        return f'their rates differ: {one.fps} and {other.fps} frames per second'
    return difference(one.traits, other.traits)


def difference(traits: Mapping[str, object], others: Mapping[str, object]) -> str:
    """Return how two videos differ, by their first unequal trait; empty if there is none."""
    for name, ours in traits.items():
        theirs = others[name]
        if ours != theirs:
            if isinstance(ours, bytes):
                return f'their {name}s differ: they were encoded with different settings'
            return f'their {name} differs: {ours} and {theirs}'
    return ''


def packets_of(video: VideoSurvey, first_frame: int, num_frames: int) -> range:
    """
    Return the range of packets that hold a range of frames.

    :return: indices of the packets in the file
    :raise VideoError: if frames are missing, their packets are not contiguous, or the first frame
        is no key frame
    """
    frames = range(first_frame, first_frame + num_frames)
    if not frames or not set(frames) <= set(video.order):
        raise VideoError(
            f'{video.path} has {video.num_frames} frames; {first_frame} to '
            f'{first_frame + num_frames - 1} were requested'
        )
    begin = video.order.index(first_frame)
    if begin not in video.key_packets:
        raise VideoError(
            f'{video.path} cannot be cut before frame {first_frame}: it is no key frame'
        )
    found = range(begin, begin + num_frames)
    if set(video.order[begin : found.stop]) != set(frames):
        raise VideoError(
            f'{video.path} cannot be cut at frames {first_frame} and {frames.stop}: '
            'frames there depend on frames beyond the cut'
        )
    return found


def cut_problem(video: VideoSurvey, first_frame: int, num_frames: int) -> str:
    """Return why a range of frames cannot be copied on its own; empty if it can."""
    try:
        packets_of(video, first_frame, num_frames)
    except VideoError as error:
        return str(error)
    return ''
