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
"""Finds the frames of every episode, in the files of one camera."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from lerobot_streamrec.dataset.check.episodes import EpisodeTable
from lerobot_streamrec.dataset.repair.frame_reader import FrameReader
from lerobot_streamrec.dataset.repair.matching import rows_in_table
from lerobot_streamrec.dataset.repair.row_sources import Rows
from lerobot_streamrec.dataset.repair.video_places import first_frames
from lerobot_streamrec.dataset.repair.video_walk import free_spans, walk


@dataclass(frozen=True, slots=True)
class Shot:
    """
    Frames of one episode.

    :param path: the file, below the root
    :param first: number of the first
    :param num_sound: so many of them, from the first one on, can be shown
    :param problem: why there is none; empty if there are some
    """

    path: str
    first: int
    num_sound: int
    problem: str = ''


def known_shots(
    video_key: str,
    table: EpisodeTable,
    rows: Mapping[int, Rows],
    reader: FrameReader,
    fps: int,
) -> dict[int, Shot]:
    """Find the frames of the episodes that meta/episodes knows of."""
    spans = table.videos[video_key]
    places = sorted(rows_in_table(table).items())
    shots: dict[int, Shot] = {}
    in_file = sorted(places, key=lambda one: (spans.files[one[1]], one[0]))
    for path, group in groupby(in_file, key=lambda one: spans.files[one[1]]):
        episodes = list(group)
        frames = reader.frames(video_key, path)
        stated = [int(table.length[row]) for _, row in episodes]
        firsts = first_frames(
            [float(spans.begin[row]) for _, row in episodes],
            [
                rows[index].length if index in rows else length
                for (index, _), length in zip(episodes, stated, strict=True)
            ],
            stated,
            len(frames),
            fps,
        )
        begins = sorted(one for one in firsts if one is not None)
        for (index, _), first in zip(episodes, firsts, strict=True):
            if frames.problem or first is None:
                unknown = f'which frames of {path} are its own cannot be told'
                shots[index] = Shot(path, 0, 0, frames.problem or unknown)
                continue
            next_one = bisect_right(begins, first)
            behind = begins[next_one] if next_one < len(begins) else len(frames)
            shots[index] = Shot(path, first, frames.following(first, behind - first))
    return shots


def walked_shots(
    video_key: str,
    run: Mapping[int, Rows],
    known: Mapping[int, tuple[Shot, int]],
    reader: FrameReader,
    num_lost: int,
) -> dict[int, Shot]:
    """
    Find the frames of episodes that meta/episodes does not know of.

    :param run: episodes that follow each other, none left out
    :param known: all others: their frames, and how many rows they have
    :param num_lost: rows of episodes after the run that are lost
    :return: those of the first of them for which rows and frames add up
    """
    counts = {path: len(reader.frames(video_key, path)) for path in reader.paths(video_key)}
    begin, end = min(run), max(run)
    before = after = None
    if begin:
        shot, length = known.get(begin - 1, (None, 0))
        if shot is None or shot.problem:
            return {}
        before = (shot.path, shot.first + length)
    followers = [index for index in known if index > end]
    if followers:
        shot, _ = known[min(followers)]
        if shot.problem:
            return {}
        after = (shot.path, shot.first)
    row_counts = [rows.length for rows in run.values()]
    found = walk(free_spans(counts, before, after), row_counts, 0 if followers else num_lost)
    return {
        index: Shot(
            span.path,
            span.begin,
            reader.frames(video_key, span.path).following(span.begin, span.end - span.begin),
        )
        for index, span in zip(run, found, strict=False)
    }
