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
"""Reads the frame numbers out of a recorded video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from examples.demo.dataset_files import decode
from examples.demo.drawing import read_frame_number

MISSING = -1
"""Stands for the number of a frame that is not in the video."""
UNREADABLE = -2
"""Stands for the number of a frame whose number cannot be read."""

_TOLERANCE_S = 1e-4


@dataclass(frozen=True)
class NumberedVideo:
    """What a video shows, by the position of each frame on the grid of the frame rate."""

    numbers: dict[int, int]
    sizes_bytes: dict[int, int]
    misplaced: list[str]
    """A sentence for each frame whose time is not on the grid, or taken already."""


def read_numbers(path: Path, fps: int) -> NumberedVideo:
    """
    Decode a whole video.

    :raises OSError: if the file cannot be read or decoded
    """
    video = NumberedVideo({}, {}, [])
    for frame in decode(path):
        position = round(frame.time_s * fps)
        if off_grid(frame.time_s, fps) or position in video.numbers:
            video.misplaced.append(f'frame at {frame.time_s:.6f} s is not on the grid')
        try:
            number = read_frame_number(frame.video_frame.to_ndarray(format='rgb24'))
        except ValueError:
            number = UNREADABLE
        video.numbers[position] = number
        video.sizes_bytes[position] = frame.size_bytes
    return video


def off_grid(time_s: float, fps: int) -> bool:
    """Tell whether a time in a video is not that of a frame."""
    return abs(time_s - round(time_s * fps) / fps) > _TOLERANCE_S
