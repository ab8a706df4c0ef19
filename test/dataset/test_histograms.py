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

from lerobot_streamrec.dataset.histograms import histograms_json, with_histograms
from lerobot_streamrec.stats.feature_statistics import FeatureStatistics, vector_statistics
from lerobot_streamrec.stats.image_histogram import ImageHistogram
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
    return FeatureStatistics.from_lists(statistics.as_lists())


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
