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
"""The rows of an episode: data/chunk-XXX/file-XXX.parquet and the instant of each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lerobot_streamrec.dataset.format.episode_table import EpisodeRow
from lerobot_streamrec.dataset.format.features import (
    arrow_type,
    data_schema,
    DEFAULT_FEATURES,
    FeatureSpec,
)
from lerobot_streamrec.dataset.format.info import DatasetInfo
from lerobot_streamrec.dataset.format.info_rules import TEXTS
from lerobot_streamrec.dataset.format.layout import DATA_PATH
from lerobot_streamrec.dataset.format.parquet import read_parquet
from lerobot_streamrec.dataset.format.table_rules import (
    column_of,
    feature_values,
    refusing,
    whole_numbers,
)
from lerobot_streamrec.remote_files import readable
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

Columns = Mapping[str, Any]
"""An array ``(n,)`` or ``(n, d)`` per feature; an Arrow array for texts."""


def default_columns(
    num_rows: int, *, fps: int, episode_index: int, from_index: int, task_index: int
) -> dict[str, npt.NDArray[np.generic]]:
    """
    Return the columns that LeRobot adds to every dataset.

    ``timestamp`` is float64 here, since LeRobot computes its statistics in double precision; the
    table rounds it to float32.
    """
    frame_index = np.arange(num_rows, dtype=np.int64)
    return {
        'timestamp': frame_index / fps,
        'frame_index': frame_index,
        'episode_index': np.full(num_rows, episode_index, dtype=np.int64),
        'index': from_index + frame_index,
        'task_index': np.full(num_rows, task_index, dtype=np.int64),
    }


def rows_table(features: Mapping[str, FeatureSpec], columns: Columns) -> pa.Table:
    """
    Return the table of an episode's rows.

    :param features: all features of the dataset, in order
    :param columns: values of each feature that is not a video
    """
    schema = data_schema(features)
    arrays = [_array(features[name], columns[name]) for name in schema.names]
    return pa.table(arrays, schema=schema)


def _array(spec: FeatureSpec, values: Any) -> pa.Array:
    if spec.dtype in TEXTS:
        return values
    flat = pa.array(values.astype(spec.dtype, copy=False).reshape(-1))
    kind = arrow_type(spec)
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(flat, type=kind)
    if pa.types.is_list(kind):
        num_samples, width = spec.shape or (1, 1)
        samples = pa.ListArray.from_arrays(_every(width, len(flat)), flat)
        return pa.ListArray.from_arrays(_every(num_samples, len(samples)), samples)
    return flat


def _every(size: int, length: int) -> npt.NDArray[np.int32]:
    """Return the offsets of lists of one size."""
    return np.arange(0, length + 1, size, dtype=np.int32)


ROW = 'row'
"""The column with the instants of the rows; all other columns are named after streams."""


def row_stamps_table(columns: Mapping[str, npt.NDArray[np.int64]]) -> pa.Table:
    """
    Return the table of the instants of an episode.

    :param columns: ``(rows,)`` nanoseconds in the time of the streams, per column
    """
    return pa.table({key: pa.array(stamps, pa.int64()) for key, stamps in columns.items()})


def num_row_stamps(path: Path) -> int | None:
    """Return the number of rows of a file; None if it is missing or incomplete."""
    try:
        return int(pq.read_metadata(readable(path)).num_rows)
    except (OSError, pa.ArrowException):
        return None


def read_row_stamps(path: Path) -> dict[str, npt.NDArray[np.int64]]:
    """
    Read the table of the instants of an episode.

    :return: ``(rows,)`` nanoseconds per column; empty if the file is missing
    :raise DatasetCorruptError: if the file cannot be read
    """
    if not path.is_file():
        return {}
    table = read_parquet(path)
    return {key: table[key].to_numpy() for key in table.column_names}


def vector_keys(info: DatasetInfo) -> tuple[str, ...]:
    """Return the features that hold numbers of the robot, in the order of info.json."""
    without = {*TEXTS, 'image', 'video'}
    return tuple(
        key
        for key, spec in info.features.items()
        if key not in DEFAULT_FEATURES and spec.dtype not in without
    )


def image_keys(info: DatasetInfo) -> tuple[str, ...]:
    """Return the cameras whose pictures are in the data files instead of videos."""
    return tuple(key for key, spec in info.features.items() if spec.dtype == 'image')


class EpisodeValues:
    """
    A reader that keeps the last data file in memory, so that neighbours are read once.

    Owned by one thread.

    :param root: the dataset's folder
    :param info: the description of the features
    :param keys: the features to read, which are neither videos nor texts
    """

    def __init__(self, root: Path, info: DatasetInfo, keys: Sequence[str]) -> None:
        self._root = root
        self._info = info
        self._keys = tuple(keys)
        self._path: Path | None = None
        self._table: pa.Table | None = None

    def of(self, row: EpisodeRow) -> dict[str, npt.NDArray[Any]]:
        """
        Read the rows of one episode.

        :return: array ``(rows, d)`` per key, in the dtype of the feature; of a window, the newest
            sample
        :raise DatasetCorruptError: if the file does not hold the episode's rows contiguously
        """
        path = self._root / row.data_file.path(DATA_PATH)
        if path != self._path:
            self._table, self._path = read_parquet(path, ['episode_index', *self._keys]), path
        assert self._table is not None
        with refusing(self._root, path):
            rows, features = _rows_of(self._table, row), self._info.features
            found: dict[str, npt.NDArray[Any]] = {}
            for key in self._keys:
                spec = features[key]
                values = feature_values(column_of(rows, key), spec, spec.dtype)
                values = values.reshape(row.length, -1)
                found[key] = values[:, -len(spec.names or ()) :] if spec.is_window else values
            return found


def image_files(root: Path, row: EpisodeRow, key: str, rows: Sequence[int]) -> list[bytes]:
    """
    Read pictures that are in a data file.

    :param root: the dataset's folder
    :param row: the episode
    :param key: a camera of ``image_keys``
    :param rows: rows of the episode
    :return: the picture files, such as PNG
    :raise DatasetCorruptError: if the file does not hold the episode's rows, or a picture is
        missing
    """
    path = root / row.data_file.path(DATA_PATH)
    table = read_parquet(path, ['episode_index', key])
    with refusing(root, path):
        column = column_of(_rows_of(table, row), key)
        return [bytes(column[number]['bytes'].as_buffer()) for number in rows]


def _rows_of(table: pa.Table, row: EpisodeRow) -> pa.Table:
    numbers = whole_numbers(column_of(table, 'episode_index'))
    found, length = np.flatnonzero(numbers == row.episode_index), row.length
    if len(found) != length or found[-1] - found[0] + 1 != length:
        raise ValueError(
            f'it has {len(found)} rows of episode {row.episode_index}; there must be {length}, '
            'one after the other'
        )
    return table.slice(int(found[0]), length)
