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
A compressed image message is told by its bytes, and its size read without decoding it.

Guards the callback against garbage: whatever comes, it is a picture or a MessageError, soon.
"""

from __future__ import annotations

from array import array
from types import SimpleNamespace

from hypothesis import example, given, settings
from hypothesis import strategies as st
from lerobot_streamrec.conversions.compressed_image import (
    access_unit,
    compressed_picture,
    JPEG_MAGIC,
    PNG_MAGIC,
)
from lerobot_streamrec.errors import (
    FrameShapeError,
    MessageError,
    UndecodableError,
    UnsupportedEncodingError,
)
import numpy as np
from picture_files import jpeg_file, png_file
import pytest

HEIGHT, WIDTH = 46, 70
RGB = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
JPEG, PNG = jpeg_file(RGB), png_file(RGB)
FORMATS = ('jpeg', 'jpg', 'png', '', 'bgr8; jpeg compressed bgr8', 'rgb8; png compressed ')


def message(data, text='jpeg'):
    return SimpleNamespace(format=text, data=array('B', data))


@pytest.mark.parametrize('text', FORMATS)
@pytest.mark.parametrize(('data', 'codec'), [(JPEG, 'mjpeg'), (PNG, 'png')], ids=['jpeg', 'png'])
def test_the_bytes_tell_what_it_is_whatever_the_text_says(data, codec, text):
    given_message = message(data, text)
    picture = compressed_picture(given_message)
    assert (picture.codec, picture.height, picture.width) == (codec, HEIGHT, WIDTH)
    assert picture.size_bytes == len(data)
    assert np.shares_memory(picture.data, np.frombuffer(given_message.data, np.uint8))


@pytest.mark.parametrize(
    'options',
    [
        {'progressive': True},
        {'mode': 'L'},
        {'mode': 'CMYK'},
        {'comment': b'c' * 60_000, 'exif': b'Exif\0\0' + JPEG[:5000]},
        {'icc_profile': b'p' * 100_000, 'restart_marker_blocks': 1},
    ],
    ids=lambda options: next(iter(options.items()))[0],
)
def test_headers_of_every_kind_tell_the_size(options):
    picture = compressed_picture(message(jpeg_file(RGB, **options)))
    assert (picture.height, picture.width) == (HEIGHT, WIDTH)


def test_markers_may_be_filled_up_and_stand_alone():
    data = JPEG_MAGIC[:2] + b'\xff\x01' + b'\xff' * 9 + JPEG[3:]
    assert compressed_picture(message(data)).width == WIDTH


@pytest.mark.parametrize('data', [b'\xff\xd8', b'GIF89a', b'\0' * 100, PNG[1:], b'RIFF'])
def test_what_is_neither_is_refused_by_its_text(data):
    supported = 'supported are jpeg, png, h264, h265, av1'
    with pytest.raises(UnsupportedEncodingError, match=f"'webp' is not supported; {supported}"):
        compressed_picture(message(data, 'webp'))


@pytest.mark.parametrize('text', ['jpeg', 'bgr8; jpeg compressed bgr8', 'png', 'h264', 'webp', ''])
def test_a_picture_without_data_is_called_empty(text):
    with pytest.raises(UndecodableError, match='the picture is empty: its format is ') as caught:
        access_unit(message(b'', text)) or compressed_picture(message(b'', text))
    assert 'supported' not in str(caught.value)


@pytest.mark.parametrize('text', ['jpeg', 'JPG', 'bgr8; jpeg compressed bgr8', 'png'])
def test_data_that_are_not_what_their_format_says_are_told_so(text):
    with pytest.raises(UndecodableError, match='begins with 47 49 46 38 39 61 and is neither'):
        compressed_picture(message(b'GIF89a', text))


@pytest.mark.parametrize('text', ['16UC1; png compressed ', '32FC1; png compressed'])
def test_depth_is_refused_with_what_to_set(text):
    with pytest.raises(UnsupportedEncodingError, match=r'set camera\.top\.depth: true'):
        compressed_picture(message(PNG, text), 'camera.top')


def frame_header(sof=0xC0, bits=8, height=4, width=6):
    size = height.to_bytes(2, 'big') + width.to_bytes(2, 'big')
    return b'\xff\xd8\xff' + bytes([sof, 0, 17, bits]) + size + bytes(10)


@pytest.mark.parametrize(
    ('data', 'why'),
    [
        (frame_header(bits=12), '12 bits per sample'),
        (frame_header(sof=0xC3), 'SOF3'),
        (frame_header(sof=0xC9), 'SOF9'),
        (frame_header()[:9], 'ends in its header'),
        (b'\xff\xd8\xff\xda' + frame_header()[2:], 'no header'),
        (b'\xff\xd8\xff\xe0\x00\x04ab12', 'no marker, at byte 8'),
        (b'\xff\xd8' + b'\xff\xe0\x00\x00' * 10_000, 'no header'),
        (b'\xff' * 10_000, None),
        (b'\xff\xd8' + b'\xff' * 10_000, 'no header'),
        (PNG_MAGIC, 'IHDR'),
        (PNG_MAGIC + b'\0\0\0\rIDAT' + bytes(100), 'IHDR'),
    ],
    ids=range(11),
)
def test_headers_that_cannot_be_used_are_refused(data, why):
    with pytest.raises(UndecodableError, match=why or 'neither JPEG nor PNG'):
        compressed_picture(message(data))


@pytest.mark.parametrize(
    'data',
    [
        frame_header(height=0),
        frame_header(width=0),
        PNG_MAGIC + b'\0\0\0\rIHDR' + bytes(100),
    ],
)
def test_empty_pictures_are_refused(data):
    with pytest.raises(FrameShapeError, match='must be positive'):
        compressed_picture(message(data))


@pytest.mark.parametrize('data', [JPEG[:700], PNG[:60]], ids=['jpeg', 'png'])
def test_a_header_that_is_cut_anywhere_is_no_index_error(data):
    for end in range(len(data)):
        try:
            picture = compressed_picture(message(data[:end]))
        except MessageError:
            continue
        assert (picture.height, picture.width) == (HEIGHT, WIDTH)


@settings(max_examples=300)
@given(st.sampled_from([b'', JPEG_MAGIC, PNG_MAGIC, JPEG[:150], PNG[:20]]), st.binary(max_size=64))
@example(JPEG_MAGIC, b'\xc0')
def test_garbage_is_a_picture_or_a_message_error(begin, rest):
    try:
        picture = compressed_picture(message(begin + rest))
    except MessageError:
        return
    assert picture.height > 0
    assert picture.width > 0
