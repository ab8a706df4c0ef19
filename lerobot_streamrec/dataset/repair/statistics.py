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
Statistics of what is kept of a broken dataset.

Those of numbers are computed from the rows. Those of cameras stay where they were found right,
since they were taken before a lossy codec; others are computed from decoded pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from lerobot_streamrec.dataset.format.decoded_camera import DecodedCamera
from lerobot_streamrec.dataset.format.histograms import histograms_json, with_histograms
from lerobot_streamrec.dataset.rebuild.new_statistics import episode_values, Sums
from lerobot_streamrec.dataset.rebuild.pieces import Kept
from lerobot_streamrec.dataset.rebuild.unified_tasks import UnifiedTasks
from lerobot_streamrec.dataset.repair.picture_statistics import of_columns, of_videos
from lerobot_streamrec.dataset.repair.plan import RepairPlan
from lerobot_streamrec.dataset.repair.row_reader import RowReader
from lerobot_streamrec.dataset.repair.stated_statistics import StatedStatistics
from lerobot_streamrec.stats.feature_statistics import FeatureStatistics, vector_statistics


@dataclass(slots=True)
class RepairedStatistics:
    """
    Statistics of the new dataset.

    :param features: of all episodes together
    :param episodes: of each
    :param records: what the recorder's records of episodes say otherwise now
    :param remarks: what could not be had, each a sentence
    """

    features: dict[str, FeatureStatistics] = field(default_factory=dict)
    episodes: dict[Kept, dict[str, FeatureStatistics]] = field(default_factory=dict)
    records: dict[Kept, dict[str, object]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def repaired_statistics(
    plan: RepairPlan, tasks: UnifiedTasks, on_bytes: Callable[[int], None]
) -> RepairedStatistics:
    """
    Compute all statistics.

    :param on_bytes: is told the size of what is read
    """
    found = RepairedStatistics(episodes={one: {} for one in plan.kept})
    numbers = _numbers(plan, tasks, found, on_bytes)
    stated = StatedStatistics(plan)
    for key, spec in plan.sources.info.features.items():
        if key in numbers:
            found.features[key] = numbers[key]
        elif spec.dtype in ('video', 'image'):
            _add_camera(plan, key, stated, found)
    # As info.json has them.
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
    sums, read = Sums(plan.sources.info.features), RowReader(plan)
    for piece in plan.data:
        for episode, rows in read(piece, [*sums.specs]):
            numbers = tasks.renumbered(episode, rows)
            values = episode_values(episode, rows, numbers, sums.specs)
            sums.add_values(values, len(rows))
            for key, one in values.items():
                # Of matrices, LeRobot pools all dimensions but the last, and counts rows.
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
        # It is not known what the pictures mean; what is said of the whole episode is near enough.
        near = {one: stated.as_stated(one, key) for one in lacking}
        new = {one: other for one, other in near.items() if other is not None}
        found.remarks.append(
            f'statistics of the depth camera {key} were not computed anew for '
            f'{len(lacking)} episodes; those of before stay where there were some'
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
    # Others may have weighted the episodes by something else than their rows.
    is_sum_better = len(known) == len(plan.kept) and (whole is None or not whole.distributions)
    if whole is None or is_sum_better:
        whole = total
    if whole is not None:
        found.features[key] = whole


def _sum(episodes: Mapping[Kept, FeatureStatistics], key: str) -> FeatureStatistics | None:
    """Add up a camera's statistics, each episode weighted by its rows; None if there are none."""
    total: FeatureStatistics | None = None
    for one, statistics in episodes.items():
        part = statistics
        if part.distributions is None:
            record = one.catalog.record_of(one.source.episode_index)
            part = with_histograms(part, record, key)
        total = part if total is None else total.merged(part)
    return total


def _add_histograms(
    new: dict[Kept, FeatureStatistics], key: str, found: RepairedStatistics
) -> None:
    """Have records say what was counted now; the histograms of before are not of this."""
    for one, statistics in new.items():
        record = one.catalog.record_of(one.source.episode_index)
        said = (record or {}).get('histograms')
        if isinstance(said, dict):
            changed = found.records.setdefault(one, {'histograms': dict(said)})
            histograms = changed['histograms']
            assert isinstance(histograms, dict)
            histograms.pop(key, None)
            histograms.update(histograms_json({key: statistics}))
