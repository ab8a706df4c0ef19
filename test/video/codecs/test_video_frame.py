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
"""Pictures are given to the codec as libav's scaler would give them."""

from __future__ import annotations

from av.video.reformatter import ColorRange, VideoReformatter
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.codecs.video_frame import (
    FrameScaler,
    MATRIX_BT601,
    RANGE_LIMITED,
    scaled,
    video_frame,
)
import numpy as np
import pytest


def planes(frame):
    """Return the pixels of each plane, without padding."""
    found = []
    for index, plane in enumerate(frame.planes):
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        width, height = frame.width, frame.height
        if index:
            width, height = -(-width // 2), -(-height // 2)
        found.append(rows[:height, :width].tolist())
    return found


@pytest.mark.parametrize('pix_fmt', ['nv12', 'nv21'])
@pytest.mark.parametrize(('width', 'height'), [(64, 48), (65, 49), (160, 120)])
def test_semi_planar_pictures_keep_every_number(pix_fmt, width, height):
    random = np.random.default_rng(1)
    columns, rows = -(-width // 2), -(-height // 2)
    # Rows of a camera's buffer may be padded.
    pixels = random.integers(0, 256, (height, width + 8), np.uint8)[:, :width]
    chroma = random.integers(0, 256, (rows, columns, 2), np.uint8)
    picture = Frame(pixels, pix_fmt, chroma)
    made = FrameScaler('yuv420p').scale(picture)
    first, second = chroma[..., 0].tolist(), chroma[..., 1].tolist()
    wanted = [first, second] if pix_fmt == 'nv12' else [second, first]
    assert planes(made) == [pixels.tolist(), *wanted]
    assert (made.colorspace, made.color_range) == (MATRIX_BT601, RANGE_LIMITED)
    scaler = VideoReformatter()
    by_libav = scaled(video_frame(picture, scaler), 'yuv420p', ColorRange.MPEG, scaler)
    assert planes(by_libav)[0] == planes(made)[0]
    if width % 2 == 0:
        assert planes(by_libav) == planes(made)
    # Its own frames stay what they are.
    assert planes(FrameScaler('yuv420p').scale(made)) == planes(made)
