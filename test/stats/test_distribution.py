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
Counts in bins merge without error, whatever was merged first.

Guards the quantiles of a whole dataset: LeRobot's own are an envelope or a mean of the
episodes' quantiles, neither of which is a quantile.
"""

from __future__ import annotations

import functools
import random

from hypothesis import given
from hypothesis import strategies as st
from lerobot_streamrec.stats.distribution import Distribution, MAX_SPAN_BINS
import numpy as np
import pytest

FRACTIONS = (0.01, 0.1, 0.5, 0.9, 0.99)
# What cannot be told apart however near the values are to each other: see distribution.py.
FINEST_WIDTH = 2.0**-40


def exact_quantile(values, fraction):
    """Return the smallest value at or below which this share of the values lies."""
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    at = np.searchsorted(np.arange(1, len(ordered) + 1), fraction * len(ordered))
    return float(ordered[at])


def as_tuple(distribution):
    return (
        distribution.exponent,
        distribution.indices.tolist(),
        distribution.counts.tolist(),
    )


# A dataset's numbers are float32, a few of them huge, or whole.
some_number = (
    st.floats(-1e6, 1e6, width=32)
    | st.floats(-1, 1, width=32)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | st.integers(-(10**6), 10**6).map(float)
)
some_values = st.lists(some_number, min_size=1, max_size=40)


@given(st.lists(some_values, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_merging_in_any_order_is_counting_all_at_once(groups, chance):
    at_once = Distribution.of([value for group in groups for value in group])
    parts = [Distribution.of(group) for group in groups]
    while len(parts) > 1:
        one = parts.pop(chance.randrange(len(parts)))
        another = parts.pop(chance.randrange(len(parts)))
        parts.append(one.merged(another))
    assert as_tuple(parts[0]) == as_tuple(at_once)


@given(some_values)
def test_no_quantile_is_further_off_than_a_bin(values):
    distribution = Distribution.of(values)
    width = 2.0**distribution.exponent
    for fraction in FRACTIONS:
        quantile = distribution.quantile(fraction)
        assert quantile <= exact_quantile(values, fraction) <= quantile + width


@given(some_values)
def test_a_bin_is_a_small_part_of_the_range(values):
    distribution = Distribution.of(values)
    spread = max(values) - min(values)
    resolution = max(FINEST_WIDTH, max(map(abs, values)) * 2.0**-48)
    assert 2.0**distribution.exponent <= max(4 * spread / MAX_SPAN_BINS, resolution)
    assert len(distribution.indices) <= MAX_SPAN_BINS
    assert distribution.counts.sum() == len(values)


@given(
    st.integers(-(10**12), 10**12),
    st.lists(st.integers(0, MAX_SPAN_BINS - 1), min_size=1, max_size=50),
)
def test_whole_numbers_are_exact(offset, steps):
    values = [offset + step for step in steps]
    distribution = Distribution.of(values)
    for fraction in FRACTIONS:
        assert distribution.quantile(fraction) == exact_quantile(values, fraction)


@pytest.mark.parametrize('value', [0.0, -0.0, 1.0, -3.0, 0.5, 2.0**40, -(2.0**-40), 1e15])
def test_a_constant_is_its_own_quantile(value):
    distribution = functools.reduce(Distribution.merged, [Distribution.of([value] * 7)] * 3)
    assert [distribution.quantile(fraction) for fraction in FRACTIONS] == [value] * 5
    assert distribution.counts.tolist() == [21]


def test_bins_below_zero_are_as_wide_as_above():
    values = np.linspace(-1, 1, 20_001)
    distribution = Distribution.of(values)
    for fraction in FRACTIONS:
        assert distribution.quantile(fraction) == pytest.approx(2 * fraction - 1, abs=4 / 8192)


def test_a_thousand_small_episodes_are_as_exact_as_a_large_one():
    chance = random.Random(1)
    values = [chance.gauss(0, 1) * 10 ** chance.uniform(-3, 3) for _ in range(5000)]
    merged = functools.reduce(
        Distribution.merged, [Distribution.of(values[at : at + 5]) for at in range(0, 5000, 5)]
    )
    assert as_tuple(merged) == as_tuple(Distribution.of(values))


def test_counts_of_levels_are_those_of_the_values():
    values = np.random.default_rng(2).integers(3, 200, 1000)
    of_counts = Distribution.of_counts(np.bincount(values, minlength=256))
    of_values = Distribution.of(values)
    assert of_counts.counts.sum() == 1000
    for one in (of_counts, of_counts.merged(of_values), of_values.merged(of_counts)):
        quantiles = [one.quantile(fraction) for fraction in FRACTIONS]
        assert quantiles == [exact_quantile(values, fraction) for fraction in FRACTIONS]
