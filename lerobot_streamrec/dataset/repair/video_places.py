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
"""
Which frames of a video are whose.

What meta/episodes says of it is believed as far as it does not contradict itself or the frames;
otherwise the order of the episodes tells, if their rows and the frames add up.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Place = int | None
"""First frame of an episode; None if that cannot be known."""


def first_frames(
    stated_s: Sequence[float],
    row_counts: Sequence[int],
    stated_counts: Sequence[int],
    num_frames: int,
    fps: int,
) -> list[Place]:
    """
    Find the first frame of each episode of one file, in the order of the episodes.

    :param stated_s: ``from_timestamp`` of each
    :param row_counts: rows that each has
    :param stated_counts: rows that each should have
    :param num_frames: of the file
    """
    stated = [round(one * fps) if np.isfinite(one) and abs(one) < 1e9 else -1 for one in stated_s]
    one_by_one = np.concatenate(([0], np.cumsum(row_counts)))[:-1].tolist()
    fits = stated[-1] + row_counts[-1] <= num_frames
    if _is_sound(stated, row_counts) and (fits or stated == one_by_one):
        return list(stated)
    if sum(row_counts) == num_frames:
        return list(one_by_one)
    # Rows may be lost, or more than they should be; the frames are where they were.
    if _is_sound(stated, stated_counts) or _is_sound(stated, row_counts):
        return list(stated)
    known: list[Place] = [None] * len(stated)
    for number, (said, counted) in enumerate(zip(stated, one_by_one, strict=True)):
        if said != counted:
            break
        known[number] = said
    return known


def _is_sound(begins: Sequence[int], counts: Sequence[int]) -> bool:
    """Whether no two episodes share a frame, and each follows the one before."""
    end = 0
    for begin, count in zip(begins, counts, strict=True):
        if begin < end:
            return False
        end = begin + count
    return True
