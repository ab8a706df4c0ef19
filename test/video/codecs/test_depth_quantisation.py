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
"""Codes of depth: those of the formula, over the whole range, whatever a pixel holds."""

from __future__ import annotations

import math

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.frame import DepthFrame, METRES, MILLIMETRES
from lerobot_streamrec.video.codecs.depth_config import (
    DEPTH_ENCODER,
    depth_of_codes,
    DepthConfig,
    DepthQuantiser,
    stored_depth,
)
import numpy as np
import pytest

CONFIGS = [
    DepthConfig(),
    DepthConfig(use_log=False),
    DepthConfig(0.2, 3.0, 0.0),
    DepthConfig(0.1, 65.0, -0.05),
    DepthConfig(0.0, 1.5, 0.5),
]
MM = np.arange(65536, dtype=np.uint16).reshape(256, 256)


def exact(depth_m, config):
    """Compute where depth stands between the first code and the last, in double precision."""
    depth_m = np.clip(np.asarray(depth_m, np.float64), config.depth_min, config.depth_max)
    low, high = config.depth_min, config.depth_max
    if config.use_log:
        depth_m, low, high = (np.log(one + config.shift) for one in (depth_m, low, high))
    return 4095 * (depth_m - low) / (high - low)


def step_m(depth_m, config):
    """Return how far apart two codes are at some depth."""
    if not config.use_log:
        return (config.depth_max - config.depth_min) / 4095
    ratio = (config.depth_max + config.shift) / (config.depth_min + config.shift)
    return (depth_m + config.shift) * math.log(ratio) / 4095


def quantised(values, unit, config):
    return DepthQuantiser(config, unit).codes(DepthFrame(values, unit))


@pytest.mark.parametrize('config', CONFIGS)
@pytest.mark.parametrize('order', ['<', '>'])
def test_every_millimetre_has_its_code(config, order):
    codes = quantised(MM.astype(f'{order}u2'), MILLIMETRES, config)
    assert (codes.dtype, codes.shape) == (np.uint16, MM.shape)
    # Single precision moves what stands in the middle between two codes, and nothing else.
    assert np.abs(codes - exact(MM / 1000, config)).max() < 0.5 + 2e-3
    assert (np.diff(codes.ravel().astype(int)) >= 0).all()


@pytest.mark.parametrize('config', CONFIGS)
@pytest.mark.parametrize('order', ['<', '>'])
def test_every_metre_has_its_code(config, order):
    metres = np.linspace(0, 1.2 * config.depth_max, 500_000).reshape(500, 1000)
    metres = metres.astype(f'{order}f4')
    before = metres.copy()
    codes = quantised(metres, METRES, config)
    assert np.abs(codes - exact(metres, config)).max() < 0.5 + 2e-3
    np.testing.assert_array_equal(metres, before)


@pytest.mark.parametrize('config', CONFIGS)
def test_depth_comes_back_within_half_a_step(config):
    low, high = math.ceil(1000 * config.depth_min), math.floor(1000 * config.depth_max)
    inside = np.arange(low, high + 1, dtype=np.uint16)[None]
    depth_m = inside.astype(np.float64) / 1000
    bound_m = 0.5 * step_m(depth_m, config) * 1.02 + 1e-5
    for unit, values, factor in ((MILLIMETRES, inside, 1000), (METRES, depth_m, 1)):
        kind = np.uint16 if unit == MILLIMETRES else np.float32
        codes = quantised(values.astype(kind), unit, config)
        shown = depth_of_codes(config, unit)[codes].astype(np.float64)
        rounding = 0.5 if unit == MILLIMETRES else 0
        assert (np.abs(shown - factor * depth_m) <= factor * bound_m + rounding).all(), unit


def test_the_defaults_have_the_codes_and_errors_that_the_format_speaks_of():
    codes = quantised(MM, MILLIMETRES, DepthConfig()).ravel()
    assert codes[[0, 1, 10, 500, 10_000, 65_535]].tolist() == [0, 0, 0, 397, 4095, 4095]
    shown = depth_of_codes(DepthConfig(), MILLIMETRES)
    assert shown[[0, 4095]].tolist() == [10, 10_000]
    assert np.abs(shown[codes[10:10_001]] - np.arange(10, 10_001)).max() == 2


@pytest.mark.parametrize('config', CONFIGS)
def test_what_is_no_depth_has_the_first_code_and_what_is_too_far_the_last(config):
    nothing = np.array([[0, -0.0, -1e-30, -5, np.nan, -np.nan, -np.inf, -3e38]], np.float32)
    assert not quantised(nothing, METRES, config).any()
    far = np.array([[config.depth_max * 1.001, 1e4, 3e38, np.inf]], np.float32)
    assert (quantised(far, METRES, config) == 4095).all()


def test_rows_with_gaps_between_them_are_read_right():
    memory = np.full((4, 9), 60_000, np.uint16)
    memory[:, :5] = np.arange(1000, 1020).reshape(4, 5)
    view = memory[:, :5]
    codes = quantised(view, MILLIMETRES, DepthConfig())
    np.testing.assert_array_equal(codes, quantised(view.copy(), MILLIMETRES, DepthConfig()))


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        ({'depth_min': -0.1}, 'depth_min is -0.1: depth cannot be negative'),
        ({'depth_min': math.nan}, 'a finite number'),
        ({'depth_max': math.inf}, 'depth_max is inf: a finite number'),
        ({'depth_max': 0.01}, 'must be above depth_min'),
        ({'shift': -0.01}, 'set use_log to false'),
    ],
)
def test_parameters_without_meaning_are_refused(changes, said):
    with pytest.raises(ConfigError, match=said):
        DepthConfig(**changes)


def test_without_a_logarithm_the_shift_may_be_anything():
    assert DepthConfig(shift=-4.0, use_log=False).shift == -4.0


@pytest.mark.parametrize('config', CONFIGS)
@pytest.mark.parametrize('unit', [MILLIMETRES, METRES, ''])
def test_what_is_stored_is_read_back(config, unit):
    info = {**DEPTH_ENCODER.as_info(), **config.as_info(), 'depth_unit': unit}
    stored = stored_depth(info)
    assert (stored.config, stored.unit) == (config, unit)


@pytest.mark.parametrize(
    ('info', 'expected'),
    [
        ({}, None),
        ({'is_depth_map': False, 'video.depth_min': 0.01}, None),
        ({'is_depth_map': True, 'video.depth_min': 'near'}, None),
        ({'is_depth_map': True, 'video.depth_min': 20}, None),
        ({'is_depth_map': True}, DepthConfig()),
        ({'video.is_depth_map': True, 'video.depth_max': 5}, DepthConfig(depth_max=5.0)),
    ],
)
def test_what_others_stored_is_read_as_lerobot_does(info, expected):
    stored = stored_depth(info)
    assert (stored and stored.config) == expected
