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
from typing import Any

from lerobot_streamrec.dataset.check.compare_statistics import Moments
from lerobot_streamrec.dataset.check.episodes import rows_of_files, Subject
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
from lerobot_streamrec.dataset.check.numbering import check_numbering, Numbering
from lerobot_streamrec.dataset.check.reading import (
    add_unfit,
    Columns,
    open_parquet,
    parquet_below,
    runs,
    UNREADABLE,
)
from lerobot_streamrec.dataset.check.values import check_values, Stretch
from lerobot_streamrec.dataset.format.features import DEFAULT_FEATURES
from lerobot_streamrec.dataset.format.parquet import UnfitError
from lerobot_streamrec.dataset.format.table_rules import real_numbers, whole_numbers
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
            findings.add(MISPLACED_ROWS, what, expected='data/*/*.parquet')
        try:
            with file:
                return self._check_rows(file, findings)
        except UnfitError as error:
            add_unfit(findings, 'A column that numbers the rows cannot be used', error)
        except UNREADABLE as error:
            findings.add(UNREADABLE_FILE, 'The file cannot be read', error)
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
            found = check_values(
                key, spec, columns, stretches, moments, of_feature, decode=decode
            )
            sound = sound and found
        return sound

    def _check_columns(self, names: list[str], findings: Findings) -> None:
        missing = [key for key in self._info.columns if key not in names]
        extra = [name for name in names if name not in self._info.features]
        # The frames of a video feature belong in MP4 files.
        extra += [key for key in self._info.video_keys if key in names]
        if missing:
            findings.add(MISSING_COLUMN, 'Columns of features are missing', some(missing))
        if extra:
            findings.add(EXTRA_COLUMN, 'Some columns are not features', some(extra))

    def _stretches(self, numbering: Numbering, findings: Findings) -> list[Stretch]:
        """Check the numbers of the rows by episode; return the stretches of the episodes."""
        stretches = []
        for begin, end in runs(numbering['episode_index']):
            value = int(numbering['episode_index'][begin])
            row = self._place.get(value)
            stretches.append(Stretch(begin, end, -1 if row is None else row, value))
            if row is None:
                what = f'{end - begin} rows belong to an episode that is not in meta/episodes'
                findings.add(UNKNOWN_ROWS, what, f'episode_index {value}')
                self._offset = None
                continue
            of_episode = stretches[-1].about(findings)
            if row in self._facts.seen:
                what = 'Rows of the episode are separated from its other rows'
                found = f'{end - begin} rows that begin at row {begin} of the file'
                of_episode.add(ROWS_OUT_OF_ORDER, what, found)
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
            findings.add(MISPLACED_ROWS, what, findings.path, named)
        # A wrong index is a finding of its own.
        elif index == self._begin[row] and offset not in (0, usual):
            what = 'The rows of the episode are at the wrong position'
            found = f'row {self._position + begin} of all files'
            findings.add(MISPLACED_ROWS, what, found, f'row {index}')
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
            of_episode.add(ROW_COUNT, what, seen, length)
