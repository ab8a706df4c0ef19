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
Statistics are what numpy says of all rows, however many episodes they came in.

Guards meta/stats.json: training divides by it, so that an error there is an error everywhere.
"""

from __future__ import annotations

import functools
import json

from lerobot_streamrec.stats.distribution import MAX_SPAN_BINS
from lerobot_streamrec.stats.feature_statistics import (
    FeatureStatistics,
    QUANTILES,
    REQUIRED,
    STATISTICS,
    vector_statistics,
)
from lerobot_streamrec.stats.histograms import ImageHistogram
import numpy as np
import pytest

EXACT = ('min', 'max')
MOMENTS = ('mean', 'std')


def rows_of(kind, num_rows=997):
    """Rows of two or three columns that are hard in one way or another."""
    chance = np.random.default_rng(5)
    return {
        'joints': chance.normal(0, 1, (num_rows, 3)).astype(np.float32),
        'far_from_zero': 1e6 + chance.normal(0, 1e-2, (num_rows, 2)),
        'lopsided': chance.exponential(1, (num_rows, 2)) ** 4,
        'counter': np.stack([np.arange(num_rows), -np.arange(num_rows)], axis=1),
        'constant': np.full((num_rows, 2), -0.1),
        'bool': chance.integers(0, 2, (num_rows, 2)).astype(bool),
    }[kind]


KINDS = ('joints', 'far_from_zero', 'lopsided', 'counter', 'constant', 'bool')


def numpy_says(rows):
    rows = np.asarray(rows, dtype=np.float64)
    return {
        'min': rows.min(axis=0),
        'max': rows.max(axis=0),
        'mean': rows.mean(axis=0),
        'std': rows.std(axis=0),
        **{
            name: np.quantile(rows, fraction, axis=0, method='inverted_cdf')
            for name, fraction in QUANTILES.items()
        },
    }


@pytest.mark.parametrize('kind', KINDS)
def test_an_episode_has_exactly_numpys_statistics(kind):
    rows = rows_of(kind)
    statistics = vector_statistics(rows)
    assert statistics.count == len(rows)
    expected = numpy_says(rows)
    for name in STATISTICS:
        if name != 'count':
            np.testing.assert_array_equal(statistics.values[name], expected[name], name)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('cuts', [(500,), (1, 2, 3), (100, 101, 400, 900)])
def test_merged_episodes_have_the_statistics_of_all_rows(kind, cuts):
    rows = np.asarray(rows_of(kind), dtype=np.float64)
    parts = [vector_statistics(part) for part in np.split(rows, cuts)]
    merged = functools.reduce(FeatureStatistics.merged, parts)
    expected = numpy_says(rows)
    assert merged.count == merged.num_rows == len(rows)
    for name in EXACT:
        np.testing.assert_array_equal(merged.values[name], expected[name])
    largest = np.abs(rows).max()
    for name in MOMENTS:
        # What is left of digits when numbers far from zero are taken from each other.
        atol = 1e-12 * largest if name == 'mean' else 1e-12 * max(1.0, largest)
        np.testing.assert_allclose(merged.values[name], expected[name], rtol=1e-12, atol=atol)
    widths = np.maximum(4 * (expected['max'] - expected['min']) / MAX_SPAN_BINS, 1e-12 * largest)
    for name in QUANTILES:
        assert np.all(np.abs(merged.values[name] - expected[name]) <= widths)
        assert np.all(merged.values['min'] <= merged.values[name])
        assert np.all(merged.values[name] <= merged.values['max'])


def test_the_quantile_of_a_counter_over_episodes_is_its_middle():
    # LeRobot 0.6.2 says 17 here, and 0.6.1 a mean of quantiles.
    index = np.arange(96)
    parts = [vector_statistics(part) for part in np.split(index, [36, 66])]
    merged = functools.reduce(FeatureStatistics.merged, parts)
    assert merged.values['q50'].tolist() == [47.0]
    assert merged.values['q99'].tolist() == [95.0]


def test_one_row_is_all_its_statistics_and_deviates_by_nothing():
    statistics = vector_statistics(np.array([[0.1, -2.5]], dtype=np.float32))
    for name in STATISTICS:
        expected = [0.0, 0.0] if name == 'std' else np.float32([0.1, -2.5]).tolist()
        if name != 'count':
            assert statistics.values[name].tolist() == expected


def test_numbers_whose_squares_overflow_have_finite_statistics():
    unit = np.array([[1.0], [-3.0], [2.0], [0.5]])
    for size in (1e154, 2.0**1021):
        merged = vector_statistics(unit[:2] * size).merged(vector_statistics(unit[2:] * size))
        for found in (vector_statistics(unit * size), merged):
            assert found.values['mean'] == pytest.approx(0.125 * size, rel=1e-12)
            assert found.values['std'] == pytest.approx(unit.std() * size, rel=1e-12)
            assert found.has_possible_deviation


def test_scalars_have_one_element():
    lists = vector_statistics(np.arange(10)).as_lists()
    assert set(lists) == set(STATISTICS)
    assert lists['count'] == [10]
    assert (lists['min'], lists['max'], lists['mean']) == ([0.0], [9.0], [4.5])


def test_what_others_wrote_merges_as_far_as_it_can():
    rows = rows_of('joints')
    ours = vector_statistics(rows[:300])
    lists = json.loads(json.dumps(vector_statistics(rows[300:]).as_lists()))
    theirs = FeatureStatistics.from_lists(lists, 697)
    for merged in (theirs.merged(ours), ours.merged(theirs)):
        assert merged.count == len(rows)
        assert merged.distributions is None
        expected = numpy_says(rows)
        for name in (*EXACT, *MOMENTS):
            np.testing.assert_allclose(merged.values[name], expected[name], rtol=1e-9)
        weighted = (300 * ours.values['q10'] + 697 * theirs.values['q10']) / 997
        np.testing.assert_allclose(merged.values['q10'], weighted, rtol=1e-12)


def test_statistics_without_quantiles_have_a_sum_without_quantiles():
    lists = vector_statistics(np.arange(10)).as_lists()
    old = FeatureStatistics.from_lists({name: lists[name] for name in REQUIRED}, 10)
    total = old.merged(vector_statistics(np.arange(10, 30)))
    assert set(total.as_lists()) == set(REQUIRED)
    assert total.values['mean'] == pytest.approx(14.5)
    assert total.values['std'] == pytest.approx(np.arange(30).std())


@pytest.mark.parametrize('missing', REQUIRED)
def test_a_missing_statistic_is_an_error(missing):
    lists = vector_statistics(np.arange(10)).as_lists()
    del lists[missing]
    with pytest.raises(KeyError, match=missing):
        FeatureStatistics.from_lists(lists, 10)


PIXELS = 48 * 64


def pictures(mean, std, num_rows, count):
    """Statistics of a camera as other writers store them."""
    named = {**dict.fromkeys(STATISTICS, mean), 'std': std, 'min': 0.0, 'max': 1.0}
    lists = {name: np.full((3, 1, 1), value).tolist() for name, value in named.items()}
    return FeatureStatistics.from_lists({**lists, 'count': [count]}, num_rows)


@pytest.mark.parametrize('their_count', [40, 40 * PIXELS, 17])
@pytest.mark.parametrize('our_count', [20, 20 * PIXELS, 20 * 1200])
def test_pictures_weigh_as_many_frames_as_they_are_whoever_counted_them(their_count, our_count):
    theirs, ours = pictures(0.298, 0.1, 40, their_count), pictures(0.980, 0.2, 20, our_count)
    for merged in (theirs.merged(ours), ours.merged(theirs)):
        assert merged.num_rows == 60
        mean = (40 * 0.298 + 20 * 0.980) / 60
        variance = (40 * (0.1**2 + (0.298 - mean) ** 2) + 20 * (0.2**2 + (0.98 - mean) ** 2)) / 60
        for name, expected in (('mean', mean), ('q50', mean), ('std', variance**0.5)):
            assert merged.values[name].ravel() == pytest.approx([expected] * 3, abs=1e-12), name


@pytest.mark.parametrize(
    ('counts', 'expected'),
    [
        ((40, 20), 60),
        # Pixels, as many in all pictures.
        ((40 * PIXELS, 20 * PIXELS), 60 * PIXELS),
        # A sum of frames and pixels, or of pixels at two densities, is a number of nothing.
        ((40, 20 * PIXELS), 60),
        ((17, 20 * PIXELS), 37),
        ((40 * PIXELS, 20 * 1200), 60),
    ],
)
def test_a_count_is_in_one_unit(counts, expected):
    one, other = pictures(0.3, 0.1, 40, counts[0]), pictures(0.9, 0.1, 20, counts[1])
    assert one.merged(other).count == other.merged(one).count == expected


@pytest.mark.parametrize(
    ('theirs', 'expected'),
    [
        (None, 20),
        (pictures(0.3, 0.1, 40, 40), 20),
        (pictures(0.3, 0.1, 40, 40 * PIXELS), 20 * PIXELS),
        # LeRobot's default writer looks at 177 frames of 1000.
        (pictures(0.3, 0.1, 1000, 177), 4),
    ],
)
def test_an_episode_is_counted_as_the_dataset_it_is_added_to(theirs, expected):
    ours = pictures(0.9, 0.1, 20, 20)
    assert ours.counted_like(theirs).count == expected
    assert ours.counted_like(theirs).num_rows == 20


def test_quantiles_do_not_follow_the_side_of_which_more_pixels_were_counted():
    parts = []
    for level, side, num_frames in ((10, 40, 30), (20, 20, 10), (30, 10, 20)):
        histogram = ImageHistogram()
        histogram.push(np.full((side, side, 3), level, np.uint8))
        for _ in range(num_frames - 1):
            histogram.push_again()
        parts.append(histogram.statistics())
    for ordered in (parts, parts[::-1]):
        merged = functools.reduce(FeatureStatistics.merged, ordered)
        for name, level in (('q01', 10), ('q50', 10), ('q90', 30), ('q99', 30)):
            assert merged.values[name].ravel() == pytest.approx([level / 255] * 3), name
        assert merged.values['mean'].ravel() == pytest.approx([(300 + 200 + 600) / 60 / 255] * 3)


def test_the_rows_of_a_vector_are_its_weight_whatever_count_is_stated():
    lists = vector_statistics(np.arange(10)).as_lists()
    read = FeatureStatistics.from_lists({**lists, 'count': [12345]}, 10)
    assert (read.count, read.num_rows) == (10, 10)


@pytest.mark.parametrize('dark', [0.0, 0.5, 0.9, 0.999])
@pytest.mark.parametrize('contrast', [1, 30, 200])
def test_no_true_deviation_is_thought_impossible(dark, contrast):
    chance = np.random.default_rng(3)
    levels = np.where(chance.random((60, 80, 3)) < dark, 0, contrast) + chance.integers(0, 9)
    histogram = ImageHistogram()
    histogram.push(levels.astype(np.uint8))
    statistics = histogram.statistics()
    assert statistics.has_possible_deviation
    none = {**statistics.values, 'std': np.zeros((3, 1, 1))}
    lists = FeatureStatistics(none, 1).as_lists()
    is_flat = np.array_equal(statistics.values['min'], statistics.values['max'])
    assert FeatureStatistics.from_lists(lists, 1).has_possible_deviation is is_flat
