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
Quantise and read depth with the real lerobot package.

    VENV_DIR/bin/python test/conformance/depth_codes.py FOLDER

The script reads ``mm.npy``, ``m.npy`` and ``configs.json`` (a list of parameters) in FOLDER. It
writes ``codes_<unit>_<n>.npy`` and, for all 4096 codes, ``depth_<unit>_<n>.npy``. For each depth
camera of the dataset in FOLDER/dataset it writes ``shown_<unit>_<key>.npy``, and for the pictures
in ``raw_<key>.npy`` the statistics of lerobot's own recorder, ``stats_<key>.json``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
import sys

UNITS = ('mm', 'm')


def quantise(folder: Path) -> None:
    """
    Write lerobot's codes and depths.

    :param folder: the folder with the depth to quantise.
    """
    from lerobot.datasets.depth_utils import dequantize_depth, quantize_depth
    import numpy as np
    import torch

    codes = torch.arange(4096, dtype=torch.int32).reshape(1, 1, 64, 64)
    for number, config in enumerate(json.loads((folder / 'configs.json').read_text())):
        for unit in UNITS:
            depth = np.load(folder / f'{unit}.npy')
            quantised = quantize_depth(depth, **config, video_backend=None)
            np.save(folder / f'codes_{unit}_{number}.npy', quantised)
            shown = dequantize_depth(codes, **config, output_unit=unit)
            np.save(folder / f'depth_{unit}_{number}.npy', shown.numpy().reshape(-1))


def read(folder: Path) -> None:
    """
    Write the dataset's depth as lerobot's reader returns it, and lerobot's statistics.

    :param folder: the folder with the dataset and the pictures from which it was made.
    """
    from lerobot.datasets.compute_stats import auto_downsample_height_width, RunningQuantileStats
    from lerobot.datasets.lerobot_dataset import LeRobotDataset
    import numpy as np

    for unit in UNITS:
        dataset = LeRobotDataset(
            'conformance/depth', root=folder / 'dataset', video_backend='pyav',
            depth_output_unit=unit)
        for key in dataset.meta.depth_keys:
            shown = np.stack([dataset[row][key].numpy()[0] for row in range(len(dataset))])
            np.save(folder / f'shown_{unit}_{key}.npy', shown)
    for key in dataset.meta.depth_keys:
        running = RunningQuantileStats()
        for picture in np.load(folder / f'raw_{key}.npy'):
            running.update(auto_downsample_height_width(picture[None]).reshape(-1, 1))
        stats = {name: one.tolist() for name, one in running.get_statistics().items()}
        (folder / f'stats_{key}.json').write_text(json.dumps(stats))


if __name__ == '__main__':
    # A sourced ROS workspace would put its own numpy in front of the environment's.
    if os.environ.get('PYTHONPATH') and not sys.flags.ignore_environment:
        os.execv(sys.executable, [sys.executable, '-E', *sys.argv])
    # Set these variables before the libraries are imported, to keep them off the network and out
    # of the user's caches.
    place = Path(sys.argv[1])
    os.environ.update(
        HF_HUB_OFFLINE='1', HF_DATASETS_OFFLINE='1', HF_HOME=str(place / 'hf'),
        HF_DATASETS_CACHE=str(place / 'datasets'), HF_LEROBOT_HOME=str(place / 'lerobot'))
    quantise(place)
    read(place)
