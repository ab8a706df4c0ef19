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
"""The check of the values of one feature in one data file."""

from __future__ import annotations

from collections.abc import Sequence

from lerobot_streamrec.dataset.check.compare_statistics import Moments
from lerobot_streamrec.dataset.check.finding_codes import MISSING_VALUE, NOT_FINITE
from lerobot_streamrec.dataset.check.findings import Findings, Kind
from lerobot_streamrec.dataset.check.pictures import Pictures, Stretch
from lerobot_streamrec.dataset.check.reading import add_unfit, Columns
from lerobot_streamrec.dataset.format.features import FeatureSpec
from lerobot_streamrec.dataset.format.parquet import Unfit, UnfitError
from lerobot_streamrec.dataset.format.table_rules import feature_values
import numpy as np
import numpy.typing as npt
import pyarrow as pa


def check_values(
    key: str,
    spec: FeatureSpec,
    columns: Columns,
    stretches: Sequence[Stretch],
    moments: Moments | None,
    findings: Findings,
    *,
    decode: bool,
) -> bool:
    """
    Check a feature's column and store its moments.

    :param findings: the collection for findings about the feature in its file
    :return: False if the column cannot be read; faults of single rows are only findings
    """
    try:
        column = columns.column(key)
    except UnfitError:
        # One finding already lists all missing columns.
        return False
    missing = np.asarray(column.is_null().to_numpy(), dtype=np.bool_)
    if missing.any():
        what = f'Rows have no value of {key}'
        _add_rows(MISSING_VALUE, what, missing, stretches, findings)
        return True
    try:
        if spec.dtype == 'image' and moments is not None:
            Pictures(key, spec, moments, findings, decode).check(column, stretches)
        elif spec.dtype == 'string':
            _check_strings(column)
        elif moments is not None and len(column):
            values = feature_values(column, spec)
            wrong = ~np.isfinite(values).all(axis=(1, 2))
            what = f'Rows have a NaN or infinite value of {key}'
            _add_rows(NOT_FINITE, what, wrong, stretches, findings)
            rows = [stretch.row for stretch in stretches]
            moments.put(rows, [*(one.begin for one in stretches), len(values)], values)
    except UnfitError as error:
        what = f'The column {key} does not match its description in info.json'
        add_unfit(findings, what, error)
        return False
    return True


def _add_rows(
    kind: Kind,
    what: str,
    wrong: npt.NDArray[np.bool_],
    stretches: Sequence[Stretch],
    findings: Findings,
) -> None:
    """Add a finding for each episode with wrong rows, with their number."""
    if not wrong.any():
        return
    counts = np.add.reduceat(wrong.astype(np.int64), [one.begin for one in stretches])
    for stretch, count in zip(stretches, counts.tolist(), strict=True):
        if count:
            first = int(np.argmax(wrong[stretch.begin : stretch.end]))
            found = f'{count} such rows, the first of which is row {first} of the episode'
            stretch.about(findings).add(kind, what, found)


def _check_strings(column: pa.ChunkedArray) -> None:
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise UnfitError(Unfit.TYPE, column.type, 'string')
