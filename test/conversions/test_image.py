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
An image message becomes a frame without a copy, or is refused with the reason.

Guards against cameras whose rows are padded, and against sizes that do not fit the data: looked
at in the wrong way, a picture is sheared, or shows memory that is not the picture's.
"""

from __future__ import annotations

from array import array
from types import SimpleNamespace

from lerobot_streamrec.conversions.image import ENCODINGS, image_frame
from lerobot_streamrec.errors import FrameShapeError, MessageError, UnsupportedEncodingError
import numpy as np
import pytest
import raw_images
from raw_images import image_message, MOSAICS, PACKED_YUV

PIX_FMT = {'rgb8': 'rgb24', 'bgr8': 'bgr24', 'mono8': 'gray', 'rgba8': 'rgba', 'bgra8': 'bgra'}
CHANNELS = {'rgb8': 3, 'bgr8': 3, 'mono8': 1, 'rgba8': 4, 'bgra8': 4}
HEIGHT, WIDTH = 5, 7


@pytest.fixture
def make_message():
    """Make what rclpy makes of a sensor_msgs/Image: its data are an array of bytes."""

    def make(encoding='rgb8', padding=0, **changes):
        step = WIDTH * CHANNELS.get(encoding, 3) + padding
        fields = {
            'height': HEIGHT,
            'width': WIDTH,
            'encoding': encoding,
            'is_bigendian': 0,
            'step': step,
            'data': array('B', (k % 251 for k in range(step * HEIGHT))),
        }
        return SimpleNamespace(**{**fields, **changes})

    return make


@pytest.fixture
def drawn():
    """Draw a picture in which no two pixels are alike."""
    return np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)


def expected_pixels(message):
    channels = CHANNELS[message.encoding]
    pixels = [
        [
            [message.data[row * message.step + column * channels + c] for c in range(channels)]
            for column in range(WIDTH)
        ]
        for row in range(HEIGHT)
    ]
    return np.array(pixels, np.uint8).squeeze()


@pytest.mark.parametrize('padding', [0, 1, 13])
@pytest.mark.parametrize('encoding', PIX_FMT)
def test_every_pixel_is_where_it_belongs(encoding, padding, make_message):
    message = make_message(encoding, padding)
    frame = image_frame(message)
    assert frame.pix_fmt == PIX_FMT[encoding]
    assert (frame.height, frame.width) == (HEIGHT, WIDTH)
    assert frame.size_bytes == len(message.data)
    np.testing.assert_array_equal(frame.pixels, expected_pixels(message))


@pytest.mark.parametrize('padding', [0, 13])
@pytest.mark.parametrize('encoding', ENCODINGS)
def test_nothing_is_copied(encoding, padding, drawn):
    message = image_message(drawn, encoding, padding)
    data = np.frombuffer(message.data, np.uint8)
    frame = image_frame(message)
    assert (frame.height, frame.width) == drawn.shape[:2]
    assert frame.size_bytes == len(message.data)
    assert np.shares_memory(frame.pixels, data)
    is_semi_planar = encoding in raw_images.SEMI_PLANAR
    assert (frame.chroma is not None) == is_semi_planar
    if is_semi_planar:
        assert np.shares_memory(frame.chroma, data)


@pytest.mark.parametrize(
    ('encoding', 'is_bigendian', 'pix_fmt', 'value'),
    [
        ('mono16', 0, 'gray16le', 0x0201),
        ('mono16', 1, 'gray16be', 0x0102),
        ('rgb16', 0, 'rgb48le', 0x0201),
        ('bgra16', 1, 'bgra64be', 0x0102),
        ('bayer_rggb16', 1, 'bayer_rggb16be', 0x0102),
    ],
)
def test_two_bytes_are_read_in_the_order_of_the_message(encoding, is_bigendian, pix_fmt, value):
    channels = {'rgb48le': 3, 'bgra64be': 4}.get(pix_fmt, 1)
    data = bytes([1, 2]) * 2 * channels
    message = SimpleNamespace(
        height=1,
        width=2,
        encoding=encoding,
        is_bigendian=is_bigendian,
        step=len(data),
        data=data,
    )
    frame = image_frame(message)
    assert frame.pix_fmt == pix_fmt
    assert (frame.pixels == value).all()


def test_the_frame_outlives_the_message(make_message):
    message = make_message(data=bytes(range(WIDTH * 3)) * HEIGHT)
    expected = expected_pixels(message)
    frame = image_frame(message)
    del message
    np.testing.assert_array_equal(frame.pixels, expected)


@pytest.mark.parametrize('encoding', PIX_FMT)
def test_the_order_of_bytes_means_nothing_for_single_bytes(encoding, make_message):
    little, big = (make_message(encoding, is_bigendian=value) for value in (0, 1))
    np.testing.assert_array_equal(image_frame(little).pixels, image_frame(big).pixels)


@pytest.mark.parametrize(
    'changes',
    [
        {'height': 0},
        {'width': 0},
        {'height': 0, 'width': 0, 'step': 0, 'data': b''},
        {'data': b''},
        {'height': HEIGHT - 1},
        {'height': HEIGHT + 1},
        {'width': WIDTH + 1},
        {'step': WIDTH * 3 - 1},
        {'step': WIDTH * 3 + 1},
        {'step': 0},
        {'data': bytes(WIDTH * 3 * HEIGHT - 1)},
        {'data': bytes(WIDTH * 3 * HEIGHT + 1)},
    ],
    ids=lambda changes: ','.join(f'{key}={value}'[:16] for key, value in changes.items()),
)
def test_sizes_that_do_not_fit_are_refused(changes, make_message):
    message = make_message(**changes)
    with pytest.raises(FrameShapeError, match=f'{message.width}'):
        image_frame(message)


@pytest.mark.parametrize('encoding', [*PACKED_YUV, *MOSAICS])
def test_pixels_that_come_in_pairs_need_an_even_width(encoding, drawn):
    message = image_message(drawn, encoding)
    message.width -= 1
    with pytest.raises(FrameShapeError, match=f'{message.width}x.*{encoding}.*must be even'):
        image_frame(message)


@pytest.mark.parametrize('encoding', [*MOSAICS, *PACKED_YUV, *raw_images.SEMI_PLANAR])
def test_an_odd_height_is_taken(encoding, drawn):
    assert image_frame(image_message(drawn[1:], encoding)).height == len(drawn) - 1


@pytest.mark.parametrize('encoding', raw_images.SEMI_PLANAR)
def test_the_last_chroma_of_odd_sides_is_there(encoding, drawn):
    frame = image_frame(image_message(drawn[1:, 1:], encoding))
    shared = raw_images.SEMI_PLANAR[encoding]
    assert frame.pixels.shape == (5, 7)
    assert frame.chroma.shape == (-(-5 // shared), -(-7 // shared), 2)


@pytest.mark.parametrize('encoding', raw_images.SEMI_PLANAR)
@pytest.mark.parametrize(
    'change',
    [
        # Drivers that count the chroma as rows, or its bytes into the step.
        lambda message: {'height': len(message.data) // message.step},
        lambda message: {'step': len(message.data) // message.height},
        lambda message: {'step': message.step - 1},
        lambda message: {'data': message.data[:-1]},
        lambda message: {'data': message.data + bytes(message.step)},
    ],
    ids=['height', 'step', 'short_rows', 'short', 'long'],
)
def test_two_planes_that_do_not_fit_are_refused(encoding, change, drawn):
    message = image_message(drawn, encoding)
    for name, value in change(message).items():
        setattr(message, name, value)
    with pytest.raises(FrameShapeError, match=encoding):
        image_frame(message)


UNKNOWN = ['', 'RGB8', '8SC1', '8UC2', '32FC3', 'jpeg', 'nv16']


@pytest.mark.parametrize('encoding', UNKNOWN)
def test_unknown_encodings_are_refused_by_name(encoding, make_message):
    with pytest.raises(UnsupportedEncodingError) as caught:
        image_frame(make_message(encoding))
    assert isinstance(caught.value, MessageError)
    assert caught.value.encoding == encoding
    assert repr(encoding) in str(caught.value)
    assert all(known in str(caught.value) for known in ENCODINGS)


@pytest.mark.parametrize('encoding', ['16UC1', '32FC1'])
def test_depth_is_refused_with_what_to_set(encoding, make_message):
    with pytest.raises(UnsupportedEncodingError, match='is depth by REP 118') as caught:
        image_frame(make_message(encoding), 'camera.wrist')
    assert 'set camera.wrist.depth: true' in str(caught.value)
    assert 'mono16' in str(caught.value)
