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
"""Depth cameras through the recorder: rows, codes, statistics, and what must not be mixed."""

from __future__ import annotations

from dataclasses import replace
import math

from depth_pictures import inverse_levels, png, rvl
from lerobot_streamrec.dataset.check.check import check_dataset
from lerobot_streamrec.errors import (
    DatasetMismatchError,
    EpisodeError,
    StreamsNotReadyError,
)
from lerobot_streamrec.frame import CompressedDepth, DepthFrame
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.video.codecs.depth_config import DepthConfig
import numpy as np
import pytest

FRONT, STATE = 'observation.images.front', 'observation.state'
DEPTH = 'observation.images.front_depth'
BLOCK, HEIGHT, WIDTH = 16, 48, 64
NEAR_MM, FAR_MM = 100, 9000
A, B = 100.0 * 101.0, 1.0 - 100.0 * 101.0 / 10.0
DEFAULTS = DepthConfig()
STREAMS = (
    StreamConfig(FRONT, '/front/image_raw'),
    StreamConfig(DEPTH, '/front/depth', depth=DEFAULTS),
    StreamConfig(STATE, '/joint_states', names=('number', 'twice')),
)


def millimetres(number):
    """Draw a number below 4096 in near and far blocks, with a hole at the edge."""
    bits = np.array([(number >> bit) & 1 for bit in range(12)]).reshape(3, 4)
    values = np.kron(np.where(bits, FAR_MM, NEAR_MM), np.ones((BLOCK, BLOCK), int))
    values[:, 0] = 0
    return values.astype(np.uint16)


def metres(number):
    """Draw the same in metres, with other words for the hole."""
    values = (millimetres(number) / 1000).astype(np.float32)
    values[:24, 0], values[24:32, 0], values[32:, 0] = np.nan, -np.inf, np.inf
    return values


def compressed(codec, write, unit):
    def draw(number):
        levels = millimetres(number)
        if unit == 'm':
            levels = inverse_levels(metres(number).astype(np.float64), A, B)
        return CompressedDepth(memoryview(write(levels)), codec, unit, HEIGHT, WIDTH, (A, B))

    return draw


DRAWN = {
    '16UC1': lambda number: DepthFrame(millimetres(number), 'mm'),
    '16UC1 big endian': lambda number: DepthFrame(millimetres(number).astype('>u2'), 'mm'),
    '32FC1': lambda number: DepthFrame(metres(number), 'm'),
    'png': compressed('png', png, 'mm'),
    'rvl': compressed('rvl', rvl, 'mm'),
    'png of metres': compressed('png', png, 'm'),
}


@pytest.fixture
def make_depth_rig(make_rig):
    """Start a recorder of a colour and a depth camera of one device, and a state."""

    def make(draw=DRAWN['16UC1'], *, depth=DEFAULTS, **changes):
        streams = tuple(replace(one, depth=depth) if one.key == DEPTH else one for one in STREAMS)
        rig = make_rig(streams, **changes)
        rig.draw[DEPTH] = draw
        rig.run(1)
        return rig

    return make


def code(depth_m, config):
    """Compute a code in double precision, by the formula alone."""
    low, high, shift = config.depth_min, config.depth_max, config.shift
    if config.use_log:
        low, high, depth_m = (math.log(one + shift) for one in (low, high, depth_m))
    part = (depth_m - low) / (high - low)
    return min(4095, max(0, round(4095 * part)))


@pytest.mark.parametrize('kind', DRAWN)
def test_colour_and_depth_of_one_device_stand_on_the_same_rows(
    make_depth_rig, read_dataset, root, kind
):
    rig = make_depth_rig(DRAWN[kind])
    for _ in range(2):
        rig.record(1)
    assert rig.recorder.close(30)
    dataset = read_dataset(root)
    for index in range(2):
        rig.check(dataset, index)
        assert rig.shown(dataset, index, DEPTH) == rig.shown(dataset, index, FRONT)
    unit = 'm' if 'FC1' in kind or 'metres' in kind else 'mm'
    spec = dataset.info['features'][DEPTH]
    assert spec['shape'] == [HEIGHT, WIDTH, 1]
    assert spec['names'] == ['height', 'width', 'channels']
    assert spec['info'] == {
        'video.height': HEIGHT,
        'video.width': WIDTH,
        'video.codec': 'hevc',
        'video.pix_fmt': 'gray12le',
        'video.fps': 10,
        'video.channels': 1,
        'is_depth_map': True,
        'has_audio': False,
        'video.g': 2,
        'video.crf': 30,
        'video.preset': 'ultrafast',
        'video.fast_decode': 0,
        'video.video_backend': 'pyav',
        'video.extra_options': {'x265-params': 'lossless=1'},
        'video.depth_min': 0.01,
        'video.depth_max': 10.0,
        'video.shift': 3.5,
        'video.use_log': True,
        'depth_unit': unit,
    }
    assert not check_dataset(root).findings


@pytest.mark.parametrize('config', [DEFAULTS, DepthConfig(use_log=False)])
@pytest.mark.parametrize('kind', ['16UC1', '32FC1'])
def test_codes_are_those_of_the_formula_and_nothing_is_lost_on_the_way(
    make_depth_rig, read_dataset, kind, config, root
):
    rig = make_depth_rig(DRAWN[kind], depth=config)
    rig.record(1)
    dataset = read_dataset(root)
    too_far = 4095 if kind == '32FC1' else 0
    for number, shown in zip(
        rig.shown(dataset, 0, DEPTH), dataset.pictures(DEPTH, 0), strict=True
    ):
        expected = millimetres(number) / 1000
        codes = np.vectorize(lambda depth: code(depth, config))(expected)
        codes[32:, 0] = too_far
        np.testing.assert_array_equal(shown, codes)


def test_statistics_are_of_the_depth_before_it_is_quantised(make_depth_rig, read_dataset, root):
    rig = make_depth_rig(DRAWN['32FC1'])
    rig.record(1)
    dataset = read_dataset(root)
    shown = np.stack([metres(number) for number in rig.shown(dataset, 0, DEPTH)]).astype(float)
    shown[np.isposinf(shown)] = 10.0
    shown[~(shown > 0)] = 0.0
    stats = dataset.stats[DEPTH]
    assert stats['count'] == [len(shown)]
    for name in ('min', 'max', 'mean', 'std'):
        assert np.ravel(stats[name]) == pytest.approx(getattr(shown, name)(), rel=1e-9), name
    for name, fraction in (('q01', 0.01), ('q50', 0.5), ('q99', 0.99)):
        expected = np.quantile(shown, fraction, method='inverted_cdf')
        assert np.ravel(stats[name]) == pytest.approx(expected, abs=10 / 4096), name


@pytest.mark.parametrize(
    ('depth', 'kind', 'said'),
    [
        (DepthConfig(depth_max=4.0), '16UC1', 'video.depth_max 10.0 in the dataset, 4.0 now'),
        (DepthConfig(use_log=False), '16UC1', 'video.use_log True in the dataset, False now'),
        (None, '16UC1', 'is_depth_map True in the dataset, False now'),
    ],
)
def test_codes_of_another_meaning_are_not_appended(make_depth_rig, root, depth, kind, said):
    rig = make_depth_rig()
    rig.record(1)
    assert rig.recorder.close(30)
    with pytest.raises(DatasetMismatchError, match=said):
        make_depth_rig(DRAWN[kind], depth=depth, resume=True)


def test_another_unit_is_not_appended(make_depth_rig, read_dataset, root):
    rig = make_depth_rig()
    rig.record(1)
    assert rig.recorder.close(30)
    rig = make_depth_rig(DRAWN['32FC1'], resume=True)
    with pytest.raises(DatasetMismatchError, match='depth_unit mm in the dataset, m now'):
        rig.recorder.start()
    rig.draw[DEPTH] = DRAWN['rvl']
    rig.run(1)
    rig.record(1)
    read_dataset(root)


def test_colours_in_the_dataset_are_not_mixed_with_depth(make_depth_rig, make_rig, root):
    rig = make_rig(tuple(replace(one, depth=None) for one in STREAMS))
    rig.run(1)
    rig.record(1)
    assert rig.recorder.close(30)
    with pytest.raises(DatasetMismatchError, match='is_depth_map False in the dataset, True now'):
        make_depth_rig(resume=True)


def test_a_unit_that_changes_fails_the_episode(make_depth_rig):
    rig = make_depth_rig()
    rig.recorder.start()
    rig.run(1)
    rig.draw[DEPTH] = DRAWN['32FC1']
    rig.run(1)
    with pytest.raises(EpisodeError, match="changed from depth in 'mm' to 'm' after 9 rows"):
        rig.save()


def test_pictures_of_the_other_kind_keep_an_episode_from_starting(make_depth_rig):
    rig = make_depth_rig()
    del rig.draw[DEPTH]
    rig.run(1)
    with pytest.raises(StreamsNotReadyError, match='sends colours but is a depth camera'):
        rig.recorder.start()


def test_a_damaged_picture_is_replaced_by_the_one_before(make_depth_rig, read_dataset, root):
    rig = make_depth_rig(DRAWN['rvl'])
    rig.recorder.start()
    rig.run(0.5)
    rig.draw[DEPTH] = lambda number: replace(DRAWN['rvl'](number), data=memoryview(b'garbage!'))
    rig.run(0.2)
    rig.draw[DEPTH] = DRAWN['rvl']
    rig.run(0.3)
    rig.save()
    dataset = read_dataset(root)
    colours, depths = (rig.shown(dataset, 0, key) for key in (FRONT, DEPTH))
    wrong = [row for row in range(len(colours)) if colours[row] != depths[row]]
    assert len(wrong) == 2
    assert [depths[row] for row in wrong] == 2 * [colours[wrong[0] - 1]]


@pytest.mark.parametrize('mode', ['streaming', 'deferred'])
@pytest.mark.parametrize('kind', ['png', 'rvl'])
def test_depth_that_does_not_decode_is_refused_and_one_damaged_picture_is_not(
    kind, mode, make_depth_rig, read_dataset, root
):
    def damaged(number):
        return replace(DRAWN[kind](number), data=memoryview(b'\x89PNG garbage'))

    rig = make_depth_rig(damaged, encode=mode)
    with pytest.raises(StreamsNotReadyError, match='sends pictures, but none of them decodes'):
        rig.recorder.start()
    rig.draw[DEPTH] = DRAWN[kind]
    rig.run(0.1)
    # The next one, which row 0 should show, is damaged again.
    first = len(rig.sent[DEPTH])
    rig.draw[DEPTH] = lambda number: (damaged if number == first else DRAWN[kind])(number)
    rig.recorder.start()
    rig.run(1)
    rig.save()
    rig.recorder.finalize().result(30)
    dataset = read_dataset(root)
    colours, depths = (rig.shown(dataset, 0, key) for key in (FRONT, DEPTH))
    assert depths == [first - 1 if number == first else number for number in colours]
    assert depths[0] == first - 1



def test_undone_to_nothing_a_dataset_takes_what_comes_next(make_depth_rig, read_dataset, root):
    rig = make_depth_rig()
    rig.record(1)
    rig.recorder.undo().result(30)
    assert not (root / 'meta/info.json').exists()
    rig.draw[DEPTH] = DRAWN['32FC1']
    rig.run(1)
    rig.record(1)
    assert read_dataset(root).info['features'][DEPTH]['info']['depth_unit'] == 'm'
