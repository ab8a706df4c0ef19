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
The remains of every episode of a broken dataset.

Rows and frames are the facts. The statements of meta/episodes about them are one source of
evidence, and the order of rows and frames is another. Only info.json must be intact, apart from
its totals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from lerobot_streamrec.dataset.check import finding_codes as kinds
from lerobot_streamrec.dataset.check.episodes import EpisodeTable, read_episodes
from lerobot_streamrec.dataset.check.findings import CheckReport, Findings
from lerobot_streamrec.dataset.check.info import check_info, CheckedInfo
from lerobot_streamrec.dataset.check.reading import parquet_below, read_json
from lerobot_streamrec.dataset.format.features import DEFAULT_FEATURES
from lerobot_streamrec.dataset.format.info import (
    refuse_other_storage,
    refuse_other_version,
    whole_fps,
)
from lerobot_streamrec.dataset.format.info_rules import load_object, read_small_file
from lerobot_streamrec.dataset.format.layout import INFO
from lerobot_streamrec.dataset.repair.frame_sources import (
    FrameReader,
    known_shots,
    Shot,
    walked_shots,
)
from lerobot_streamrec.dataset.repair.row_sources import (
    DataFiles,
    matched_rows,
    read_rows,
    read_tasks,
    Rows,
    Tasks,
)
from lerobot_streamrec.errors import DatasetCorruptError
import numpy as np

_MAX_UNHEARD_OF = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """
    The remains of one episode.

    :param episode_index: old index of the episode
    :param num_stated: number of rows that meta/episodes states; 0 if it does not list the episode
    :param rows: rows of the episode; None if there are none
    :param shots: frames per video key; a key is missing if nothing says where its frames are
    :param problem: reason why the episode can never be kept; empty if it may be kept
    """

    episode_index: int
    num_stated: int
    rows: Rows | None
    shots: Mapping[str, Shot]
    problem: str = ''


@dataclass(frozen=True, slots=True, eq=False)
class Sources:
    """
    The remains of a broken dataset.

    :param report: report of the check
    :param info: the usable part of info.json
    :param raw_info: whole content of info.json
    :param table: the readable part of meta/episodes
    :param tasks: texts of the tasks, by task_index
    :param episodes: remains of the episodes, in the order of their indices
    :param lost: the reason for each data file that cannot be used, by path
    :param row_counts: number of rows of each data file
    :param reader: reader of the videos
    """

    report: CheckReport
    info: CheckedInfo
    raw_info: Mapping[str, Any]
    table: EpisodeTable
    tasks: Tasks
    episodes: tuple[Source, ...]
    lost: Mapping[str, str]
    row_counts: Mapping[str, int]
    reader: FrameReader

    @property
    def root(self) -> Path:
        """The dataset's folder."""
        return self.report.root

    @property
    def fps(self) -> int:
        """Rows per second."""
        return round(self.info.fps)


def read_sources(report: CheckReport) -> Sources:
    """
    Find the rows and frames of all episodes; block while videos in doubt are decoded.

    :param report: report of a check with decoding
    :raise DatasetCorruptError: if info.json lacks facts that are needed to read the dataset
    """
    root = report.root
    info = _usable_info(report)
    table = read_episodes(root, info, Findings(), lambda *_: None)
    wrong = {one.path for one in report.findings if one.kind.harms_content}
    paths = {*parquet_below(root, 'data'), *table.data_files}
    paths = {one for one in paths if (root / one).is_file()}
    # The check did not read files to which no episode refers.
    doubtful = wrong | (paths - set(table.data_files))
    data = read_rows(root, info, sorted(paths), doubtful)
    counts: Counter[str] = Counter()
    for one in data.stretches:
        counts[one.path] += one.length
    rows = matched_rows(data.stretches, table)
    used = {index: np.unique(one.task_numbers).tolist() for index, one in rows.items()}
    places = table.places()
    named = {index: table.tasks[row] or () for index, row in places.items()}
    tasks = read_tasks(root, used, named)
    rows = {index: _with_tasks(one, tasks) for index, one in rows.items()}
    checked = {path for spans in table.videos.values() for path in spans.files}
    reader = FrameReader(root, info, checked - {one.path for one in report.findings})
    shots = _shots(info, table, rows, reader, _rows_lost(info, table, rows, bool(data.lost)))
    return Sources(
        report=report,
        info=info,
        raw_info=load_object(read_small_file(root / INFO))[0],
        table=table,
        tasks=tasks,
        episodes=tuple(
            Source(
                index,
                int(table.length[places[index]]) if index in places else 0,
                rows.get(index),
                shots.get(index, {}),
                _problem(index, report, info, places),
            )
            for index in sorted({*rows, *places, *_unheard_of(info, rows, places, data)})
        ),
        lost=data.lost,
        row_counts=counts,
        reader=reader,
    )


def _usable_info(report: CheckReport) -> CheckedInfo:
    root = report.root
    info = check_info(root, Findings())
    if info is None:
        raw = read_json(root, INFO, Findings())
        refuse_other_storage((raw or {}).get('storage_format'), root)
        if any(one.kind.code == kinds.WRONG_VERSION.code for one in report.findings):
            refuse_other_version((raw or {}).get('codebase_version'), root)
        reasons = ' '.join(one.fact for one in report.findings if one.path == str(INFO))
        raise DatasetCorruptError(
            f'{root / INFO} cannot be used, and nothing else says what the features are: '
            f'{reasons} Restore it from a copy, or write it by hand.'
        )
    for one in report.findings:
        if one.kind is kinds.WRONG_FEATURE and one.feature not in DEFAULT_FEATURES:
            raise DatasetCorruptError(f'{root / INFO}: {one.message}')
    whole_fps(info.fps, root)
    return info


def _with_tasks(rows: Rows, tasks: Tasks) -> Rows:
    """Count rows as not whole from the first row on whose task has no text."""
    known = np.array([text is not None for text in tasks] + [False], np.bool_)
    sound = known[np.minimum(rows.task_numbers, len(tasks))]
    if sound.all():
        return rows
    num_whole = int(np.argmin(sound))
    return replace(rows, num_whole=num_whole, task_numbers=rows.task_numbers[:num_whole])


def _rows_lost(
    info: CheckedInfo, table: EpisodeTable, rows: Mapping[int, Rows], is_lost: bool
) -> int:
    """Return how many rows are lost according to info.json; 0 if no data file is lost."""
    total = info.totals.get('frames')
    if total is None or not is_lost:
        return 0
    places = table.places()
    known = sum(int(table.length[row]) for row in places.values())
    return total - known - sum(one.length for index, one in rows.items() if index not in places)


def _unheard_of(
    info: CheckedInfo, rows: Mapping[int, Rows], places: Mapping[int, int], data: DataFiles
) -> range:
    """Return the trailing indices that only info.json counts, if data files are lost."""
    begin = max([*rows, *places], default=-1) + 1
    total = info.totals.get('episodes', 0)
    # A total far beyond the known episodes is wrong, and is ignored.
    return range(begin, total if data.lost and total < begin + _MAX_UNHEARD_OF else begin)


def _problem(index: int, report: CheckReport, info: CheckedInfo, places: Mapping[int, int]) -> str:
    uncommitted = (one for one in report.findings if one.kind is kinds.UNCOMMITTED_EPISODE)
    total = info.totals.get('episodes')
    if index in {one.episode_index for one in uncommitted}:
        return 'it was being saved when its recorder was interrupted'
    if index not in places and total is not None and index >= total:
        return f'meta/episodes does not list it, and info.json counts {total} episodes'
    return ''


def _shots(
    info: CheckedInfo,
    table: EpisodeTable,
    rows: Mapping[int, Rows],
    reader: FrameReader,
    num_lost: int,
) -> dict[int, dict[str, Shot]]:
    places = table.places()
    shots: dict[int, dict[str, Shot]] = {}
    for key in info.video_keys:
        for index, shot in known_shots(key, table, rows, reader, round(info.fps)).items():
            shots.setdefault(index, {})[key] = shot
    total = info.totals.get('episodes')
    unknown = [index for index in rows if index not in places and (total is None or index < total)]
    # Consecutive numbers are equally far from their positions in the list.
    for _, members in groupby(enumerate(unknown), lambda one: one[1] - one[0]):
        run = [index for _, index in members]
        walked = {
            key: walked_shots(
                key,
                {index: rows[index] for index in run},
                {
                    index: (shots[index][key], int(table.length[row]))
                    for index, row in places.items()
                },
                reader,
                num_lost,
            )
            for key in info.video_keys
        }
        for index in run:
            # The frames are assigned only if rows and frames add up for every camera.
            if all(index in found for found in walked.values()):
                shots[index] = {key: found[index] for key, found in walked.items()}
    return shots
