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
"""The rows of single episodes, read from data files that may hold many episodes each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lerobot_streamrec.dataset.format.episode_table import EpisodeRow
from lerobot_streamrec.dataset.format.features import DEFAULT_FEATURES
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
import numpy as np
import numpy.typing as npt
import pyarrow as pa


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

        :return: array ``(rows, d)`` per key, in the dtype of the feature
        :raise DatasetCorruptError: if the file does not hold the episode's rows contiguously
        """
        path = self._root / row.data_file.path(DATA_PATH)
        if path != self._path:
            self._table, self._path = read_parquet(path, ['episode_index', *self._keys]), path
        assert self._table is not None
        with refusing(self._root, path):
            rows, features = _rows_of(self._table, row), self._info.features
            return {
                key: feature_values(
                    column_of(rows, key), features[key], features[key].dtype
                ).reshape(row.length, -1)
                for key in self._keys
            }


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
