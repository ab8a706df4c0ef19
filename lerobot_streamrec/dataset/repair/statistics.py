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
Statistics of repaired episodes: correct ones are kept, the others are computed again.

Statistics of numbers are computed from the rows. Correct statistics of cameras are kept, because
they describe the images before a lossy codec; the others are computed from decoded frames.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lerobot_streamrec.dataset.check import finding_codes as kinds
from lerobot_streamrec.dataset.check.compare_statistics import statistics_shape
from lerobot_streamrec.dataset.check.findings import Kind
from lerobot_streamrec.dataset.check.reading import UNREADABLE
from lerobot_streamrec.dataset.format.episode_table import statistics_column
from lerobot_streamrec.dataset.format.histograms import (
    count_picture,
    DecodedCamera,
    histograms_json,
    with_histograms,
)
from lerobot_streamrec.dataset.format.info_rules import read_small_file
from lerobot_streamrec.dataset.format.layout import STATS
from lerobot_streamrec.dataset.format.parquet import read_parquet
from lerobot_streamrec.dataset.format.statistics_file import (
    parse_stats_json,
    read_sidecar,
)
from lerobot_streamrec.dataset.rebuild.merged_features import UnifiedTasks
from lerobot_streamrec.dataset.rebuild.new_statistics import (
    counted_frames,
    episode_values,
    Sums,
)
from lerobot_streamrec.dataset.rebuild.pieces import Kept, Piece
from lerobot_streamrec.dataset.repair.plan import kept_rows, RepairPlan
from lerobot_streamrec.errors import DatasetCorruptError
from lerobot_streamrec.stats.feature_statistics import (
    FeatureStatistics,
    QUANTILES,
    STATISTICS,
    total_of,
    vector_statistics,
)
from lerobot_streamrec.stats.histograms import ImageHistogram
import numpy as np
import pyarrow as pa


def of_videos(
    plan: RepairPlan, key: str, episodes: Sequence[Kept]
) -> dict[Kept, FeatureStatistics]:
    """Compute camera statistics of some episodes by decoding their videos, each file once."""
    in_file: dict[str, list[Kept]] = defaultdict(list)
    for one in episodes:
        in_file[plan.source_of(one).shots[key].path].append(one)
    found: dict[Kept, FeatureStatistics] = {}
    for path, members in in_file.items():
        found.update(counted_frames(plan.sources.root / path, key, members))
    return found


def of_columns(
    plan: RepairPlan, key: str, episodes: Sequence[Kept], pieces: Sequence[Piece]
) -> dict[Kept, FeatureStatistics]:
    """Compute camera statistics of some episodes from images in a column of their rows."""
    wanted = set(episodes)
    found = {}
    for piece in pieces:
        if wanted.isdisjoint(piece.episodes):
            continue
        for episode, rows in kept_rows(plan, piece, [key]):
            if episode in wanted:
                histogram = ImageHistogram()
                for cell in rows.column(key):
                    count_picture(cell['bytes'].as_py(), histogram)
                found[episode] = histogram.statistics()
    return found


_WRONG: tuple[Kind, ...] = (kinds.WRONG_CAMERA_STATISTICS, kinds.WRONG_QUANTILES)


class StatedStatistics:
    """
    A reader of the statistics that the broken dataset states.

    :param plan: plan of the repair
    """

    def __init__(self, plan: RepairPlan) -> None:
        self._plan = plan
        self._sources = plan.sources
        self._places = self._sources.table.places()
        report = self._sources.report
        self._sound = {one.episode_index for one in report.episodes if one.can_be_kept}
        self._wrong = {
            (one.episode_index, one.feature) for one in report.findings if one.kind in _WRONG
        }
        self._doubted = {one.feature for one in report.findings if one.path == str(STATS)}
        self._tables: dict[str, pa.Table] = {}

    def of_episode(self, episode: Kept, key: str) -> FeatureStatistics | None:
        """Return correct statistics of an episode that is kept whole; None if there are none."""
        index = episode.source.episode_index
        doubtful = index not in self._sound or (index, key) in self._wrong
        if doubtful or self._plan.verdicts_of_kept[episode].is_cut:
            return None
        return self.as_stated(episode, key)

    def as_stated(self, episode: Kept, key: str) -> FeatureStatistics | None:
        """Return the stated statistics of an episode, correct or not; None if there are none."""
        row = self._places.get(episode.source.episode_index)
        if row is None:
            return None
        path = self._sources.table.meta_files[row]
        at = row - self._sources.table.meta_files.index(path)
        try:
            table = self._table(path)
            lists = {
                name: table.column(statistics_column(key, name))[at].as_py() for name in STATISTICS
            }
            length = episode.source.length
            return self._usable(FeatureStatistics.from_lists(lists, length), key)
        except (*UNREADABLE, DatasetCorruptError):
            return None

    def of_dataset(self, key: str) -> FeatureStatistics | None:
        """Return the statistics of the dataset if all its episodes are kept whole, else None."""
        plan, episodes = self._plan, self._sources.report.episodes
        kept = [one.source.episode_index for one in plan.kept]
        if plan.cut or kept != [one.episode_index for one in episodes] or key in self._doubted:
            return None
        if not all(one.can_be_kept for one in episodes):
            return None
        root, num_rows = self._sources.root, sum(one.source.length for one in plan.kept)
        read = read_sidecar(root, len(kept), num_rows)
        if read is None or key not in read.features:
            try:
                read = parse_stats_json(read_small_file(root / STATS), root, num_rows)
            except (*UNREADABLE, DatasetCorruptError):
                return None
        return self._usable(read.features[key], key) if key in read.features else None

    def _table(self, path: str) -> pa.Table:
        if path not in self._tables:
            self._tables.clear()
            self._tables[path] = read_parquet(self._sources.root / path)
        return self._tables[path]

    def _usable(self, statistics: FeatureStatistics, key: str) -> FeatureStatistics | None:
        shape = statistics_shape(self._sources.info, key)
        values = statistics.values.values()
        if any(name not in statistics.values for name in QUANTILES):
            return None
        sound = all(one.shape == shape and np.isfinite(one).all() for one in values)
        return statistics if sound and statistics.count > 0 else None


@dataclass(slots=True)
class RepairedStatistics:
    """
    Statistics of the repaired dataset.

    :param features: statistics of each feature over all episodes
    :param episodes: statistics of each feature, per episode
    :param records: new values for the recorder's records of some episodes
    :param remarks: sentences on inexact results
    """

    features: dict[str, FeatureStatistics] = field(default_factory=dict)
    episodes: dict[Kept, dict[str, FeatureStatistics]] = field(default_factory=dict)
    records: dict[Kept, dict[str, object]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def repaired_statistics(
    plan: RepairPlan, tasks: UnifiedTasks, on_bytes: Callable[[int], None]
) -> RepairedStatistics:
    """
    Compute all statistics of the repaired dataset.

    :param on_bytes: receives the number of bytes read at each step
    """
    found = RepairedStatistics(episodes={one: {} for one in plan.kept})
    numbers = _numbers(plan, tasks, found, on_bytes)
    stated = StatedStatistics(plan)
    for key, spec in plan.sources.info.features.items():
        if key in numbers:
            found.features[key] = numbers[key]
        elif spec.dtype in ('video', 'image'):
            _add_camera(plan, key, stated, found)
    # Columns are written in the order of the features in info.json.
    order = list(plan.sources.info.features)
    for one in found.episodes.values():
        ordered = sorted(one.items(), key=lambda item: order.index(item[0]))
        one.clear()
        one.update(ordered)
    return found


def _numbers(
    plan: RepairPlan,
    tasks: UnifiedTasks,
    found: RepairedStatistics,
    on_bytes: Callable[[int], None],
) -> dict[str, FeatureStatistics]:
    sums = Sums(plan.sources.info.features)
    for piece in plan.data:
        for episode, rows in kept_rows(plan, piece, [*sums.specs]):
            numbers = tasks.renumbered(episode, rows)
            values = episode_values(episode, rows, numbers, sums.specs)
            sums.add(values, len(rows))
            for key, one in values.items():
                # LeRobot pools all dimensions of a matrix but the last, and counts rows.
                statistics = vector_statistics(one)
                found.episodes[episode][key] = replace(
                    statistics, num_rows=len(rows), distributions=None
                )
        on_bytes(piece.size_bytes)
    return sums.finish()


def _add_camera(
    plan: RepairPlan, key: str, stated: StatedStatistics, found: RepairedStatistics
) -> None:
    kept = {one: stated.of_episode(one, key) for one in plan.kept}
    known = {one: statistics for one, statistics in kept.items() if statistics is not None}
    lacking = [one for one in plan.kept if one not in known]
    spec = plan.sources.info.features[key]
    camera = DecodedCamera(spec.info)
    new: dict[Kept, FeatureStatistics] = {}
    if lacking and camera.is_depth and not (spec.is_video and camera.is_known):
        # The unit of the pixels is unknown, so the stated statistics of the episode must do.
        near = {one: stated.as_stated(one, key) for one in lacking}
        new = {one: other for one, other in near.items() if other is not None}
        found.remarks.append(
            f'statistics of the depth camera {key} could not be computed again for '
            f'{len(lacking)} episodes; existing ones are kept'
        )
    elif lacking:
        new = (
            of_videos(plan, key, lacking)
            if spec.is_video
            else of_columns(plan, key, lacking, plan.data)
        )
        _add_histograms(new, key, found)
    others = _sum(known, key)
    known.update({one: statistics.counted_like(others) for one, statistics in new.items()})
    total = _sum(known, key)
    for one, statistics in known.items():
        is_in_unit = total is None or total.counts_pixels
        found.episodes[one][key] = statistics if is_in_unit else statistics.counting_rows()
    whole = stated.of_dataset(key)
    # Other writers may not have weighted the episodes by their rows.
    is_sum_better = len(known) == len(plan.kept) and (whole is None or not whole.distributions)
    if whole is None or is_sum_better:
        whole = total
    if whole is not None:
        found.features[key] = whole


def _sum(episodes: Mapping[Kept, FeatureStatistics], key: str) -> FeatureStatistics | None:
    """Add up a camera's statistics, each episode weighted by its rows; None if there are none."""
    return total_of(
        part if part.distributions else with_histograms(part, one.record, key)
        for one, part in episodes.items()
    )


def _add_histograms(
    new: dict[Kept, FeatureStatistics], key: str, found: RepairedStatistics
) -> None:
    """Replace the histograms in the records by those of the new statistics."""
    for one, statistics in new.items():
        said = (one.record or {}).get('histograms')
        if isinstance(said, dict):
            changed = found.records.setdefault(one, {'histograms': dict(said)})
            histograms = changed['histograms']
            assert isinstance(histograms, dict)
            histograms.pop(key, None)
            histograms.update(histograms_json({key: statistics}))
