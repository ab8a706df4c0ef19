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

from lerobot_streamrec.dataset.check.kinds import (
    MISSING_COLUMN,
    MISSING_VALUE,
    WRONG_COLUMN_TYPE,
    WRONG_SHAPE,
)
from lerobot_streamrec.dataset.check.reading import Floats, ProblemError
from lerobot_streamrec.dataset.features import FeatureSpec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
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
    assert spec.shape is not None
    array, shape = _flat(column.combine_chunks())
    if not _fits(array.type, np.dtype(spec.dtype).kind):
        raise ProblemError(WRONG_COLUMN_TYPE, column.type, spec.dtype)
    if shape not in (spec.shape, () if spec.shape == (1,) else spec.shape):
        raise ProblemError(WRONG_SHAPE, list(shape), list(spec.shape))
    if array.null_count:
        raise ProblemError(MISSING_VALUE, f'{array.null_count} missing elements', 'none')
    values = np.asarray(array.to_numpy(zero_copy_only=False), dtype=np.float64)
    return values.reshape(len(column), -1, spec.shape[-1])


def _flat(array: pa.Array) -> tuple[pa.Array, tuple[int, ...]]:
    """Return all elements one after the other, and the shape of one row."""
    shape: list[int] = []
    while True:
        if isinstance(array, pa.ExtensionArray):
            array = array.storage
        elif pa.types.is_fixed_size_list(array.type):
            shape.append(array.type.list_size)
            array = array.flatten()
        elif pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
            lengths = pc.min_max(pc.list_value_length(array)).as_py()
            if lengths['min'] != lengths['max']:
                found = f'lists of {lengths["min"]} to {lengths["max"]}'
                raise ProblemError(WRONG_SHAPE, found, 'lists of one length')
            shape.append(lengths['min'] or 0)
            array = array.flatten()
        else:
            return array, tuple(shape)


def _fits(kind: pa.DataType, wanted: str) -> bool:
    """Tell whether readers can make a numpy kind of an Arrow type."""
    if wanted == 'b':
        return bool(pa.types.is_boolean(kind))
    if wanted == 'f':
        return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))
    return bool(pa.types.is_integer(kind))
