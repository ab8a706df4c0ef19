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
A camera's statistics are those of its pixels, however many there are.

Guards against LeRobot's sums in single precision, by which the standard deviation of a long
episode is off by several per cent, and against looking at other pixels than LeRobot does.
"""

from __future__ import annotations

import functools

from lerobot_streamrec.stats.feature_statistics import FeatureStatistics, QUANTILES
from lerobot_streamrec.stats.histograms import ImageHistogram, lattice_stride
import numpy as np
import pytest

HEIGHT, WIDTH = 48, 64


def pictures_of(num_pictures, seed=0):
    """Pictures with channels of different brightness and contrast."""
    chance = np.random.default_rng(seed)
    noise = chance.normal((60, 128, 250), (40, 10, 3), (num_pictures, HEIGHT, WIDTH, 3))
    return noise.clip(0, 255).astype(np.uint8)


def numpy_says(pictures, repeated=1):
    pixels = pictures.reshape(-1, 3).astype(np.float64) / 255
    pixels = np.sort(np.repeat(pixels, repeated, axis=0), axis=0)
    quantiles = {
        name: np.quantile(pixels, fraction, axis=0, method='inverted_cdf')
        for name, fraction in QUANTILES.items()
    }
    return {
        'min': pixels.min(axis=0),
        'max': pixels.max(axis=0),
        'mean': pixels.mean(axis=0),
        'std': pixels.std(axis=0),
        **quantiles,
    }


def assert_same(statistics, expected):
    for name, values in expected.items():
        assert statistics.values[name].shape == (3, 1, 1)
        np.testing.assert_allclose(
            statistics.values[name].ravel(), values, rtol=0, atol=1e-12, err_msg=name
        )


def test_statistics_are_numpys_of_all_pixels():
    histogram = ImageHistogram()
    pictures = pictures_of(20)
    for picture in pictures:
        histogram.push(picture)
    statistics = histogram.statistics()
    assert statistics.count == statistics.num_rows == 20
    assert_same(statistics, numpy_says(pictures))


def test_twenty_thousand_frames_are_as_exact_as_one():
    histogram = ImageHistogram()
    pictures = pictures_of(20)
    for picture in pictures:
        histogram.push(picture)
        for _ in range(999):
            histogram.push_again()
    statistics = histogram.statistics()
    assert statistics.count == 20_000
    assert_same(statistics, numpy_says(pictures))


def test_billions_of_pixels_of_one_level_are_counted():
    histogram = ImageHistogram()
    histogram.push(np.full((1000, 1000, 3), 200, np.uint8))
    for _ in range(2999):
        histogram.push_again()
    statistics = histogram.statistics()
    assert statistics.count == 3000
    assert statistics.values['mean'].ravel() == pytest.approx([200 / 255] * 3)


def test_a_repeat_counts_the_last_picture_and_no_other():
    histogram = ImageHistogram()
    dark, bright = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    histogram.push(dark)
    histogram.push(bright)
    histogram.push_again()
    histogram.push_again()
    assert histogram.statistics().values['mean'].ravel().tolist() == pytest.approx([0.75] * 3)


def test_views_with_gaps_are_counted_as_they_look():
    pictures = pictures_of(1)
    histogram = ImageHistogram()
    histogram.push(pictures[0, ::3, ::3, ::-1])
    assert_same(histogram.statistics(), numpy_says(pictures[:, ::3, ::3, ::-1]))


def test_one_colour_deviates_by_nothing():
    histogram = ImageHistogram()
    histogram.push(np.full((HEIGHT, WIDTH, 3), 77, np.uint8))
    values = histogram.statistics().values
    assert values['std'].ravel().tolist() == [0.0] * 3
    assert {name for name in values if np.allclose(values[name], 77 / 255)} == {*values} - {'std'}


def test_merged_episodes_have_the_statistics_of_all_pictures():
    pictures = pictures_of(30)
    parts = []
    for part in np.split(pictures, [1, 12]):
        histogram = ImageHistogram()
        for picture in part:
            histogram.push(picture)
        parts.append(histogram.statistics())
    merged = functools.reduce(FeatureStatistics.merged, parts)
    assert merged.count == 30
    assert_same(merged, numpy_says(pictures))


def test_nothing_counted_has_no_statistics():
    with pytest.raises(ValueError, match='no picture'):
        ImageHistogram().statistics()


def lerobots_stride(height, width):
    if max(height, width) < 300:
        return 1
    return int(width / 150) if width > height else int(height / 150)


def test_the_pixels_looked_at_are_lerobots():
    sizes = [*range(1, 700, 7), 299, 300, 301, 720, 1080, 1280, 1920, 2160, 3840]
    for height in sizes:
        for width in sizes:
            assert lattice_stride(height, width) == lerobots_stride(height, width), (height, width)
