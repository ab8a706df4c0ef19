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
Statistics of the whole dataset: meta/stats.json and a sidecar file with distributions.

stats.json holds quantiles, which cannot be added up exactly. The sidecar below .streamrec holds
the distributions, which can. Its name contains the number of episodes after which it was written,
so that a sidecar from a commit that crashed before info.json is never mistaken for the present
one.

The statistics of cameras in stats.json are not trusted if another program may have written them,
since others weight episodes by counts of frames or of pixels. They are added up again from the
statistics of the episodes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
import json
import logging
from pathlib import Path, PurePosixPath
from typing import Any

from lerobot_streamrec.dataset.format.episode_table import read_statistics
from lerobot_streamrec.dataset.format.files import Files
from lerobot_streamrec.dataset.format.histograms import with_histograms
from lerobot_streamrec.dataset.format.info import DatasetInfo
from lerobot_streamrec.dataset.format.info_rules import read_small_file
from lerobot_streamrec.dataset.format.layout import STATISTICS, STATS
from lerobot_streamrec.dataset.format.parquet import to_bytes
from lerobot_streamrec.dataset.format.take_record import read_record
from lerobot_streamrec.errors import DatasetCorruptError, UnusableDatasetError
from lerobot_streamrec.stats.distribution import Distribution
from lerobot_streamrec.stats.feature_statistics import FeatureStatistics
import numpy as np
import numpy.typing as npt
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
# Relative to the largest value, since LeRobot rounds to single precision and adds up in another
# order.
_SAME = 1e-6
_MAX_SIDECAR_BYTES = 2**30


@dataclass(frozen=True, slots=True)
class DatasetStatistics:
    """
    The statistics of a dataset as a file states them.

    :param features: the statistics of each feature
    :param doubtful: the cameras whose episodes may have been weighted by something other than rows
    """

    features: AllStatistics
    doubtful: frozenset[str]


def sidecar_path(total_episodes: int) -> PurePosixPath:
    """Return the path of the sidecar with the distributions of the first episodes."""
    return STATISTICS / f'after-{total_episodes:06d}.parquet'


def kept_stats_path(total_episodes: int) -> PurePosixPath:
    """Return the path of the kept stats.json that other writers made of the first episodes."""
    return sidecar_path(total_episodes).with_suffix('.json')


def counted_like(total: AllStatistics | None, episode: AllStatistics) -> AllStatistics:
    """Convert each ``count`` of an episode to the unit that the dataset uses."""
    return {key: one.counted_like((total or {}).get(key)) for key, one in episode.items()}


def merged_statistics(total: AllStatistics | None, episode: AllStatistics) -> AllStatistics:
    """
    Return the statistics of a dataset with an episode added.

    Entries that other writers added for names that are not features stay unchanged.

    :param total: the statistics of the dataset; None if the episode is the first one
    :param episode: the statistics of the episode
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

    :param statistics: the statistics of the dataset
    :param features: the keys of all features, for which no old entry is kept
    :param before: the old contents of stats.json, None for a missing file; entries of other
        writers that are not statistics are kept
    """
    lists: dict[str, object] = {key: one.as_lists() for key, one in statistics.items()}
    for content in before:
        # Nothing can be kept of a file that cannot be read.
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
    Parse meta/stats.json of a dataset that others began, which has no distributions.

    :param content: the bytes of the file
    :param root: the dataset's folder
    :param num_rows: the number of rows of the dataset
    :param keys: the features whose entries must be usable; other unusable entries are left out
    :raise UnusableDatasetError: if the content is not a JSON object, or naming the statistic that
        is missing or wrong
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
    """Parse a JSON object; raise ValueError if the content is something else."""
    try:
        raw = json.loads(content)
    except RecursionError as error:
        raise ValueError('its values are nested too deeply') from error
    if not isinstance(raw, dict):
        raise ValueError('it does not hold an object')
    return raw


def _statistics_or_problem(entry: Any, num_rows: int) -> FeatureStatistics | str:
    """Parse an entry of stats.json; return a text with the problem if it is unusable."""
    try:
        return FeatureStatistics.from_lists(entry, num_rows)
    except KeyError as error:
        return f'{error.args[0]} is missing'
    except (TypeError, ValueError) as error:
        return str(error) if isinstance(entry, dict) else 'they are not an object'


def read_sidecar(root: Path, total_episodes: int, num_rows: int) -> DatasetStatistics | None:
    """
    Read the sidecar with the distributions.

    :param root: the dataset's folder
    :param total_episodes: the number of episodes of the dataset
    :param num_rows: the number of rows of these episodes
    :return: None if the file is missing, or if it cannot be read, which is logged: stats.json
        suffices to continue, though its quantiles cannot be added up exactly
    """
    path = root / sidecar_path(total_episodes)
    try:
        return _parse_sidecar(read_small_file(path, _MAX_SIDECAR_BYTES), num_rows)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, DatasetCorruptError) as error:
        _log.warning(
            'quantiles of the dataset will only be means of the quantiles of its episodes, since '
            '%s cannot be used: %s',
            path,
            error,
        )
        return None


def forget_statistics_after(files: Files, total_episodes: int) -> None:
    """
    Delete kept statistics of more episodes than the dataset has.

    If another program recorded the next episodes, such a file would be mistaken for their
    statistics.

    :param files: the access to the disk
    :param total_episodes: the number of episodes of the dataset
    :raise DatasetError: if a file cannot be deleted
    """
    for path in files.path(STATISTICS).glob('after-*'):
        number = path.stem.removeprefix('after-')
        if number.isdecimal() and int(number) > total_episodes:
            files.remove(files.relative(path))


def sidecar_bytes(statistics: AllStatistics) -> bytes:
    """Return the content of the sidecar, which ``read_sidecar`` reads."""
    rows = [
        (key, one) for key, feature in statistics.items() for one in feature.distributions or ()
    ]
    values = {
        key: {'scale': feature.scale, 'rows': feature.num_rows, 'lists': feature.as_lists()}
        for key, feature in statistics.items()
    }
    schema = _SCHEMA.with_metadata({_METADATA_KEY: json.dumps(values)})
    columns = [
        [key for key, _ in rows],
        [one.exponent for _, one in rows],
        _lists([one.indices for _, one in rows]),
        _lists([one.counts for _, one in rows]),
    ]
    return to_bytes(pa.table(columns, schema=schema))


def _lists(rows: Sequence[npt.NDArray[np.int64]]) -> pa.ListArray:
    """Return lists of numbers without making objects of thousands of them."""
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int32)
    return pa.ListArray.from_arrays(offsets, np.concatenate([*rows, np.empty(0, np.int64)]))


def _parse_sidecar(content: bytes, num_rows: int) -> DatasetStatistics:
    """
    Parse the content that ``sidecar_bytes`` made.

    Earlier releases stored no number of rows, and added pixels to the counts of other writers.
    Their statistics are right if all episodes were their own, which distributions prove.

    :param content: the bytes of the file
    :param num_rows: the number of rows of the dataset
    :raise DatasetCorruptError: if the content is incomplete or of another number of rows
    """
    try:
        table = pq.read_table(pa.BufferReader(content))
        values = json.loads(table.schema.metadata[_METADATA_KEY])
        stated = values.get('index', {}).get('rows', num_rows)
        if stated != num_rows:
            raise ValueError(f'it covers {stated} rows, the dataset has {num_rows}')
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
    Return the statistics of a dataset with each episode weighted by its rows.

    :param root: the dataset's folder; if cameras are doubtful, the statistics of its episodes are
        read
    :param info: the dataset's info.json
    :param stated: the stated statistics; they stay if the episodes cannot improve them
    :raise DatasetCorruptError: if an episodes file cannot be read
    """
    if not stated.doubtful:
        return stated.features
    sums = _sums_of_episodes(root, info, stated.doubtful)
    return {
        key: sums[key].with_quantiles_of(one) if key in sums else one
        for key, one in stated.features.items()
    }


def mended_stats_json(content: bytes, stated: DatasetStatistics, weighted: AllStatistics) -> bytes:
    """
    Return stats.json with corrected statistics of cameras that others added up wrongly.

    :param content: the present content of stats.json
    :param stated: the statistics in it
    :param weighted: the correct statistics, from ``weighted_by_rows``
    :return: the new content, or the same bytes if nothing was wrong
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
    # Quantiles are not compared: the stated ones are better than the mean of the episodes'.
    largest = max(float(np.abs(one.values[name]).max()) for name in ('min', 'max'))
    return one.count != other.count or not all(
        np.allclose(one.values[name], other.values[name], rtol=0, atol=_SAME * max(1.0, largest))
        for name in ('min', 'max', 'mean', 'std')
    )


def _sums_of_episodes(
    root: Path, info: DatasetInfo, keys: Collection[str]
) -> dict[str, FeatureStatistics]:
    """Add up the statistics of all episodes, without features that an episode lacks."""
    totals: AllStatistics = {}
    lacking: set[str] = set()
    for episode_index, statistics in read_statistics(root, info.total_episodes, keys):
        lacking.update(key for key in keys if key not in statistics)
        record = read_record(root, episode_index)
        known = {key: with_histograms(one, record, key) for key, one in statistics.items()}
        totals = merged_statistics(totals, known)
    return {key: one for key, one in totals.items() if key not in lacking}
