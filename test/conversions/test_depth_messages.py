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
"""Depth messages as pictures: units, byte orders, gaps, and what is refused."""

from __future__ import annotations

import struct
from types import SimpleNamespace

from lerobot_streamrec.conversions.depth import compressed_depth, depth_frame
from lerobot_streamrec.errors import FrameShapeError, UndecodableError, UnsupportedEncodingError
from lerobot_streamrec.frame import METRES, MILLIMETRES
import numpy as np
import pytest

HEIGHT, WIDTH = 5, 7
HEADER = struct.pack('<iff', 0, 100.0, -1.0)
PNG = b'\x89PNG\r\n\x1a\n' + struct.pack('>I4sII', 13, b'IHDR', WIDTH, HEIGHT) + b'...'
RVL = struct.pack('<ii', WIDTH, HEIGHT) + b'....'


def image(encoding='16UC1', *, order='<', padding=0, **changes):
    """Make a message of sensor_msgs/Image whose pixels are 1000, 1001, ..."""
    kind = 'f4' if encoding == '32FC1' else 'u2'
    values = np.arange(1000, 1000 + HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(order + kind)
    rows = values.view(np.uint8).reshape(HEIGHT, -1)
    memory = np.full((HEIGHT, rows.shape[1] + padding), 77, np.uint8)
    memory[:, : rows.shape[1]] = rows
    message = {
        'height': HEIGHT,
        'width': WIDTH,
        'encoding': encoding,
        'is_bigendian': int(order == '>'),
        'step': memory.shape[1],
        'data': memory.reshape(-1),
        **changes,
    }
    return SimpleNamespace(**message)


def compressed(text, data=HEADER + PNG):
    return SimpleNamespace(format=text, data=data)


@pytest.mark.parametrize('padding', [0, 1, 12])
@pytest.mark.parametrize('order', ['<', '>'])
@pytest.mark.parametrize(
    ('encoding', 'unit'), [('16UC1', MILLIMETRES), ('mono16', MILLIMETRES), ('32FC1', METRES)]
)
def test_pixels_are_the_messages_own_in_its_unit(encoding, unit, order, padding):
    message = image(encoding, order=order, padding=padding)
    frame = depth_frame(message)
    assert (frame.unit, frame.height, frame.width) == (unit, HEIGHT, WIDTH)
    assert frame.size_bytes == HEIGHT * message.step
    assert np.shares_memory(frame.values, message.data)
    expected = np.arange(1000, 1000 + HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    np.testing.assert_array_equal(frame.values, expected)


@pytest.mark.parametrize('encoding', ['rgb8', 'mono8', '8UC1', '16UC3', '64FC1', ''])
def test_what_is_no_depth_is_refused_with_what_is(encoding):
    said = r'camera\.front\.depth is true.* supported are 16UC1, mono16, 32FC1'
    with pytest.raises(UnsupportedEncodingError, match=said):
        depth_frame(image(encoding), 'camera.front')


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        ({'height': 0}, 'both must be positive'),
        ({'step': 2 * WIDTH - 1}, 'a row needs 14 bytes'),
        ({'data': bytes(9)}, '9 bytes of data: 70 are needed'),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes, said):
    with pytest.raises(FrameShapeError, match=said):
        depth_frame(image(**changes))


@pytest.mark.parametrize(
    ('text', 'data', 'codec', 'unit'),
    [
        ('16UC1; compressedDepth', HEADER + PNG, 'png', MILLIMETRES),
        ('16UC1; compressedDepth png', HEADER + PNG, 'png', MILLIMETRES),
        ('16UC1;compressedDepth rvl', HEADER + RVL, 'rvl', MILLIMETRES),
        ('mono16; compressedDepth rvl', HEADER + RVL, 'rvl', MILLIMETRES),
        ('32FC1; compressedDepth png', HEADER + PNG, 'png', METRES),
        ('32FC1; compressedDepth rvl', HEADER + RVL, 'rvl', METRES),
    ],
)
def test_a_compressed_message_says_what_it_holds_without_being_decoded(text, data, codec, unit):
    picture = compressed_depth(compressed(text, data))
    assert (picture.codec, picture.unit) == (codec, unit)
    assert (picture.height, picture.width) == (HEIGHT, WIDTH)
    assert picture.inverse == ((100.0, -1.0) if unit == METRES else (0.0, 0.0))
    assert picture.size_bytes == len(picture.data) == {'png': len(PNG), 'rvl': 4}[codec]


@pytest.mark.parametrize(
    'text',
    [
        '',
        'jpeg',
        'rgb8; jpeg compressed bgr8',
        '16UC1; png compressed',
        'rgb8; compressedDepth',
        '16UC1; compressedDepth jpeg',
    ],
)
def test_other_transports_are_refused(text):
    with pytest.raises(UnsupportedEncodingError):
        compressed_depth(compressed(text))


@pytest.mark.parametrize(
    ('text', 'data', 'error', 'said'),
    [
        ('16UC1; compressedDepth', b'', UndecodableError, 'the picture is empty'),
            ('16UC1; compressedDepth', b'\0', UndecodableError, '1 bytes has no header'),
        ('16UC1; compressedDepth', HEADER, UndecodableError, 'lacks the PNG signature'),
        ('16UC1; compressedDepth', HEADER + RVL * 9, UndecodableError, 'lacks the PNG signature'),
        (
            '16UC1; compressedDepth rvl',
            HEADER + RVL[:7],
            UndecodableError,
            'too short to hold its size',
        ),
        (
            '16UC1; compressedDepth rvl',
            HEADER + struct.pack('<ii', -4, 4),
            FrameShapeError,
            '-4x4 pixels',
        ),
        (
            '16UC1; compressedDepth rvl',
            HEADER + struct.pack('<ii', 1 << 30, 1 << 30),
            FrameShapeError,
            'allowed are 1 to 33554432',
        ),
        (
            '32FC1; compressedDepth',
            struct.pack('<iff', 0, float('nan'), 1.0) + PNG,
            UndecodableError,
            'parameters nan and 1.0',
        ),
    ],
)
def test_headers_that_are_none_are_refused(text, data, error, said):
    with pytest.raises(error, match=said):
        compressed_depth(compressed(text, data))
