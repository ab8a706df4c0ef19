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
A recorder that is killed loses at most the last second of its videos.

Guards against the ordinary MP4, which is worth nothing until it is closed.
"""

from __future__ import annotations

from fractions import Fraction
import os
from pathlib import Path
import signal
import subprocess
import sys

from lerobot_streamrec.video.codecs.config import BUNDLED_VCODECS
import pytest

FPS = 30
NUM_FRAMES = 120
WRITER = Path(__file__).parents[1] / 'killed_writer.py'
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize('vcodec', BUNDLED_VCODECS)
def test_all_but_the_last_second_can_be_read_after_a_kill(vcodec, tmp_path, decode):
    path = tmp_path / 'video.mp4'
    with subprocess.Popen(
        [sys.executable, WRITER, path, vcodec, str(NUM_FRAMES)],
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        try:
            assert writer.stdout.readline() == 'ready\n'
        finally:
            writer.kill()
        assert writer.wait(30) == -signal.SIGKILL
    frames = decode(path)
    assert NUM_FRAMES - FPS <= len(frames) <= NUM_FRAMES
    assert [frame.at for frame in frames] == [Fraction(k, FPS) for k in range(len(frames))]
    shown = [frame.colour.mean() for frame in frames]
    assert shown == pytest.approx(range(len(frames)), abs=4)
