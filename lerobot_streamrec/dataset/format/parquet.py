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
"""Writing parquet files as LeRobot does, and reading those of other writers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from functools import cached_property
from pathlib import Path
import struct
import sys
from typing import Any

from lerobot_streamrec.errors import DatasetCorruptError
from lerobot_streamrec.remote_files import opened, readable, size_bytes
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq


class Unfit(Enum):
    """The reason for which a column cannot be used."""

    COLUMN = 'column'
    TYPE = 'type'
    SHAPE = 'shape'
    VALUE = 'value'
    RANGE = 'range'


class UnfitError(Exception):
    """
    A column that cannot be used.

    :param reason: the kind of fault
    :param found: the type or value in the file, as a noun
    :param allowed: the types or values that are allowed, as a noun
    :param place: the column or the episode; empty if the caller names it
    """

    def __init__(self, reason: Unfit, found: object, allowed: object, place: str = '') -> None:
        values = f'found {found}, expected {allowed}'
        super().__init__(f'{place}: {values}' if place else values)
        self.reason = reason
        self.found = found
        self.allowed = allowed


@contextmanager
def naming(column: str) -> Iterator[None]:
    """Add the name of a column to an ``UnfitError``."""
    try:
        yield
    except UnfitError as error:
        place = f'column {column}'
        raise UnfitError(error.reason, error.found, error.allowed, place) from error


READ_ERRORS = (
    pa.ArrowException,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    MemoryError,
    RecursionError,
    NotImplementedError,
)
"""The errors that reading and converting a broken file may raise."""


def to_bytes(table: pa.Table) -> bytes:
    """Return a table as a parquet file of one row group."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression='snappy', use_dictionary=True)
    return bytes(sink.getvalue().to_pybytes())


class TableFile(pq.ParquetFile):  # type: ignore[misc]
    """
    A parquet file whose rows may lack a vector.

    pyarrow before version 26, which includes the last release for Python 3.10, cannot read a null
    in a column of fixed-size lists.

    :param path: the path of the file
    """

    def __init__(self, path: Path) -> None:
        super().__init__(readable(path))
        self._path = path

    @cached_property
    def schema_arrow(self) -> pa.Schema:
        """The schema, which is cached because pyarrow builds it again on each access."""
        return super().schema_arrow

    def read(self, columns: list[str] | None = None, **options: Any) -> pa.Table:
        """
        Read columns.

        :param columns: the names of the columns; None for all
        :raise pyarrow.ArrowInvalid: if a column cannot be read
        """
        try:
            return super().read(columns=columns, **options)
        except pa.ArrowInvalid as error:
            if not any(map(pa.types.is_fixed_size_list, self.schema_arrow.types)):
                raise
            try:
                return self._read_as_lists(columns)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                raise error from None

    def _read_as_lists(self, columns: list[str] | None) -> pa.Table:
        """Read fixed-size lists as lists of any length, and cast them."""
        # Without Arrow's own schema in the metadata, pyarrow does not know of the fixed size.
        with opened(self._path) as opened_file:
            content = bytearray(opened_file.read())
        # A parquet file ends with its metadata, the length of these in four bytes, and "PAR1".
        (length,) = struct.unpack('<I', content[-8:-4])
        place = content.find(b'ARROW:schema', len(content) - 8 - length)
        if place >= 0:
            content[place : place + 5] = b'arrow'
        with pq.ParquetFile(pa.BufferReader(bytes(content))) as file:
            table = file.read(columns=columns)
        fields = [self.schema_arrow.field(name) for name in table.column_names]
        return table.cast(pa.schema(fields, metadata=self.schema_arrow.metadata))


class _NoPandas:
    """A finder of modules that does not find pandas, and leaves all others to the next one."""

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> None:
        """Raise an error instead of a module's description."""
        if name == 'pandas':
            raise ModuleNotFoundError(name)


def do_without_pandas() -> None:
    """
    Let pyarrow believe for this process that pandas is not installed; call it before any table.

    pyarrow loads pandas for its first table if it can, to recognise pandas' arrays. A recorder
    has none, and starts a third of a second earlier. ``to_pandas`` still works.
    """
    sys.meta_path.insert(0, _NoPandas)
    try:
        warm_up()
    finally:
        sys.meta_path.remove(_NoPandas)


def warm_up() -> None:
    """
    Load everything that pyarrow needs for its first table, mainly pandas.

    Otherwise the first save would load it, which takes a third of a second while the robot moves.
    """
    to_bytes(pa.table({'number': [0]}))


_LARGE_BYTES = 1 << 20


def read_parquet(path: Path, columns: list[str] | None = None) -> pa.Table:
    """
    Read one parquet file.

    :raise DatasetCorruptError: naming the file
    """
    try:
        # Much faster than pq.read_table for small files, as is reading them in one thread.
        with TableFile(path) as file:
            table = file.read(columns=columns, use_threads=size_bytes(path) > _LARGE_BYTES)
        # A name with dots may stand for other columns as well.
        return table if columns is None else table.select(columns)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise DatasetCorruptError(f'{path} cannot be read: {error}') from error


def read_schema(path: Path) -> pa.Schema:
    """
    Read the schema of a parquet file.

    :raise DatasetCorruptError: naming the file
    """
    try:
        return pq.read_schema(readable(path))
    except (pa.ArrowException, OSError) as error:
        raise DatasetCorruptError(f'{path} cannot be read: {error}') from error


def flat_numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """Return all numbers of a column one after the other, however deeply they are nested."""
    array = column.combine_chunks()
    while isinstance(array, pa.ChunkedArray | pa.ExtensionArray):
        array = array.storage if isinstance(array, pa.ExtensionArray) else array.chunk(0)
    while pa.types.is_nested(array.type):
        array = array.flatten()
    return np.asarray(array.to_numpy(zero_copy_only=False), dtype=np.float64)
