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
"""Statistics that are not those of the rows and pictures are found."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest

FRONT, STATE = 'observation.images.front', 'observation.state'
STATS = 'meta/stats.json'
META = 'meta/episodes/chunk-000/file-002.parquet'


def put(key, name, value):
    return lambda stats: stats[key].update({name: value})


@pytest.mark.parametrize(
    ('change', 'code'),
    [
        (put(STATE, 'mean', [9.0, 0.0, 0.0]), 'wrong-statistics'),
        (put(STATE, 'std', [0.0, 0.0, 0.0]), 'wrong-statistics'),
        (put(STATE, 'min', [-1e3, -1e3, -1e3]), 'wrong-statistics'),
        (put(STATE, 'max', [math.nan, 1.0, 1.0]), 'wrong-statistics'),
        (put(STATE, 'count', [13]), 'wrong-statistics'),
        (put(STATE, 'q50', [50.0, 50.0, 50.0]), 'wrong-quantiles'),
        (put(STATE, 'mean', [0.0]), 'wrong-statistics-shape'),
        (put(STATE, 'mean', 'text'), 'wrong-statistics-shape'),
        (put(STATE, 'count', [[14]]), 'wrong-statistics-shape'),
        (put('index', 'max', [99]), 'wrong-numbering-statistics'),
        (put(FRONT, 'mean', [[[0.9]]] * 3), 'wrong-camera-statistics'),
        (put(FRONT, 'std', [[[0.5]]] * 3), 'wrong-camera-statistics'),
        (put(FRONT, 'max', [[[255.0]]] * 3), 'wrong-camera-statistics'),
        (put(FRONT, 'count', [0]), 'wrong-camera-statistics'),
        (put(FRONT, 'q10', [[[0.99]]] * 3), 'wrong-quantiles'),
        (put(FRONT, 'mean', [0.1, 0.1, 0.1]), 'wrong-statistics-shape'),
        (lambda stats: stats.pop(STATE), 'missing-statistics'),
        (lambda stats: stats.pop(FRONT), 'missing-statistics'),
        (lambda stats: stats[STATE].pop('std'), 'missing-statistics'),
        (lambda stats: stats.update({STATE: None}), 'missing-statistics'),
        (lambda stats: stats[STATE].pop('q50'), 'missing-quantiles'),
    ],
)
def test_wrong_statistics_of_the_dataset_are_found(dataset, change, code):
    dataset.json(STATS, change)
    report = dataset.check()
    (finding,) = report.findings
    assert (finding.kind.code, finding.path) == (code, STATS)
    assert report.sound_episodes() == (0, 1, 2)


@pytest.mark.parametrize(
    ('name', 'value', 'code'),
    [
        (f'{STATE}/mean', [9.0, 0.0, 0.0], 'wrong-statistics'),
        (f'{STATE}/count', [9], 'wrong-statistics'),
        (f'{STATE}/q99', [-9.0, 0.0, 0.0], 'wrong-quantiles'),
        (f'{STATE}/max', [0.0], 'wrong-statistics-shape'),
        (f'{STATE}/max', None, 'wrong-statistics-shape'),
        ('frame_index/max', [9.0], 'wrong-numbering-statistics'),
        (f'{FRONT}/mean', [[[0.9]]] * 3, 'wrong-camera-statistics'),
    ],
)
def test_wrong_statistics_of_an_episode_are_found(dataset, name, value, code):
    dataset.column(META, f'stats/{name}', lambda _: [value])
    report = dataset.check()
    (finding,) = report.findings
    assert (finding.kind.code, finding.path) == (code, META)
    if code != 'wrong-statistics-shape':
        assert finding.episode_index == 2
    # Nothing is lost that could not be computed anew.
    assert all(one.can_be_kept for one in report.episodes)


def test_statistics_that_episodes_lack_are_worth_a_warning(dataset):
    dataset.table(META, lambda table: table.drop_columns([f'stats/{STATE}/mean']))
    report = dataset.check()
    assert [(one.kind.code, one.path) for one in report.findings] == [
        ('missing-episode-statistics', META)
    ]
    assert report.is_whole


def test_what_rounding_does_to_statistics_is_no_finding(dataset):
    """Single precision, the edges of a histogram, a codec's losses, counts of frames."""

    def change(stats):
        stats[STATE]['mean'] = [value * (1 + 1e-5) for value in stats[STATE]['mean']]
        stats[STATE]['q01'] = [value - 1e-6 for value in stats[STATE]['min']]
        stats[FRONT]['mean'] = [[[value[0][0] + 0.02]] for value in stats[FRONT]['mean']]
        stats[FRONT]['std'] = [[[value[0][0] * 1.4]] for value in stats[FRONT]['std']]
        stats[FRONT]['count'] = [14]

    dataset.json(STATS, change)
    assert dataset.codes() == set()


def test_columns_of_statistics_in_single_precision_are_no_finding(dataset):
    name = f'stats/{STATE}/mean'

    def change(table):
        narrow = table.column(name).cast(pa.list_(pa.float32()))
        return table.set_column(table.schema.get_field_index(name), name, narrow)

    dataset.table(META, change)
    assert dataset.codes() == set()
