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
"""The benchmark measures something, with a photograph of the test's own; no figure is asserted."""

from __future__ import annotations

import json
import os
from pathlib import Path
import subprocess
import sys

import numpy as np
from PIL import Image
import pytest

pytest.importorskip('rclpy', reason='the benchmark needs rclpy')

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / 'benchmarks' / 'record.py'

pytestmark = [pytest.mark.alone, pytest.mark.ros, pytest.mark.slow]


@pytest.fixture
def environment(tmp_path):
    """Stand in for the package that ships the photograph."""
    data = tmp_path / 'skimage' / 'data'
    data.mkdir(parents=True)
    (data.parent / '__init__.py').touch()
    noise = np.random.default_rng(0).integers(0, 256, (63, 93, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((741, 500)).save(data / 'motorcycle_left.png')
    return {**os.environ, 'PYTHONPATH': str(tmp_path)}


def test_a_quick_run_fills_every_column(environment, tmp_path):
    figures = tmp_path / 'figures.json'
    options = ['--quick', '--codec', 'h264', '--folder', str(tmp_path), '--json', str(figures)]
    run = subprocess.run(
        [sys.executable, str(SCRIPT), *options],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    (measurement,) = json.loads(figures.read_text())['measurements']
    summary = measurement['summary']
    assert summary['rows'] >= 50
    assert all(
        summary[name] > 0 for name in ('recorder_cpu', 'bare_cpu', 'ratio', 'bare_fps', 'save_ms')
    )
    # Nothing of the run stays behind.
    assert not list(tmp_path.glob('run-*'))


def test_a_missing_photograph_is_told_with_what_to_do(tmp_path):
    (tmp_path / 'skimage').mkdir()
    (tmp_path / 'skimage' / '__init__.py').touch()
    run = subprocess.run(
        [sys.executable, str(SCRIPT), '--quick'],
        env={**os.environ, 'PYTHONPATH': str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 2
    assert 'pip install --no-deps -r requirements/bench.txt' in run.stderr
