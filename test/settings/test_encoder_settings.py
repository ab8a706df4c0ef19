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
"""A camera's encoder is that of all cameras, but for what its own parameters say."""

from __future__ import annotations

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.settings.parameter_reader import ParameterReader
from lerobot_streamrec.settings.stream_settings import (
    read_camera_encoder,
    read_encoder,
)
from lerobot_streamrec.video.codecs.config import EncoderConfig, FfmpegSettings
import pytest


def read(**values):
    given = ParameterReader({name.replace('__', '.'): value for name, value in values.items()})
    of_all = read_encoder(given)
    camera = read_camera_encoder(given, 'camera.front', of_all)
    given.refuse_unknown()
    return of_all, camera


def test_the_encoder_is_chosen_by_measurement_unless_something_is_set():
    assert read() == (EncoderConfig('auto', profile='auto'), None)


def test_a_profile_stands_for_settings_and_those_set_by_hand_stay():
    lerobots, _ = read(encoder__profile='lerobot')
    assert lerobots.as_info() == EncoderConfig('libsvtav1', crf=30, preset=12, g=2).as_info()
    light, _ = read(encoder__profile='light', encoder__crf=23.0, encoder__g=30)
    assert (light.vcodec, light.preset, light.crf, light.g) == ('h264', 'ultrafast', 23, 30)
    by_name, _ = read(encoder__profile='light', encoder__vcodec='hevc')
    assert (by_name.vcodec, by_name.preset, by_name.crf) == ('hevc', None, 30)


def test_a_camera_may_have_a_profile_of_its_own():
    of_all, camera = read(encoder__profile='lerobot', camera__front__encoder__profile='light')
    assert (of_all.vcodec, of_all.crf) == ('libsvtav1', 30)
    assert (camera.vcodec, camera.preset, camera.crf) == ('h264', 'ultrafast', 19)
    _, measured = read(encoder__vcodec='hevc', camera__front__encoder__profile='auto')
    assert (measured.vcodec, measured.crf) == ('auto', -1)


def test_every_parameter_reaches_all_cameras():
    of_all, _ = read(
        encoder__vcodec='h264_vaapi',
        encoder__pix_fmt='nv12',
        encoder__g=4,
        encoder__crf=23,
        encoder__preset='7',
        encoder__fast_decode=1,
        encoder__encoder_threads=2,
        encoder__extra_options=['b=4M', 'tune=film=x'],
        encoder__backend='ffmpeg',
        encoder__ffmpeg__executable='/opt/ffmpeg',
        encoder__ffmpeg__input_args=['-vaapi_device', '/dev/dri/renderD128'],
        encoder__ffmpeg__filters='format=nv12,hwupload',
        encoder__ffmpeg__stall_timeout_s=3,
    )
    program = FfmpegSettings(
        '/opt/ffmpeg', ('-vaapi_device', '/dev/dri/renderD128'), 'format=nv12,hwupload', 3.0
    )
    options = {'b': '4M', 'tune': 'film=x'}
    assert of_all == EncoderConfig(
        'h264_vaapi', 'nv12', 4, 23, 7, 1, 2, options, 'ffmpeg', program
    )


def test_what_a_camera_does_not_say_is_as_of_all():
    of_all, camera = read(
        encoder__vcodec='h264',
        encoder__preset='fast',
        encoder__extra_options=['tune=film'],
        encoder__ffmpeg__executable='/opt/ffmpeg',
        camera__front__encoder__crf=18.0,
        camera__front__encoder__encoder_threads=0,
        camera__front__encoder__extra_options=[''],
    )
    program = FfmpegSettings('/opt/ffmpeg')
    expected = EncoderConfig(
        'h264', crf=18, preset='fast', extra_options={'tune': 'film'}, ffmpeg=program
    )
    assert camera == expected
    assert of_all.crf == 30


def test_an_alias_has_the_limits_of_its_encoder():
    _, camera = read(encoder__crf=60, camera__front__encoder__vcodec='av1')
    assert (camera.vcodec, camera.crf) == ('libsvtav1', 60)


def test_another_encoder_takes_nothing_that_it_would_not_understand():
    _, camera = read(
        encoder__vcodec='libsvtav1',
        encoder__crf=60,
        encoder__preset='4',
        encoder__g=9,
        encoder__extra_options=['svtav1-params=tune=0'],
        camera__front__encoder__vcodec='h264_v4l2m2m',
        camera__front__encoder__backend='ffmpeg',
        camera__front__encoder__extra_options=['b=4M'],
    )
    assert camera == EncoderConfig(
        'h264_v4l2m2m', g=9, crf=51, extra_options={'b': '4M'}, backend='ffmpeg'
    )


@pytest.mark.parametrize(
    ('values', 'name'),
    [
        ({'camera__front__encoder__g': 0}, 'camera.front.encoder.g'),
        ({'camera__front__encoder__crf': -0.5}, 'camera.front.encoder.crf'),
        ({'encoder__crf': -2.0}, 'encoder.crf'),
        ({'encoder__profile': 'fast'}, 'encoder.profile'),
        ({'camera__front__encoder__profile': 'fast'}, 'camera.front.encoder.profile'),
        ({'camera__front__encoder__vcodec': 'vp9'}, 'camera.front.encoder.vcodec'),
        ({'camera__front__encoder__backend': 'omx'}, 'camera.front.encoder.backend'),
        ({'camera__front__encoder__extra_options': ['b']}, 'camera.front.encoder.extra_options'),
        (
            {'encoder__vcodec': 'h264', 'encoder__preset': 'fast'}
            | {'camera__front__encoder__vcodec': 'auto', 'camera__front__encoder__preset': 'p4'},
            'camera.front.encoder.preset',
        ),
        ({'encoder__ffmpeg__stall_timeout_s': 0.0}, 'encoder.ffmpeg.stall_timeout_s'),
    ],
)
def test_what_is_wrong_is_named_as_the_user_wrote_it(values, name):
    with pytest.raises(ConfigError) as caught:
        read(**values)
    assert caught.value.name == name
