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
Statistics of the whole dataset: meta/stats.json, and what is needed to go on adding to them.

stats.json holds quantiles, and quantiles cannot be added up. Beside it, under .streamrec, the
distributions are kept that can. Its name tells after how many episodes it was written, so that
one left by a crash before info.json is never taken for the present one.

The cameras of stats.json are not believed where others may have written it: they weighted
episodes by counts of frames or of pixels. Those are added up anew from the episodes' own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
import json
from pathlib import Path, PurePosixPath

from lerobot_streamrec.dataset.episode_reader import read_record, read_statistics
from lerobot_streamrec.dataset.histograms import with_histograms
from lerobot_streamrec.dataset.info import DatasetInfo
from lerobot_streamrec.dataset.layout import STATISTICS
from lerobot_streamrec.dataset.parquet import to_bytes
from lerobot_streamrec.errors import DatasetCorruptError
from lerobot_streamrec.stats.distribution import Distribution
from lerobot_streamrec.stats.feature_statistics import FeatureStatistics
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

AllStatistics = Mapping[str, FeatureStatistics]

_SCHEMA = pa.schema(
    [
        pa.field('feature', pa.string()),
        pa.field('exponent', pa.int64()),
        pa.field('indices', pa.list_(pa.int64())),
        pa.field('counts', pa.list_(pa.int64())),
    ]
)
_METADATA_KEY = b'statistics'
# Relative to the largest value: LeRobot rounds to single precision, and adds up in another order.
_SAME = 1e-6


@dataclass(frozen=True, slots=True)
class DatasetStatistics:
    """
    Statistics of a dataset as a file states them.

    :param features: statistics of each feature
    :param doubtful: cameras whose episodes may have been weighted by something else than rows
    """

    features: AllStatistics
    doubtful: frozenset[str]


def sidecar_path(total_episodes: int) -> PurePosixPath:
    """Return where the distributions after so many episodes are kept."""
    return STATISTICS / f'after-{total_episodes:06d}.parquet'


def kept_stats_path(total_episodes: int) -> PurePosixPath:
    """Return the path of the kept stats.json that other writers left before we recorded."""
    return sidecar_path(total_episodes).with_suffix('.json')


def counted_like(total: AllStatistics | None, episode: AllStatistics) -> AllStatistics:
    """Give an episode's ``count``s the unit of the dataset that it is added to."""
    return {key: one.counted_like((total or {}).get(key)) for key, one in episode.items()}


def merged_statistics(total: AllStatistics | None, episode: AllStatistics) -> AllStatistics:
    """
    Add an episode's statistics to the dataset's; None: it is the first one.

    Statistics of no feature, which others added, stay as they are.
    """
    if total is None:
        return episode
    new = {
        key: total[key].merged(added) if key in total else added for key, added in episode.items()
    }
    return {**new, **{key: one for key, one in total.items() if key not in new}}


def stats_json(statistics: AllStatistics) -> bytes:
    """Return the content of meta/stats.json."""
    lists = {key: one.as_lists() for key, one in statistics.items()}
    return (json.dumps(lists, indent=4) + '\n').encode()


def parse_stats_json(content: bytes, where: object, num_rows: int) -> DatasetStatistics:
    """
    Read meta/stats.json of a dataset that others began; distributions are not known.

    :param num_rows: number of rows of the dataset
    :raise DatasetCorruptError: if a statistic is missing
    """
    try:
        raw = json.loads(content)
        # Others put more than statistics into the file.
        raw = {key: one for key, one in raw.items() if not _is_of_others(one)}
        found = {key: FeatureStatistics.from_lists(one, num_rows) for key, one in raw.items()}
        return DatasetStatistics(
            found, frozenset(key for key, one in found.items() if one.is_of_pictures)
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DatasetCorruptError(f'{where}/meta/stats.json cannot be read: {error!r}') from error


def _is_of_others(entry: object) -> bool:
    names = ('min', 'max', 'mean', 'std', 'count')
    return isinstance(entry, dict) and bool(entry) and not any(name in entry for name in names)


def sidecar_bytes(statistics: AllStatistics) -> bytes:
    """Return the content of the file that ``parse_sidecar`` reads."""
    rows = [
        {
            'feature': key,
            'exponent': one.exponent,
            'indices': one.indices.tolist(),
            'counts': one.counts.tolist(),
        }
        for key, feature in statistics.items()
        for one in feature.distributions or ()
    ]
    values = {
        key: {'scale': feature.scale, 'rows': feature.num_rows, 'lists': feature.as_lists()}
        for key, feature in statistics.items()
    }
    schema = _SCHEMA.with_metadata({_METADATA_KEY: json.dumps(values)})
    return to_bytes(pa.Table.from_pylist(rows, schema=schema))


def parse_sidecar(content: bytes, where: object, num_rows: int) -> DatasetStatistics:
    """
    Read back what ``sidecar_bytes`` wrote.

    Earlier releases said no rows, and added pixels to what others had counted; where all episodes
    were of their own, as the distributions show, that was right.

    :param num_rows: number of rows of the dataset
    :raise DatasetCorruptError: if it is not whole
    """
    try:
        table = pq.read_table(pa.BufferReader(content))
        values = json.loads(table.schema.metadata[_METADATA_KEY])
        found: dict[str, list[Distribution]] = defaultdict(list)
        for row in table.to_pylist():
            distribution = Distribution(
                row['exponent'],
                np.array(row['indices'], dtype=np.int64),
                np.array(row['counts'], dtype=np.int64),
            )
            found[row['feature']].append(distribution)
        features = {
            key: FeatureStatistics.from_lists(
                one['lists'], num_rows, tuple(found[key]) or None, one['scale']
            )
            for key, one in values.items()
        }
        doubtful = (
            key
            for key, one in features.items()
            if one.is_of_pictures
            and one.distributions is None
            and values[key].get('rows') != num_rows
        )
        return DatasetStatistics(features, frozenset(doubtful))
    except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise DatasetCorruptError(f'{where} cannot be read: {error!r}') from error


def weighted_by_rows(root: Path, info: DatasetInfo, stated: DatasetStatistics) -> AllStatistics:
    """
    Put right what may have been weighted by something else than rows.

    :param root: the dataset's folder, whose episodes' own statistics are read if need be
    :param info: says how many episodes there are
    :param stated: statistics of the whole dataset; they stay if the episodes cannot improve them
    :raise DatasetCorruptError: if an episodes file cannot be read
    """
    if not stated.doubtful:
        return stated.features
    sums = _sums_of_episodes(root, info, stated.doubtful)
    return {key: sums.get(key, one) for key, one in stated.features.items()}


def mended_stats_json(
    content: bytes, stated: DatasetStatistics, weighted: AllStatistics
) -> bytes:
    """
    Return stats.json with the cameras put right that others added up wrongly.

    :param content: present content of stats.json
    :param stated: the statistics in it
    :param weighted: the right statistics, from ``weighted_by_rows``
    :return: the same bytes if nothing was wrong
    """
    before = stated.features
    wrong = [
        key
        for key, one in weighted.items()
        if one.is_of_pictures and key in before and _differs(before[key], one)
    ]
    if not wrong:
        return content
    lists = {key: weighted[key].as_lists() for key in wrong}
    return (json.dumps({**json.loads(content), **lists}, indent=4) + '\n').encode()


def _differs(one: FeatureStatistics, other: FeatureStatistics) -> bool:
    # Quantiles cannot be summed up: those of the whole are better than the mean of the episodes'.
    largest = max(float(np.abs(one.values[name]).max()) for name in ('min', 'max'))
    return one.count != other.count or not all(
        np.allclose(one.values[name], other.values[name], rtol=0, atol=_SAME * max(1.0, largest))
        for name in ('min', 'max', 'mean', 'std')
    )


def _sums_of_episodes(
    root: Path, info: DatasetInfo, keys: Collection[str]
) -> dict[str, FeatureStatistics]:
    """Add up the statistics of all episodes; features that one of them lacks are left out."""
    totals: dict[str, FeatureStatistics] = {}
    lacking: set[str] = set()
    for episode_index, statistics in read_statistics(root, info.total_episodes, keys):
        lacking.update(key for key in keys if key not in statistics)
        record = read_record(root, episode_index)
        for key, one in statistics.items():
            known = with_histograms(one, record, key)
            totals[key] = totals[key].merged(known) if key in totals else known
    return {key: one for key, one in totals.items() if key not in lacking}
