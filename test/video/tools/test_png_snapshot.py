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
"""Stills show the colours that a dataset would, whatever the camera sends."""

from __future__ import annotations

import io

from lerobot_streamrec.conversions.compressed_image import access_unit
from lerobot_streamrec.errors import UndecodableError
from lerobot_streamrec.frame import (
    CompressedDepth,
    CompressedPicture,
    DepthFrame,
    Frame,
    METRES,
    MILLIMETRES,
)
from lerobot_streamrec.video.encode.copying_encoder import PacketStream
from lerobot_streamrec.video.tools.extract import png_file
import numpy as np
from packets import encode_packets
from picture_files import jpeg_file
from picture_files import png_file as made_png
from PIL import Image
import pytest

RGB = np.zeros((48, 64, 3), np.uint8)
RGB[:, :32] = (200, 30, 40)
RGB[:, 32:] = (20, 60, 210)


def opened(picture):
    return np.asarray(Image.open(io.BytesIO(png_file(picture))))


def compressed(data, codec):
    return CompressedPicture(np.frombuffer(data, np.uint8), codec, 48, 64)


@pytest.mark.parametrize(
    ('picture', 'tolerance'),
    [
        (Frame(RGB, 'rgb24'), 0),
        (Frame(RGB[..., ::-1], 'bgr24'), 0),
        # Rows with a stride of their own, as padded messages have.
        (Frame(np.pad(RGB, ((0, 0), (0, 8), (0, 0)))[:, :64], 'rgb24'), 0),
        (compressed(made_png(RGB), 'png'), 0),
        (compressed(jpeg_file(RGB, subsampling=0), 'mjpeg'), 6),
    ],
    ids=['rgb', 'bgr', 'padded', 'png', 'jpeg'],
)
def test_colours_are_those_of_the_camera(picture, tolerance):
    shown = opened(picture)
    assert shown.shape == RGB.shape
    assert np.abs(shown.astype(int) - RGB)[:, 4:28].max() <= tolerance
    assert np.abs(shown.astype(int) - RGB)[:, 36:60].max() <= tolerance


def test_gray_is_gray():
    gray = np.arange(48 * 64, dtype=np.uint32).reshape(48, 64).astype(np.uint8)
    np.testing.assert_array_equal(opened(Frame(gray, 'gray')), np.dstack([gray] * 3))


@pytest.mark.parametrize(
    ('kind', 'unit', 'factor'), [(np.uint16, MILLIMETRES, 1), (np.float32, METRES, 0.001)]
)
def test_depth_is_brighter_the_farther_it_is(kind, unit, factor):
    depth = np.array([[0, 500, 1500], [2500, 500, 0]]) * factor
    shown = opened(DepthFrame(depth.astype(kind), unit))
    near, half, far = 40, 149, 255
    np.testing.assert_array_equal(shown, [[0, near, half], [far, near, 0]])


def test_depth_without_any_depth_is_black():
    for nothing in (np.full((4, 4), np.nan, np.float32), np.full((4, 4), np.inf, np.float32)):
        assert not opened(DepthFrame(nothing, METRES)).any()


def test_compressed_depth_is_decoded():
    levels = np.array([[0, 500], [1500, 2500]], np.uint16)
    file = io.BytesIO()
    Image.fromarray(levels).save(file, 'PNG')
    picture = CompressedDepth(memoryview(file.getvalue()), 'png', MILLIMETRES, 2, 2)
    np.testing.assert_array_equal(opened(picture), [[0, 40], [148, 255]])


@pytest.mark.parametrize('codec', ['h264', 'hevc', 'av1'])
def test_a_packet_is_decoded_with_those_it_leans_on(codec):
    stream = PacketStream()
    messages = encode_packets([RGB[:, ::-1]] * 2 + [RGB], codec)
    *_, last = (stream.push(access_unit(message)) for message in messages)
    assert not last.is_key
    shown = opened(last).astype(int)
    assert np.abs(shown - RGB)[8:40, 8:24].max() <= 12
    assert np.abs(shown - RGB)[8:40, 40:56].max() <= 12


def test_a_picture_that_is_not_whole_is_refused():
    with pytest.raises(UndecodableError):
        png_file(compressed(jpeg_file(RGB)[:-40], 'mjpeg'))
