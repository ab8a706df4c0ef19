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
"""Decoding of an MP4 from its beginning, as far as it can be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
from lerobot_streamrec.video.codecs.depth_config import DEPTH_PIX_FMT
import numpy as np
import numpy.typing as npt


def decode_rgb(path: Path) -> Iterator[npt.NDArray[np.uint8]]:
    """
    Yield the frames of a video up to its end or the first damaged frame.

    :param path: an MP4 file; a file that is missing or no video has no frames
    :return: frames ``(height, width, 3)`` uint8 RGB, one at a time
    """
    for frame in decode_frames(path):
        yield frame.to_ndarray(format='rgb24').astype(np.uint8, copy=False)


def decode_codes(path: Path) -> Iterator[npt.NDArray[np.uint16]]:
    """
    Yield the depth codes of a video up to its end or the first damaged frame.

    :param path: an MP4 file; a file that is missing or no video has no frames
    :return: codes ``(height, width)`` uint16, one frame at a time
    """
    for frame in decode_frames(path):
        yield frame.to_ndarray(format=DEPTH_PIX_FMT).astype(np.uint16, copy=False)


def decode_frames(path: Path) -> Iterator[av.VideoFrame]:
    """
    Yield libav's frames of a video up to its end or the first damaged frame.

    :param path: an MP4 file; a file that is missing or no video has no frames
    :return: libav's frames, one at a time
    """
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            if stream.codec_context is None:
                # The file is cut so short that even its codec is unknown.
                return
            try:
                for packet in container.demux(stream):
                    if packet.is_corrupt:
                        break
                    yield from packet.decode()
                else:
                    return
            except av.FFmpegError:
                pass
            # Decoders with several threads still hold intact frames from before the error.
            yield from stream.codec_context.decode(None)
    except (av.FFmpegError, IndexError, OSError):
        return
