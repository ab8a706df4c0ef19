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
Where the frames of episodes lie in their videos, found by walking through these.

The places that meta/episodes states are believed as far as they contradict neither themselves
nor the frames; otherwise the order of the episodes tells, if their rows and the frames add up.

Cameras' files hold the frames of one episode after the other. So those of unknown episodes stand
between the frames of their known neighbours, and a file's free frames must add up to the rows of
the episodes that it holds. Where they do not, nobody knows which episode they belong to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Span:
    """
    Frames of one file.

    :param path: the file, below the root
    :param begin: number of the first
    :param end: number after the last
    """

    path: str
    begin: int
    end: int


def free_spans(
    files: Mapping[str, int], before: tuple[str, int] | None, after: tuple[str, int] | None
) -> list[Span]:
    """
    List the frames between two known episodes.

    :param files: how many frames each file has, in the order of the files
    :param before: file and frame at which the episode before ends; None if there is none
    :param after: file and frame at which the episode after begins; None if there is none
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
    Give the frames to the episodes, in order, as far as they add up.

    :param spans: free frames
    :param row_counts: rows of each episode
    :param num_lost: frames at the end that are of episodes whose rows are lost
    :return: one per episode; fewer if frames and rows do not add up from there on
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
        # What is left over at the end must be what the lost rows leave over.
        beyond = sum(one.end - one.begin for one in spans[spans.index(span) + 1 :])
        if rest and not (is_last and rest + beyond == num_lost):
            break
        given += here
        if is_last:
            break
    return given
