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
The check of the rows in the data files, one file at a time.

LeRobot's five default features number the rows of an episode; they are checked by episode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lerobot_streamrec.dataset.about.success import follows_verdict
from lerobot_streamrec.dataset.check import finding_codes as kinds
from lerobot_streamrec.dataset.check.compare_statistics import Moments
from lerobot_streamrec.dataset.check.episode_order import TOLERANCE_S
from lerobot_streamrec.dataset.check.episodes import rows_of_files, Subject
from lerobot_streamrec.dataset.check.findings import Findings, some
from lerobot_streamrec.dataset.check.reading import (
    add_unfit,
    Columns,
    open_parquet,
    parquet_below,
    runs,
    UNREADABLE,
)
from lerobot_streamrec.dataset.check.values import check_values, Stretch
from lerobot_streamrec.dataset.format.episode_table import VERDICTS
from lerobot_streamrec.dataset.format.features import DEFAULT_FEATURES, SUCCESS
from lerobot_streamrec.dataset.format.parquet import UnfitError
from lerobot_streamrec.dataset.format.table_rules import real_numbers, whole_numbers
import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

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
            findings.add(kinds.DUPLICATE_ROW, 'frame_index has duplicate values', found, wrong[0])
        elif (np.diff(frame_index) < 0).any():
            findings.add(kinds.ROWS_OUT_OF_ORDER, 'frame_index is not ascending', found, wrong[0])
        else:
            findings.add(kinds.FRAME_INDEX_GAP, 'frame_index has gaps', found, wrong[0])
    # The index of a lost or duplicate row is lost or duplicate as well, which is no further fault.
    candidates = [begin + numbers for begin in begins for numbers in (expected, frame_index)]
    if not any((index == candidate).all() for candidate in candidates):
        off = np.flatnonzero(index != candidates[0])[0]
        findings.add(
            kinds.WRONG_INDEX,
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
            kinds.TIMESTAMP_OFF_GRID,
            f'The timestamp of {len(off)} rows is not frame_index / fps',
            f'{rows["timestamp"][off[0]]:.6f} s in row {off[0]} of the episode',
            f'{expected[off[0]]:.6f} s',
        )


def _check_tasks(indices: list[int], tasks: list[str], said: object, findings: Findings) -> None:
    unknown = [index for index in indices if not 0 <= index < len(tasks)]
    if unknown:
        findings.add(
            kinds.TASK_INDEX_OUT_OF_RANGE,
            'Values of task_index have no row in meta/tasks.parquet',
            some(unknown),
            f'0 to {len(tasks) - 1}',
        )
    elif isinstance(said, list) and {str(task) for task in said} != {tasks[i] for i in indices}:
        findings.add(
            kinds.WRONG_EPISODE_TASKS,
            'The tasks in meta/episodes are not those of the rows',
            some(said),
            some(tasks[index] for index in indices),
        )


def check_success(subject: Subject, facts: RowFacts) -> None:
    """Check that next.success of each episode says what its verdict says."""
    if SUCCESS not in facts.moments:
        return
    table, highest = subject.table, facts.moments[SUCCESS].values['max']
    for row in np.flatnonzero(facts.readable).tolist():
        is_good = table.verdicts[row] == VERDICTS[0]
        if bool(highest[row].any()) != is_good and follows_verdict(
            subject.root, int(table.index[row])
        ):
            table.about(row, subject.findings, table.data_files[row], SUCCESS).add(
                kinds.SUCCESS_DIFFERS,
                'next.success is not what the verdict says',
                str(not is_good).lower(),
                f'{str(is_good).lower()}, since the verdict is {table.verdicts[row]!r}',
            )


FOLDER = 'data'


@dataclass
class RowFacts:
    """
    The state of the rows.

    :param readable: per episode, True if all its rows were found and read
    :param moments: the actual moments of each feature that consists of numbers or of images in a
        column
    :param num_rows: number of rows that were read
    :param seen: number of rows that were found, per row of meta/episodes
    """

    readable: npt.NDArray[np.bool_]
    moments: dict[str, Moments]
    num_rows: int = 0
    seen: dict[int, int] = field(default_factory=dict)


class RowCheck:
    """
    The check of all data files, in the order of their paths as readers go through them.

    :param subject: the dataset, whose images in columns are decoded if its frames are
    :param tasks: the tasks by task_index; None if unknown
    """

    def __init__(self, subject: Subject, tasks: list[str] | None) -> None:
        self._subject = subject
        self._info, self._table = info, table = subject.info, subject.table
        self._tasks = tasks
        self._place = {int(value): row for row, value in enumerate(table.index)}
        self._begin = np.concatenate(([0], np.cumsum(table.length)))
        # Distance of the rows from the position that their index gives; None if it is unknown,
        # as after a file that cannot be read.
        self._offset: int | None = 0
        self._position = 0
        widths = {key: (info.features[key].shape or (1,))[-1] for key in info.columns}
        self._facts = RowFacts(
            np.ones(len(table), np.bool_),
            {
                key: Moments.unknown(len(table), 3 if key in info.cameras else widths[key])
                for key in info.columns
                if key in info.numeric or key in info.cameras
            },
        )

    def run(self, done: Callable[[int, int], None]) -> RowFacts:
        """
        Check all files.

        :param done: called with the number of files read so far and the number of all files
        """
        referenced = rows_of_files(self._table.data_files)
        present = set(parquet_below(self._subject.root, FOLDER))
        # Episodes may name files that readers never find, since readers list folders.
        for number, path in enumerate(sorted(referenced)):
            done(number, len(referenced))
            if not self._check_file(path, present):
                self._offset = None
                self._facts.readable[referenced[path]] = False
        self._check_counts()
        return self._facts

    def _check_file(self, path: str, present: set[str]) -> bool:
        """Check one file; return False if its rows cannot be used."""
        findings = self._subject.findings.about(path)
        file = open_parquet(self._subject.root, path, findings)
        if file is None:
            return False
        if path not in present:
            what = 'Readers do not find the file, since they look exactly one folder deep'
            findings.add(kinds.MISPLACED_ROWS, what, expected='data/*/*.parquet')
        try:
            with file:
                return self._check_rows(file, findings)
        except UnfitError as error:
            add_unfit(findings, 'A column that numbers the rows cannot be used', error)
        except UNREADABLE as error:
            findings.add(kinds.UNREADABLE_FILE, 'The file cannot be read', error)
        return False

    def _check_rows(self, file: pq.ParquetFile, findings: Findings) -> bool:
        self._check_columns(file.schema_arrow.names, findings)
        pictures = [key for key in self._info.cameras if key in self._info.columns]
        names = set(file.schema_arrow.names)
        at_once = [key for key in self._info.columns if key not in pictures and key in names]
        columns = Columns(file, at_once)
        numbering: dict[str, npt.NDArray[Any]] = {
            name: whole_numbers(columns.column(name))
            for name, spec in DEFAULT_FEATURES.items()
            if spec.dtype == 'int64'
        }
        numbering['timestamp'] = real_numbers(columns.column('timestamp'))
        stretches = self._stretches(numbering, findings)
        self._facts.num_rows += file.metadata.num_rows
        self._position += file.metadata.num_rows
        sound = True
        for key in self._info.columns:
            moments = self._facts.moments.get(key)
            spec = self._info.features[key]
            of_feature, decode = findings.about(findings.path, feature=key), self._subject.decode
            found = check_values(key, spec, columns, stretches, moments, of_feature, decode=decode)
            sound = sound and found
        return sound

    def _check_columns(self, names: list[str], findings: Findings) -> None:
        missing = [key for key in self._info.columns if key not in names]
        extra = [name for name in names if name not in self._info.features]
        # The frames of a video feature belong in MP4 files.
        extra += [key for key in self._info.video_keys if key in names]
        if missing:
            findings.add(kinds.MISSING_COLUMN, 'Columns of features are missing', some(missing))
        if extra:
            findings.add(kinds.EXTRA_COLUMN, 'Some columns are not features', some(extra))

    def _stretches(self, numbering: Numbering, findings: Findings) -> list[Stretch]:
        """Check the numbers of the rows by episode; return the stretches of the episodes."""
        stretches = []
        for begin, end in runs(numbering['episode_index']):
            value = int(numbering['episode_index'][begin])
            row = self._place.get(value)
            stretches.append(Stretch(begin, end, -1 if row is None else row, value))
            if row is None:
                what = f'{end - begin} rows belong to an episode that is not in meta/episodes'
                findings.add(kinds.UNKNOWN_ROWS, what, f'episode_index {value}')
                self._offset = None
                continue
            of_episode = stretches[-1].about(findings)
            if row in self._facts.seen:
                what = 'Rows of the episode are separated from its other rows'
                found = f'{end - begin} rows that begin at row {begin} of the file'
                of_episode.add(kinds.ROWS_OUT_OF_ORDER, what, found)
                stretches[-1] = Stretch(begin, end, -1, value)
                self._facts.seen[row] += end - begin
                self._offset = None
                continue
            self._facts.seen[row] = end - begin
            check_numbering(
                {name: values[begin:end] for name, values in numbering.items()},
                self._subject,
                row=row,
                begin=int(self._begin[row]),
                tasks=self._tasks,
                findings=of_episode,
            )
            index = int(numbering['index'][begin])
            self._check_place(index, begin, end, row, of_episode)
        return stretches

    def _check_place(self, index: int, begin: int, end: int, row: int, findings: Findings) -> None:
        named = self._table.data_files[row]
        offset = self._position + begin - index
        usual = offset if self._offset is None else self._offset
        if findings.path != named:
            what = 'The rows of the episode are not in the file that meta/episodes states'
            findings.add(kinds.MISPLACED_ROWS, what, findings.path, named)
        # A wrong index is a finding of its own.
        elif index == self._begin[row] and offset not in (0, usual):
            what = 'The rows of the episode are at the wrong position'
            found = f'row {self._position + begin} of all files'
            findings.add(kinds.MISPLACED_ROWS, what, found, f'row {index}')
        self._offset = offset + (end - begin) - int(self._table.length[row])

    def _check_counts(self) -> None:
        for row, path in enumerate(self._table.data_files):
            seen, length = self._facts.seen.get(row, 0), int(self._table.length[row])
            if seen == length or not self._facts.readable[row]:
                continue
            self._facts.readable[row] = False
            # The stated statistics are those of the complete episode.
            for moments in self._facts.moments.values():
                moments.forget(row)
            what = 'The episode does not have the number of rows that meta/episodes states'
            of_episode = self._table.about(row, self._subject.findings, path)
            of_episode.add(kinds.ROW_COUNT, what, seen, length)
