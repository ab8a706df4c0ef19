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
"""Assembly of a complete dataset, from episodes of existing ones, in an empty tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from lerobot_streamrec.dataset.format.catalog import content_of
from lerobot_streamrec.dataset.format.data_rows import num_row_stamps
from lerobot_streamrec.dataset.format.episode_table import VideoPlace
from lerobot_streamrec.dataset.format.info import chosen_splits, grown_splits
from lerobot_streamrec.dataset.format.info_rules import json_bytes
from lerobot_streamrec.dataset.format.layout import (
    INFO,
    record_path,
    row_stamps_path,
    STATISTICS,
    STATS,
    TASKS,
)
from lerobot_streamrec.dataset.format.statistics_file import (
    mended_stats_json,
    sidecar_bytes,
    sidecar_path,
    stats_json,
)
from lerobot_streamrec.dataset.rebuild.foreign_files import UnitedTable
from lerobot_streamrec.dataset.rebuild.merged_features import (
    same_tasks,
    unified_tasks,
    UnifiedTasks,
)
from lerobot_streamrec.dataset.rebuild.meta_files import NewPlaces, write_meta_files
from lerobot_streamrec.dataset.rebuild.new_files import write_data_files, write_video_files
from lerobot_streamrec.dataset.rebuild.new_statistics import (
    counted_again,
    new_statistics,
    NewStatistics,
    picture_total,
)
from lerobot_streamrec.dataset.rebuild.new_tree import NewTree
from lerobot_streamrec.dataset.rebuild.pieces import Kept, places_of
from lerobot_streamrec.dataset.rebuild.plan import Plan
from lerobot_streamrec.errors import some_of
from lerobot_streamrec.video.tools.encoding_jobs import WorkCounter
from lerobot_streamrec.workers import HERE, Workers

Progress = Callable[[int, int], None]
"""A callback that receives the number of bytes done and the total."""


@dataclass(frozen=True, slots=True)
class NewVideos:
    """
    New videos, which were written into the tree beforehand.

    :param places: new place of each episode, per video key
    :param raw_info: new content of info.json
    :param records: new values in the recorder's records of episodes
    """

    places: Mapping[str, Mapping[Kept, VideoPlace]]
    raw_info: Mapping[str, Any]
    records: Mapping[Kept, Mapping[str, object]]


def assemble_same(
    plan: Plan,
    tree: NewTree,
    progress: Progress | None = None,
    *,
    new_videos: NewVideos | None = None,
) -> None:
    """
    Fill a tree with all episodes of one dataset, distributed over new files.

    :param new_videos: new videos of some cameras; None: all videos come from the dataset
    :raise DatasetError: if a file cannot be read or written
    :raise VideoError: if a video cannot be read or written
    """
    catalog = plan.kept[0].catalog
    counter = WorkCounter(plan.size_bytes, progress)
    places = new_videos.places if new_videos else {}
    statistics = NewStatistics()
    statistics.pictures = counted_again(plan.kept, statistics.remarks)
    _write_files(plan, tree, same_tasks(catalog), statistics, counter, places)
    if new_videos:
        tree.write(INFO, json_bytes(new_videos.raw_info))
    else:
        tree.link(catalog.root / INFO, INFO)
    sidecars = [sidecar_path(len(plan.kept))]
    if new_videos:
        # No file was joined or split, so the last episode can still be undone as before.
        sidecars = [STATISTICS / one.name for one in (catalog.root / STATISTICS).glob('*')]
    for relative in (TASKS, *_mend_statistics(plan, tree, statistics), *sidecars):
        if (catalog.root / relative).is_file() and not (tree.folder / relative).exists():
            tree.link(catalog.root / relative, relative)
    write_records(plan.kept, tree, new_videos.records if new_videos else {})


def _mend_statistics(plan: Plan, tree: NewTree, statistics: NewStatistics) -> list[PurePosixPath]:
    """Rewrite statistics that another writer added up wrongly; return the files to link."""
    catalog = plan.kept[0].catalog
    path, sidecar = catalog.root / STATS, sidecar_path(len(catalog.episodes))
    if catalog.stated is None or not path.exists():
        return [STATS]
    before = path.read_bytes()
    right = dict(catalog.statistics())
    for key in {key for one in statistics.pictures.values() for key in one}:
        right[key] = picture_total(plan.kept, key, statistics) or right[key]
    content = mended_stats_json(before, catalog.stated, right)
    if content == before:
        return [STATS]
    tree.write(STATS, content)
    if (catalog.root / sidecar).is_file():
        tree.write(sidecar, sidecar_bytes(right))
    return []


def assemble_chosen(
    plan: Plan,
    tree: NewTree,
    raw_info: Mapping[str, Any],
    progress: Progress | None = None,
    *,
    tables: Mapping[str, UnitedTable] = MappingProxyType({}),
    splits: object = None,
    workers: Workers = HERE,
) -> list[str]:
    """
    Fill a tree with chosen episodes, and compute their new numbers and statistics.

    :param raw_info: new content of info.json; its counts are replaced
    :param tables: tables besides tasks.parquet to which rows refer, by the referring columns
    :param splits: splits that grow if the episodes are of several datasets; None: new ones
    :param workers: they read and write the large files
    :return: one sentence for each inexact result
    :raise DatasetError: if a file cannot be read or written
    :raise VideoError: if a video cannot be read or written
    """
    tasks = unified_tasks(plan.kept, tables)
    pieces = list(chain.from_iterable(plan.data.values()))
    # Every data file is read twice: first for its statistics, then to copy its rows.
    to_read = sum(one.size_bytes for one in pieces)
    counter = WorkCounter(plan.size_bytes + to_read, progress)
    statistics = new_statistics(plan.kept, pieces, tasks, counter.add, workers)
    _write_files(plan, tree, tasks, statistics, counter, workers=workers)
    tree.write(TASKS, tasks.table.as_bytes())
    for table in tables.values():
        tree.write(PurePosixPath(table.path), table.content)
    tree.write(sidecar_path(len(plan.kept)), sidecar_bytes(statistics.features))
    roots = dict.fromkeys(one.catalog.root for one in plan.kept)
    before = [content_of(root, STATS) for root in roots]
    tree.write(STATS, stats_json(statistics.features, plan.kept[0].catalog.info.features, *before))
    write_records(plan.kept, tree)
    tree.write(INFO, json_bytes(counted(raw_info, plan.kept, len(tasks.table.tasks), splits)))
    return [*statistics.remarks, *_left_statistics(plan.kept)]


def _left_statistics(kept: Sequence[Kept]) -> Iterator[str]:
    """Yield a remark on statistics in stats.json that belong to no feature of the dataset."""
    for catalog in dict.fromkeys(one.catalog for one in kept):
        stated = catalog.stated.features if catalog.stated else {}
        unknown = sorted(set(stated) - set(catalog.info.features))
        if unknown:
            yield (
                f'{catalog.root / STATS} has statistics of {some_of(unknown)}, which are not '
                'features of the dataset; they describe the old rows and are left out'
            )


def _write_files(
    plan: Plan,
    tree: NewTree,
    tasks: UnifiedTasks,
    statistics: NewStatistics,
    counter: WorkCounter,
    places_of_videos: Mapping[str, Mapping[Kept, VideoPlace]] = MappingProxyType({}),
    workers: Workers = HERE,
) -> None:
    videos = {
        key: places_of_videos[key]
        if key in places_of_videos
        else write_video_files(key, files, tree, plan.surveys, counter.add, workers)
        for key, files in plan.videos.items()
    }
    write_data_files(plan.data, tree, tasks, counter.add, workers=workers)
    places = NewPlaces(places_of(plan.data), places_of(plan.meta), videos, statistics)
    write_meta_files(plan.meta, tree, places, counter.add, workers)


def write_records(
    kept: Sequence[Kept],
    tree: NewTree,
    changes: Mapping[Kept, Mapping[str, object]] = MappingProxyType({}),
) -> None:
    """
    Carry over the recorder's own records of the episodes, under the new episode numbers.

    :param changes: new values for the records of some episodes
    """
    for one in kept:
        _link_row_stamps(one, tree)
        source: Path = one.catalog.root / record_path(one.source.episode_index)
        target: PurePosixPath = record_path(one.episode_index)
        if not source.is_file():
            continue
        is_same = one.episode_index == one.source.episode_index and one not in changes
        if is_same or (record := one.record) is None:
            tree.link(source, target)
        else:
            said = changes.get(one, {})
            content = {**record, **said, 'episode_index': one.episode_index}
            tree.write(target, json_bytes(content, indent=2))


def _link_row_stamps(one: Kept, tree: NewTree) -> None:
    """Carry over the stamps of an episode's rows, unless its number of rows has changed since."""
    source: Path = one.catalog.root / row_stamps_path(one.source.episode_index)
    if num_row_stamps(source) == one.source.length:
        tree.link(source, row_stamps_path(one.episode_index))


def counted(
    raw_info: Mapping[str, Any], kept: Sequence[Kept], total_tasks: int, splits: object = None
) -> dict[str, Any]:
    """Return the content of info.json with the counts and splits of a new dataset."""
    return {
        **raw_info,
        'fps': kept[0].catalog.info.fps,
        'total_episodes': len(kept),
        'total_frames': sum(one.source.length for one in kept),
        'total_tasks': total_tasks,
        'splits': chosen_splits(raw_info.get('splits'), [one.source.episode_index for one in kept])
        if len({one.catalog for one in kept}) == 1
        else grown_splits(splits, len(kept)),
    }
