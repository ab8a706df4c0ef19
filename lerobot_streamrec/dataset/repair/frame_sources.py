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
Search for the frames of each episode in the videos of a broken dataset.

The places that meta/episodes states are trusted unless they contradict each other or the number
of frames. Otherwise the places follow from the order of the episodes, if their rows and the
frames add up.

A camera's files hold the frames of one episode after the other. The frames of an unlisted episode
therefore lie between those of its listed neighbours, and the free frames of a file must add up to
the rows of the episodes in it. If they do not, their episode cannot be determined.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from lerobot_streamrec.dataset.check.episode_order import TOLERANCE_S
from lerobot_streamrec.dataset.check.episodes import EpisodeTable
from lerobot_streamrec.dataset.check.info import CheckedInfo
from lerobot_streamrec.dataset.format.table_rules import Floats
from lerobot_streamrec.dataset.format.take_record import numbered_files
from lerobot_streamrec.dataset.repair.row_sources import Rows
from lerobot_streamrec.errors import DatasetCorruptError
from lerobot_streamrec.video.mp4.damage_scan import inspect_frames, packet_times, video_facts
import numpy as np
import numpy.typing as npt

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


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """
    The frames of one video; frame k is shown at ``k / fps``.

    :param sound: per frame number: True if exactly one frame with that number can be shown
    :param is_exact: True if every frame number exists, each frame is within the time tolerance of
        readers, and there are no other packets
    :param problem: reason why no frame can be used; empty if some can
    """

    sound: npt.NDArray[np.bool_]
    is_exact: bool
    problem: str = ''

    def __len__(self) -> int:
        return len(self.sound)

    def following(self, begin: int, limit: int) -> int:
        """Return how many consecutive frames are sound, from ``begin`` on, up to the limit."""
        part = self.sound[begin : begin + limit]
        return len(part) if part.all() else int(np.argmin(part))


NO_FRAMES = np.zeros(0, np.bool_)


def read_frames(path: Path, fps: int, *, decode: bool) -> Frames:
    """
    List the frames of a video.

    :param fps: frame rate of the dataset
    :param decode: True to decode a file in doubt; False to count each packet as a sound frame
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
        return Frames(NO_FRAMES, False, f'a frame has the negative time {decoded[0]:.3f} s')
    counts = np.bincount(numbers)
    sound = counts == 1
    # A frame between two multiples of 1 / fps belongs to a video with another frame rate.
    sound[numbers[off > 0.25 / fps]] = False
    is_exact = bool(sound.all() and off.max() <= TOLERANCE_S and len(packets) == len(sound))
    return Frames(sound, is_exact)


class FrameReader:
    """
    A reader that lists the frames of each video once, on demand.

    :param root: the dataset's folder
    :param info: the usable part of info.json
    :param trusted: files that a check has decoded without findings
    """

    def __init__(self, root: Path, info: CheckedInfo, trusted: Collection[str]) -> None:
        self._root = root
        self._info = info
        self._trusted = trusted
        self._known: dict[str, Frames] = {}

    def paths(self, video_key: str) -> list[str]:
        """Return the paths of a camera's files below the root, in the order of their numbers."""
        found = numbered_files(self._root / 'videos' / video_key)
        return [found[number].relative_to(self._root).as_posix() for number in sorted(found)]

    def is_trusted(self, path: str) -> bool:
        """Return whether a check has decoded a file without findings."""
        return path in self._trusted

    def frames(self, video_key: str, path: str) -> Frames:
        """Return the frames of a file."""
        if path not in self._known:
            self._known[path] = self._read(video_key, path)
        return self._known[path]

    def _read(self, video_key: str, path: str) -> Frames:
        if not path or not (self._root / path).is_file():
            return Frames(NO_FRAMES, False, f'{path or "its file"} is missing')
        frames = read_frames(
            self._root / path, round(self._info.fps), decode=path not in self._trusted
        )
        problem = frames.problem or self._unfit(video_key, path, len(frames))
        return Frames(NO_FRAMES, False, f'{path}: {problem}') if problem else frames

    def _unfit(self, video_key: str, path: str, num_frames: int) -> str:
        """Return why a video cannot be of this camera; empty if it can."""
        try:
            facts = video_facts(self._root / path)
        except DatasetCorruptError as error:
            return str(error)
        if not self._info.features[video_key].has_size(facts.height, facts.width):
            return f'its frames are {facts.width}x{facts.height} pixels large'
        # A single frame has no meaningful frame rate.
        if num_frames > 1 and abs(facts.fps - self._info.fps) > 1e-3 * self._info.fps:
            return f'it has {facts.fps:g} frames per second'
        return ''


@dataclass(frozen=True, slots=True)
class Shot:
    """
    The frames of one episode in one camera's video.

    :param path: path of the file below the root
    :param first: number of the first frame
    :param num_sound: number of sound frames from the first one on
    :param problem: reason why no frames can be used; empty if some can
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
    """Find the frames of the episodes that meta/episodes lists."""
    spans = table.videos[video_key]
    places = sorted(table.places().items())
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
                unknown = f'nothing says which frames of {path} belong to it'
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
    Find the frames of consecutive episodes that meta/episodes does not list.

    :param run: rows of the episodes, without gaps in their indices
    :param known: frames and number of rows of all other episodes
    :param num_lost: number of lost rows of episodes after the run
    :return: frames per episode, for the first episodes of the run whose rows and frames add up
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
