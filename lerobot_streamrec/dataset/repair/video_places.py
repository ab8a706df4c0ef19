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
Places of the episodes' frames in their videos.

The places that meta/episodes states are trusted unless they contradict each other or the number
of frames. Otherwise the places follow from the order of the episodes, if their rows and the
frames add up.

A camera's files hold the frames of one episode after the other. The frames of an unlisted episode
therefore lie between those of its listed neighbours, and the free frames of a file must add up to
the rows of the episodes in it. If they do not, their episode cannot be determined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Place = int | None
"""The number of an episode's first frame; None if it is unknown."""


def first_frames(
    stated_s: Sequence[float],
    row_counts: Sequence[int],
    stated_counts: Sequence[int],
    num_frames: int,
    fps: int,
) -> list[Place]:
    """
    Find the first frame of each episode in one file, in the order of the episodes.

    :param stated_s: ``from_timestamp`` of each episode
    :param row_counts: number of rows that each episode has
    :param stated_counts: number of rows of each episode according to meta/episodes
    :param num_frames: number of frames in the file
    """
    stated = [round(one * fps) if np.isfinite(one) and abs(one) < 1e9 else -1 for one in stated_s]
    one_by_one = np.concatenate(([0], np.cumsum(row_counts)))[:-1].tolist()
    fits = stated[-1] + row_counts[-1] <= num_frames
    if _is_sound(stated, row_counts) and (fits or stated == one_by_one):
        return list(stated)
    if sum(row_counts) == num_frames:
        return list(one_by_one)
    # Rows may be lost or surplus, while the frames are still at their stated places.
    if _is_sound(stated, stated_counts) or _is_sound(stated, row_counts):
        return list(stated)
    known: list[Place] = [None] * len(stated)
    for number, (said, counted) in enumerate(zip(stated, one_by_one, strict=True)):
        if said != counted:
            break
        known[number] = said
    return known


def _is_sound(begins: Sequence[int], counts: Sequence[int]) -> bool:
    """Return whether the episodes are in order and no two of them share a frame."""
    end = 0
    for begin, count in zip(begins, counts, strict=True):
        if begin < end:
            return False
        end = begin + count
    return True


@dataclass(frozen=True, slots=True)
class Span:
    """
    A range of frames in one file.

    :param path: path of the file below the root
    :param begin: number of the first frame
    :param end: number after that of the last frame
    """

    path: str
    begin: int
    end: int


def free_spans(
    files: Mapping[str, int], before: tuple[str, int] | None, after: tuple[str, int] | None
) -> list[Span]:
    """
    Return the free frames between two episodes whose frames are known.

    :param files: number of frames per file, in the order of the files
    :param before: file and frame at which the preceding episode ends; None if there is none
    :param after: file and frame at which the following episode begins; None if there is none
    """
    paths = list(files)
    first = paths.index(before[0]) if before and before[0] in files else 0
    last = paths.index(after[0]) if after and after[0] in files else len(paths) - 1
    found = []
    for path in paths[first : last + 1]:
        begin = before[1] if before and path == before[0] else 0
        end = after[1] if after and path == after[0] else files[path]
        if begin < end:
            found.append(Span(path, begin, end))
    return found


def walk(spans: Sequence[Span], row_counts: Sequence[int], num_lost: int) -> list[Span]:
    """
    Assign free frames to episodes in order, as far as frames and rows add up.

    :param spans: free frames
    :param row_counts: number of rows of each episode
    :param num_lost: number of frames at the end that belong to episodes whose rows are lost
    :return: one span per episode; spans are missing from the first episode on that does not add up
    """
    given: list[Span] = []
    for span in spans:
        here: list[Span] = []
        begin = span.begin
        for count in row_counts[len(given) :]:
            if begin + count > span.end:
                break
            here.append(Span(span.path, begin, begin + count))
            begin += count
        is_last = len(given) + len(here) == len(row_counts)
        rest = span.end - begin
        # The frames left over at the end must be exactly those of the lost rows.
        beyond = sum(one.end - one.begin for one in spans[spans.index(span) + 1 :])
        if rest and not (is_last and rest + beyond == num_lost):
            break
        given += here
        if is_last:
            break
    return given
