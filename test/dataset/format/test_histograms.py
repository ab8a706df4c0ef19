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
"""What an episode's record keeps of its pictures comes back as it was, or not at all."""

from __future__ import annotations

import json

from lerobot_streamrec.dataset.format.histograms import histograms_json, with_histograms
from lerobot_streamrec.stats.feature_statistics import FeatureStatistics, vector_statistics
from lerobot_streamrec.stats.histograms import DepthHistogram, DepthMoments, ImageHistogram
import numpy as np
import pytest

KEY = 'observation.images.front'


@pytest.fixture
def statistics():
    histogram = ImageHistogram()
    chance = np.random.default_rng(1)
    for _ in range(3):
        histogram.push(chance.integers(0, 256, (40, 60, 3)).astype(np.uint8))
    return histogram.statistics()


def known_from_lists(statistics):
    """Return what meta/episodes keeps of statistics."""
    return FeatureStatistics.from_lists(statistics.as_lists(), statistics.num_rows)


def test_histograms_come_back_through_json(statistics):
    record = json.loads(json.dumps({'histograms': histograms_json({KEY: statistics})}))
    again = with_histograms(known_from_lists(statistics), record, KEY)
    assert again.scale == statistics.scale
    for one, other in zip(again.distributions, statistics.distributions, strict=True):
        assert one.exponent == other.exponent
        np.testing.assert_array_equal(one.indices, other.indices)
        np.testing.assert_array_equal(one.counts, other.counts)
    assert all(len(text) < 1200 for text in record['histograms'][KEY])


def test_only_pictures_have_histograms(statistics):
    rows = vector_statistics([[0.25], [0.5]])
    assert set(histograms_json({KEY: statistics, 'state': rows})) == {KEY}


@pytest.mark.parametrize(
    'damage',
    [
        lambda texts: None,
        lambda texts: {},
        lambda texts: {KEY: texts[:2]},
        lambda texts: {KEY: 3},
        lambda texts: {KEY: ['nonsense'] * 3},
        lambda texts: {KEY: [texts[0][:-8]] * 3},
    ],
)
def test_a_record_that_does_not_fit_is_not_believed(damage, statistics):
    record = {'histograms': damage(histograms_json({KEY: statistics})[KEY])}
    assert with_histograms(known_from_lists(statistics), record, KEY).distributions is None
    assert with_histograms(known_from_lists(statistics), None, KEY).distributions is None


def test_a_histogram_of_other_pictures_is_not_believed(statistics):
    histogram = ImageHistogram()
    histogram.push(np.zeros((4, 4, 3), np.uint8))
    record = {'histograms': histograms_json({KEY: histogram.statistics()})}
    assert with_histograms(known_from_lists(statistics), record, KEY).distributions is None


def depth_statistics(kind, seed):
    chance = np.random.default_rng(seed)
    depth = chance.gamma(2.0, 900.0, (60, 80))
    if kind == 'mm':
        counter, depth = DepthHistogram(), depth.clip(0, 65535).astype(np.uint16)
    elif kind == 'near mm':
        counter, depth = DepthHistogram(), depth.clip(90, 200).astype(np.uint16)
    else:
        counter, depth = DepthMoments(10.0), (depth / 1000).astype(np.float32)
    counter.push(depth)
    return counter.statistics()


@pytest.mark.parametrize('kind', ['mm', 'near mm', 'm'])
def test_histograms_of_depth_come_back_through_json(kind):
    one, other = (depth_statistics(kind, seed) for seed in (1, 2))
    again = []
    for statistics in (one, other):
        record = json.loads(json.dumps({'histograms': histograms_json({KEY: statistics})}))
        assert all(len(text) < 12_000 for text in record['histograms'][KEY])
        again.append(with_histograms(known_from_lists(statistics), record, KEY))
    merged, expected = again[0].merged(again[1]), one.merged(other)
    assert merged.as_lists() == expected.as_lists()
    np.testing.assert_array_equal(
        merged.distributions[0].counts, expected.distributions[0].counts
    )


@pytest.mark.parametrize('text', ['x:0:', '0:0:', '0:-5:nonsense', '0:'])
def test_a_histogram_of_depth_that_is_none_is_not_believed(text):
    statistics = depth_statistics('mm', 1)
    packed = histograms_json({KEY: statistics})[KEY][0].rpartition(':')[2]
    wrong = text + (packed[:-8] if text.endswith(':') else '')
    again = with_histograms(known_from_lists(statistics), {'histograms': {KEY: [wrong]}}, KEY)
    assert again.distributions is None
