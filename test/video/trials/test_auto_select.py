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
"""``auto`` is the first encoder that works and keeps up, and says why it is not another."""

from __future__ import annotations

from lerobot_streamrec.errors import CodecError
from lerobot_streamrec.video.codecs.config import EncoderConfig, HARDWARE_VCODECS, VideoSpec
from lerobot_streamrec.video.codecs.settings_check import is_registered
from lerobot_streamrec.video.trials import auto_select as choice_module
from lerobot_streamrec.video.trials.auto_select import choose_encoder, listed_encoders, NOT_BUILT
from lerobot_streamrec.video.trials.trial import Trial
import pytest

SPEC = VideoSpec(64, 48, 30)
BUILT = ('h264_nvenc', 'hevc_nvenc', 'h264_qsv')


@pytest.fixture
def choose(monkeypatch):
    """Choose on a machine that exists on paper: each encoder's frames per second, or problem."""
    monkeypatch.setattr(choice_module, 'is_registered', BUILT.__contains__)
    monkeypatch.setattr(choice_module, 'with_fitting_pix_fmt', lambda config: config)
    monkeypatch.setattr(choice_module, 'encoders_of', lambda settings: frozenset(['h264_vaapi']))
    choose.tried = []

    def run(config, outcomes, **options):
        def try_one(config, spec, *, num_streams, stop):
            choose.tried.append(config.vcodec)
            outcome = outcomes.get(config.vcodec, 'no device')
            given = {'problem': outcome} if isinstance(outcome, str) else {'frames_per_s': outcome}
            return Trial(config, spec, num_streams, **given)

        made = choose_encoder(config, SPEC, try_one=try_one, **options)
        return made, choose.tried

    return run


def test_the_first_that_works_is_taken(choose):
    made, tried = choose(EncoderConfig('auto', crf=20, g=5), {'hevc_nvenc': 90, 'h264_qsv': 500})
    assert made.config == EncoderConfig('hevc_nvenc', crf=20, g=5)
    assert tried == ['h264_nvenc', 'hevc_nvenc']
    assert str(made) == (
        'auto took hevc_nvenc: 90 frames per second at 64x48 (cameras at once: 1), 3.0 times the '
        'rate needed; h264_nvenc does not work: no device; not in this build of FFmpeg: '
        'h264_videotoolbox, hevc_videotoolbox'
    )


def test_software_is_taken_where_no_hardware_works(choose):
    made, tried = choose(EncoderConfig('auto', crf=63), {'libsvtav1': 40})
    assert made.config == EncoderConfig('libsvtav1', crf=63)
    assert tried == [*BUILT, 'libsvtav1']
    missing = [one.config.vcodec for one in made.trials if one.problem == NOT_BUILT]
    assert missing == [one for one in HARDWARE_VCODECS if one not in BUILT]


def test_hardware_that_falls_behind_is_not_taken(choose):
    made, _ = choose(EncoderConfig('auto'), {'h264_nvenc': 59, 'libsvtav1': 61}, num_streams=2)
    assert made.config.vcodec == 'libsvtav1'
    assert 'h264_nvenc is too slow: 59 frames per second' in str(made)


def test_software_is_taken_even_if_it_falls_behind(choose):
    made, _ = choose(EncoderConfig('auto'), {'libsvtav1': 15})
    assert str(made).startswith('auto took libsvtav1: 15 frames per second')
    assert '0.5 times the rate needed' in str(made)


@pytest.mark.parametrize(
    ('codec', 'expected'),
    [
        ('h264', ['h264_nvenc', 'h264_qsv', 'h264']),
        ('hevc', ['hevc_nvenc', 'hevc']),
        ('av1', ['libsvtav1']),
    ],
)
def test_a_dataset_that_has_a_codec_keeps_it(choose, codec, expected):
    made, tried = choose(EncoderConfig('auto', crf=60), {expected[-1]: 99}, codec=codec)
    assert tried == expected
    assert made.config.vcodec == expected[-1]
    assert made.config.codec == codec
    assert made.config.crf == (60 if codec == 'av1' else 51)


def test_the_ffmpeg_program_is_asked_what_it_has_and_software_needs_none(choose):
    auto = EncoderConfig('auto', backend='ffmpeg')
    made, tried = choose(auto, {'libsvtav1': 99})
    assert tried == ['h264_vaapi', 'libsvtav1']
    assert made.config == EncoderConfig('libsvtav1')
    made, _ = choose(auto, {'h264_vaapi': 99})
    assert made.config == EncoderConfig('h264_vaapi', backend='ffmpeg')


def test_where_nothing_works_it_is_said(choose):
    with pytest.raises(CodecError, match='no encoder works here: no device'):
        choose(EncoderConfig('auto'), {})


def test_this_machine_gets_an_encoder():
    made = choose_encoder(EncoderConfig('auto', encoder_threads=1), SPEC)
    assert made.config.vcodec != 'auto'
    assert made.trials[-1].works
    assert {one.config.vcodec for one in made.trials} <= {*HARDWARE_VCODECS, 'libsvtav1'}


def test_an_ffmpeg_program_lists_more_than_lerobot_knows(monkeypatch):
    has = frozenset(['libx264', 'h264_v4l2m2m', 'av1_rkmpp', 'h264_nvenc', 'vp9_vaapi', 'libvpx'])
    monkeypatch.setattr(choice_module, 'encoders_of', lambda settings: has)
    listed = listed_encoders(EncoderConfig('auto', backend='ffmpeg'))
    assert [one.vcodec for one, is_built in listed if is_built] == [
        'h264',
        'h264_nvenc',
        'av1_rkmpp',
        'h264_v4l2m2m',
    ]
    assert {one.vcodec for one, _ in listed} > set(HARDWARE_VCODECS)


def test_pixels_are_put_in_the_order_that_hardware_takes():
    if not is_registered('h264_qsv'):
        pytest.skip('not in this build of libav')
    listed = {one.vcodec: one for one, _ in listed_encoders(EncoderConfig('auto'))}
    assert (listed['h264_qsv'].pix_fmt, listed['h264'].pix_fmt) == ('nv12', 'yuv420p')
