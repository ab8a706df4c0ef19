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
"""The check of LeRobot's five default features, which number the rows of an episode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lerobot_streamrec.dataset.check.episode_order import TOLERANCE_S
from lerobot_streamrec.dataset.check.episodes import Subject
from lerobot_streamrec.dataset.check.finding_codes import (
    DUPLICATE_ROW,
    FRAME_INDEX_GAP,
    ROWS_OUT_OF_ORDER,
    TASK_INDEX_OUT_OF_RANGE,
    TIMESTAMP_OFF_GRID,
    WRONG_EPISODE_TASKS,
    WRONG_INDEX,
)
from lerobot_streamrec.dataset.check.findings import Findings, some
import numpy as np
import numpy.typing as npt

Numbering = Mapping[str, npt.NDArray[Any]]
"""The default features of some rows: ``(n,)`` int64, or float64 seconds for ``timestamp``."""


def check_numbering(
    rows: Numbering,
    subject: Subject,
    *,
    row: int,
    begin: int,
    tasks: list[str] | None,
    findings: Findings,
) -> None:
    """
    Check the default features of one episode's rows.

    :param rows: the contiguous rows of the episode
    :param row: the episode's row in the table of episodes
    :param begin: number of rows of all previous episodes
    :param tasks: the tasks by task_index; None if unknown
    :param findings: the collection for findings about the episode in its file
    """
    _check_frame_index(rows, {begin, int(subject.table.from_index[row])}, findings)
    _check_timestamps(rows, subject.info.fps, findings)
    if tasks is not None:
        indices = np.unique(rows['task_index']).tolist()
        _check_tasks(indices, tasks, subject.table.tasks[row], findings)


def _check_frame_index(rows: Numbering, begins: set[int], findings: Findings) -> None:
    """
    Check frame_index, and index against it.

    :param begins: the allowed first values of index; more than one if meta/episodes contradicts
        itself, which is a finding of its own
    """
    frame_index, index = rows['frame_index'], rows['index']
    expected = np.arange(len(frame_index))
    wrong = np.flatnonzero(frame_index != expected)
    if len(wrong):
        found = f'{frame_index[wrong[0]]} in row {wrong[0]} of the episode'
        if len(np.unique(frame_index)) < len(frame_index):
            findings.add(DUPLICATE_ROW, 'frame_index has duplicate values', found, wrong[0])
        elif (np.diff(frame_index) < 0).any():
            findings.add(ROWS_OUT_OF_ORDER, 'frame_index is not ascending', found, wrong[0])
        else:
            findings.add(FRAME_INDEX_GAP, 'frame_index has gaps', found, wrong[0])
    # The index of a lost or duplicate row is lost or duplicate as well, which is no further fault.
    candidates = [begin + numbers for begin in begins for numbers in (expected, frame_index)]
    if not any((index == candidate).all() for candidate in candidates):
        off = np.flatnonzero(index != candidates[0])[0]
        findings.add(
            WRONG_INDEX,
            'index does not number the rows of the dataset',
            f'{index[off]} in row {off} of the episode',
            candidates[0][off],
        )


def _check_timestamps(rows: Numbering, fps: float, findings: Findings) -> None:
    expected = rows['frame_index'] / fps
    # Single precision is coarser than the readers' tolerance after 1024 s.
    tolerance = np.maximum(TOLERANCE_S, np.abs(expected) * 2.0**-23)
    with np.errstate(invalid='ignore'):
        off = np.flatnonzero(~(np.abs(rows['timestamp'] - expected) <= tolerance))
    if len(off):
        findings.add(
            TIMESTAMP_OFF_GRID,
            f'The timestamp of {len(off)} rows is not frame_index / fps',
            f'{rows["timestamp"][off[0]]:.6f} s in row {off[0]} of the episode',
            f'{expected[off[0]]:.6f} s',
        )


def _check_tasks(
    indices: list[int], tasks: list[str], said: object, findings: Findings
) -> None:
    unknown = [index for index in indices if not 0 <= index < len(tasks)]
    if unknown:
        findings.add(
            TASK_INDEX_OUT_OF_RANGE,
            'Values of task_index have no row in meta/tasks.parquet',
            some(unknown),
            f'0 to {len(tasks) - 1}',
        )
    elif isinstance(said, list) and {str(task) for task in said} != {tasks[i] for i in indices}:
        findings.add(
            WRONG_EPISODE_TASKS,
            'The tasks in meta/episodes are not those of the rows',
            some(said),
            some(tasks[index] for index in indices),
        )
