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
"""How much of every episode of a broken dataset is whole, and why not more."""

from __future__ import annotations

from dataclasses import dataclass, field
import math

from lerobot_streamrec.dataset.repair.sources import Source, Sources
from lerobot_streamrec.dataset.repair.task_sources import rows_in_table


@dataclass(slots=True, eq=False)
class Verdict:
    """
    What becomes of one episode.

    :param source: the part of it that is there
    :param num_rows: how many rows it had, as far as that is known
    :param num_kept: how many of the first ones are kept; 0: it is set aside
    :param reasons: why not all, each without a full stop
    """

    source: Source
    num_rows: int
    num_kept: int
    reasons: list[str] = field(default_factory=list)

    @property
    def is_kept(self) -> bool:
        """Whether at least a part of it stays."""
        return self.num_kept > 0

    @property
    def is_cut(self) -> bool:
        """Whether only its first rows stay."""
        return 0 < self.num_kept < self.num_rows

    def limit(self, num_kept: int, min_rows: int, reason: str) -> None:
        """
        Keep no more than so many rows.

        :param min_rows: cut episodes that are shorter are not kept
        """
        if num_kept >= self.num_kept:
            return
        self.num_kept = max(num_kept, 0)
        self.reasons.append(reason)
        if 0 < self.num_kept < min(min_rows, self.num_rows):
            text = f'what is whole is too short to keep: {self.num_kept} of {min_rows} rows'
            self.reasons.append(text)
            self.num_kept = 0

    def as_json(self) -> dict[str, object]:
        """Return what happens to it in JSON's types, without its new number."""
        return {
            'episode_index': self.source.episode_index,
            'num_rows': self.num_rows,
            'num_kept': self.num_kept,
            'reasons': self.reasons,
        }


def least_rows(sources: Sources, min_seconds: float) -> int:
    """Return how many rows an episode must have that was cut."""
    return max(1, math.ceil(min_seconds * sources.fps))


def judge_episodes(sources: Sources, min_rows: int) -> list[Verdict]:
    """Say of each episode how many rows are whole, with a frame of every camera."""
    return [_judged(one, sources, min_rows) for one in sources.episodes]


def _judged(source: Source, sources: Sources, min_rows: int) -> Verdict:
    rows = source.rows
    if rows is None:
        return Verdict(source, source.num_stated, 0, [_why_no_rows(source, sources)])
    verdict = Verdict(source, max(rows.length, _stated(source)), rows.length)
    if rows.length < verdict.num_rows:
        verdict.reasons.append(f'{rows.length} of {verdict.num_rows} rows are there')
    if source.problem:
        verdict.limit(0, 0, source.problem)
    if rows.num_whole < rows.length:
        text = f'row {rows.num_whole} is the first that is not whole, or not in order'
        verdict.limit(rows.num_whole, min_rows, text)
    for key in sources.info.video_keys:
        shot = source.shots.get(key)
        if shot is None:
            verdict.limit(0, 0, f'nothing tells which frames of {key} are its own')
        elif shot.problem:
            verdict.limit(0, 0, f'{key}: {shot.problem}')
        else:
            text = f'{shot.num_sound} frames of {key} are whole'
            verdict.limit(shot.num_sound, min_rows, text)
    if 0 < verdict.num_kept < min(min_rows, verdict.num_rows):
        text = f'what is whole is too short to keep: {verdict.num_kept} of {min_rows} rows'
        verdict.limit(0, 0, text)
    return verdict


def _why_no_rows(source: Source, sources: Sources) -> str:
    row = rows_in_table(sources.table).get(source.episode_index)
    if row is None:
        return 'info.json counts it; ' + '; '.join(sources.lost.values())
    path = sources.table.data_files[row]
    return sources.lost.get(path, f'its rows are not in {path}')


def _stated(source: Source) -> int:
    """Return how many rows meta/episodes says it has, if frames do not say otherwise."""
    rows = source.rows
    frames = {shot.num_sound for shot in source.shots.values() if not shot.problem}
    if rows is not None and frames == {rows.length} == {rows.num_whole}:
        return rows.length
    return source.num_stated
