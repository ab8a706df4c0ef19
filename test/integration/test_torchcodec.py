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
Frames by the real torchcodec, in LeRobot's environment: it needs torch and FFmpeg's libraries.

``make test`` makes that environment and names it in STREAMREC_CONFORMANCE_PYTHON. It runs the same
tests as everywhere, with torchcodec as one backend more.
"""

from __future__ import annotations

import os
from pathlib import Path
import subprocess

import pytest

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = 'STREAMREC_CONFORMANCE_PYTHON'
TESTS = 'test/video/mp4/test_frames_at.py'
# It takes 10 s, and minutes on a machine that is busy.
TIMEOUT_S = 600

pytestmark = [pytest.mark.conformance, pytest.mark.slow, pytest.mark.timeout(TIMEOUT_S + 60)]


def test_frames_by_torchcodec_are_the_right_ones():
    python = os.environ.get(VARIABLE)
    if not python:
        pytest.skip(f'** torchcodec was NOT tried: {VARIABLE} is not set **')
    environment = Path(python).parents[1]
    packages, libraries = environment / 'torchcodec', environment / 'ffmpeg'
    if not packages.is_dir():
        pytest.skip(f'{environment} has no torchcodec: make conformance-env makes it anew')
    (own_libraries,) = environment.glob('lib/python3*/site-packages/av.libs')
    run = subprocess.run(
        [python, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '-k', 'torchcodec', TESTS],
        cwd=ROOT,
        env={
            **{name: one for name, one in os.environ.items() if not name.startswith('PYTEST_')},
            'PYTHONPATH': f'{ROOT}:{packages}',
            # Where FFmpeg has the names that torchcodec wants, and where it looks for its own.
            'LD_LIBRARY_PATH': f'{libraries}:{own_libraries}',
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    (summary,) = [line for line in run.stdout.splitlines() if ' passed' in line]
    # Each test of a backend, and not those alone that stand in for it.
    assert int(summary.split()[0]) > 15, run.stdout
