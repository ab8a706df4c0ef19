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
"""Each setting reaches each codec in its own words."""

from __future__ import annotations

from lerobot_streamrec.video.codecs.codecs import codec_options, ffmpeg_encoder
from lerobot_streamrec.video.codecs.config import EncoderConfig
import pytest


def test_a_preset_may_be_a_number_in_words():
    assert EncoderConfig('libsvtav1', preset='8').preset == 8
    assert EncoderConfig(vcodec='h264', preset='fast').preset == 'fast'


def test_extra_options_never_replace_ours():
    config = EncoderConfig(vcodec='h264', crf=20, extra_options={'crf': '51', 'tune': 'film'})
    options = codec_options(config)
    assert (options['crf'], options['tune']) == ('20', 'film')


@pytest.mark.parametrize('theirs', [{}, {'x265-params': 'rd=1'}])
def test_hevc_never_leans_on_pictures_over_a_key_frame(theirs):
    options = codec_options(EncoderConfig(vcodec='hevc', extra_options=theirs))
    parameters = options['x265-params'].split(':')
    assert {'open-gop=0', 'bframes=0', *theirs.values()} <= set(parameters)


def test_h264_makes_no_pictures_between_others_unless_it_is_asked_to():
    assert codec_options(EncoderConfig(vcodec='h264'))['bf'] == '0'
    asked = EncoderConfig(vcodec='h264', extra_options={'bf': '2'})
    assert codec_options(asked)['bf'] == '2'


def test_threads_reach_each_codec_in_its_own_words():
    config = EncoderConfig('libsvtav1').with_threads(3)
    assert ffmpeg_encoder(config) == 'libsvtav1'
    assert 'lp=3' in codec_options(config)['svtav1-params'].split(':')
    for vcodec in ('h264', 'hevc'):
        options = codec_options(EncoderConfig(vcodec=vcodec, encoder_threads=3))
        assert options['threads'] == '3'


@pytest.mark.parametrize(
    ('vcodec', 'expected'),
    [
        ('libsvtav1', {'crf': '28', 'preset': '4', 'svtav1-params': 'fast-decode=1:lp=3'}),
        ('h264', {'crf': '28', 'preset': '4', 'tune': 'fastdecode', 'threads': '3', 'bf': '0'}),
        ('libaom-av1', {'crf': '28', 'cpu-used': '4', 'threads': '3', 'row-mt': '1'}),
        ('hevc_nvenc', {'rc': '0', 'qp': '28', 'preset': '4', 'bf': '0'}),
        ('h264_qsv', {'global_quality': '28', 'preset': '4', 'bf': '0'}),
    ],
)
def test_every_setting_reaches_the_codec(vcodec, expected):
    config = EncoderConfig(vcodec, g=5, crf=28, preset=4, fast_decode=1, encoder_threads=3)
    assert codec_options(config) == {'g': '5', **expected}


@pytest.mark.parametrize(
    ('vcodec', 'expected'),
    [
        # LeRobot's q:v of 40 and 1: 118 for each.
        ('h264_videotoolbox', {'flags': '+qscale', 'global_quality': '4720'}),
        ('h264_vaapi', {'qp': '30'}),
        ('av1_nvenc', {'rc': '0', 'qp': '30'}),
        ('hevc_vaapi', {'qp': '30'}),
        # What there is of quality in these has other names: extra_options.
        ('h264_v4l2m2m', {}),
        ('hevc_nvmpi', {}),
    ],
)
def test_hardware_gets_its_own_words_for_quality(vcodec, expected):
    config = EncoderConfig(vcodec, backend='ffmpeg', fast_decode=2, encoder_threads=2)
    assert codec_options(config) == {'g': '2', **expected, 'bf': '0'}
    assert ffmpeg_encoder(config) == vcodec


def test_quality_of_videotoolbox_stays_in_its_range():
    config = EncoderConfig('h264_videotoolbox', crf=51)
    assert codec_options(config)['global_quality'] == '118'


def test_what_is_left_to_the_codec_is_not_said():
    assert codec_options(EncoderConfig('h264', g=None, crf=None)) == {'bf': '0'}


def test_parameters_of_svt_are_added_to_ours():
    theirs = {'svtav1-params': 'lp=9:tune=0'}
    options = codec_options(EncoderConfig('libsvtav1', encoder_threads=2, extra_options=theirs))
    assert options['svtav1-params'] == 'fast-decode=0:lp=2:tune=0'
