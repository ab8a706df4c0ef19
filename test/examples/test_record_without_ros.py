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
"""The example of the README that needs no ROS records what it says."""

from __future__ import annotations

import os
from pathlib import Path
import subprocess
import sys

ROOT = Path(__file__).resolve().parents[2]


def _run(argument, **options):
    return subprocess.run(
        [sys.executable, '-m', 'examples.record_without_ros', argument],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        **options,
    )


def test_help_is_no_folder(tmp_path):
    run = _run('--help', cwd=tmp_path, env={**os.environ, 'PYTHONPATH': str(ROOT)})
    assert run.returncode == 0, run.stderr
    assert 'root' in run.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_example_records_an_episode(tmp_path, read_dataset, keep_dataset):
    root = tmp_path / 'dataset'
    run = _run(str(root), cwd=ROOT)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith('episode 0: 6')
    dataset = read_dataset(root)
    (length,) = dataset.episodes['length']
    assert 59 <= length <= 61
    state = dataset.vectors('observation.state', 0)
    assert (state[:, 1] == 0.5).all()
    # The square is where the state says, in every frame.
    for (seconds, _), picture in zip(
        state, dataset.pictures('observation.images.front', 0), strict=True
    ):
        (columns,) = (picture[120, :, 0] > 150).nonzero()
        assert abs(columns[0] - 4 * 30 * seconds) <= 1
    keep_dataset(root)
