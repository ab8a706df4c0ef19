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
""".streamrec/row_stamps: when each row was, and when what it shows was measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lerobot_streamrec.errors import DatasetCorruptError
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

ROW = 'row'
"""Column of the rows' own instants; every other is named by its stream."""


def row_stamps_table(columns: Mapping[str, npt.NDArray[np.int64]]) -> pa.Table:
    """
    Build the table of an episode.

    :param columns: ``(rows,)`` nanoseconds in the streams' time
    """
    return pa.table({key: pa.array(stamps, pa.int64()) for key, stamps in columns.items()})


def num_row_stamps(path: Path) -> int | None:
    """Count the rows of a file; None if it is missing or not whole."""
    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, pa.ArrowException):
        return None


def read_row_stamps(path: Path) -> dict[str, npt.NDArray[np.int64]]:
    """
    Read the table of an episode; empty if there is none.

    :return: ``(rows,)`` nanoseconds by column
    :raise DatasetCorruptError: if it cannot be read
    """
    if not path.is_file():
        return {}
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise DatasetCorruptError(f'{path} cannot be read: {error}') from error
    return {key: table[key].to_numpy() for key in table.column_names}
