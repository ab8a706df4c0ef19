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
"""Checks that the rows of meta/episodes agree with each other and with info.json."""

from __future__ import annotations

from lerobot_streamrec.dataset.check import finding_codes as kinds
from lerobot_streamrec.dataset.check.episodes import EpisodeTable, FOLDER
from lerobot_streamrec.dataset.check.findings import Findings, some
from lerobot_streamrec.dataset.check.info import CheckedInfo
from lerobot_streamrec.dataset.format.layout import INFO
import numpy as np

TOLERANCE_S = 1e-4
"""The greatest distance from its stated time at which LeRobot finds a frame, in seconds."""

SPAN_TOLERANCE_S = 1e-3
"""The tolerance for durations: sums of container times, whose ticks are as long as 1e-4 s."""


def committed_episodes(table: EpisodeTable, info: CheckedInfo, findings: Findings) -> EpisodeTable:
    """
    Compare the totals, and leave out episodes that an interrupted save left behind.

    :return: the committed episodes
    """
    total, frames = info.totals.get('episodes'), info.totals.get('frames')
    if total is not None and len(table) > total and _rest_is_uncommitted(table, total, frames):
        for row in range(total, len(table)):
            what = f'info.json does not count episode {table.index[row]} yet'
            table.about(row, findings).add(kinds.UNCOMMITTED_EPISODE, what)
        return table.first(total)
    if not table.is_complete:
        return table
    num_rows = int(table.length.sum())
    for name, said, counted in (
        ('total_episodes', total, len(table)),
        ('total_frames', frames, num_rows),
    ):
        if said is not None and said != counted:
            what = f'{name} is not the total of the episodes'
            findings.about(str(INFO)).add(kinds.WRONG_TOTAL, what, said, counted)
    return table


def _rest_is_uncommitted(table: EpisodeTable, total: int, frames: int | None) -> bool:
    """Return True for an interrupted save, which has files of its own, unlike a wrong total."""
    shared = {
        *table.data_files[:total],
        *table.meta_files[:total],
    } & {*table.data_files[total:], *table.meta_files[total:]}
    return int(table.length[:total].sum()) == frames and not shared


def check_order(table: EpisodeTable, findings: Findings) -> None:
    """Check that the episodes and their rows are in order and without gaps."""
    _check_indices(table, findings)
    for row in np.flatnonzero(table.length <= 0).tolist():
        found = f'length {table.length[row]}'
        table.about(row, findings).add(
            kinds.EMPTY_EPISODE, 'The episode has no rows', found, '1 or more'
        )
    wrong = table.to_index - table.from_index != table.length
    before = np.concatenate(([0], table.to_index[:-1])) if len(table) else table.to_index
    # If a file is unreadable, the end of the previous episode is unknown.
    if table.is_complete:
        wrong |= table.from_index != before
    for row in np.flatnonzero(wrong).tolist():
        table.about(row, findings).add(
            kinds.WRONG_ROW_RANGE,
            'dataset_from_index and dataset_to_index do not continue the previous episode',
            f'{table.from_index[row]} to {table.to_index[row]}',
            f'{before[row]} to {before[row] + table.length[row]}',
        )
    for row, (said, path) in enumerate(zip(table.said_meta_files, table.meta_files, strict=True)):
        if said and said != path:
            what = 'The row states that it is in another file'
            table.about(row, findings).add(kinds.WRONG_META_FILE, what, said, path)


def _check_indices(table: EpisodeTable, findings: Findings) -> None:
    index = table.index
    values, counts = np.unique(index, return_counts=True)
    for value in values[counts > 1].tolist():
        rows = np.flatnonzero(index == value).tolist()
        table.about(rows[-1], findings).add(
            kinds.DUPLICATE_EPISODE,
            f'meta/episodes has the episode {len(rows)} times',
            f'rows {some(rows)} of meta/episodes',
            'one row',
        )
    if table.is_complete and len(values) and len(values) != values[-1] + 1:
        missing = _missing(values.tolist())
        findings.about(FOLDER).add(
            kinds.MISSING_EPISODE,
            'Episode numbers are missing, so that later episodes are at the wrong position',
            f'no episode {missing}',
            f'0 to {values[-1]}',
        )
    order = np.sort(index)
    for row in np.flatnonzero(index != order).tolist():
        what = f'Row {row} of meta/episodes holds the wrong episode'
        table.about(row, findings).add(kinds.MISPLACED_EPISODE, what, index[row], order[row])


def _missing(values: list[int]) -> str:
    """Return the gaps between ascending numbers as a text; large gaps take no more time."""
    gaps = []
    following = 0
    for value in values:
        if value > following:
            gaps.append(str(following) if value == following + 1 else f'{following}..{value - 1}')
        following = value + 1
    return some(gaps) if gaps else 'with a number below 0'


def check_spans(table: EpisodeTable, fps: float, findings: Findings) -> None:
    """Check from_timestamp and to_timestamp against the rows and against each other."""
    for key, spans in table.videos.items():
        behind: dict[str, float] = {}
        for row, path in enumerate(spans.files):
            begin, end = float(spans.begin[row]), float(spans.end[row])
            duration = int(table.length[row]) / fps
            expected = behind.get(path, 0.0)
            sound = np.isfinite([begin, end]).all() and begin >= -TOLERANCE_S
            # Unused frames between two episodes are harmless, frames shared by both are not.
            sound = sound and abs(end - begin - duration) < SPAN_TOLERANCE_S
            if not sound or begin < expected - 0.5 / fps:
                table.about(row, findings, feature=key).add(
                    kinds.WRONG_TIMESTAMPS,
                    f'from_timestamp and to_timestamp of {key} do not fit the rows',
                    f'{begin:.6g} to {end:.6g} s of {path or "no file"}',
                    f'{expected:.6g} to {expected + duration:.6g} s',
                )
            if np.isfinite(begin):
                behind[path] = max(begin + duration, expected)
