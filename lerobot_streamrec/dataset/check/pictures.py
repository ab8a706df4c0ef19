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
"""The check of images that are stored in a column of the data files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lerobot_streamrec.dataset.check.compare_statistics import Moments
from lerobot_streamrec.dataset.check.finding_codes import UNREADABLE_PICTURE, WRONG_PICTURE_SIZE
from lerobot_streamrec.dataset.check.findings import Findings
from lerobot_streamrec.dataset.format.features import FeatureSpec
from lerobot_streamrec.dataset.format.histograms import Histogram
from lerobot_streamrec.dataset.format.parquet import Unfit, UnfitError
from lerobot_streamrec.errors import DatasetCorruptError
from lerobot_streamrec.stats.histograms import ImageHistogram, lattice_stride
from lerobot_streamrec.video.codecs.depth_config import is_depth
from lerobot_streamrec.video.mp4.damage_scan import decode_picture, InspectedFrame
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


@dataclass(frozen=True, slots=True)
class Pictures:
    """The check of a column whose values are the bytes of image files."""

    key: str
    spec: FeatureSpec
    moments: Moments
    findings: Findings
    decode: bool

    def check(self, column: pa.ChunkedArray, stretches: Sequence[Stretch]) -> None:
        """Check every image, one episode at a time."""
        if not pa.types.is_struct(column.type) or column.type.get_field_index('bytes') < 0:
            raise UnfitError(Unfit.TYPE, column.type, 'struct<bytes, path>')
        for stretch in stretches:
            contents = column.slice(stretch.begin, stretch.end - stretch.begin)
            self._check_stretch(contents, stretch)

    def _check_stretch(self, contents: pa.ChunkedArray, stretch: Stretch) -> None:
        histogram = ImageHistogram()
        broken: dict[int, str] = {}
        sizes: dict[tuple[int, ...], int] = {}
        for number, one in enumerate(contents):
            content = one['bytes'].as_buffer()
            if content is None or not content.size:
                broken[number] = 'no bytes'
            elif self.decode:
                try:
                    size = self._count(content.to_pybytes(), histogram)
                except DatasetCorruptError as error:
                    broken[number] = str(error)
                else:
                    sizes.setdefault(size, number)
        self._add(broken, sizes, stretch)
        if self.decode and not broken and stretch.row >= 0 and not is_depth(self.spec.info):
            put_histogram(self.moments, stretch.row, histogram)

    def _count(self, content: bytes, histogram: ImageHistogram) -> tuple[int, ...]:
        frame = decode_picture(content)
        if not is_depth(self.spec.info):
            stride = lattice_stride(frame.height, frame.width)
            histogram.push(InspectedFrame(0.0, frame).rgb(stride))
        return frame.height, frame.width

    def _add(
        self, broken: dict[int, str], sizes: dict[tuple[int, ...], int], stretch: Stretch
    ) -> None:
        assert self.spec.shape is not None
        findings = stretch.about(self.findings)
        if broken:
            first = min(broken)
            what = f'{len(broken)} images of {self.key} cannot be read'
            found = f'{broken[first]} (row {first} of the episode)'
            findings.add(UNREADABLE_PICTURE, what, found)
        expected = self.spec.shape[:2]
        # Older datasets state the shape as (channels, height, width).
        for size in sizes:
            if size not in (expected, self.spec.shape[1:]):
                findings.add(
                    WRONG_PICTURE_SIZE,
                    f'Images of {self.key} do not have the size that info.json states',
                    f'{size[1]}x{size[0]} (row {sizes[size]} of the episode)',
                    f'{expected[1]}x{expected[0]}',
                )


def put_histogram(moments: Moments, row: int, histogram: Histogram) -> None:
    """Store the statistics of an episode's images, unless nothing was counted."""
    try:
        statistics = histogram.statistics()
    except ValueError:
        return
    for name, values in moments.values.items():
        values[row] = statistics.values[name].reshape(-1)
    moments.count[row] = statistics.num_rows
