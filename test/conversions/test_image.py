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
from lerobot_streamrec.video.pixels import PIX_FMTS
import numpy as np
import pytest

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


def test_all_encodings_are_known_to_the_encoders():
    assert set(ENCODINGS) == set(PIX_FMT)
    assert set(PIX_FMT.values()) <= set(PIX_FMTS)


@pytest.mark.parametrize('padding', [0, 13])
@pytest.mark.parametrize('encoding', PIX_FMT)
def test_pixels_are_not_copied(encoding, padding, make_message):
    message = make_message(encoding, padding)
    frame = image_frame(message)
    assert np.shares_memory(frame.pixels, np.frombuffer(message.data, np.uint8))


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


@pytest.mark.parametrize('encoding', ['', 'RGB8', 'rgb16', '16UC1', '32FC1', 'yuv422', 'jpeg'])
def test_unknown_encodings_are_refused_by_name(encoding, make_message):
    with pytest.raises(UnsupportedEncodingError) as caught:
        image_frame(make_message(encoding))
    assert isinstance(caught.value, MessageError)
    assert caught.value.encoding == encoding
    assert repr(encoding) in str(caught.value)
    assert all(known in str(caught.value) for known in ENCODINGS)
