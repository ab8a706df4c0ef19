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
"""What an ffmpeg program says of its encoders is read as it says it."""

from __future__ import annotations

import shutil

from lerobot_streamrec.errors import CodecError
from lerobot_streamrec.video.config import EncoderConfig
from lerobot_streamrec.video.ffmpeg_listing import encoders_of, unknown_options
from lerobot_streamrec.video.ffmpeg_settings import FfmpegSettings
from lerobot_streamrec.video.trial import try_encoder
import pytest

REAL = shutil.which('ffmpeg')
needs_ffmpeg = pytest.mark.skipif(REAL is None, reason='needs an ffmpeg program')
SIZE = {'width': 64, 'height': 48, 'fps': 30}


@pytest.fixture
def program(tmp_path):
    """Make a program that says what it is told to."""

    def make(text, status=0):
        path = tmp_path / 'ffmpeg'
        script = f'cat <<"END"\n{text}\nEND\necho "it went wrong" >&2\nexit {status}\n'
        path.write_text(f'#!/bin/sh\n{script}')
        path.chmod(0o755)
        return FfmpegSettings(str(path))

    return make


def test_video_encoders_are_listed(program):
    settings = program(
        'Encoders:\n V..... = Video\n ------\n'
        ' V....D libx264              libx264 H.264 (codec h264)\n'
        ' V..... h264_v4l2m2m         V4L2 mem2mem H.264 encoder wrapper (codec h264)\n'
        ' A....D aac                  AAC (Advanced Audio Coding)\n'
    )
    assert encoders_of(settings) == {'libx264', 'h264_v4l2m2m'}


def test_a_program_that_fails_is_said(program):
    with pytest.raises(CodecError, match='-encoders failed: it went wrong') as caught:
        encoders_of(program('', status=3))
    assert caught.value.name == 'encoder.ffmpeg.executable'


@needs_ffmpeg
def test_options_of_the_encoder_and_of_all_codecs_are_known():
    options = {'b': '4M', 'tune': 'film', 'aq-mode': '1', 'bufsize': '1M', 'crff': '3'}
    config = EncoderConfig('h264', backend='ffmpeg', extra_options=options)
    assert unknown_options(config) == ['crff']


@needs_ffmpeg
def test_software_of_a_program_works_and_hardware_it_was_not_built_with_does_not():
    quick = EncoderConfig('h264', preset='ultrafast', backend='ffmpeg')
    trial = try_encoder(quick, **SIZE)
    assert trial.works, trial.problem
    absent = try_encoder(EncoderConfig('h264_nosuch', backend='ffmpeg'), **SIZE)
    assert 'was built without h264_nosuch' in absent.problem


@needs_ffmpeg
def test_what_a_program_says_of_its_failure_is_one_line():
    config = EncoderConfig('h264', preset='warp', backend='ffmpeg')
    trial = try_encoder(config, **SIZE)
    assert '\n' not in trial.problem
    assert '-preset warp' in trial.problem
    assert trial.brief.startswith(('x264 [error]: invalid preset', '[libx264]'))
