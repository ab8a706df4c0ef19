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
Record episodes with the real lerobot package, in either of its modes.

    VENV_DIR/bin/python test/conformance/record_episodes.py JOBS.json

JOBS.json is a list of ``{"root": folder, "streaming": bool, "length": frames, "level": 0..255}``.
For each job, in order, an episode of that length is appended to the dataset in the folder, or
begins a new one there. Pictures are striped, 20 levels to both sides of the level.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
import sys
import tempfile
from typing import Any

FPS, HEIGHT, WIDTH = 10, 48, 64
CAMERA, STATE, TASK = 'observation.images.front', 'observation.state', 'stripes'
DEVIATION = 20


def record(job: dict[str, Any]) -> None:
    """
    Append an episode.

    :param job: one entry of JOBS.json.
    """
    from lerobot.datasets.lerobot_dataset import LeRobotDataset
    import numpy as np

    root, repo_id = Path(job['root']), 'conformance/episodes'
    mode = {'streaming_encoding': job['streaming'], 'encoder_queue_maxsize': job['length'] + 1}
    if (root / 'meta/info.json').exists():
        dataset = LeRobotDataset.resume(repo_id, root=root, **mode)
    else:
        camera = {'dtype': 'video', 'shape': (HEIGHT, WIDTH, 3),
                  'names': ['height', 'width', 'channels']}
        state = {'dtype': 'float32', 'shape': (2,), 'names': ['x', 'y']}
        dataset = LeRobotDataset.create(
            repo_id, FPS, {CAMERA: camera, STATE: state}, root=root, use_videos=True, **mode)
    pixels = np.full((HEIGHT, WIDTH, 3), job['level'] - DEVIATION, np.uint8)
    pixels[:, WIDTH // 2:] += 2 * DEVIATION
    for number in range(job['length']):
        state = np.array([number, -number], np.float32)
        dataset.add_frame({CAMERA: pixels, STATE: state, 'task': TASK})
    dataset.save_episode()
    dataset.finalize()


def main() -> None:
    """Do all jobs, with libraries off the network and out of the user's caches."""
    with tempfile.TemporaryDirectory(prefix='conformance_') as scratch:
        os.environ.update(
            HF_HUB_OFFLINE='1', HF_DATASETS_OFFLINE='1', HF_HOME=f'{scratch}/hf',
            HF_DATASETS_CACHE=f'{scratch}/datasets', HF_LEROBOT_HOME=f'{scratch}/lerobot',
            HF_DATASETS_DISABLE_PROGRESS_BARS='1', SVT_LOG='1')
        for job in json.loads(Path(sys.argv[1]).read_text()):
            record(job)


if __name__ == '__main__':
    # A sourced ROS workspace would put its own numpy in front of the environment's.
    if os.environ.get('PYTHONPATH') and not sys.flags.ignore_environment:
        os.execv(sys.executable, [sys.executable, '-E', *sys.argv])
    main()
