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
"""The check of the values of one feature in one data file, which may be images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lerobot_streamrec.dataset.check import finding_codes as kinds
from lerobot_streamrec.dataset.check.compare_statistics import Moments
from lerobot_streamrec.dataset.check.findings import Findings, Kind
from lerobot_streamrec.dataset.check.reading import add_unfit, Columns
from lerobot_streamrec.dataset.format.features import FeatureSpec
from lerobot_streamrec.dataset.format.histograms import count_picture, Histogram
from lerobot_streamrec.dataset.format.parquet import Unfit, UnfitError
from lerobot_streamrec.dataset.format.table_rules import feature_values
from lerobot_streamrec.errors import DatasetCorruptError
from lerobot_streamrec.stats.histograms import ImageHistogram
from lerobot_streamrec.video.codecs.depth_config import is_depth
import numpy as np
import numpy.typing as npt
import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Stretch:
    """
    A contiguous run of rows of one episode in a data file.

    :param begin: the first row, counted from the start of the file
    :param end: the row after the last one
    :param row: the episode's row in meta/episodes; below 0 if its values are not kept
    :param episode_index: the number that the rows state
    """

    begin: int
    end: int
    row: int
    episode_index: int

    def about(self, findings: Findings) -> Findings:
        """Return the collection for findings about the episode, in the same file and feature."""
        return replace(findings, episode=self.episode_index)


def _check_pictures(
    column: pa.ChunkedArray,
    stretches: Sequence[Stretch],
    spec: FeatureSpec,
    moments: Moments,
    findings: Findings,
    *,
    decode: bool,
) -> None:
    """Check a column whose values are the bytes of image files, one episode at a time."""
    if not pa.types.is_struct(column.type) or column.type.get_field_index('bytes') < 0:
        raise UnfitError(Unfit.TYPE, column.type, 'struct<bytes, path>')
    for stretch in stretches:
        histogram = None if is_depth(spec.info) else ImageHistogram()
        broken: dict[int, str] = {}
        sizes: dict[tuple[int, int], int] = {}
        for number, one in enumerate(column.slice(stretch.begin, stretch.end - stretch.begin)):
            content = one['bytes'].as_buffer()
            if content is None or not content.size:
                broken[number] = 'no bytes'
            elif decode:
                try:
                    size = count_picture(content.to_pybytes(), histogram)
                except DatasetCorruptError as error:
                    broken[number] = str(error)
                else:
                    sizes.setdefault(size, number)
        _add_pictures(broken, sizes, spec, stretch.about(findings))
        if decode and not broken and stretch.row >= 0 and histogram is not None:
            put_histogram(moments, stretch.row, histogram)


def _add_pictures(
    broken: dict[int, str],
    sizes: dict[tuple[int, int], int],
    spec: FeatureSpec,
    findings: Findings,
) -> None:
    """
    Add findings on the images of an episode.

    :param broken: the fault of each broken image, by its row in the episode
    :param sizes: the first row in the episode with an image of each height and width
    """
    if broken:
        first = min(broken)
        what = f'{len(broken)} images of {findings.feature} cannot be read'
        found = f'{broken[first]} (row {first} of the episode)'
        findings.add(kinds.UNREADABLE_PICTURE, what, found)
    assert spec.picture_shape is not None
    expected = f'{spec.picture_shape[1]}x{spec.picture_shape[0]}'
    for (height, width), row in sizes.items():
        if not spec.has_size(height, width):
            what = f'Images of {findings.feature} do not have the size that info.json states'
            found = f'{width}x{height} (row {row} of the episode)'
            findings.add(kinds.WRONG_PICTURE_SIZE, what, found, expected)


def put_histogram(moments: Moments, row: int, histogram: Histogram) -> None:
    """Store the statistics of an episode's images, unless nothing was counted."""
    try:
        statistics = histogram.statistics()
    except ValueError:
        return
    for name, values in moments.values.items():
        values[row] = statistics.values[name].reshape(-1)
    moments.count[row] = statistics.num_rows


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
        _add_rows(kinds.MISSING_VALUE, what, missing, stretches, findings)
        return True
    try:
        if spec.dtype == 'image' and moments is not None:
            _check_pictures(column, stretches, spec, moments, findings, decode=decode)
        elif spec.dtype == 'string':
            _check_strings(column)
        elif moments is not None and len(column):
            values = feature_values(column, spec)
            wrong = ~np.isfinite(values).all(axis=(1, 2))
            what = f'Rows have a NaN or infinite value of {key}'
            _add_rows(kinds.NOT_FINITE, what, wrong, stretches, findings)
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
