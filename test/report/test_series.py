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
"""Series in the page keep their extremes and their values, in 16 bits."""

from __future__ import annotations

import base64
from itertools import pairwise

from lerobot_streamrec.report.series import decimated, MAX_POINTS, packed
import numpy as np
import pytest


def unpacked(content, num_elements):
    """Read what ``packed`` wrote, as the page does."""
    levels = np.frombuffer(base64.b64decode(content['data']), '<u2').reshape(num_elements, -1).T
    low, high = np.array(content['low']), np.array(content['high'])
    return np.where(levels == 65535, np.nan, low + levels / 65534 * (high - low))


def test_short_series_stay_as_they_are():
    values = np.arange(2.0 * MAX_POINTS).reshape(MAX_POINTS, 2)
    assert decimated(values) is values


@pytest.mark.parametrize('num_rows', [MAX_POINTS + 1, 1234, 100_000])
def test_long_series_keep_every_extreme(num_rows):
    values = np.random.default_rng(num_rows).normal(size=(num_rows, 3))
    spike = num_rows // 3
    values[spike, 1] = 99.0
    points = decimated(values)
    assert points.shape == (MAX_POINTS, 3)
    bounds = np.arange(MAX_POINTS // 2 + 1) * num_rows // (MAX_POINTS // 2)
    for number, (first, end) in enumerate(pairwise(bounds)):
        pair = points[2 * number : 2 * number + 2]
        assert (pair.min(axis=0) == values[first:end].min(axis=0)).all()
        assert (pair.max(axis=0) == values[first:end].max(axis=0)).all()
    assert 99.0 in points[:, 1]


def test_extremes_keep_their_order():
    rising = np.linspace(0, 1, 5000)[:, None]
    assert (np.diff(decimated(rising)[:, 0]) >= 0).all()
    assert (np.diff(decimated(-rising)[:, 0]) <= 0).all()


def test_packed_values_are_right_to_16_bits():
    values = np.random.default_rng(0).normal(size=(500, 4)) * [1e-3, 1, 180, 0] + [0, 5, 0, 7]
    values[3, 1], values[9, 2] = np.nan, np.inf
    read = unpacked(packed(values), 4)
    gaps = ~np.isfinite(values)
    assert (np.isnan(read) == gaps).all()
    steps = (np.nanmax(read, axis=0) - np.nanmin(read, axis=0)) / 65534 + 1e-12
    assert (np.abs(np.where(gaps, 0, read - values)) <= steps).all()


def test_an_element_without_values_is_all_gaps():
    values = np.full((5, 2), np.nan)
    values[:, 0] = 3.0
    read = unpacked(packed(values), 2)
    assert (read[:, 0] == 3.0).all()
    assert np.isnan(read[:, 1]).all()
