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

from dataclasses import replace

from ffmpeg_programs import fake_program, ffmpeg_config, PROGRAMS
from lerobot_streamrec.errors import CodecError
from lerobot_streamrec.video.codecs.config import FfmpegSettings, VideoSpec
from lerobot_streamrec.video.codecs.settings_check import encoders_of, unknown_options
from lerobot_streamrec.video.trials.trial import try_encoder
import pytest

SPEC = VideoSpec(64, 48, 30)
LISTING = """Encoders:
 V..... = Video
 ------
 V....D libx264              libx264 H.264 / AVC (codec h264)
 V..... h264_v4l2m2m         V4L2 mem2mem H.264 encoder wrapper (codec h264)
 A....D aac                  AAC (Advanced Audio Coding)
"""


@pytest.fixture(params=[name for name, path in PROGRAMS.items() if path])
def program(request):
    """Each ffmpeg of this machine."""
    return PROGRAMS[request.param]


def test_video_encoders_are_listed(tmp_path):
    settings = FfmpegSettings(str(fake_program(tmp_path, f'print({LISTING!r})')))
    assert encoders_of(settings) == {'libx264', 'h264_v4l2m2m'}


def test_real_programs_list_theirs(program):
    assert {'libx264', 'libx265', 'libsvtav1'} <= encoders_of(FfmpegSettings(program))


@pytest.mark.parametrize(
    ('body', 'timeout_s', 'reason'),
    [
        ('sys.stderr.write("no licence\\n"); sys.exit(2)', 60.0, '-encoders failed: no licence'),
        ('time.sleep(60)', 0.2, r'did not end within 0\.2 s'),
    ],
)
def test_a_program_that_cannot_say_its_encoders_is_refused(
    body, timeout_s, reason, tmp_path
):
    settings = FfmpegSettings(str(fake_program(tmp_path, body)))
    with pytest.raises(CodecError, match=reason) as caught:
        encoders_of(settings, timeout_s)
    assert caught.value.name == 'encoder.ffmpeg.executable'


def test_what_is_no_program_is_refused(tmp_path):
    (tmp_path / 'ffmpeg').write_text('text')
    for path, reason in (('ffmpeg', 'Permission denied'), ('none', 'No such file')):
        with pytest.raises(CodecError, match=f'{reason}.*; install FFmpeg or name a program'):
            encoders_of(FfmpegSettings(str(tmp_path / path)))


def test_options_of_the_encoder_and_of_all_codecs_are_known(program):
    options = {'b': '4M', 'tune': 'film', 'aq-mode': '1', 'bufsize': '1M', 'crff': '3'}
    config = ffmpeg_config(executable=program, extra_options=options)
    assert unknown_options(config) == ['crff']


def test_a_program_passes_its_trial_with_the_encoders_that_it_has():
    trial = try_encoder(ffmpeg_config(), SPEC)
    assert trial.works, trial.problem
    absent = replace(ffmpeg_config(), vcodec='h264_nosuch', preset=None)
    assert 'was built without h264_nosuch' in try_encoder(absent, SPEC).problem


def test_what_a_program_says_of_its_failure_is_one_line():
    trial = try_encoder(ffmpeg_config(preset='warp'), SPEC)
    assert '\n' not in trial.problem
    assert '-preset warp' in trial.problem
    assert trial.brief.startswith(('x264 [error]: invalid preset', '[libx264]'))
