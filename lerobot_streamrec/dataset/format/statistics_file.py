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
from contextlib import suppress
from dataclasses import dataclass
import json
import logging
from pathlib import Path, PurePosixPath
from typing import Any

from lerobot_streamrec.dataset.format.episode_reader import read_record, read_statistics
from lerobot_streamrec.dataset.format.files import Files
from lerobot_streamrec.dataset.format.histograms import with_histograms
from lerobot_streamrec.dataset.format.info import DatasetInfo
from lerobot_streamrec.dataset.format.info_rules import read_small_file
from lerobot_streamrec.dataset.format.layout import STATISTICS, STATS
from lerobot_streamrec.dataset.format.parquet import to_bytes
from lerobot_streamrec.errors import DatasetCorruptError, UnusableDatasetError
from lerobot_streamrec.stats.distribution import Distribution
from lerobot_streamrec.stats.feature_statistics import FeatureStatistics
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_log = logging.getLogger(__name__)

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
_MAX_SIDECAR_BYTES = 2**30


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


def stats_json(
    statistics: AllStatistics, features: Collection[str], *before: bytes | None
) -> bytes:
    """
    Return the content of meta/stats.json.

    :param features: names of all features, which may have no other entries than these
    :param before: present contents, None for a file that is missing; entries of other writers
        that are no statistics stay as they are
    """
    lists: dict[str, object] = {key: one.as_lists() for key, one in statistics.items()}
    for content in before:
        # A file that cannot be read has nothing that could be kept.
        with suppress(ValueError):
            for key, entry in _entries(content or b'{}').items():
                is_free = key not in lists and key not in features
                if is_free and isinstance(_statistics_or_problem(entry, 1), str):
                    lists[key] = entry
    return (json.dumps(lists, indent=4) + '\n').encode()


def parse_stats_json(
    content: bytes, root: Path, num_rows: int, keys: Collection[str] = ()
) -> DatasetStatistics:
    """
    Read meta/stats.json of a dataset that others began; distributions are not known.

    :param root: the dataset's folder
    :param num_rows: number of rows of the dataset
    :param keys: features whose statistics must be usable if they are there; other entries that
        are no statistics are left out
    :raise UnusableDatasetError: naming the statistic that is missing or wrong
    """
    try:
        raw = _entries(content)
    except ValueError as error:
        raise UnusableDatasetError(root, STATS, f'the file cannot be read ({error})') from error
    found = {}
    for key, entry in raw.items():
        one = _statistics_or_problem(entry, num_rows)
        if isinstance(one, FeatureStatistics):
            found[key] = one
        elif key in keys:
            problem = f'the statistics of {key} cannot be used ({one})'
            raise UnusableDatasetError(root, STATS, problem)
    return DatasetStatistics(
        found, frozenset(key for key, one in found.items() if one.is_of_pictures)
    )


def _entries(content: bytes) -> dict[str, object]:
    """Read a JSON object; raises ValueError if it is none."""
    try:
        raw = json.loads(content)
    except RecursionError as error:
        raise ValueError('its values are nested too deeply') from error
    if not isinstance(raw, dict):
        raise ValueError('it does not hold an object')
    return raw


def _statistics_or_problem(entry: Any, num_rows: int) -> FeatureStatistics | str:
    """Read an entry of stats.json; a text says why it is no statistics."""
    try:
        return FeatureStatistics.from_lists(entry, num_rows)
    except KeyError as error:
        return f'{error.args[0]} is missing'
    except (TypeError, ValueError) as error:
        return str(error) if isinstance(entry, dict) else 'they are not an object'


def read_sidecar(root: Path, total_episodes: int, num_rows: int) -> DatasetStatistics | None:
    """
    Read the distributions that are kept beside stats.json.

    :param root: the dataset's folder
    :param total_episodes: after so many episodes
    :param num_rows: number of rows of these episodes
    :return: None if there are none, or if they cannot be read, which the log says then:
        stats.json is enough to go on, though its quantiles cannot be added up exactly
    """
    path = root / sidecar_path(total_episodes)
    try:
        return _parse_sidecar(read_small_file(path, _MAX_SIDECAR_BYTES), num_rows)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, DatasetCorruptError) as error:
        _log.warning(
            'quantiles will be means of the quantiles of episodes, since %s cannot be used: %s',
            path,
            error,
        )
        return None


def forget_statistics_after(files: Files, total_episodes: int) -> None:
    """
    Delete what is kept of states with more episodes than there are.

    Otherwise it would be taken for the statistics of the episodes that come now, if another
    program writes them.

    :raise DatasetError: if a file cannot be deleted
    """
    for path in files.path(STATISTICS).glob('after-*'):
        number = path.stem.removeprefix('after-')
        if number.isdecimal() and int(number) > total_episodes:
            files.remove(files.relative(path))


def sidecar_bytes(statistics: AllStatistics) -> bytes:
    """Return the content of the file that ``read_sidecar`` reads."""
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


def _parse_sidecar(content: bytes, num_rows: int) -> DatasetStatistics:
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
        stated = values.get('index', {}).get('rows', num_rows)
        if stated != num_rows:
            raise ValueError(f'it is of {stated} rows, the dataset has {num_rows}')
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
    except (pa.ArrowException, KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetCorruptError(str(error)) from error


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
    return {
        key: sums[key].with_quantiles_of(one) if key in sums else one
        for key, one in stated.features.items()
    }


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
