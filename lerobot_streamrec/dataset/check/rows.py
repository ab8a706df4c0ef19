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
"""The check of the rows in the data files, one file at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lerobot_streamrec.dataset.check.compare_statistics import Moments
from lerobot_streamrec.dataset.check.episodes import EpisodeTable
from lerobot_streamrec.dataset.check.finding_codes import (
    EXTRA_COLUMN,
    MISPLACED_ROWS,
    MISSING_COLUMN,
    ROW_COUNT,
    ROWS_OUT_OF_ORDER,
    UNKNOWN_ROWS,
    UNREADABLE_FILE,
)
from lerobot_streamrec.dataset.check.findings import Findings, some
from lerobot_streamrec.dataset.check.info import CheckedInfo
from lerobot_streamrec.dataset.check.numbering import check_numbering, Numbering
from lerobot_streamrec.dataset.check.pictures import Stretch
from lerobot_streamrec.dataset.check.reading import (
    Columns,
    floats,
    integers,
    open_parquet,
    parquet_below,
    ProblemError,
    runs,
    UNREADABLE,
)
from lerobot_streamrec.dataset.check.values import check_values
from lerobot_streamrec.dataset.format.features import DEFAULT_FEATURES
import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

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

    :param root: the dataset's folder
    :param info: the usable part of info.json
    :param table: the episodes
    :param tasks: the tasks by task_index; None if unknown
    :param findings: the collection to which faults are added
    :param decode: True to decode images in columns
    """

    def __init__(
        self,
        root: Path,
        info: CheckedInfo,
        table: EpisodeTable,
        tasks: list[str] | None,
        findings: Findings,
        *,
        decode: bool,
    ) -> None:
        self._root = root
        self._info = info
        self._table = table
        self._tasks = tasks
        self._findings = findings
        self._decode = decode
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
        referenced: dict[str, list[int]] = {}
        for row, path in enumerate(self._table.data_files):
            referenced.setdefault(path, []).append(row)
        present = set(parquet_below(self._root, FOLDER))
        # Episodes may name files that readers never find, since readers list folders.
        for number, path in enumerate(sorted(referenced)):
            done(number, len(referenced))
            if not self._check_file(path, present):
                self._offset = None
                for row in referenced[path]:
                    self._facts.readable[row] = False
        self._check_counts()
        return self._facts

    def _check_file(self, path: str, present: set[str]) -> bool:
        """Check one file; return False if its rows cannot be used."""
        file = open_parquet(self._root, path, self._findings)
        if file is None:
            return False
        if path not in present:
            self._findings.add(
                MISPLACED_ROWS,
                path,
                'Readers do not find the file, since they look exactly one folder deep',
                expected='data/*/*.parquet',
            )
        try:
            with file:
                return self._check_rows(file, path)
        except ProblemError as problem:
            self._add_problem(problem, path)
        except UNREADABLE as error:
            self._findings.add(UNREADABLE_FILE, path, 'The file cannot be read', found=error)
        return False

    def _add_problem(self, problem: ProblemError, path: str) -> None:
        self._findings.add(
            problem.kind,
            path,
            'A column that numbers the rows cannot be used',
            found=problem.found,
            expected=problem.expected,
        )

    def _check_rows(self, file: pq.ParquetFile, path: str) -> bool:
        self._check_columns(file.schema_arrow.names, path)
        pictures = [key for key in self._info.cameras if key in self._info.columns]
        names = set(file.schema_arrow.names)
        at_once = [key for key in self._info.columns if key not in pictures and key in names]
        columns = Columns(file, at_once)
        whole = {
            name: integers(columns.column(name))
            for name, spec in DEFAULT_FEATURES.items()
            if spec.dtype == 'int64'
        }
        stretches = self._stretches(Numbering(whole, floats(columns.column('timestamp'))), path)
        self._facts.num_rows += file.metadata.num_rows
        self._position += file.metadata.num_rows
        sound = True
        for key in self._info.columns:
            moments = self._facts.moments.get(key)
            spec = self._info.features[key]
            found = check_values(
                key, spec, columns, stretches, moments, path, self._findings, decode=self._decode
            )
            sound = sound and found
        return sound

    def _check_columns(self, names: list[str], path: str) -> None:
        missing = [key for key in self._info.columns if key not in names]
        extra = [name for name in names if name not in self._info.features]
        # The frames of a video feature belong in MP4 files.
        extra += [key for key in self._info.video_keys if key in names]
        if missing:
            self._findings.add(
                MISSING_COLUMN, path, 'Columns of features are missing', found=some(missing)
            )
        if extra:
            self._findings.add(
                EXTRA_COLUMN, path, 'Some columns are not features', found=some(extra)
            )

    def _stretches(self, numbering: Numbering, path: str) -> list[Stretch]:
        """Check the numbers of the rows by episode; return the stretches of the episodes."""
        stretches = []
        for begin, end in runs(numbering.whole['episode_index']):
            value = int(numbering.whole['episode_index'][begin])
            row = self._place.get(value)
            stretches.append(Stretch(begin, end, -1 if row is None else row, value))
            if row is None:
                self._findings.add(
                    UNKNOWN_ROWS,
                    path,
                    f'{end - begin} rows belong to an episode that is not in meta/episodes',
                    found=f'episode_index {value}',
                )
                self._offset = None
                continue
            if row in self._facts.seen:
                self._findings.add(
                    ROWS_OUT_OF_ORDER,
                    path,
                    'Rows of the episode are separated from its other rows',
                    found=f'{end - begin} rows that begin at row {begin} of the file',
                    episode=value,
                )
                stretches[-1] = Stretch(begin, end, -1, value)
                self._facts.seen[row] += end - begin
                self._offset = None
                continue
            self._facts.seen[row] = end - begin
            check_numbering(
                numbering.part(begin, end),
                path=path,
                table=self._table,
                row=row,
                begin=int(self._begin[row]),
                fps=self._info.fps,
                tasks=self._tasks,
                findings=self._findings,
            )
            self._check_place(int(numbering.whole['index'][begin]), begin, end, row, path)
        return stretches

    def _check_place(self, index: int, begin: int, end: int, row: int, path: str) -> None:
        value, named = int(self._table.index[row]), self._table.data_files[row]
        offset = self._position + begin - index
        usual = offset if self._offset is None else self._offset
        if path != named:
            self._findings.add(
                MISPLACED_ROWS,
                path,
                'The rows of the episode are not in the file that meta/episodes states',
                found=path,
                expected=named,
                episode=value,
            )
        # A wrong index is a finding of its own.
        elif index == self._begin[row] and offset not in (0, usual):
            self._findings.add(
                MISPLACED_ROWS,
                path,
                'The rows of the episode are at the wrong position',
                found=f'row {self._position + begin} of all files',
                expected=f'row {index}',
                episode=value,
            )
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
            self._findings.add(
                ROW_COUNT,
                path,
                'The episode does not have the number of rows that meta/episodes states',
                found=seen,
                expected=length,
                episode=int(self._table.index[row]),
            )
