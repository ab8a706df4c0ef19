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
What cannot work is refused before an episode, by name and with what is allowed.

Guards against the reference's ``auto``, which picks an encoder that dies at the second frame,
against options that only fail when the first picture comes, and against a codec that writes
beyond its own memory when pictures are tiny.
"""

from __future__ import annotations

from dataclasses import replace

from lerobot_streamrec.errors import CodecError, ConfigError
from lerobot_streamrec.video.codecs.config import BUNDLED_VCODECS, EncoderConfig
from lerobot_streamrec.video.codecs.depth_config import DEPTH_ENCODER
from lerobot_streamrec.video.trials.software_probe import (
    check_encoder,
    check_picture_size,
    min_side,
)
import pytest


@pytest.mark.parametrize(
    ('settings', 'name', 'allowed'),
    [
        ({'vcodec': 'vp9'}, 'encoder.vcodec', 'libsvtav1, h264, hevc'),
        ({'g': 0}, 'encoder.g', 'at least 1'),
        ({'fast_decode': 3}, 'encoder.fast_decode', '0, 1 and 2'),
        ({'encoder_threads': -1}, 'encoder.encoder_threads', '0'),
        ({'crf': 64}, 'encoder.crf', '0 to 63'),
        ({'crf': -2}, 'encoder.crf', '0 to 63'),
        ({'crf': 22.5}, 'encoder.crf', 'whole numbers'),
        ({'vcodec': 'h264', 'crf': 52}, 'encoder.crf', '0 to 51'),
        ({'vcodec': 'hevc', 'crf': float('nan')}, 'encoder.crf', '0 to 51'),
        ({'pix_fmt': 'yuv444p'}, 'encoder.pix_fmt', 'yuv420p'),
        ({'vcodec': 'h264', 'pix_fmt': 'nonsense'}, 'encoder.pix_fmt', 'yuv420p'),
        ({'vcodec': 'h264', 'preset': 'nope'}, 'encoder', 'encoder.preset'),
        ({'vcodec': 'hevc', 'preset': 'nope'}, 'encoder', 'encoder.preset'),
        ({'preset': 'veryfast'}, 'encoder.preset', '-2 to 13'),
        ({'preset': -7}, 'encoder.preset', '-2 to 13'),
        ({'preset': 14}, 'encoder.preset', '-2 to 13'),
        ({'g': True}, 'encoder.g', 'whole number'),
        ({'g': 2.5}, 'encoder.g', 'whole number'),
        ({'crf': float('inf')}, 'encoder.crf', '0 to 63'),
        ({'vcodec': 'h264', 'crf': 60}, 'encoder.crf', '0 to 51'),
        ({'vcodec': 'h264', 'pix_fmt': 'gray'}, 'encoder.pix_fmt', '1 of the 3 channels'),
        ({'vcodec': 'hevc', 'pix_fmt': 'gray12le'}, 'encoder.pix_fmt', '1 of the 3 channels'),
        ({'vcodec': 'h264_nvenc', 'crf': 30.5}, 'encoder.crf', 'whole numbers'),
        ({'vcodec': 'h264_nvenc', 'crf': 52}, 'encoder.crf', '0 to 51'),
        ({'vcodec': 'h264_v4l2m2m'}, 'encoder.vcodec', 'encoder.backend ffmpeg'),
        ({'backend': 'gstreamer'}, 'encoder.backend', 'pyav, ffmpeg'),
        ({'backend': 'ffmpeg', 'vcodec': 'vp9_vaapi'}, 'encoder.vcodec', 'begin with h264_'),
    ],
    ids=lambda value: ','.join(map(str, value.values())) if isinstance(value, dict) else '',
)
def test_what_cannot_work_is_refused_by_name(settings, name, allowed):
    with pytest.raises(CodecError) as caught:
        check_encoder(EncoderConfig(**{'vcodec': 'libsvtav1'} | settings))
    assert isinstance(caught.value, ConfigError)
    assert caught.value.name.startswith(name)
    assert allowed in str(caught.value)
    assert str(next(reversed(settings.values()))) in str(caught.value)


@pytest.mark.parametrize(
    ('vcodec', 'name', 'value', 'allowed'),
    [
        # FFmpeg leaves these unread without a word.
        ('libsvtav1', 'quality', '7', 'no option quality'),
        ('h264', 'crff', '20', 'no option crff'),
        ('hevc', 'x264-params', 'ref=1', 'no option x264-params'),
        # Out of the range that the codec publishes, or none of its choices.
        ('h264', 'aq-mode', '-3', 'does not accept this value'),
        ('h264', 'aq-mode', 'nicely', 'does not accept this value'),
        ('h264', 'tune', 'nice', 'does not accept this value'),
        ('libsvtav1', 'qp', '64', 'does not accept this value'),
        ('hevc', 'b', 'much', 'does not accept this value'),
        ('h264', 'x264-params', 'nonsense', 'does not accept this value'),
        # Of these the codec only warns.
        ('h264', 'x264-params', 'nonsense=1', 'Error parsing option .nonsense'),
        ('hevc', 'x265-params', 'nonsense=1', 'Unknown option: nonsense'),
        ('libsvtav1', 'svtav1-params', 'nonsense=1', 'Error parsing option nonsense'),
    ],
)
def test_options_that_would_be_ignored_or_fail_are_refused(vcodec, name, value, allowed):
    # One that is right goes along with it.
    options = {'threads': '1', name: value}
    with pytest.raises(CodecError, match=allowed) as caught:
        check_encoder(EncoderConfig(vcodec=vcodec, extra_options=options))
    assert caught.value.name == 'encoder.extra_options'
    assert caught.value.value == f'{name}={value}'


@pytest.mark.parametrize('vcodec', BUNDLED_VCODECS)
def test_options_of_every_codec_are_accepted(vcodec):
    options = {'b': '4M', 'bufsize': '8M', 'qmin': '3', 'threads': '1'}
    config = EncoderConfig(vcodec=vcodec, crf=None, g=None)
    check_encoder(replace(config, extra_options={**options, 'g': '10'}))


def test_depth_may_have_one_channel():
    check_encoder(DEPTH_ENCODER, channels=1)


@pytest.mark.parametrize(
    'settings',
    [
        *({'vcodec': vcodec} for vcodec in (*BUNDLED_VCODECS, 'av1')),
        {'preset': 8, 'fast_decode': 1, 'encoder_threads': 2},
        {'vcodec': 'h264', 'crf': 22.5, 'preset': 'ultrafast', 'fast_decode': 1},
        {'vcodec': 'hevc', 'preset': 'ultrafast', 'extra_options': {'x265-params': 'rd=1'}},
        {'g': 30, 'crf': 0},
        {'preset': -2},
        {'preset': 13},
        {'g': None, 'crf': None},
        {'vcodec': 'h264', 'g': None, 'crf': None, 'extra_options': {'tune': 'film'}},
        {'extra_options': {'svtav1-params': 'lookahead=0:fast-decode=2'}},
        {'vcodec': 'h264', 'pix_fmt': 'nv12'},
    ],
    ids=str,
)
def test_what_works_is_accepted(settings):
    check_encoder(EncoderConfig(**{'vcodec': 'libsvtav1'} | settings))


@pytest.mark.parametrize('vcodec', BUNDLED_VCODECS)
@pytest.mark.parametrize('fps', [1, 5, 24, 60, 240])
def test_usual_rates_are_accepted(vcodec, fps):
    check_encoder(EncoderConfig(vcodec=vcodec), fps)


def test_a_rate_that_the_codec_does_not_take_is_refused_by_name():
    with pytest.raises(ConfigError) as caught:
        check_encoder(EncoderConfig('libsvtav1'), 300)
    assert caught.value.name == 'fps'
    assert '300' in str(caught.value)
    check_encoder(EncoderConfig(vcodec='h264'), 300)


@pytest.mark.parametrize('vcodec', BUNDLED_VCODECS)
@pytest.mark.parametrize(('width', 'height'), [(8, 64), (64, 15), (0, 0), (100_000, 480)])
def test_sizes_out_of_range_are_refused_for_every_codec(vcodec, width, height):
    config = EncoderConfig(vcodec=vcodec)
    with pytest.raises(CodecError, match=f'front.*{width}x{height}.*{min_side(vcodec)} to 16384'):
        check_picture_size('front', config, height=height, width=width)


@pytest.mark.parametrize(('version', 'side'), [('15.0.0', 32), ('17.0.1', 32), ('17.1.0', 16)])
def test_small_pictures_are_refused_where_svt_av1_would_hang(version, side, monkeypatch):
    monkeypatch.setattr('av.__version__', version)
    config = EncoderConfig('libsvtav1')
    check_picture_size('front', config, height=side, width=side)
    with pytest.raises(CodecError, match=f'sides of {side} to 16384 pixels are allowed'):
        check_picture_size('front', config, height=side - 2, width=640)
    check_picture_size('front', EncoderConfig(vcodec='h264'), height=16, width=16)


@pytest.mark.parametrize('vcodec', ['h264', 'hevc'])
@pytest.mark.parametrize(('width', 'height'), [(641, 480), (640, 481)])
def test_odd_sizes_are_refused_where_the_codec_does_not_take_them(vcodec, width, height):
    with pytest.raises(CodecError, match=f'{width}x{height}.*multiples of 2'):
        check_picture_size('front', EncoderConfig(vcodec=vcodec), height=height, width=width)
    full_colour = EncoderConfig(vcodec=vcodec, pix_fmt='yuv444p')
    check_picture_size('front', full_colour, height=height, width=width)
    check_picture_size('front', EncoderConfig('libsvtav1'), height=height, width=width)


@pytest.mark.parametrize(
    ('vcodec', 'width', 'height'),
    [
        ('libsvtav1', min_side('libsvtav1'), min_side('libsvtav1')),
        ('h264', 16, 16),
        ('hevc', 16, 16),
        ('libsvtav1', 161, 121),
    ],
)
def test_a_size_that_is_accepted_can_be_encoded(
    vcodec, width, height, open_encoder, picture, decode
):
    config = EncoderConfig(vcodec=vcodec)
    check_picture_size('front', config, height=height, width=width)
    encoder = open_encoder(vcodec, height=height, width=width)
    for level in range(6):
        encoder.encode(picture((40 * level,) * 3, height=height, width=width))
    frames = decode(encoder.finish().path)
    assert [frame.pixels.shape for frame in frames] == [(height, width, 3)] * 6
    assert [frame.colour.mean() for frame in frames] == pytest.approx(
        [40 * level for level in range(6)], abs=3
    )
