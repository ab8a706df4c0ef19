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
"""Verdicts on how many rows of every episode of a broken dataset can be kept."""

from __future__ import annotations

from dataclasses import dataclass, field
import math

from lerobot_streamrec.dataset.repair.sources import Source, Sources
from lerobot_streamrec.dataset.repair.task_sources import rows_in_table


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


def least_rows(sources: Sources, min_seconds: float) -> int:
    """Return the minimum number of rows of a cut episode."""
    return max(1, math.ceil(min_seconds * sources.fps))


def judge_episodes(sources: Sources, min_rows: int) -> list[Verdict]:
    """Judge how many leading rows of each episode are whole and have a frame of every camera."""
    return [_judged(one, sources, min_rows) for one in sources.episodes]


def _judged(source: Source, sources: Sources, min_rows: int) -> Verdict:
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
    if 0 < verdict.num_kept < min(min_rows, verdict.num_rows):
        text = f'too few rows are intact: {verdict.num_kept} of the {min_rows} required'
        verdict.limit(0, 0, text)
    return verdict


def _why_no_rows(source: Source, sources: Sources) -> str:
    row = rows_in_table(sources.table).get(source.episode_index)
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
