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
"""Which rows of a data file have a value that can be used for every feature."""

from __future__ import annotations

from lerobot_streamrec.dataset.check.columns import Columns, numbers
from lerobot_streamrec.dataset.check.info import CheckedInfo
from lerobot_streamrec.dataset.check.reading import ProblemError, UNREADABLE
from lerobot_streamrec.dataset.format.features import DEFAULT_FEATURES, FeatureSpec
from lerobot_streamrec.errors import DatasetCorruptError
from lerobot_streamrec.video.mp4.damage_scan import decode_picture
import numpy as np
import numpy.typing as npt
import pyarrow as pa

Mask = npt.NDArray[np.bool_]

_UNFIT = (ProblemError, *UNREADABLE)


def whole_values(columns: Columns, num_rows: int, info: CheckedInfo) -> Mask:
    """
    Look at every value of every feature; those that number the rows are left to others.

    :return: per row, whether all its values can be used
    """
    whole = np.ones(num_rows, np.bool_)
    for key in info.columns:
        if key in DEFAULT_FEATURES:
            continue
        try:
            column = columns.column(key)
        except ProblemError:
            return np.zeros(num_rows, np.bool_)
        whole &= ~np.asarray(column.is_null().to_numpy(), np.bool_)
        whole &= _of_column(column, key, info)
    return whole


def _of_column(column: pa.ChunkedArray, key: str, info: CheckedInfo) -> Mask:
    spec = info.features[key]
    if key in info.cameras:
        return np.array([_is_picture(one, spec) for one in column], np.bool_)
    if key in info.numeric:
        try:
            return _finite(column, spec)
        except _UNFIT:
            # Single rows may be fit.
            rows = range(len(column))
            return np.array([_is_number(column.slice(row, 1), spec) for row in rows], np.bool_)
    is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    return np.full(len(column), is_text or spec.dtype != 'string')


def _finite(column: pa.ChunkedArray, spec: FeatureSpec) -> Mask:
    return np.asarray(np.isfinite(numbers(column, spec)).all(axis=(1, 2)), np.bool_)


def _is_number(cell: pa.ChunkedArray, spec: FeatureSpec) -> bool:
    try:
        return not cell.null_count and bool(_finite(cell, spec)[0])
    except _UNFIT:
        return False


def _is_picture(cell: pa.Scalar, spec: FeatureSpec) -> bool:
    assert spec.shape is not None
    try:
        content = cell['bytes'].as_py()
        frame = decode_picture(content)
    except (DatasetCorruptError, KeyError, IndexError, TypeError):
        return False
    # Older datasets say (channels, height, width).
    return (frame.height, frame.width) in (spec.shape[:2], spec.shape[1:])
