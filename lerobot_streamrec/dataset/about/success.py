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
The column ``next.success`` of saved episodes, which follows their verdicts.

A verdict may be given long after its episode was saved. The last row of the data and all
statistics of the column change with it.
"""

from __future__ import annotations

from collections.abc import Mapping
import json
from pathlib import Path

from lerobot_streamrec.dataset.about.derived_columns import last_row_flags
from lerobot_streamrec.dataset.format.episode_index import Row, TEXTS
from lerobot_streamrec.dataset.format.episode_table import (
    read_statistics,
    statistics_column,
    VERDICT,
    VERDICTS,
)
from lerobot_streamrec.dataset.format.features import SUCCESS
from lerobot_streamrec.dataset.format.files import Files
from lerobot_streamrec.dataset.format.info import DatasetInfo
from lerobot_streamrec.dataset.format.layout import DATA_PATH, FileIndex, STATS
from lerobot_streamrec.dataset.format.parquet import read_parquet, to_bytes
from lerobot_streamrec.dataset.format.statistics_file import (
    read_sidecar,
    sidecar_bytes,
    sidecar_path,
)
from lerobot_streamrec.dataset.format.take_record import read_record
from lerobot_streamrec.stats.feature_statistics import (
    FeatureStatistics,
    flag_statistics,
    vector_statistics,
)
import numpy as np
import pyarrow as pa


def follows_verdict(root: Path, index: int) -> bool:
    """
    Return whether an episode's ``next.success`` is derived from its verdict.

    :param root: the dataset's folder
    :param index: index of the episode
    :return: False if another program or a topic of the robot gave it
    """
    record = read_record(root, index)
    streams = record.get('streams', {}) if record is not None else None
    return isinstance(streams, dict) and all(
        isinstance(one, dict) and one.get('feature') != SUCCESS for one in streams.values()
    )


def write_success(
    files: Files, info: DatasetInfo, row: Row, texts: Mapping[str, str]
) -> dict[str, list[object]]:
    """
    Write an episode's verdict into the last row of its data.

    :param files: the access to the disk
    :param info: the description of the features
    :param row: the episode's row of meta/episodes
    :param texts: the new texts about the episode
    :return: new values of columns of meta/episodes by name; empty if the verdict is not among the
        texts, or the column does not follow it
    :raise DatasetError: if a file cannot be read or written
    """
    index, length = row['episode_index'], row['length']
    is_derived = SUCCESS in info.features and follows_verdict(files.root, index)
    if VERDICT not in texts or not is_derived:
        return {}
    flags = last_row_flags(length, flag=texts[VERDICT] == VERDICTS[0])
    path = FileIndex(row['data/chunk_index'], row['data/file_index']).path(DATA_PATH)
    table = read_parquet(files.path(path))
    own = np.flatnonzero(table.column('episode_index').to_numpy() == index)
    before = table.column(SUCCESS).to_numpy(zero_copy_only=False).astype(np.bool_)
    after = before.copy()
    after[own] = flags
    if (before != after).any():
        place = table.schema.get_field_index(SUCCESS)
        column = pa.array(after, table.schema.field(place).type)
        files.replace(path, to_bytes(table.set_column(place, table.schema.field(place), column)))
    lists = vector_statistics(flags).as_lists()
    return {statistics_column(SUCCESS, name): values for name, values in lists.items()}


def count_successes(
    files: Files,
    info: DatasetInfo,
    by_file: Mapping[Path, list[Row]],
    changed: Mapping[int, Mapping[str, str]],
) -> FeatureStatistics:
    """
    Write the statistics of ``next.success`` over the whole dataset.

    :param files: the access to the disk
    :param info: the description of the dataset
    :param by_file: the rows of each episodes file, as they were before the change
    :param changed: the new texts about each changed episode
    :return: the statistics over all episodes
    :raise DatasetError: if a file cannot be read or written
    """
    rows = [row for rows in by_file.values() for row in rows][: info.total_episodes]
    lengths = [row['length'] for row in rows]
    are_good = [
        {**row[TEXTS], **changed.get(index, {})}.get(VERDICT) == VERDICTS[0]
        for index, row in enumerate(rows)
    ]
    others = [row for row in range(len(rows)) if not follows_verdict(files.root, row)]
    if others:
        stated = dict(read_statistics(files.root, info.total_episodes, [SUCCESS]))
        for index in others:
            one = stated[index].get(SUCCESS)
            are_good[index] = one is not None and bool(one.values['max'].any())

    def first(num_episodes: int) -> FeatureStatistics:
        return flag_statistics(sum(are_good[:num_episodes]), sum(lengths[:num_episodes]))

    for number in range(1, len(rows) + 1):
        if not files.path(sidecar_path(number)).exists():
            continue
        stated_then = read_sidecar(files.root, number, sum(lengths[:number]))
        if stated_then is not None and not stated_then.doubtful:
            features = {**stated_then.features, SUCCESS: first(number)}
            files.replace(sidecar_path(number), sidecar_bytes(features))
    total = first(len(rows))
    content = json.loads(files.content(STATS) or b'{}')
    text = json.dumps({**content, SUCCESS: total.as_lists()}, indent=4)
    files.replace(STATS, f'{text}\n'.encode())
    return total
