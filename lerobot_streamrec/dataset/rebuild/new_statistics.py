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
Statistics of a dataset that is put together, counted again where none are known.

Statistics of numbers are computed anew from the rows, exactly. Pictures are not decoded for it:
where all of a dataset's episodes are taken, its own statistics count; otherwise those of the
episodes are added up, with exact quantiles if the episodes' histograms are known
(dataset/format/histograms.py). Each episode and each dataset has the weight of its rows.

LeRobot 0.4 squared pixels in 8 bits: it stored a standard deviation of 0 for nearly all pictures,
so these are counted again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lerobot_streamrec.dataset.format.catalog import Catalog
from lerobot_streamrec.dataset.format.episode_reader import read_statistics
from lerobot_streamrec.dataset.format.features import FeatureSpec
from lerobot_streamrec.dataset.format.histograms import (
    DecodedCamera,
    statistics_of_frames,
    with_histograms,
)
from lerobot_streamrec.dataset.format.statistics_file import AllStatistics
from lerobot_streamrec.dataset.rebuild.foreign_files import Numbers
from lerobot_streamrec.dataset.rebuild.merged_features import UnifiedTasks
from lerobot_streamrec.dataset.rebuild.new_files import rows_of
from lerobot_streamrec.dataset.rebuild.pieces import Kept, Piece
from lerobot_streamrec.errors import DatasetCorruptError
from lerobot_streamrec.stats.feature_statistics import FeatureStatistics, vector_statistics
import numpy as np
import numpy.typing as npt
import pyarrow as pa

Counted = dict[Kept, dict[str, FeatureStatistics]]


def counted_again(kept: Sequence[Kept], remarks: list[str]) -> Counted:
    """
    Decode the episodes of which a camera's deviation is smaller than its quantiles allow for.

    :param kept: episodes, of any datasets
    :param remarks: takes the videos that cannot be decoded; their stated statistics stay
    :return: statistics per episode and camera: as stated, but for the deviation
    """
    found: Counted = defaultdict(dict)
    for (catalog, key, path), members in _impossible(kept).items():
        camera, fps = DecodedCamera(catalog.info.features[key].info), catalog.info.fps
        ordered = sorted(members, key=lambda one: one[0].source.videos[key].from_timestamp)
        spans = [
            (round(one.source.videos[key].from_timestamp * fps), one.source.length)
            for one, _ in ordered
        ]
        try:
            counted = statistics_of_frames(path, camera, fps, spans)
        except (DatasetCorruptError, ValueError) as error:
            remarks.append(f'the old statistics of {path} stay, since it cannot be read: {error}')
            continue
        for (one, stated), statistics in zip(ordered, counted, strict=True):
            # All else was right, and taken before the codec.
            values = {**stated.values, 'std': statistics.values['std']}
            found[one][key] = replace(stated, values=values)
    return found


def _impossible(
    kept: Sequence[Kept],
) -> dict[tuple[Catalog, str, Path], list[tuple[Kept, FeatureStatistics]]]:
    """Return the episodes to count again and their stated statistics, by their videos."""
    found = defaultdict(list)
    at = {(one.catalog, one.source.episode_index): one for one in kept}
    for catalog in dict.fromkeys(one.catalog for one in kept):
        features, total = catalog.info.features, catalog.info.total_episodes
        keys = [
            one for one in catalog.info.video_keys if DecodedCamera(features[one].info).is_known
        ]
        for index, statistics in read_statistics(catalog.root, total, keys):
            one = at.get((catalog, index))
            for key, stated in statistics.items():
                if one is not None and not stated.has_possible_deviation:
                    path = catalog.video_path(key, one.source.videos[key].file)
                    found[catalog, key, path].append((one, stated))
    return found


_NO_NUMBERS = {'video', 'image', 'string', 'language'}
_NO_STATISTICS = {'string', 'language'}

# Adding up distributions costs the same for few rows as for many.
_ROWS_AT_ONCE = 50_000


@dataclass(slots=True)
class NewStatistics:
    """
    What is known of the rows of a new dataset.

    :param features: statistics of each
    :param numbers: new statistics of the index columns of every episode in which they change
    :param counted_in_rows: cameras whose episodes may not state a count of pixels any more,
        because other episodes count frames
    :param pictures: statistics of episodes that could not be as they were stated
    :param remarks: inexact statistics, each a sentence
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
) -> NewStatistics:
    """
    Compute the statistics of a new dataset.

    :param kept: its episodes
    :param pieces: the data files that they stand in
    :param on_bytes: is told the size of what is read
    :raise DatasetCorruptError: if rows are missing or cannot be read
    """
    specs = kept[0].catalog.info.features
    found = NewStatistics()
    sums = Sums(specs)
    for piece in pieces:
        for episode, rows in rows_of(piece, [*sums.specs]):
            new = tasks.renumbered(episode, rows)
            if not (episode.is_at_its_place and tasks.keeps_numbers(episode)):
                found.numbers[episode] = new
            sums.add(episode, rows, new)
        on_bytes(piece.size_bytes)
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


def episode_values(
    episode: Kept,
    rows: pa.Table,
    numbers: Mapping[str, Numbers],
    specs: Mapping[str, FeatureSpec],
) -> dict[str, npt.NDArray[np.float64]]:
    """
    Return the numbers of an episode's rows, as they will be.

    :param numbers: the new ones of its rows, by their columns
    :param specs: numeric features
    :return: per feature ``(n, last dimension)``, n the rows times all other dimensions
    """
    length = episode.source.length
    new = {
        # The column is rounded to float32; LeRobot's statistics are of what it stands for.
        'timestamp': _values(rows, 'frame_index', 1) / episode.catalog.info.fps,
        'episode_index': np.full(length, episode.episode_index),
        'index': episode.from_index + np.arange(length),
        **numbers,
    }
    found = {}
    for key, spec in specs.items():
        width = (spec.shape or (1,))[-1]
        values = new[key] if key in new else _values(rows, key, width)
        found[key] = np.asarray(values, np.float64).reshape(-1, width)
    return found


class Sums:
    """
    Statistics of numeric features, batch by batch.

    :param specs: all features
    """

    def __init__(self, specs: Mapping[str, FeatureSpec]) -> None:
        self.specs = {key: one for key, one in specs.items() if one.dtype not in _NO_NUMBERS}
        self._waiting: dict[str, list[npt.NDArray[np.float64]]] = defaultdict(list)
        self._num_waiting = 0
        self._totals: dict[str, FeatureStatistics] = {}
        self._not_finite: set[str] = set()

    def add(self, episode: Kept, rows: pa.Table, numbers: Mapping[str, Numbers]) -> None:
        """Take the rows of an episode, by its new numbers."""
        self.add_values(episode_values(episode, rows, numbers, self.specs), len(rows))

    def add_values(
        self, values: Mapping[str, npt.NDArray[np.float64]], num_rows: int
    ) -> None:
        """Take what ``episode_values`` returned."""
        for key, one in values.items():
            self._waiting[key].append(one)
        self._num_waiting += num_rows
        if self._num_waiting >= _ROWS_AT_ONCE:
            self._flush()

    def finish(self) -> dict[str, FeatureStatistics]:
        """Return the statistics of all features whose numbers are finite."""
        if self._num_waiting:
            self._flush()
        return {key: one for key, one in self._totals.items() if key not in self._not_finite}

    def _flush(self) -> None:
        for key, arrays in self._waiting.items():
            values = np.concatenate(arrays)
            if not np.isfinite(values).all():
                self._not_finite.add(key)
            if key in self._not_finite:
                continue
            # Of matrices, LeRobot pools all dimensions but the last, and counts rows.
            one = replace(vector_statistics(values), num_rows=self._num_waiting)
            self._totals[key] = self._totals[key].merged(one) if key in self._totals else one
        self._waiting.clear()
        self._num_waiting = 0


def _values(rows: pa.Table, key: str, width: int) -> npt.NDArray[np.float64]:
    array = rows.column(key).combine_chunks()
    while isinstance(array, pa.ChunkedArray | pa.ExtensionArray):
        array = array.storage if isinstance(array, pa.ExtensionArray) else array.chunk(0)
    while pa.types.is_nested(array.type):
        array = array.flatten()
    return np.asarray(array.to_numpy(zero_copy_only=False), np.float64).reshape(-1, width)


def picture_total(
    kept: Sequence[Kept], key: str, found: NewStatistics
) -> FeatureStatistics | None:
    """
    Add up what is known of a feature, dataset by dataset.

    :param kept: episodes
    :param key: name of a camera, or of a feature with numbers that are not finite
    :param found: has the episodes that were counted again; takes remarks on inexact results
    :return: None if a dataset has no statistics of it
    """
    remarks = found.remarks
    chosen: dict[Catalog, list[Kept]] = defaultdict(list)
    for one in kept:
        chosen[one.catalog].append(one)
    total: FeatureStatistics | None = None
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
            remarks.append(f'{catalog.root} has no statistics of {key}; nor has the result')
            return None
        for part in parts:
            total = part if total is None else total.merged(part)
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
        record = one.catalog.record_of(one.source.episode_index)
        found.append(with_histograms(statistics, record, key))
    return found
