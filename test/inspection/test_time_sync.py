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
"""What doctor says of the computer's clock; chronyc is a script here that prints a given text."""

from __future__ import annotations

from lerobot_streamrec.inspection.diagnosis import Level
from lerobot_streamrec.inspection.machine_checks import check_time
import pytest

TRACKING = """\
Reference ID    : C0000201 (ntp.example)
Stratum         : 3
Ref time (UTC)  : Fri Nov 27 09:27:27 2026
System time     : {off} seconds {side} of NTP time
Last offset     : -0.000006747 seconds
RMS offset      : 0.000035822 seconds
Leap status     : {leap}
"""


@pytest.fixture
def fake_chronyc(tmp_path, monkeypatch):
    """Put a script in the place of chronyc; it knows the command tracking alone."""

    def make(script):
        program = tmp_path / 'chronyc'
        program.write_text(f'#!/bin/sh\n[ "$*" = tracking ] || exit 64\n{script}\n')
        program.chmod(0o755)
        monkeypatch.setenv('PATH', f'{tmp_path}:/usr/bin:/bin')

    return make


def printing(off='0.000006523', side='slow', leap='Normal'):
    return f"cat <<'END'\n{TRACKING.format(off=off, side=side, leap=leap)}END"


@pytest.mark.parametrize(
    ('script', 'level', 'words'),
    [
        (printing(), Level.OK, 'is 0.0 ms slow of NTP time'),
        (printing('0.730000000', 'fast'), Level.WARNING, 'is 730 ms fast of NTP time'),
        (printing('3600.5', 'slow'), Level.WARNING, 'is 1.0 h slow of NTP time'),
        (
            printing('0.000000000', leap='Not synchronised'),
            Level.WARNING,
            'not synchronised (chronyc tracking: Leap status)',
        ),
        (
            'echo "506 Cannot talk to daemon"; exit 1',
            Level.NOTE,
            'chronyc tracking failed: 506 Cannot talk to daemon',
        ),
        ('exit 3', Level.NOTE, 'chronyc tracking failed: status 3'),
        ('echo hello', Level.NOTE, "printed 'hello\\n'"),
    ],
)
def test_what_chrony_says_is_judged(fake_chronyc, script, level, words):
    fake_chronyc(script)
    (check,) = check_time()
    assert check.remark.level is level
    assert words in check.remark.text


def test_a_chronyc_that_hangs_is_not_waited_for(fake_chronyc):
    fake_chronyc('exec sleep 600')
    (check,) = check_time(timeout_s=0.5)
    assert check.remark.level is Level.NOTE
    assert 'did not answer within 0.5 s' in check.remark.text


def test_without_chrony_nothing_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', str(tmp_path))
    assert check_time() == []
