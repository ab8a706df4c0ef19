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
Verdicts on how many rows of every episode of a broken dataset can be kept.

They depend on which videos stay as they are, and where the others are cut without re-encoding.
Decoding begins at key frames, and a frame may depend on later ones. Where a cut is not possible,
a sound file stays whole, and some of its frames belong to no row. If the file itself is broken,
an episode loses a few more rows, or is set aside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from lerobot_streamrec.dataset.check import finding_codes as kinds
from lerobot_streamrec.dataset.rebuild.pieces import VideoSurveys
from lerobot_streamrec.dataset.repair.sources import Source, Sources
from lerobot_streamrec.errors import VideoError
from lerobot_streamrec.video.mp4.packet_index import cut_problem


@dataclass(slots=True, eq=False)
class Verdict:
    """
    The decision on one episode.

    :param source: remains of the episode
    :param num_rows: number of rows that the episode had, as far as that is known
    :param num_kept: number of leading rows that are kept; 0 if the episode is set aside
    :param reasons: reasons for lost rows, each without a full stop
    """

    source: Source
    num_rows: int
    num_kept: int
    reasons: list[str] = field(default_factory=list)

    @property
    def is_kept(self) -> bool:
        """True if at least a part of the episode is kept."""
        return self.num_kept > 0

    @property
    def is_cut(self) -> bool:
        """True if only the first rows of the episode are kept."""
        return 0 < self.num_kept < self.num_rows

    def limit(self, num_kept: int, min_rows: int, reason: str) -> None:
        """
        Keep at most the given number of rows.

        :param min_rows: minimum length of a cut episode; a shorter one is set aside
        :param reason: reason for the limit, without a full stop
        """
        if num_kept >= self.num_kept:
            return
        self.num_kept = max(num_kept, 0)
        self.reasons.append(reason)
        self.refuse_short(min_rows)

    def refuse_short(self, min_rows: int) -> None:
        """Set a cut episode aside if it has fewer rows than the minimum."""
        if 0 < self.num_kept < min(min_rows, self.num_rows):
            text = f'too few rows are intact: {self.num_kept} of the {min_rows} required'
            self.reasons.append(text)
            self.num_kept = 0

    def as_json(self) -> dict[str, object]:
        """Return the verdict as JSON values, without the episode's new index."""
        return {
            'episode_index': self.source.episode_index,
            'num_rows': self.num_rows,
            'num_kept': self.num_kept,
            'reasons': self.reasons,
        }


def judged(source: Source, sources: Sources, min_rows: int) -> Verdict:
    """
    Judge how many leading rows of an episode are whole and have a frame of every camera.

    :param min_rows: minimum length of a cut episode; a shorter one is set aside
    """
    rows = source.rows
    if rows is None:
        return Verdict(source, source.num_stated, 0, [_why_no_rows(source, sources)])
    verdict = Verdict(source, max(rows.length, _stated(source)), rows.length)
    if rows.length < verdict.num_rows:
        verdict.reasons.append(f'only {rows.length} of {verdict.num_rows} rows exist')
    if source.problem:
        verdict.limit(0, 0, source.problem)
    if rows.num_whole < rows.length:
        text = f'row {rows.num_whole} is the first that is incomplete or out of order'
        verdict.limit(rows.num_whole, min_rows, text)
    for key in sources.info.video_keys:
        shot = source.shots.get(key)
        if shot is None:
            verdict.limit(0, 0, f'nothing says which frames of {key} belong to it')
        elif shot.problem:
            verdict.limit(0, 0, f'{key}: {shot.problem}')
        else:
            text = f'only {shot.num_sound} frames of {key} are intact'
            verdict.limit(shot.num_sound, min_rows, text)
    verdict.refuse_short(min_rows)
    return verdict


def _why_no_rows(source: Source, sources: Sources) -> str:
    row = sources.table.places().get(source.episode_index)
    if row is None:
        return 'info.json counts it; ' + '; '.join(sources.lost.values())
    path = sources.table.data_files[row]
    return sources.lost.get(path, f'its rows are not in {path}')


def _stated(source: Source) -> int:
    """Return the length by meta/episodes, or the number of rows if all frames agree with it."""
    rows = source.rows
    frames = {shot.num_sound for shot in source.shots.values() if not shot.problem}
    if rows is not None and frames == {rows.length} == {rows.num_whole}:
        return rows.length
    return source.num_stated


class Cutting:
    """
    A planner of the cuts of a dataset's videos.

    :param sources: the broken dataset
    :param verdicts: verdicts on its episodes, which may lose more rows
    :param min_rows: minimum length of a cut episode; shorter ones are set aside
    """

    def __init__(self, sources: Sources, verdicts: Sequence[Verdict], min_rows: int) -> None:
        self._sources = sources
        self._verdicts = verdicts
        self._min_rows = min_rows
        self._places = sources.table.places()
        self.surveys = VideoSurveys(to_first_error=True)
        """The surveys of the videos that were read for the decisions."""
        findings = sources.report.findings
        self._truncated = {one.path for one in findings if one.kind is kinds.TRUNCATED_VIDEO}

    def settle(self) -> None:
        """Shorten or set aside episodes until all videos can stay whole or be cut."""
        is_settled = False
        while not is_settled:
            is_settled = True
            for key in self._sources.info.video_keys:
                for path, group in self.files(key):
                    if not self.stays(key, path, group) and self._shorten(key, path, group):
                        is_settled = False

    def files(self, key: str) -> Iterator[tuple[str, list[Verdict]]]:
        """Yield each file of a camera with its episodes to keep, in the order of the episodes."""
        kept = (one for one in self._verdicts if one.is_kept)
        for path, group in groupby(kept, lambda one: one.source.shots[key].path):
            yield path, list(group)

    def stays(self, key: str, path: str, group: Sequence[Verdict]) -> bool:
        """Return whether a file stays whole: all its frames have rows, or a tool left it uncut."""
        frames = self._sources.reader.frames(key, path)
        end = 0
        is_filled = True
        for one in group:
            is_filled = is_filled and one.source.shots[key].first == end
            end += one.num_kept
        is_filled = is_filled and end == len(frames)
        # A checked file may have frames without rows, which a tool could not cut out.
        is_left_so = self._sources.reader.is_trusted(path) and all(
            one in group and one.num_kept == one.num_rows
            for one in self._verdicts
            if (shot := one.source.shots.get(key)) is not None and shot.path == path
        )
        return (is_filled or is_left_so) and self._may_stay(key, path, group)

    def _may_stay(self, key: str, path: str, group: Sequence[Verdict]) -> bool:
        """Return whether all frames of a file, including those without a row, can be shown."""
        if path in self._truncated:
            return False
        frames = self._sources.reader.frames(key, path)
        return frames.is_exact or all(self.stated_s(key, path, one) is not None for one in group)

    def stated_s(self, key: str, path: str, verdict: Verdict) -> float | None:
        """
        Return the episode's start time as stated in meta/episodes, if the check confirmed it.

        In files of other writers, all frames may be slightly off the multiples of ``1 / fps``.
        """
        row = self._places.get(verdict.source.episode_index)
        if row is None or not self._sources.reader.is_trusted(path):
            return None
        begin_s = float(self._sources.table.videos[key].begin[row])
        is_there = round(begin_s * self._sources.fps) == verdict.source.shots[key].first
        return begin_s if is_there else None

    def _shorten(self, key: str, path: str, group: Sequence[Verdict]) -> bool:
        """Shorten an episode whose frames cannot be cut out; False if there is none."""
        try:
            survey = self.surveys.survey(self._sources.root / path, self._sources.fps)
        except VideoError as error:
            for one in group:
                one.limit(0, 0, str(error))
            return True
        key_frames = {survey.order[place] for place in survey.key_packets}
        for run in _runs(key, group):
            begin = run[0].source.shots[key].first
            before = sum(one.num_kept for one in run[:-1])
            last = run[-1]
            problem = cut_problem(survey, begin, before + last.num_kept)
            # A file that cannot be cut stays whole if all its frames can be shown.
            if not problem or self._may_stay(key, path, group):
                continue
            if begin not in key_frames:
                run[0].limit(0, 0, f'it cannot be cut out: {key} has no key frame at its start')
                return True
            for num_kept in range(last.num_kept - 1, 0, -1):
                if not cut_problem(survey, begin, before + num_kept):
                    last.limit(num_kept, self._min_rows, f'{key} cannot be cut later')
                    return True
            last.limit(0, 0, f'{key} cannot be cut there: {problem}')
            return True
        return False


def _runs(key: str, group: Sequence[Verdict]) -> list[list[Verdict]]:
    """Group episodes whose frames are contiguous."""
    runs: list[list[Verdict]] = []
    end = -1
    for one in group:
        first = one.source.shots[key].first
        if runs and first == end:
            runs[-1].append(one)
        else:
            runs.append([one])
        end = first + one.num_kept
    return runs
