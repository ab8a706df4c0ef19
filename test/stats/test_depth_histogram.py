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
"""Statistics of depth against plain numpy over all pixels."""

from __future__ import annotations

from lerobot_streamrec.stats.distribution import Distribution
from lerobot_streamrec.stats.feature_statistics import QUANTILES
from lerobot_streamrec.stats.histograms import DepthHistogram, DepthMoments
import numpy as np
import pytest

NUM_PICTURES = 40


def check(statistics, values, width):
    assert statistics.count == statistics.num_rows == len(values)
    values = np.concatenate([one.ravel() for one in values]).astype(np.float64)
    for name in ('min', 'max', 'mean', 'std'):
        assert statistics.values[name].shape == (1, 1, 1)
        expected = getattr(values, name)()
        assert statistics.values[name].item() == pytest.approx(expected, rel=1e-9), name
    for name, fraction in QUANTILES.items():
        expected = np.quantile(values, fraction, method='inverted_cdf')
        assert abs(statistics.values[name].item() - expected) <= width, name


@pytest.mark.parametrize('order', ['<', '>'])
def test_millimetres_are_counted_exactly(order):
    rng, histogram, pushed = np.random.default_rng(5), DepthHistogram(), []
    for number in range(NUM_PICTURES):
        one = rng.integers(0, 100 * (number + 1), (9, 11)).astype(f'{order}u2')
        one[0] = 0
        histogram.push(one)
        histogram.push_again()
        pushed += [one, one]
    check(histogram.statistics(), pushed, width=0)


def test_sixteen_bits_are_counted_to_the_last():
    histogram = DepthHistogram()
    histogram.push(np.array([[0, 65535, 65535, 40000]], np.uint16))
    check(histogram.statistics(), [np.array([0, 65535, 65535, 40000])], width=65535 / 4096)


def test_levels_stand_for_what_they_are_said_to_be():
    levels = np.array([0.25, 0.5, 1.0, 2.0])
    histogram = DepthHistogram(levels)
    histogram.push(np.array([[0, 3], [3, 1]], np.uint16))
    check(histogram.statistics(), [levels[[0, 3, 3, 1]]], width=0)


def test_metres_are_exact_and_what_is_no_number_is_counted():
    rng, moments, pushed = np.random.default_rng(6), DepthMoments(10.0), []
    for _ in range(NUM_PICTURES):
        one = rng.gamma(2.0, 1.5, (9, 11)).astype(np.float32)
        one[0, :6] = [np.nan, np.inf, -np.inf, -2.0, 0.0, 25.0]
        moments.push(one)
        moments.push_again()
        meant = one.copy()
        meant[0, :6] = [0, 10, 0, 0, 0, 25]
        pushed += [meant, meant]
    check(moments.statistics(), pushed, width=32 / 4096)


def test_what_was_given_is_not_changed():
    one = np.array([[np.nan, np.inf, -1.0]], np.float32)
    before = one.copy()
    DepthMoments(10.0).push(one)
    np.testing.assert_array_equal(one, before)


@pytest.mark.parametrize('counter', [DepthHistogram(), DepthMoments(10.0)])
def test_without_a_picture_there_are_no_statistics(counter):
    with pytest.raises(ValueError, match='no picture'):
        counter.statistics()


def test_statistics_of_two_episodes_add_up():
    rng = np.random.default_rng(7)
    one, other = (rng.integers(0, high, (20, 20)).astype(np.uint16) for high in (500, 9000))
    first, second, both = DepthHistogram(), DepthHistogram(), DepthHistogram()
    for histogram in (first, both):
        histogram.push(one)
    for histogram in (second, both):
        histogram.push(other)
    merged = first.statistics().merged(second.statistics())
    check(merged, [one, other], width=9000 / 4096)


def test_few_levels_are_distributed_as_all_their_values_would_be():
    rng = np.random.default_rng(8)
    levels = np.unique(rng.normal(3, 1, 50))
    counts = rng.integers(1, 9, len(levels))
    ours = Distribution.of_levels(levels, counts)
    theirs = Distribution.of(np.repeat(levels, counts))
    assert ours.exponent == theirs.exponent
    np.testing.assert_array_equal(ours.indices, theirs.indices)
    np.testing.assert_array_equal(ours.counts, theirs.counts)
