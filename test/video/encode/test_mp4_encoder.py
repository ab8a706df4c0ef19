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
What goes in comes out: the colours, one frame for each call, each at its time for its time.

Guards readers that compute a frame's number from the header's rate, that drop a last frame
without a duration, and policies that would learn from pictures with red and blue exchanged.
"""

from __future__ import annotations

from fractions import Fraction

import av
from lerobot_streamrec.errors import EncoderError
from lerobot_streamrec.video.codecs.config import BUNDLED_VCODECS
import numpy as np
import pytest

# All others are seen to in test_encodings.py.
PIX_FMTS = ('rgb24', 'bgr24', 'rgba', 'bgra', 'gray')
RED, GREEN, BLUE = (200, 20, 20), (20, 200, 20), (20, 20, 200)
FPS = (1, 10, 15, 24, 25, 30, 50, 60, 240)
LEVELS_OFF = 3


@pytest.mark.parametrize('vcodec', BUNDLED_VCODECS)
@pytest.mark.parametrize('pix_fmt', PIX_FMTS)
def test_colours_come_out_as_they_went_in(vcodec, pix_fmt, open_encoder, picture, decode):
    colours = [RED, GREEN, BLUE]
    if pix_fmt == 'gray':
        colours = [(red,) * 3 for red, _, _ in colours]
    encoder = open_encoder(vcodec)
    for colour in colours:
        encoder.encode(picture(colour, pix_fmt))
    shown = [frame.pixels.astype(int) for frame in decode(encoder.finish().path)]
    assert len(shown) == len(colours)
    for pixels, colour in zip(shown, colours, strict=True):
        assert np.abs(pixels - colour).max() <= LEVELS_OFF


@pytest.mark.parametrize('pix_fmt', PIX_FMTS)
def test_shades_of_gray_are_as_bright_in_every_pixel_format(
    pix_fmt, open_encoder, picture, decode
):
    encoder = open_encoder()
    shades = range(0, 256, 15)
    for shade in shades:
        encoder.encode(picture((shade,) * 3, pix_fmt))
    for frame, shade in zip(decode(encoder.finish().path), shades, strict=True):
        assert np.abs(frame.colour - shade).max() <= LEVELS_OFF, f'shade {shade}'


@pytest.mark.parametrize('vcodec', BUNDLED_VCODECS)
def test_one_video_takes_frames_of_several_pixel_formats(vcodec, open_encoder, picture, decode):
    encoder = open_encoder(vcodec)
    for pix_fmt in ('rgb24', 'bgr24', 'bgra', 'rgb24'):
        encoder.encode(picture(RED, pix_fmt))
    for frame in decode(encoder.finish().path):
        assert np.abs(frame.colour - RED).max() <= LEVELS_OFF


@pytest.mark.parametrize('vcodec', BUNDLED_VCODECS)
def test_the_file_says_how_its_colours_were_made(vcodec, open_encoder, picture):
    encoder = open_encoder(vcodec)
    encoder.encode(picture(RED))
    with av.open(str(encoder.finish().path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.pix_fmt, context.colorspace, context.color_range) == ('yuv420p', 6, 1)


@pytest.mark.parametrize('fps', FPS)
@pytest.mark.parametrize('vcodec', BUNDLED_VCODECS)
def test_frame_k_stands_at_k_periods_for_one_period(vcodec, fps, open_encoder, picture, decode):
    encoder = open_encoder(vcodec, fps)
    for level in range(7):
        encoder.encode(picture((30 * level,) * 3))
    video = encoder.finish()
    period = Fraction(1, fps)
    frames = decode(video.path)
    assert [frame.at for frame in frames] == [k * period for k in range(7)]
    assert [frame.duration for frame in frames] == [period] * 7
    with av.open(str(video.path)) as container:
        stream = container.streams.video[0]
        assert stream.base_rate == stream.average_rate == fps
        assert (stream.frames, stream.duration * stream.time_base) == (7, 7 * period)
        assert len(container.streams) == 1


@pytest.mark.parametrize('vcodec', BUNDLED_VCODECS)
def test_every_call_is_one_frame_and_repeats_show_the_last(vcodec, open_encoder, picture, decode):
    encoder = open_encoder(vcodec)
    levels = []
    for index in range(40):
        level = 40 + 10 * (index // 3)
        if index % 3:
            encoder.repeat()
        else:
            encoder.encode(picture((level,) * 3))
        levels.append(level)
    assert encoder.num_frames == 40
    video = encoder.finish()
    assert video.num_frames == 40
    assert video.size_bytes == video.path.stat().st_size
    shown = [frame.colour.mean() for frame in decode(video.path)]
    assert shown == pytest.approx(levels, abs=LEVELS_OFF)


@pytest.mark.parametrize('vcodec', BUNDLED_VCODECS)
def test_one_frame_is_a_video(vcodec, open_encoder, picture, decode):
    encoder = open_encoder(vcodec)
    encoder.encode(picture(BLUE))
    (frame,) = decode(encoder.finish().path)
    assert frame.duration == Fraction(1, 30)


@pytest.mark.parametrize('vcodec', BUNDLED_VCODECS)
def test_any_frame_can_be_sought_by_the_key_frame_before_it(vcodec, open_encoder, picture):
    encoder = open_encoder(vcodec)
    for level in range(24):
        encoder.encode(picture((10 * level,) * 3))
    path = encoder.finish().path
    for index in range(24):
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            at = Fraction(index, 30)
            container.seek(round(at / stream.time_base), stream=stream)
            frame = next(one for one in container.decode(stream) if one.time >= at - 1e-6)
            shown = frame.to_ndarray(format='rgb24').mean()
        assert shown == pytest.approx(10 * index, abs=LEVELS_OFF), f'frame {index}'


@pytest.mark.parametrize(('height', 'width'), [(64, 48), (50, 70), (96, 100)])
def test_upright_and_uneven_sizes_are_kept(height, width, open_encoder, picture, decode):
    encoder = open_encoder(height=height, width=width)
    encoder.encode(picture(GREEN, height=height, width=width))
    (frame,) = decode(encoder.finish().path)
    assert frame.pixels.shape == (height, width, 3)
    assert np.abs(frame.colour - GREEN).max() <= LEVELS_OFF


def test_there_is_nothing_to_repeat_before_the_first_frame(open_encoder):
    encoder = open_encoder()
    with pytest.raises(EncoderError, match='no frame to repeat'):
        encoder.repeat()
    encoder.abort()


def test_abort_leaves_what_was_muxed_readable(open_encoder, picture, decode, tmp_path):
    encoder = open_encoder()
    for level in range(20):
        encoder.encode(picture((10 * level,) * 3))
    encoder.abort()
    encoder.abort()
    shown = [frame.colour.mean() for frame in decode(tmp_path / 'video.mp4')]
    assert len(shown) >= 15
    assert shown == pytest.approx([10 * level for level in range(len(shown))], abs=LEVELS_OFF)
