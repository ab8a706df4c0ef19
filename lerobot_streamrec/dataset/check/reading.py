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
"""Readers for the tables of a dataset, which the check uses on broken datasets as well."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
import json
from pathlib import Path, PurePosixPath

from lerobot_streamrec.dataset.check.finding_codes import (
    MISSING_COLUMN,
    MISSING_FILE,
    MISSING_VALUE,
    UNREADABLE_FILE,
    WRONG_COLUMN_TYPE,
    WRONG_SHAPE,
)
from lerobot_streamrec.dataset.check.findings import Findings, Kind
from lerobot_streamrec.dataset.format.features import FeatureSpec
from lerobot_streamrec.dataset.format.info_rules import read_small_file
from lerobot_streamrec.dataset.format.parquet import READ_ERRORS, Unfit, UnfitError
from lerobot_streamrec.dataset.format.table_rules import (
    feature_values,
    open_table,
    real_numbers,
    whole_numbers,
)
from lerobot_streamrec.errors import DatasetCorruptError
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_KINDS = {
    Unfit.COLUMN: MISSING_COLUMN,
    Unfit.TYPE: WRONG_COLUMN_TYPE,
    Unfit.SHAPE: WRONG_SHAPE,
    Unfit.VALUE: MISSING_VALUE,
    Unfit.RANGE: WRONG_COLUMN_TYPE,
}

_MAX_JSON_BYTES = 256 * 2**20

UNREADABLE = (DatasetCorruptError, *READ_ERRORS)
"""The errors that reading and converting a broken file may raise."""


class ProblemError(Exception):
    """
    A fault in a part of a file; the caller turns it into a finding.

    :param kind: the kind of finding
    :param found: the actual value
    :param expected: the correct value
    """

    def __init__(self, kind: Kind, found: object = '', expected: object = '') -> None:
        super().__init__(f'{kind.code}: found {found}, expected {expected}')
        self.kind = kind
        self.found = found
        self.expected = expected


def read_json(root: Path, relative: PurePosixPath, findings: Findings) -> dict[str, object] | None:
    """Read a JSON object; return None and add a finding if that is not possible."""
    try:
        content = json.loads(read_small_file(root / relative, _MAX_JSON_BYTES))
    except FileNotFoundError:
        findings.add(MISSING_FILE, str(relative), 'The file is missing')
        return None
    except UNREADABLE as error:
        findings.add(UNREADABLE_FILE, str(relative), 'The file cannot be read', found=error)
        return None
    if not isinstance(content, dict):
        findings.add(
            UNREADABLE_FILE,
            str(relative),
            'The file does not hold a JSON object',
            found=type(content).__name__,
            expected='an object',
        )
        return None
    return content


def open_parquet(root: Path, relative: str, findings: Findings) -> pq.ParquetFile | None:
    """
    Open a parquet file, which the caller closes.

    :return: the open file; None, after a finding was added, if the file cannot be read
    """
    path = root / relative
    if not path.is_file():
        findings.add(MISSING_FILE, relative, 'The file is missing, and readers need it')
        return None
    try:
        return open_table(path)
    except UNREADABLE as error:
        findings.add(
            UNREADABLE_FILE, relative, 'The file is not a complete parquet file', found=error
        )
        return None


def parquet_below(root: Path, folder: str) -> list[str]:
    """Return the relative paths of the parquet files that readers find, in the readers' order."""
    try:
        found = [path.relative_to(root).as_posix() for path in root.glob(f'{folder}/*/*.parquet')]
    except OSError:
        return []
    return sorted(found)


def integers(column: pa.ChunkedArray) -> Ints:
    """
    Return a column of whole numbers.

    :raise ProblemError: if the column has another type, or a row has no value
    """
    with problems():
        return whole_numbers(column)


def floats(column: pa.ChunkedArray) -> Floats:
    """
    Return a column of numbers.

    :raise ProblemError: if the column has another type, or a row has no value
    """
    with problems():
        return real_numbers(column)


@contextmanager
def problems() -> Iterator[None]:
    """Convert an ``UnfitError`` into a ``ProblemError``."""
    try:
        yield
    except UnfitError as error:
        raise ProblemError(_KINDS[error.reason], error.found, error.allowed) from error


def runs(values: Ints) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of each run of equal values."""
    if len(values):
        bounds = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
        yield from pairwise(bounds)


# Smaller files are read at once. For larger files, one column at a time is in memory.
_AT_ONCE_BYTES = 64 * 2**20


class Columns:
    """
    A reader for the columns of one data file.

    :param file: the open file, which must stay open while this object is used
    :param wanted: the columns that are not large and that the caller will ask for
    """

    def __init__(self, file: pq.ParquetFile, wanted: list[str]) -> None:
        self._file = file
        groups = range(file.metadata.num_row_groups)
        size = sum(file.metadata.row_group(group).total_byte_size for group in groups)
        self._all = file.read(columns=wanted) if size < _AT_ONCE_BYTES else None

    def column(self, name: str) -> pa.ChunkedArray:
        """
        Read one column.

        :raise ProblemError: if the file has no such column
        """
        if name not in self._file.schema_arrow.names:
            raise ProblemError(MISSING_COLUMN, 'no such column', name)
        # pyarrow takes names with dots for paths and may read other columns as well.
        if self._all is not None and name in self._all.column_names:
            return self._all.column(name)
        return self._file.read(columns=[name]).column(name)


def numbers(column: pa.ChunkedArray, spec: FeatureSpec) -> Floats:
    """
    Return the values of a numeric feature.

    :param column: the feature's column, without missing rows
    :param spec: the feature's description in info.json
    :return: ``(rows, product of the leading dimensions, last dimension)``
    :raise ProblemError: if the type or the shape is not the described one
    """
    with problems():
        return feature_values(column, spec)
