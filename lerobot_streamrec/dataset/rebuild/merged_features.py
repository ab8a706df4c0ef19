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
"""Union of the features and tasks of several datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

from lerobot_streamrec.dataset.format.catalog import Catalog
from lerobot_streamrec.dataset.format.features import depth_traits
from lerobot_streamrec.dataset.format.info import is_own
from lerobot_streamrec.dataset.format.info_rules import shown_value
from lerobot_streamrec.dataset.format.tasks import TaskColumns, TaskTable
from lerobot_streamrec.dataset.rebuild.foreign_files import Numbers, UnitedTable
from lerobot_streamrec.dataset.rebuild.pieces import Kept, Piece, small_pieces
from lerobot_streamrec.errors import DatasetCorruptError, DatasetsDifferError
from lerobot_streamrec.video.codecs.depth_config import IS_DEPTH_MAP
from lerobot_streamrec.video.mp4.damage_scan import video_facts
import numpy as np
import pyarrow as pa

TASK_INDEX = 'task_index'


@dataclass(frozen=True, slots=True)
class UnifiedTasks:
    """
    Tasks and index tables of a new dataset, with the new number of each old entry.

    :param table: tasks dataset by dataset, in the order of each dataset
    :param numbers: new number of each old task, per dataset; -1 if no episode has the task
    :param others: other index tables, by the columns that refer to them
    """

    table: TaskTable
    numbers: Mapping[Catalog, Numbers]
    others: Mapping[str, UnitedTable] = field(default_factory=dict)

    def alone_with(self, pieces: Sequence[Piece]) -> tuple[Sequence[Piece], UnifiedTasks]:
        """Return pieces and their tasks with catalogs that are small when they are pickled."""
        alone = small_pieces(pieces)
        small = {one.catalog: new.catalog for one, new in zip(pieces, alone, strict=True)}
        others = {
            column: replace(one, content=b'', numbers={small[c]: one.numbers[c] for c in small})
            for column, one in self.others.items()
        }
        numbers = {small[one]: self.numbers[one] for one in small}
        return alone, UnifiedTasks(TaskTable(), numbers, others)

    def keeps_numbers(self, episode: Kept) -> bool:
        """Return whether the task numbers and other table references of an episode stay."""
        names = episode.catalog.tasks
        indices = [names.index(task) for task in episode.source.tasks]
        return all(self.numbers[episode.catalog][index] == index for index in indices) and all(
            np.array_equal(numbers, np.arange(len(numbers)))
            for numbers in (table.numbers[episode.catalog] for table in self.others.values())
        )

    def renumbered(self, episode: Kept, rows: pa.Table) -> dict[str, Numbers]:
        """
        Return the new values of all columns that refer to tables, for an episode's rows.

        :raise DatasetCorruptError: if a row has a task that meta/episodes does not name, or
            refers to a row that its table does not have
        """
        old = _numbers(rows, TASK_INDEX)
        new = _replaced(old, self.numbers[episode.catalog])
        if (new < 0).any():
            why = f'its tasks are {list(episode.source.tasks)}'
            raise _unknown(episode, TASK_INDEX, old[new < 0], why)
        found = {TASK_INDEX: new}
        for column, table in self.others.items():
            old = _numbers(rows, column)
            new = _replaced(old, table.numbers[episode.catalog])
            lost = old[(new < 0) & (old >= 0)]
            if len(lost):
                raise _unknown(episode, column, lost, f'{table.path} has no such row')
            # Writers use negative numbers for rows without an entry.
            found[column] = np.where(old < 0, old, new)
        return found


def _numbers(rows: pa.Table, column: str) -> Numbers:
    return np.asarray(rows.column(column).to_numpy(), dtype=np.int64)


def _replaced(old: Numbers, numbers: Numbers) -> Numbers:
    """Map old numbers to new ones; -1 where there is no new number."""
    known = (old >= 0) & (old < len(numbers))
    return np.where(known, np.append(numbers, -1)[np.where(known, old, -1)], -1)


def _unknown(episode: Kept, column: str, numbers: Numbers, why: str) -> DatasetCorruptError:
    return DatasetCorruptError(
        f'{episode.catalog.root}: rows of episode {episode.source.episode_index} have '
        f'{column} {sorted(set(numbers.tolist()))}, but {why}'
    )


def unified_tasks(
    kept: Sequence[Kept], others: Mapping[str, UnitedTable] | None = None
) -> UnifiedTasks:
    """
    Renumber the tasks of the given episodes: dataset by dataset, each in its own order.

    :param others: other index tables to which rows refer
    :raise DatasetCorruptError: if an episode has a task that its dataset's table lacks
    """
    used: dict[Catalog, set[str]] = {}
    for one in kept:
        used.setdefault(one.catalog, set()).update(one.source.tasks)
    columns = reduce(TaskColumns.merged, (one.task_columns for one in used), TaskColumns())
    table = TaskTable(others=columns)
    for catalog, tasks in used.items():
        if lost := tasks - set(catalog.tasks):
            raise DatasetCorruptError(
                f'{catalog.root}/meta/tasks.parquet lacks tasks that episodes have: {sorted(lost)}'
            )
        for task in catalog.tasks:
            if task in tasks:
                table = table.with_task(task)
    numbers = {
        catalog: np.array(
            [table.index(task) if task in tasks else -1 for task in catalog.tasks], dtype=np.int64
        )
        for catalog, tasks in used.items()
    }
    return UnifiedTasks(table, numbers, others or {})


def same_tasks(catalog: Catalog) -> UnifiedTasks:
    """Keep all tasks of a dataset with their numbers, including tasks that no episode has."""
    numbers = np.arange(len(catalog.tasks), dtype=np.int64)
    return UnifiedTasks(TaskTable(catalog.tasks), {catalog: numbers})


# The encoder settings of a camera may differ between datasets; they become unknown then.
_ENCODER_KEYS = (
    'video.g',
    'video.crf',
    'video.preset',
    'video.fast_decode',
    'video.extra_options',
    'video.video_backend',
)
_NO_OPTIONS = 'video.extra_options'

# Facts that a video file states itself, for datasets whose info.json lacks them.
_STREAM_KEYS = ('video.height', 'video.width', 'video.codec', 'video.pix_fmt', 'video.fps')

_COMPARED = {'dtype', 'shape', 'names', 'info', 'video_info'}
_COUNTED = {'total_episodes', 'total_frames', 'total_tasks', 'splits'}
# For these keys the first dataset's value counts, or a value is computed: no remark is needed.
_OF_FIRST = {*_COUNTED, 'fps', 'features', 'tools', 'chunks_size'}
_OF_FIRST |= {'data_files_size_in_mb', 'video_files_size_in_mb'}


@dataclass(frozen=True, slots=True)
class MergedInfo:
    """
    The info.json of a merged dataset.

    :param content: whole content, with the counts of the first dataset
    :param remarks: sentences on values of other datasets that were overruled
    """

    content: Mapping[str, Any]
    remarks: tuple[str, ...]


def merged_info(catalogs: Sequence[Catalog]) -> MergedInfo:
    """
    Compare datasets and unite their info.json files.

    Differences of notation do not count, such as an older marker of depth or names in a
    dictionary. Keys that only some of the datasets have are all kept.

    :raise DatasetsDifferError: naming every difference from the first dataset
    """
    first = catalogs[0]
    found = [text for other in catalogs[1:] for text in _differences(first, other)]
    if found:
        raise DatasetsDifferError(found)
    union = _Union(catalogs)
    content = union.of('', [one.raw_info for one in catalogs], _OF_FIRST)
    content['features'] = {
        key: _merged_feature(union, key, [one.raw_info['features'][key] for one in catalogs])
        for key in first.raw_info['features']
    }
    lists = [one.raw_info.get('tools') or [] for one in catalogs]
    tools = [tool for one in lists if isinstance(one, list) for tool in one]
    if tools and all(isinstance(one, list) for one in lists):
        content['tools'] = [tool for at, tool in enumerate(tools) if tool not in tools[:at]]
    if len(catalogs) > 1:
        union.remarks += [
            f'the splits of {one.root} are not taken over: {one.raw_info["splits"]}'
            for one in catalogs
            if is_own(one.raw_info.get('splits'))
        ]
    return MergedInfo(content, tuple(union.remarks))


class _Union:
    """A union of the entries of several datasets; the first dataset that has an entry wins."""

    def __init__(self, catalogs: Sequence[Catalog]) -> None:
        self._catalogs = catalogs
        self.remarks: list[str] = []

    def of(
        self, where: str, said: Sequence[Mapping[str, Any]], compared: set[str]
    ) -> dict[str, Any]:
        """
        Return all keys with their values.

        :param where: name of the feature that has the entries; empty for the dataset
        :param said: entries of each dataset
        :param compared: keys that may differ without a remark
        """
        found: dict[str, Any] = {}
        by: dict[str, Catalog] = {}
        for catalog, one in zip(self._catalogs, said, strict=True):
            for name, value in one.items():
                if name not in found:
                    found[name], by[name] = value, catalog
                elif name not in compared and found[name] != value:
                    self.remarks.append(
                        f'{name}{f" of {where}" if where else ""} is {found[name]!r} in '
                        f'{by[name].root} and {value!r} in {catalog.root}; the former is kept'
                    )
        return found


def _merged_feature(
    union: _Union, key: str, entries: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    merged = union.of(key, entries, _COMPARED)
    for name in ('info', 'video_info'):
        infos = [one.get(name) or {} for one in entries]
        depth_keys = {name for one in infos for name in one if name.endswith(IS_DEPTH_MAP)}
        info = union.of(key, infos, {*_ENCODER_KEYS, *depth_keys})
        for option in _ENCODER_KEYS if name == 'info' and any(infos) else ():
            if any(one.get(option) != info.get(option) for one in infos):
                info[option] = {} if option == _NO_OPTIONS else None
        if info:
            merged[name] = info
    return merged


def _differences(first: Catalog, other: Catalog) -> list[str]:
    found = []
    for name in ('fps', 'robot_type'):
        ours, theirs = first.raw_info.get(name), other.raw_info.get(name)
        if ours != theirs:
            values = (shown_value(ours), shown_value(theirs))
            found.append(f'{name} is {values[0]} in {first.root} and {values[1]} in {other.root}')
    specs = (first.info.features, other.info.features)
    for key in dict.fromkeys((*specs[0], *specs[1])):
        if key not in specs[0] or key not in specs[1]:
            has, lacks = (first, other) if key in specs[0] else (other, first)
            found.append(f'feature {key} is in {has.root} and not in {lacks.root}')
            continue
        ours, theirs = _traits(first, key), _traits(other, key)
        found += [
            f'{key} has {name} {ours[name]!r} in {first.root} and {theirs[name]!r} in {other.root}'
            for name in ours
            if name in theirs and ours[name] != theirs[name]
        ]
    return found


def _traits(catalog: Catalog, key: str) -> dict[str, Any]:
    """Return the traits of a feature that must be equal, as far as both datasets name them."""
    spec = catalog.info.features[key]
    traits: dict[str, Any] = {'dtype': spec.dtype, 'shape': list(spec.shape or ())}
    if spec.dtype in ('video', 'image'):
        return {**traits, **depth_traits(spec.info), **_stream_traits(catalog, key)}
    # The name of a single number does not matter, so it may be missing.
    if spec.names is not None or spec.shape != (1,):
        traits['names'] = None if spec.names is None else list(spec.names)
    return traits


def _stream_traits(catalog: Catalog, key: str) -> dict[str, Any]:
    """Return the properties of a camera's video; entries in info.json win over the file."""
    spec = catalog.info.features[key]
    if not spec.is_video:
        return {}
    said = {name: spec.info[name] for name in _STREAM_KEYS if spec.info.get(name) is not None}
    if len(said) < len(_STREAM_KEYS) and catalog.episodes:
        path = catalog.video_path(key, catalog.episodes[0].videos[key].file)
        try:
            said = {**video_facts(path).as_info(), **said}
        except DatasetCorruptError:
            # The error will be reported when the file is copied.
            return said
    return {**said, 'has_audio': bool(spec.info.get('has_audio'))}
