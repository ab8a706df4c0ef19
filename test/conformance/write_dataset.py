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
Record a small dataset with the real lerobot package, offline.

    VENV_DIR/bin/python test/conformance/write_dataset.py ROOT LENGTH [LENGTH ...]

VENV_DIR is the environment that build_environment.py makes; each LENGTH gives one episode.
"""

from __future__ import annotations

from pathlib import Path
import sys
import tempfile

from check_dataset import isolate

FPS = 20
CAMERA = 'observation.images.front'
HEIGHT, WIDTH = 48, 64
JOINTS = ['shoulder', 'elbow']


def write(root: Path, lengths: list[int]) -> None:
    """
    Record episodes with lerobot's writer and its default settings.

    :param root: a folder that does not exist yet.
    :param lengths: the number of frames of each episode.
    """
    # isolate() must come first: the libraries read its variables while they are imported.
    from item_checks import REPO_ID
    from lerobot.datasets.lerobot_dataset import LeRobotDataset
    import numpy as np

    vector = {'dtype': 'float32', 'shape': (len(JOINTS),), 'names': JOINTS}
    names = ['height', 'width', 'channels']
    dataset = LeRobotDataset.create(
        REPO_ID, fps=FPS, root=root, robot_type='so101',
        features={
            CAMERA: {'dtype': 'video', 'shape': (HEIGHT, WIDTH, 3), 'names': names},
            'observation.state': vector,
            'action': vector,
        },
    )
    chance = np.random.default_rng(0)
    slope = np.linspace(0, 120, WIDTH)[None, :, None] + np.zeros((HEIGHT, 1, 3))
    for episode, length in enumerate(lengths):
        for number in range(length):
            dataset.add_frame({
                CAMERA: (slope + 20 * episode + 6 * number).astype(np.uint8),
                'observation.state': chance.normal(size=2).astype(np.float32),
                'action': chance.normal(size=2).astype(np.float32),
                'task': f'task {episode % 2}',
            })
        dataset.save_episode()
    dataset.finalize()


if __name__ == '__main__':
    with tempfile.TemporaryDirectory(prefix='conformance_') as folder:
        isolate(folder)
        write(Path(sys.argv[1]), [int(length) for length in sys.argv[2:]])
