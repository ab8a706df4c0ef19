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
"""The benchmark beside other recorders works; what it measures is for people to compare."""

from __future__ import annotations

import json
from pathlib import Path
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.goals import Line
from benchmarks.peer import FPS

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 120


@pytest.mark.parametrize('encoder', ['auto', 'h264'])
def test_a_recorder_without_ros_tells_its_figures(tmp_path, encoder):
    ring, told = tmp_path / 'ring.npy', tmp_path / 'told.json'
    np.save(ring, np.random.default_rng(0).integers(0, 256, (10, 48, 64, 3), np.uint8))
    arguments = ['--ring', ring, '--root', tmp_path / 'dataset', '--json', told]
    arguments += ['--encoder', encoder, '--cameras', 2, '--episodes', 2, '--seconds', 1]
    run = subprocess.run(
        [sys.executable, ROOT / 'benchmarks' / 'peer.py', 'ours', *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    figures = json.loads(told.read_text())
    assert figures['peak_rss_mib'] > 50
    assert len(figures['episodes']) == 2
    for episode in figures['episodes']:
        assert len(episode['held_ms']) == FPS
        assert all(one > 0 for one in episode['held_ms'])
        assert episode['save_ms'] > 0
        assert episode['cpu_ms_per_frame'] > 0
    info = json.loads((tmp_path / 'dataset/meta/info.json').read_text())
    assert info['total_episodes'] == 2
    # Rows begin where all data are there, which may be a row late.
    assert 2 * FPS - 6 <= info['total_frames'] <= 2 * FPS + 2


def test_a_line_says_whether_its_goal_is_met():
    line = Line('save', 30.0, 200.0, 'ms', 0.2, (25.0, 40.0))
    assert str(line) == '| save | 30 (25 to 40) | 200 | ms | 0.15 | 0.2 | yes |'
    assert str(Line('save', 50.0, 200.0, 'ms', 0.2, (50.0, 50.0))).endswith('| 0.25 | 0.2 | NO |')
