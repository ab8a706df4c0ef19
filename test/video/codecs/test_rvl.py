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
"""The run-length code of depth: every kind of picture, and damage of every kind."""

from __future__ import annotations

from depth_pictures import rvl
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as of_numpy
from lerobot_streamrec.errors import UndecodableError
from lerobot_streamrec.video.codecs.rvl import decode_rvl
import numpy as np
import pytest

PICTURES = of_numpy.arrays(
    np.uint16,
    of_numpy.array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.one_of(st.just(0), st.integers(0, 65535), st.integers(990, 1010)),
)


def decode(data, height, width):
    return decode_rvl(memoryview(data), height, width)


@given(PICTURES)
def test_every_picture_comes_back(levels):
    np.testing.assert_array_equal(decode(rvl(levels), *levels.shape), levels)


@pytest.mark.parametrize('level', [0, 1, 65535])
def test_a_picture_of_one_level_comes_back(level):
    levels = np.full((480, 640), level, np.uint16)
    np.testing.assert_array_equal(decode(rvl(levels), 480, 640), levels)


def test_words_are_laid_out_as_the_paper_says():
    # No zeros, two values 3 and 1: numbers 0, 2, 6 and 3, then nothing.
    data = 0x02630000.to_bytes(4, 'little')
    np.testing.assert_array_equal(decode(data, 1, 2), [[3, 1]])


def test_what_stands_behind_the_last_pixel_is_nobodys():
    levels = np.array([[0, 5, 6], [0, 0, 7]], np.uint16)
    data = rvl(levels) + b'\1\2\3\4\5'
    np.testing.assert_array_equal(decode(data, 2, 3), levels)


@pytest.mark.parametrize(
    ('data', 'said'),
    [
        (b'', 'holds no number'),
        (b'\x30\x20\x10', 'holds no number'),
        (b'\xff' * 8, 'holds no number'),
        (b'\xff' * 8 + b'\0' * 4, 'without end'),
        (bytes(8), 'an empty run'),
        (0x70000000.to_bytes(4, 'little'), 'beyond its end'),
        (0x06111111.to_bytes(4, 'little'), 'has levels that do not fit in 16 bits'),
    ],
)
def test_damage_is_named(data, said):
    with pytest.raises(UndecodableError, match=said):
        decode(data, 2, 3)


@given(st.binary(max_size=200), st.integers(1, 40), st.integers(1, 40))
def test_garbage_is_a_picture_or_refused(data, height, width):
    try:
        levels = decode(data, height, width)
    except UndecodableError:
        return
    assert levels.shape == (height, width)


@given(PICTURES, st.data())
def test_a_picture_that_was_cut_short_is_refused_or_shows_what_was_there(levels, drawn):
    data = rvl(levels)
    cut = data[: drawn.draw(st.integers(0, len(data) - 1))]
    try:
        decoded = decode(cut, *levels.shape)
    except UndecodableError:
        return
    # Only the nibbles that fill the last word may be missing.
    np.testing.assert_array_equal(decoded, levels)
