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
"""Pictures of the compressedDepth transport."""

from __future__ import annotations

from depth_pictures import inverse_levels, png, rvl
from lerobot_streamrec.errors import UndecodableError
from lerobot_streamrec.frame import CompressedDepth, METRES, MILLIMETRES
from lerobot_streamrec.video.encode.decoders import DepthDecoder
import numpy as np
import pytest

HEIGHT, WIDTH = 21, 33
A, B = 100.0 * 101.0, 1.0 - 100.0 * 101.0 / 10.0
WRITERS = {'png': png, 'rvl': rvl}


@pytest.fixture
def decoder():
    return DepthDecoder()


def picture(data, codec, unit=MILLIMETRES):
    inverse = (A, B) if unit == METRES else (0.0, 0.0)
    return CompressedDepth(memoryview(data), codec, unit, HEIGHT, WIDTH, inverse)


@pytest.mark.parametrize('codec', WRITERS)
def test_millimetres_come_back_exactly(decoder, codec):
    levels = np.random.default_rng(3).integers(0, 65536, (HEIGHT, WIDTH)).astype(np.uint16)
    levels[2:4] = 0
    for _ in range(2):
        frame = decoder.decode(picture(WRITERS[codec](levels), codec))
        assert (frame.unit, frame.values.dtype) == (MILLIMETRES, np.uint16)
        np.testing.assert_array_equal(frame.values, levels)
        levels = levels[::-1]


@pytest.mark.parametrize('codec', WRITERS)
def test_metres_are_the_inverse_of_the_levels(decoder, codec):
    metres = np.linspace(0.2, 9.9, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    metres[0, :3] = [np.nan, np.inf, 0]
    levels = inverse_levels(metres, A, B)
    frame = decoder.decode(picture(WRITERS[codec](levels), codec, METRES))
    assert (frame.unit, frame.values.dtype) == (METRES, np.float32)
    assert np.isnan(frame.values[0, :3]).all()
    # Half a level of the inverse.
    metres, shown = metres.ravel()[3:], frame.values.ravel()[3:]
    bound = 0.5 * metres**2 / (A - 0.5 * metres) * 1.01
    assert (np.abs(shown - metres) <= bound).all()


@pytest.mark.parametrize(
    ('data', 'said'),
    [
        (png(np.zeros((HEIGHT, WIDTH), np.uint8)), 'pixel format gray;'),
        (png(np.ones((HEIGHT, WIDTH), np.uint16))[:-30], 'png picture'),
        (b'no picture at all', 'png picture'),
    ],
)
def test_a_damaged_or_other_png_is_refused_and_the_next_one_read(decoder, data, said):
    with pytest.raises(UndecodableError, match=said):
        decoder.decode(picture(data, 'png'))
    levels = np.arange(HEIGHT * WIDTH, dtype=np.uint16).reshape(HEIGHT, WIDTH)
    np.testing.assert_array_equal(decoder.decode(picture(png(levels), 'png')).values, levels)


def test_a_png_of_another_size_than_its_message_said_is_refused(decoder):
    with pytest.raises(UndecodableError, match='but it holds 3x2'):
        decoder.decode(picture(png(np.ones((2, 3), np.uint16)), 'png'))
