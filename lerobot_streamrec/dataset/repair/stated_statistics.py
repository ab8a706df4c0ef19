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
"""What a broken dataset says of its cameras' statistics, as far as a check found it right."""

from __future__ import annotations

from lerobot_streamrec.dataset.check.compare_statistics import statistics_shape
from lerobot_streamrec.dataset.check.finding_codes import WRONG_CAMERA_STATISTICS, WRONG_QUANTILES
from lerobot_streamrec.dataset.check.findings import Kind
from lerobot_streamrec.dataset.check.reading import UNREADABLE
from lerobot_streamrec.dataset.format.episode_reader import read_parquet, statistics_column
from lerobot_streamrec.dataset.format.info_rules import read_small_file
from lerobot_streamrec.dataset.format.layout import STATS
from lerobot_streamrec.dataset.format.statistics_file import (
    parse_stats_json,
    read_sidecar,
)
from lerobot_streamrec.dataset.rebuild.pieces import Kept
from lerobot_streamrec.dataset.repair.matching import rows_in_table
from lerobot_streamrec.dataset.repair.plan import RepairPlan
from lerobot_streamrec.errors import DatasetCorruptError
from lerobot_streamrec.stats.feature_statistics import FeatureStatistics, QUANTILES, STATISTICS
import numpy as np
import pyarrow as pa

_WRONG: tuple[Kind, ...] = (WRONG_CAMERA_STATISTICS, WRONG_QUANTILES)


class StatedStatistics:
    """
    Reads statistics that are kept.

    :param plan: what is kept of the dataset
    """

    def __init__(self, plan: RepairPlan) -> None:
        self._plan = plan
        self._sources = plan.sources
        self._places = rows_in_table(self._sources.table)
        report = self._sources.report
        self._sound = {one.episode_index for one in report.episodes if one.can_be_kept}
        self._wrong = {
            (one.episode_index, one.feature) for one in report.findings if one.kind in _WRONG
        }
        self._doubted = {one.feature for one in report.findings if one.path == str(STATS)}
        self._tables: dict[str, pa.Table] = {}

    def of_episode(self, episode: Kept, key: str) -> FeatureStatistics | None:
        """Return those of an episode that is kept whole; None if they are wrong or not there."""
        index = episode.source.episode_index
        doubtful = index not in self._sound or (index, key) in self._wrong
        if doubtful or self._plan.verdict_of(episode).is_cut:
            return None
        return self.as_stated(episode, key)

    def as_stated(self, episode: Kept, key: str) -> FeatureStatistics | None:
        """Return what is said of an episode, right or not."""
        row = self._places.get(episode.source.episode_index)
        if row is None:
            return None
        path = self._sources.table.meta_files[row]
        at = row - self._sources.table.meta_files.index(path)
        try:
            table = self._table(path)
            lists = {
                name: table.column(statistics_column(key, name))[at].as_py()
                for name in STATISTICS
            }
            length = episode.source.length
            return self._usable(FeatureStatistics.from_lists(lists, length), key)
        except (*UNREADABLE, DatasetCorruptError):
            return None

    def of_dataset(self, key: str) -> FeatureStatistics | None:
        """Return those of the dataset, if all its episodes are kept whole."""
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
