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

from lerobot_streamrec.video.codecs import codec_options, ffmpeg_encoder
from lerobot_streamrec.video.config import EncoderConfig
import pytest


def test_a_preset_may_be_a_number_in_words():
    assert EncoderConfig(preset='8').preset == 8
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
    config = EncoderConfig().with_threads(3)
    assert ffmpeg_encoder(config) == 'libsvtav1'
    assert 'lp=3' in codec_options(config)['svtav1-params'].split(':')
    for vcodec in ('h264', 'hevc'):
        options = codec_options(EncoderConfig(vcodec=vcodec, encoder_threads=3))
        assert options['threads'] == '3'


def test_what_info_json_says_of_an_encoder_can_be_given_to_lerobot():
    config = EncoderConfig(crf=30.0, preset=8, extra_options={'tune': '0'})
    assert config.as_info() == {
        'video.g': 2,
        'video.crf': 30,
        'video.preset': 8,
        'video.fast_decode': 0,
        'video.video_backend': 'pyav',
        'video.extra_options': {'tune': '0'},
    }
    assert type(config.as_info()['video.crf']) is int
