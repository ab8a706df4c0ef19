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
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
import json
from pathlib import PurePosixPath

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


def sidecar_path(total_episodes: int) -> PurePosixPath:
    """Return where the distributions after so many episodes are kept."""
    return STATISTICS / f'after-{total_episodes:06d}.parquet'


def kept_stats_path(total_episodes: int) -> PurePosixPath:
    """Return where the stats.json of others is kept, from which we went on recording."""
    return sidecar_path(total_episodes).with_suffix('.json')


def merged_statistics(total: AllStatistics | None, episode: AllStatistics) -> AllStatistics:
    """Add an episode's statistics to the dataset's; None: it is the first one."""
    if total is None:
        return episode
    return {
        key: total[key].merged(added) if key in total else added for key, added in episode.items()
    }


def stats_json(statistics: AllStatistics) -> bytes:
    """Return the content of meta/stats.json."""
    lists = {key: one.as_lists() for key, one in statistics.items()}
    return (json.dumps(lists, indent=4) + '\n').encode()


def parse_stats_json(content: bytes, where: object) -> AllStatistics:
    """
    Read meta/stats.json of a dataset that others began; distributions are not known.

    :raise DatasetCorruptError: if a statistic is missing
    """
    try:
        raw = json.loads(content)
        return {key: FeatureStatistics.from_lists(lists) for key, lists in raw.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetCorruptError(f'{where}/meta/stats.json cannot be read: {error!r}') from error


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
        key: {'scale': feature.scale, 'lists': feature.as_lists()}
        for key, feature in statistics.items()
    }
    schema = _SCHEMA.with_metadata({_METADATA_KEY: json.dumps(values)})
    return to_bytes(pa.Table.from_pylist(rows, schema=schema))


def parse_sidecar(content: bytes, where: object) -> AllStatistics:
    """
    Read back what ``sidecar_bytes`` wrote.

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
        return {
            key: FeatureStatistics.from_lists(
                one['lists'], tuple(found[key]) or None, one['scale']
            )
            for key, one in values.items()
        }
    except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise DatasetCorruptError(f'{where} cannot be read: {error!r}') from error
