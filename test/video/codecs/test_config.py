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
"""What encoder settings mean for each encoder, and what LeRobot is told of them."""

from __future__ import annotations

from lerobot_streamrec.errors import CodecError
from lerobot_streamrec.video.codecs.config import (
    BUNDLED_VCODECS,
    EncoderConfig,
    HARDWARE_VCODECS,
)
import pytest


@pytest.mark.parametrize(
    ('vcodec', 'codec', 'device'),
    [
        ('av1', 'av1', ''),
        ('libaom-av1', 'av1', ''),
        ('hevc', 'hevc', ''),
        ('hevc_nvenc', 'hevc', 'nvenc'),
        ('h264_videotoolbox', 'h264', 'videotoolbox'),
    ],
)
def test_an_encoder_is_of_a_codec_and_maybe_of_a_device(vcodec, codec, device):
    config = EncoderConfig(vcodec)
    assert (config.codec, config.device, config.is_hardware) == (codec, device, bool(device))


@pytest.mark.parametrize(
    'given', [{'preset': 'fast'}, {'preset': 3}, {'extra_options': {'b': '4M'}}], ids=str
)
def test_auto_takes_no_settings_that_differ_between_encoders(given):
    with pytest.raises(CodecError, match='differs between encoders') as caught:
        EncoderConfig('auto', **given)
    assert caught.value.name == f'encoder.{next(iter(given))}'


def test_what_info_json_says_of_an_encoder_can_be_given_to_lerobot():
    config = EncoderConfig('libsvtav1', crf=30.0, preset=8, extra_options={'tune': '0'})
    assert config.as_info() == {
        'video.g': 2,
        'video.crf': 30,
        'video.preset': 8,
        'video.fast_decode': 0,
        'video.video_backend': 'pyav',
        'video.extra_options': {'tune': '0'},
    }
    assert type(config.as_info()['video.crf']) is int


@pytest.mark.parametrize('vcodec', [*HARDWARE_VCODECS, 'libaom-av1', 'h264_v4l2m2m'])
def test_lerobot_is_told_nothing_that_only_another_encoder_understands(vcodec):
    preset = None if vcodec.endswith(('vaapi', 'videotoolbox')) else 5
    options = {'b': '4M', 'delay': '0'}
    config = EncoderConfig(vcodec, backend='ffmpeg', preset=preset, extra_options=options)
    info = config.as_info()
    assert (info['video.preset'], info['video.extra_options']) == (None, {})
    assert info['video.video_backend'] == 'pyav'
    assert info['video.crf'] == (30 if config.has_quality else None)


def test_what_is_left_to_the_codec_is_null():
    info = EncoderConfig(g=None, crf=None).as_info()
    assert (info['video.g'], info['video.crf']) == (None, None)


@pytest.mark.parametrize('vcodec', BUNDLED_VCODECS)
def test_software_in_this_process_stays_what_it_is(vcodec):
    config = EncoderConfig(vcodec, preset='5', extra_options={'b': '4M'})
    assert config.in_software() is config
    by_ffmpeg = EncoderConfig(vcodec, preset='5', extra_options={'b': '4M'}, backend='ffmpeg')
    assert by_ffmpeg.in_software() == config


@pytest.mark.parametrize(
    ('hardware', 'software'),
    [
        (
            EncoderConfig('hevc_qsv', 'nv12', crf=20, preset=1, backend='ffmpeg'),
            EncoderConfig('hevc', crf=20),
        ),
        (
            EncoderConfig('av1_nvenc', 'p010le', backend='ffmpeg'),
            EncoderConfig('av1', 'yuv420p10le'),
        ),
        (EncoderConfig('libaom-av1', crf=60, preset=4), EncoderConfig('libsvtav1', crf=60)),
        (EncoderConfig('h264_nvenc', preset='p4'), EncoderConfig('h264')),
    ],
)
def test_there_is_software_for_every_encoder(hardware, software):
    assert hardware.in_software() == software


def test_another_codec_keeps_what_means_the_same():
    config = EncoderConfig('libsvtav1', crf=60, preset=4, g=7, extra_options={'qp': '3'})
    assert config.for_codec('h264') == EncoderConfig('h264', crf=51, g=7)
    assert config.for_codec('av1') is config
    nvenc = EncoderConfig('h264_nvenc', preset='p4')
    assert nvenc.for_codec('h264') is nvenc
    assert nvenc.for_codec('av1') == EncoderConfig('libsvtav1', crf=30)
