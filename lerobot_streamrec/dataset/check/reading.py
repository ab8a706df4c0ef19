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
from itertools import pairwise
import json
from pathlib import Path, PurePosixPath

from lerobot_streamrec.dataset.check import finding_codes as kinds
from lerobot_streamrec.dataset.check.findings import Findings
from lerobot_streamrec.dataset.format.info_rules import read_small_file
from lerobot_streamrec.dataset.format.parquet import READ_ERRORS, Unfit, UnfitError
from lerobot_streamrec.dataset.format.table_rules import Ints, open_table
from lerobot_streamrec.errors import DatasetCorruptError
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_KINDS = {
    Unfit.COLUMN: kinds.MISSING_COLUMN,
    Unfit.TYPE: kinds.WRONG_COLUMN_TYPE,
    Unfit.SHAPE: kinds.WRONG_SHAPE,
    Unfit.VALUE: kinds.MISSING_VALUE,
    Unfit.RANGE: kinds.WRONG_COLUMN_TYPE,
}

_MAX_JSON_BYTES = 256 * 2**20

UNREADABLE = (DatasetCorruptError, *READ_ERRORS)
"""The errors that reading and converting a broken file may raise."""


def add_unfit(findings: Findings, what: str, error: UnfitError) -> None:
    """Add a finding on a column that cannot be used."""
    findings.add(_KINDS[error.reason], what, error.found, error.allowed)


def read_json(root: Path, relative: PurePosixPath, findings: Findings) -> dict[str, object] | None:
    """Read a JSON object; return None and add a finding if that is not possible."""
    findings = findings.about(str(relative))
    try:
        content = json.loads(read_small_file(root / relative, _MAX_JSON_BYTES))
    except FileNotFoundError:
        findings.add(kinds.MISSING_FILE, 'The file is missing')
        return None
    except UNREADABLE as error:
        findings.add(kinds.UNREADABLE_FILE, 'The file cannot be read', error)
        return None
    if not isinstance(content, dict):
        what = 'The file does not hold a JSON object'
        findings.add(kinds.UNREADABLE_FILE, what, type(content).__name__, 'an object')
        return None
    return content


def open_parquet(root: Path, relative: str, findings: Findings) -> pq.ParquetFile | None:
    """
    Open a parquet file, which the caller closes.

    :return: the open file; None, after a finding was added, if the file cannot be read
    """
    path, findings = root / relative, findings.about(relative)
    if not path.is_file():
        findings.add(kinds.MISSING_FILE, 'The file is missing, and readers need it')
        return None
    try:
        return open_table(path)
    except UNREADABLE as error:
        findings.add(kinds.UNREADABLE_FILE, 'The file is not a complete parquet file', error)
        return None


def parquet_below(root: Path, folder: str) -> list[str]:
    """Return the relative paths of the parquet files that readers find, in the readers' order."""
    try:
        found = [path.relative_to(root).as_posix() for path in root.glob(f'{folder}/*/*.parquet')]
    except OSError:
        return []
    return sorted(found)


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

        :raise UnfitError: if the file has no such column
        """
        if name not in self._file.schema_arrow.names:
            raise UnfitError(Unfit.COLUMN, 'no such column', name)
        # pyarrow takes names with dots for paths and may read other columns as well.
        if self._all is not None and name in self._all.column_names:
            return self._all.column(name)
        return self._file.read(columns=[name]).column(name)
