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
"""The frame number must survive what a recorder does to pictures."""

from __future__ import annotations

import av
from examples.demo.drawing import (
    CameraView,
    MIN_HEIGHT,
    MIN_WIDTH,
    NUMBERS,
    read_frame_number,
    VIEWS,
    write_frame_number,
)
from examples.demo.motion import Motion
import numpy as np
import pytest

WIDTH, HEIGHT = 640, 480
# Neighbours that differ in many cells are the hardest for a codec that predicts from the past.
FRAME_NUMBERS = [0, NUMBERS - 1, 0x55555, 0xAAAAA, 1, 2**19, 123_456, 123_457, 0xF0F0F, 0x0F0F0]


def encode(path, codec, pictures):
    options = {'crf': '30', 'g': '2'}
    if codec == 'libsvtav1':
        options |= {'preset': '12', 'svtav1-params': 'lp=1'}
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, 'yuv420p'
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format='rgb24')))
        container.mux(stream.encode(None))


@pytest.mark.parametrize('codec', ['libx264', 'libsvtav1'])
def test_number_survives_lossy_compression(tmp_path, codec):
    if codec not in av.codecs_available:
        pytest.skip(f'this FFmpeg has no {codec}')
    view = CameraView('front', WIDTH, HEIGHT)
    pictures = []
    for k, number in enumerate(FRAME_NUMBERS):
        picture = np.empty((HEIGHT, WIDTH, 3), np.uint8)
        view.draw(picture, Motion().follower(k / 3), number)
        pictures.append(picture)
    encode(tmp_path / 'video.mp4', codec, pictures)

    with av.open(str(tmp_path / 'video.mp4')) as container:
        decoded = [frame.to_ndarray(format='rgb24') for frame in container.decode(video=0)]

    assert [read_frame_number(picture) for picture in decoded] == FRAME_NUMBERS


def test_number_outside_the_range_is_refused():
    picture = np.zeros((MIN_HEIGHT, MIN_WIDTH, 3), np.uint8)
    for number in (-1, NUMBERS):
        with pytest.raises(ValueError, match=f'0..{NUMBERS - 1}, got {number}'):
            write_frame_number(picture, number)


def test_blend_of_two_pictures_is_not_read_as_a_number():
    pictures = np.zeros((2, MIN_HEIGHT, MIN_WIDTH, 3), np.uint8)
    write_frame_number(pictures[0], 0b0111)
    write_frame_number(pictures[1], 0b1000)
    with pytest.raises(ValueError, match='no readable frame number'):
        read_frame_number(pictures.mean(axis=0).astype(np.uint8))


def test_picture_too_small_for_the_number_is_refused():
    with pytest.raises(ValueError, match=f'at least {MIN_WIDTH}x{MIN_HEIGHT}'):
        CameraView('front', MIN_WIDTH - 1, HEIGHT)


@pytest.mark.parametrize('name', VIEWS)
def test_every_view_shows_the_motion(name):
    view = CameraView(name, WIDTH, HEIGHT)
    poses = [Motion().follower(time_s) for time_s in (0.0, 1.0)]
    pictures = np.empty((2, HEIGHT, WIDTH, 3), np.uint8)
    for picture, pose in zip(pictures, poses, strict=True):
        view.draw(picture, pose, 7)
    assert (pictures[0] != pictures[1]).any(axis=2).mean() > 0.02
