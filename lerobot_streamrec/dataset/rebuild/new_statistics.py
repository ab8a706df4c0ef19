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
"""
Statistics of a new dataset, computed from its rows and from the statistics of its sources.

Statistics of numbers are computed exactly from the rows. Frames are not decoded: if all episodes
of a source are kept, the source's own statistics are used; otherwise the statistics of its
episodes are added up, with exact quantiles if the episodes' histograms are known
(dataset/format/histograms.py). Each episode and each source is weighted by its number of rows.

Frames are decoded only where a standard deviation is impossible. LeRobot 0.4 squared pixels in 8
bits, and so stored a standard deviation of 0 for nearly all frames.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from lerobot_streamrec.dataset.format.catalog import Catalog
from lerobot_streamrec.dataset.format.episode_table import read_statistics
from lerobot_streamrec.dataset.format.features import FeatureSpec
from lerobot_streamrec.dataset.format.histograms import (
    DecodedCamera,
    statistics_of_frames,
    with_histograms,
)
from lerobot_streamrec.dataset.format.parquet import flat_numbers
from lerobot_streamrec.dataset.format.statistics_file import AllStatistics, merged_statistics
from lerobot_streamrec.dataset.format.take_record import read_record
from lerobot_streamrec.dataset.rebuild.foreign_files import Numbers
from lerobot_streamrec.dataset.rebuild.merged_features import UnifiedTasks
from lerobot_streamrec.dataset.rebuild.new_files import rows_of
from lerobot_streamrec.dataset.rebuild.pieces import first_frame, Kept, Piece
from lerobot_streamrec.errors import DatasetCorruptError
from lerobot_streamrec.stats.feature_statistics import (
    FeatureStatistics,
    total_of,
    vector_statistics,
)
from lerobot_streamrec.workers import HERE, Task, Workers
import numpy as np
import numpy.typing as npt
import pyarrow as pa

Counted = dict[Kept, dict[str, FeatureStatistics]]


def counted_again(kept: Sequence[Kept], remarks: list[str]) -> Counted:
    """
    Decode the episodes whose stated standard deviation contradicts their quantiles.

    :param kept: episodes, of any datasets
    :param remarks: receives a sentence for each video that cannot be decoded and so keeps its
        stated statistics
    :return: the stated statistics with a new standard deviation, per episode and camera
    """
    found: Counted = defaultdict(dict)
    for (key, path), stated in _impossible(kept).items():
        try:
            counted = counted_frames(path, key, [*stated])
        except (DatasetCorruptError, ValueError) as error:
            remarks.append(f'cannot read {path}, so its old statistics are kept: {error}')
            continue
        for one, statistics in counted.items():
            # The other values were right, and were computed from frames before encoding.
            values = {**stated[one].values, 'std': statistics.values['std']}
            found[one][key] = replace(stated[one], values=values)
    return found


def counted_frames(
    path: Path, key: str, episodes: Sequence[Kept]
) -> dict[Kept, FeatureStatistics]:
    """
    Compute camera statistics of some episodes by decoding their video.

    :param path: the video, which holds all of these episodes
    :param key: the camera, whose pixel values have a known meaning
    :raise DatasetCorruptError: if the video cannot be read
    :raise ValueError: if an episode has no frame in the video
    """
    info = episodes[0].catalog.info
    ordered = sorted(episodes, key=partial(first_frame, key))
    spans = [(first_frame(key, one), one.source.length) for one in ordered]
    counted = statistics_of_frames(path, DecodedCamera(info.features[key].info), info.fps, spans)
    return dict(zip(ordered, counted, strict=True))


def _impossible(
    kept: Sequence[Kept],
) -> dict[tuple[str, Path], dict[Kept, FeatureStatistics]]:
    """Return the episodes with an impossible deviation and their statistics, by video."""
    found: dict[tuple[str, Path], dict[Kept, FeatureStatistics]] = defaultdict(dict)
    at = {(one.catalog, one.source.episode_index): one for one in kept}
    for catalog in dict.fromkeys(one.catalog for one in kept):
        features, total = catalog.info.features, catalog.info.total_episodes
        # Only LeRobot 0.4 wrote such deviations, and its episodes come from no take of ours.
        if all((read_record(catalog.root, index) or {}).get('take_id') for index in range(total)):
            continue
        keys = [
            one for one in catalog.info.video_keys if DecodedCamera(features[one].info).is_known
        ]
        for index, statistics in read_statistics(catalog.root, total, keys):
            one = at.get((catalog, index))
            for key, stated in statistics.items():
                if one is not None and not stated.has_possible_deviation:
                    path = catalog.video_path(key, one.source.videos[key].file)
                    found[key, path][one] = stated
    return found


_NO_NUMBERS = {'video', 'image', 'string', 'language'}
_NO_STATISTICS = {'string', 'language'}

# Merging distributions costs the same for few rows as for many, so rows are merged in batches.
_ROWS_AT_ONCE = 50_000
# Small files take longer to open than to add up.
_FILES_AT_ONCE = 200


@dataclass(slots=True)
class NewStatistics:
    """
    Statistics and new numbers of a new dataset.

    :param features: statistics of each feature
    :param numbers: new values of the index columns, for every episode in which they change
    :param counted_in_rows: cameras whose episodes must all count rows, not pixels, because some
        of them do
    :param pictures: corrected statistics of episodes whose stated ones were impossible
    :param remarks: one sentence for each inexact result
    """

    features: AllStatistics = field(default_factory=dict)
    numbers: dict[Kept, dict[str, Numbers]] = field(default_factory=dict)
    counted_in_rows: set[str] = field(default_factory=set)
    pictures: Counted = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def new_statistics(
    kept: Sequence[Kept],
    pieces: Sequence[Piece],
    tasks: UnifiedTasks,
    on_bytes: Callable[[int], None],
    workers: Workers = HERE,
) -> NewStatistics:
    """
    Compute the statistics of a new dataset.

    Sums are added up in batches of files that the plan alone decides about, so that the result
    is the same to the last bit for any number of workers.

    :param kept: episodes of the new dataset
    :param pieces: pieces of the data files that hold their rows
    :param on_bytes: receives the number of bytes read at each step
    :param workers: they read one batch of files each
    :raise DatasetCorruptError: if rows are missing or cannot be read
    """
    specs = kept[0].catalog.info.features
    found = NewStatistics()
    sums, batches = Sums(specs), _batches(pieces)
    sizes = [sum(one.size_bytes for one in batch) for batch in batches]
    work = [
        partial(_added_up, *(tasks.alone_with(batch) if workers.is_elsewhere else (batch, tasks)))
        for batch in batches
    ]
    todo = [
        Task(f'the statistics of {batch[0].path}', partial(one, specs), size)
        for batch, one, size in zip(batches, work, sizes, strict=True)
    ]
    for batch, size, (added, changed) in zip(batches, sizes, workers.run(todo), strict=True):
        sums.add_sums(added)
        episodes = [one for piece in batch for one in piece.episodes]
        found.numbers.update({episodes[at]: new for at, new in changed.items()})
        on_bytes(size)
    numbers = sums.finish()
    found.pictures = counted_again(kept, found.remarks)
    features = {}
    for key, spec in specs.items():
        if spec.dtype in _NO_STATISTICS:
            continue
        one = numbers[key] if key in numbers else picture_total(kept, key, found)
        if one is not None:
            features[key] = one
            if one.is_of_pictures and not one.counts_pixels:
                found.counted_in_rows.add(key)
    found.features = features
    return found


def _batches(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Return the files whose rows are added up before they are added to those of the others."""
    batches: list[list[Piece]] = []
    num_rows = 0
    for piece in pieces:
        if not batches or num_rows >= _ROWS_AT_ONCE or len(batches[-1]) == _FILES_AT_ONCE:
            batches.append([])
            num_rows = 0
        batches[-1].append(piece)
        num_rows += sum(one.source.length for one in piece.episodes)
    return batches


def _added_up(
    pieces: Sequence[Piece], tasks: UnifiedTasks, specs: Mapping[str, FeatureSpec]
) -> tuple[Sums, dict[int, dict[str, Numbers]]]:
    """Return the sums of files, and the new numbers of the episodes in which they change."""
    sums, changed, number = Sums(specs), {}, 0
    for piece in pieces:
        for episode, rows in rows_of(piece, [*sums.specs]):
            new = tasks.renumbered(episode, rows)
            if not (episode.is_at_its_place and tasks.keeps_numbers(episode)):
                changed[number] = new
            sums.add(episode_values(episode, rows, new, sums.specs), len(rows))
            number += 1
    sums.finish()
    return sums, changed


def episode_values(
    episode: Kept,
    rows: pa.Table,
    numbers: Mapping[str, Numbers],
    specs: Mapping[str, FeatureSpec],
) -> dict[str, npt.NDArray[np.float64]]:
    """
    Return the numeric values of an episode's rows, with their new numbers.

    :param numbers: new values of columns that refer to tables
    :param specs: numeric features
    :return: array ``(n, last dimension)`` per feature; n is the number of rows times all other
        dimensions
    """
    length = episode.source.length
    new = {
        # The column is rounded to float32, but LeRobot's statistics use the exact times.
        'timestamp': flat_numbers(rows.column('frame_index')) / episode.catalog.info.fps,
        'episode_index': np.full(length, episode.episode_index),
        'index': episode.from_index + np.arange(length),
        **numbers,
    }
    found = {}
    for key, spec in specs.items():
        width = (spec.shape or (1,))[-1]
        values = new[key] if key in new else flat_numbers(rows.column(key))
        found[key] = np.asarray(values, np.float64).reshape(-1, width)
    return found


class Sums:
    """
    Statistics of numeric features, accumulated batch by batch.

    :param specs: all features; those without numbers are ignored
    """

    def __init__(self, specs: Mapping[str, FeatureSpec]) -> None:
        self.specs = {key: one for key, one in specs.items() if one.dtype not in _NO_NUMBERS}
        self._waiting: dict[str, list[npt.NDArray[np.float64]]] = defaultdict(list)
        self._num_waiting = 0
        self._totals: AllStatistics = {}
        self._not_finite: set[str] = set()

    def add(self, values: Mapping[str, npt.NDArray[np.float64]], num_rows: int) -> None:
        """Add values that ``episode_values`` returned."""
        for key, one in values.items():
            self._waiting[key].append(one)
        self._num_waiting += num_rows
        if self._num_waiting >= _ROWS_AT_ONCE:
            self._flush()

    def add_sums(self, other: Sums) -> None:
        """Add sums that are finished."""
        self._totals = merged_statistics(self._totals, other._totals)
        self._not_finite |= other._not_finite

    def finish(self) -> dict[str, FeatureStatistics]:
        """Return the statistics of all features whose numbers are finite."""
        if self._num_waiting:
            self._flush()
        return {key: one for key, one in self._totals.items() if key not in self._not_finite}

    def _flush(self) -> None:
        waiting = {key: np.concatenate(arrays) for key, arrays in self._waiting.items()}
        self._not_finite |= {key for key, one in waiting.items() if not np.isfinite(one).all()}
        added = {
            # LeRobot pools all dimensions of a matrix but the last, and counts rows.
            key: replace(vector_statistics(values), num_rows=self._num_waiting)
            for key, values in waiting.items()
            if key not in self._not_finite
        }
        self._totals = merged_statistics(self._totals, added)
        self._waiting.clear()
        self._num_waiting = 0


def picture_total(
    kept: Sequence[Kept], key: str, found: NewStatistics
) -> FeatureStatistics | None:
    """
    Add up the stated statistics of a feature, dataset by dataset.

    :param kept: episodes of the new dataset
    :param key: name of a camera, or of a feature with numbers that are not finite
    :param found: holds corrected statistics of episodes, and receives remarks on inexact results
    :return: None if a dataset has no statistics of the feature
    """
    remarks = found.remarks
    chosen: dict[Catalog, list[Kept]] = defaultdict(list)
    for one in kept:
        chosen[one.catalog].append(one)
    all_parts: list[FeatureStatistics] = []
    for catalog, episodes in chosen.items():
        whole = catalog.statistics().get(key)
        parts: list[FeatureStatistics] | None = None
        is_as_stated = not any(key in found.pictures.get(one, ()) for one in episodes)
        if whole is not None and len(episodes) == len(catalog.episodes) and is_as_stated:
            parts = [whole]
        else:
            parts = _each_episode(episodes, key, found.pictures)
        if parts is None and whole is not None:
            remarks.append(
                f'{catalog.root}: not every episode has statistics of {key}; those of the '
                'whole dataset are kept'
            )
            num_rows = sum(one.source.length for one in episodes)
            parts = [replace(whole, num_rows=num_rows, distributions=None).counted_like(whole)]
        if parts is None:
            remarks.append(f'{catalog.root} has no statistics of {key}; the result lacks them too')
            return None
        all_parts += parts
    total = total_of(all_parts)
    wholes = [catalog.statistics().get(key) for catalog in chosen]
    had_quantiles = any(one is not None and one.has_quantiles for one in wholes)
    if total is not None and had_quantiles and not total.has_quantiles:
        remarks.append(f'not every episode has quantiles of {key}; the result has none')
    return total


def _each_episode(
    episodes: Sequence[Kept], key: str, pictures: Counted
) -> list[FeatureStatistics] | None:
    found = []
    for one in episodes:
        if key in pictures.get(one, ()):
            found.append(pictures[one][key])
            continue
        statistics = one.catalog.statistics_of(one.source, [key]).get(key)
        if statistics is None:
            return None
        found.append(with_histograms(statistics, one.record, key))
    return found
