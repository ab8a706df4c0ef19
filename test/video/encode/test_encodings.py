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
Every encoding of a camera comes out as the picture that the camera saw, and is counted as such.

Guards policies that would learn from colours which no camera saw: channels, byte orders, chroma or
the patterns of mosaics mixed up, levels stretched, rows sheared by padding. What a camera sends
is made by numpy alone (``raw_images``), and the videos are read by plain PyAV.
"""

from __future__ import annotations

import av
from colour_patches import draw
from lerobot_streamrec.conversions.image import ENCODINGS, image_frame
from lerobot_streamrec.stats.histograms import ImageHistogram
from lerobot_streamrec.video.codecs.config import EncoderConfig, VideoSpec
from lerobot_streamrec.video.codecs.pixels import PIX_FMTS, rgb_pixels
from lerobot_streamrec.video.encode.mp4_encoder import Mp4Encoder
from lerobot_streamrec.video.encode.picture_encoder import ColourMeter, PictureEncoder
import numpy as np
import pytest
import raw_images
from raw_images import has_16_bits, image_message, MOSAICS, PACKED_YUV, seen_by

# The codec's chroma of 4:2:0, its rounding, and that of the camera's YUV.
VIDEO_OFF = 9
# The rounding of the camera's YUV, and what pixels with one chroma differ by.
COUNTED_OFF = 4
EVEN, ODD_HEIGHT, ODD = (72, 96), (73, 96), (73, 97)

CASES = [
    pytest.param(encoding, size, padding, is_bigendian, id=f'{encoding}-{name}')
    for encoding in raw_images.ENCODINGS
    for name, size, padding, is_bigendian in (
        ('padded', EVEN, 13, 1),
        ('odd', ODD_HEIGHT if encoding in (*MOSAICS, *PACKED_YUV) else ODD, 0, 0),
    )
]


def decoded(path):
    with av.open(str(path)) as container:
        (frame,) = container.decode(video=0)
        rgb = frame.reformat(
            format='rgb24', src_colorspace=5, dst_color_range=2, interpolation=0x4 | 0x40000
        )
        return rgb.to_ndarray().astype(int)


@pytest.mark.parametrize(('encoding', 'size', 'padding', 'is_bigendian'), CASES)
def test_colours(encoding, size, padding, is_bigendian, tmp_path):
    rgb, is_judged = draw(*size)
    wanted = seen_by(rgb, encoding).astype(int)
    frame = image_frame(image_message(rgb, encoding, padding, is_bigendian))
    # Only 4:4:4 takes odd sizes.
    pix_fmt = 'yuv420p' if size == EVEN else 'yuv444p'
    config = EncoderConfig(vcodec='h264', crf=1, preset='ultrafast', pix_fmt=pix_fmt)
    histogram = ImageHistogram()
    video = Mp4Encoder(tmp_path / 'a.mp4', config, VideoSpec(size[1], size[0], 30))
    encoder = PictureEncoder(video, 'front', ColourMeter(histogram, 1))
    encoder.encode(frame)
    encoder.finish()
    seen = decoded(tmp_path / 'a.mp4')
    assert seen.shape == wanted.shape
    assert np.abs(seen - wanted)[is_judged].max() <= VIDEO_OFF
    counted = rgb_pixels(frame).astype(int)
    assert np.abs(counted - wanted)[is_judged].max() <= COUNTED_OFF
    mean = histogram.statistics().values['mean'].ravel() * 255
    assert mean == pytest.approx(wanted.mean(axis=(0, 1)), abs=1)


@pytest.mark.parametrize('stride', [2, 5])
@pytest.mark.parametrize('encoding', raw_images.ENCODINGS)
def test_the_lattice_is_every_stride_th_pixel(encoding, stride):
    rgb, _ = draw(*EVEN)
    frame = image_frame(image_message(rgb, encoding, padding=5))
    whole, lattice = rgb_pixels(frame).astype(int), rgb_pixels(frame, stride).astype(int)
    assert lattice.shape == whole[::stride, ::stride].shape
    assert np.abs(lattice - whole[::stride, ::stride]).max() <= 1


def test_every_encoding_and_pixel_format_is_tested_here():
    assert set(raw_images.ENCODINGS) == set(ENCODINGS)
    rgb, _ = draw(*EVEN)
    pix_fmts = {
        image_frame(image_message(rgb, encoding, is_bigendian=is_bigendian)).pix_fmt
        for encoding in ENCODINGS
        for is_bigendian in (0, 1)
    }
    assert pix_fmts == set(PIX_FMTS)
    assert sum(map(has_16_bits, ENCODINGS)) == 9
