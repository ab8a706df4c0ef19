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
"""Encoded frames from one file to another, without encoding them again."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
from lerobot_streamrec.errors import EncoderError


def copy_frames(source: Path, target: Path, num_frames: int, fps: int) -> None:
    """
    Copy the first frames of a video into an ordinary MP4, at ``k / fps``.

    Packets must stand in the order of their frames, as they do unless an encoder was asked for
    frames that lean on later ones (docs/encoding.md).

    :param source: an MP4 of ours; it may have been cut short
    :param target: file to make
    :param num_frames: how many; the source has at least as many
    :param fps: frames per second
    :raise EncoderError: if there are fewer, if they are not in order, or if a file cannot be read
        or written
    """
    period = Fraction(1, fps)
    copied = 0
    shown_at = -1
    try:
        with av.open(str(source)) as read, av.open(str(target), 'w', format='mp4') as written:
            stream = read.streams.video[0]
            copy = written.add_stream_from_template(stream, opaque=True)
            copy.time_base = stream.time_base
            for packet in read.demux(stream):
                if copied == num_frames or not packet.size:
                    break
                if packet.pts is None or packet.pts <= shown_at:
                    raise EncoderError(f'{source} has frames that are not in order')
                shown_at = packet.pts
                packet.stream = copy
                packet.time_base = period
                packet.pts = packet.dts = copied
                packet.duration = 1
                written.mux(packet)
                copied += 1
    except (av.FFmpegError, IndexError, OSError) as error:
        raise EncoderError(f'{source} cannot be copied to {target}: {error}') from error
    if copied < num_frames:
        raise EncoderError(f'{source} has {copied} frames, {num_frames} were to be copied')
