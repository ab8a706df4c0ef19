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
"""Frames of broken videos: which of them can be shown, and when."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lerobot_streamrec.dataset.check.episode_order import TOLERANCE_S
from lerobot_streamrec.dataset.check.reading import Floats
from lerobot_streamrec.errors import DatasetCorruptError
from lerobot_streamrec.video.mp4.damage_scan import inspect_frames, packet_times
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """
    The frames of one video; number k is the one that is shown at ``k / fps``.

    :param sound: per number, whether there is one, and only one, that can be shown
    :param is_exact: whether all numbers are there, each no further from its instant than readers
        look, and nothing else
    :param problem: why none can be used; empty if some can
    """

    sound: npt.NDArray[np.bool_]
    is_exact: bool
    problem: str = ''

    def __len__(self) -> int:
        return len(self.sound)

    def following(self, begin: int, limit: int) -> int:
        """Return how many frames from one on are sound; no more than the limit."""
        part = self.sound[begin : begin + limit]
        return len(part) if part.all() else int(np.argmin(part))


NO_FRAMES = np.zeros(0, np.bool_)


def read_frames(path: Path, fps: int, *, decode: bool) -> Frames:
    """
    List the frames of a video.

    :param fps: of the dataset
    :param decode: whether the pictures are in doubt; else there are as many as packets
    """
    try:
        packets = packet_times(path)
        decoded = packets
        if decode:
            times = [one.time_s for one in inspect_frames(path) if one.frame is not None]
            decoded = np.sort(np.array(times, dtype=np.float64))
    except DatasetCorruptError as error:
        return Frames(NO_FRAMES, False, str(error))
    if not len(decoded):
        return Frames(NO_FRAMES, False, 'no frame can be decoded')
    return _numbered(decoded, packets, fps)


def _numbered(decoded: Floats, packets: Floats, fps: int) -> Frames:
    numbers = np.rint(decoded * fps).astype(np.int64)
    off = np.abs(decoded - numbers / fps)
    if numbers[0] < 0:
        return Frames(NO_FRAMES, False, f'a frame is shown at {decoded[0]:.3f} s')
    counts = np.bincount(numbers)
    sound = counts == 1
    # What stands between two places belongs to another rate.
    sound[numbers[off > 0.25 / fps]] = False
    is_exact = bool(sound.all() and off.max() <= TOLERANCE_S and len(packets) == len(sound))
    return Frames(sound, is_exact)
