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
"""Columns of data files as arrays of numbers, whatever Arrow type they were written with."""

from __future__ import annotations

from lerobot_streamrec.dataset.check.finding_codes import MISSING_COLUMN
from lerobot_streamrec.dataset.check.reading import Floats, ProblemError, problems
from lerobot_streamrec.dataset.format.features import FeatureSpec
from lerobot_streamrec.dataset.format.table_rules import feature_values
import pyarrow as pa
import pyarrow.parquet as pq

# Files below this are read at once; of larger ones, one column at a time is in memory.
_AT_ONCE_BYTES = 64 * 2**20


class Columns:
    """
    Reads the columns of one data file.

    :param file: open, and open as long as this is used
    :param wanted: columns that are not large, and will be asked for
    """

    def __init__(self, file: pq.ParquetFile, wanted: list[str]) -> None:
        self._file = file
        groups = range(file.metadata.num_row_groups)
        size = sum(file.metadata.row_group(group).total_byte_size for group in groups)
        self._all = file.read(columns=wanted) if size < _AT_ONCE_BYTES else None

    def column(self, name: str) -> pa.ChunkedArray:
        """
        Read one column.

        :raise ProblemError: if there is none of this name
        """
        if name not in self._file.schema_arrow.names:
            raise ProblemError(MISSING_COLUMN, 'no such column', name)
        # Names with dots are paths to pyarrow, which may bring other columns along.
        if self._all is not None and name in self._all.column_names:
            return self._all.column(name)
        return self._file.read(columns=[name]).column(name)


def numbers(column: pa.ChunkedArray, spec: FeatureSpec) -> Floats:
    """
    Return a numeric feature's values.

    :param column: without missing rows
    :param spec: what info.json says of it
    :return: ``(rows, leading dimensions together, last dimension)``
    :raise ProblemError: if type or shape are others
    """
    with problems():
        return feature_values(column, spec)
