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
Only an encoder that shows what it was given counts, whatever else it does.

The encoders that hang, crash and lie are fakes (``fake_hardware.py``); h264_nvenc, which PyPI's
build of libav lists and which needs a device, is the real case of one that does not work.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
import re
import subprocess
import sys
import threading

from lerobot_streamrec.errors import CodecError
from lerobot_streamrec.video.codecs.config import EncoderConfig, FfmpegSettings, VideoSpec
from lerobot_streamrec.video.codecs.settings_check import is_registered
from lerobot_streamrec.video.trials import trial as trial_module
from lerobot_streamrec.video.trials.auto_select import check_at_size, known_trial
from lerobot_streamrec.video.trials.trial import (
    Trial,
    TrialCancelledError,
    TrialReport,
    TrialTask,
    try_encoder,
)
import psutil
import pytest
from waiting import wait_for

HARDWARE = EncoderConfig('h264_v4l2m2m', backend='ffmpeg')
NO_PROGRAM = FfmpegSettings('no-such-program')
SPEC = VideoSpec(96, 64, 30)


@pytest.fixture
def try_fake(monkeypatch):
    """Try one of the fakes, past the questions to a program that is not theirs."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setattr(trial_module, 'check_before_trial', lambda config: None)

    def attempt(name, **options):
        return try_encoder(HARDWARE, SPEC, opener=f'fake_hardware:{name}', **options)

    return attempt


@pytest.mark.parametrize('name', ['Fake', 'Talkative'])
def test_an_encoder_that_works_counts(try_fake, name):
    trial = try_fake(name, num_streams=2)
    assert trial.works, trial.problem
    assert trial.frames_per_s > 0
    assert trial.headroom == pytest.approx(trial.frames_per_s / 60)
    assert (trial.config, trial.spec) == (HARDWARE, SPEC)


@pytest.mark.parametrize(
    ('name', 'problem'),
    [
        ('Crashing', r'it crashed \(SIGSEGV\)'),
        ('Aborting', r'it crashed \(SIGABRT\) \(NVMAP: assertion failed\)'),
        ('Leaving', 'ended with status 0 and no report'),
        ('Dropping', '24 of 30 frames can be decoded'),
        ('Green', r'frame 0 shows something else \(PSNR \d'),
        ('Late', 'frame 1 shows something else'),
        ('Small', 'pictures of 48x32 pixels instead of 96x64'),
        ('Refusing', 'ioctl failed'),
        ('Missing', "has no attribute 'Missing'"),
    ],
)
def test_one_that_crashes_or_lies_does_not_count(try_fake, name, problem):
    trial = try_fake(name)
    assert not trial.works
    assert re.search(problem, trial.problem), trial.problem
    assert trial.headroom == 0


def test_one_that_is_slow_is_not_taken_for_one_that_hangs(try_fake):
    trial = try_fake('Slow', deadline_s=10.0, enough_s=0.6)
    assert trial.works, trial.problem
    assert trial.frames_per_s < 7
    assert trial.headroom < 0.25


def test_sessions_that_are_needed_at_once_are_opened_at_once(try_fake):
    assert try_fake('SecondRefused').works
    assert try_fake('SecondRefused', num_streams=2).problem == 'out of sessions'


@pytest.mark.parametrize('name', ['Hanging', 'HangingAtEnd'])
def test_one_that_hangs_is_killed(try_fake, monkeypatch, name):
    started = children(monkeypatch)
    trial = try_fake(name, deadline_s=1.0)
    assert trial.problem == 'it did not encode 30 frames within 1 s'
    assert [child.returncode for child in started] == [-9]


def test_programs_of_one_that_hangs_are_killed_too(try_fake):
    trial = try_fake('HangingProgram', deadline_s=1.5)
    pid = int(re.search(r'program (\d+)', trial.problem)[1])
    # Killed, and maybe not yet waited for by whoever inherits it.
    wait_for(lambda: not is_running(pid))


def is_running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_trial_can_be_given_up(try_fake, monkeypatch):
    started = children(monkeypatch)
    stop = threading.Event()
    stop.set()
    with pytest.raises(TrialCancelledError):
        try_fake('Hanging', stop=stop)
    assert [child.returncode for child in started] == [-9]


def children(monkeypatch):
    """Return the list of processes that trials start from now on."""
    started = []

    class Noted(subprocess.Popen):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            started.append(self)

    monkeypatch.setattr(trial_module.subprocess, 'Popen', Noted)
    return started


@pytest.mark.skipif(not is_registered('h264_nvenc'), reason='not in this build of libav')
def test_an_encoder_that_is_listed_without_its_device_does_not_count():
    trial = try_encoder(EncoderConfig('h264_nvenc'), SPEC)
    assert not trial.works
    # Its own words. On a machine that has such a device, the driver's words on small pictures.
    assert 'h264_nvenc' in trial.problem


@pytest.mark.parametrize('vcodec', ['libsvtav1', 'h264', 'hevc'])
def test_real_encoders_count_even_at_their_worst_quality(vcodec):
    config = EncoderConfig(vcodec, crf=63 if vcodec == 'libsvtav1' else 51, encoder_threads=1)
    trial = try_encoder(config, SPEC)
    assert trial.works, trial.problem


@pytest.mark.parametrize(
    ('settings', 'problem'),
    [
        ({'vcodec': 'h264_videotoolbox', 'crf': 30}, 'encoder h264_videotoolbox'),
        ({'vcodec': 'h264_nvenc', 'pix_fmt': 'gray'}, 'encoder.pix_fmt'),
        ({'vcodec': 'h264', 'backend': 'ffmpeg', 'ffmpeg': NO_PROGRAM}, 'install FFmpeg'),
        ({'vcodec': 'h264', 'extra_options': {'crff': '1'}}, 'libx264 has no option crff'),
    ],
)
def test_settings_are_checked_as_well(settings, problem):
    if sys.platform == 'darwin' and 'videotoolbox' in str(settings):
        pytest.skip('is there')
    config = EncoderConfig(**{'vcodec': 'libsvtav1'} | settings)
    assert problem in try_encoder(config, SPEC).problem


def test_a_trial_is_made_once(monkeypatch):
    started = children(monkeypatch)
    config = EncoderConfig('h264', preset='ultrafast', crf=17)
    first = known_trial(config, SPEC)
    assert known_trial(config, SPEC) is first
    assert len(started) == 1
    assert known_trial(config, replace(SPEC, fps=15)) is not first


def test_what_is_known_says_enough():
    works = Trial(HARDWARE, VideoSpec(640, 480, 30), 3, 225.0)
    assert str(works) == (
        '225 frames per second at 640x480 (cameras at once: 3), 2.5 times the rate needed'
    )
    assert str(Trial(HARDWARE, VideoSpec(640, 480, 30), 3, problem='no device')) == 'no device'


def test_tasks_and_reports_travel_unchanged(tmp_path):
    config = EncoderConfig('h264_vaapi', backend='ffmpeg', extra_options={'b': '4M'})
    task = TrialTask(config, VideoSpec(64, 48, 30), 2, 30, 5.0, tmp_path / 'a.rgb', tmp_path)
    assert TrialTask.from_json(task.as_json()) == task
    report = TrialReport('', 12.5, 3.5, 1000)
    assert TrialReport.from_json(report.as_json()) == report
    for text in ('', '{"frames": 3}', '[1, 2]'):
        with pytest.raises(ValueError, match=r'column|argument|mapping'):
            TrialReport.from_json(text)


def test_who_encodes_at_once_has_the_right_check_for_each_encoder():
    check_at_size(EncoderConfig('h264', preset='ultrafast', crf=17), SPEC)
    with pytest.raises(CodecError, match=r'encoder h264_videotoolbox|does not work here'):
        check_at_size(EncoderConfig('h264_videotoolbox'), SPEC)
    with pytest.raises(CodecError, match='install FFmpeg'):
        check_at_size(EncoderConfig('h264', backend='ffmpeg', ffmpeg=NO_PROGRAM), SPEC)
