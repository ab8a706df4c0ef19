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
Quantise depth with the real lerobot package, and read it back.

    VENV_DIR/bin/python test/conformance/depth_codes.py FOLDER

Reads ``mm.npy``, ``m.npy`` and ``configs.json`` (a list of parameters) in FOLDER; writes
``codes_<unit>_<n>.npy`` and, of all 4096 codes, ``depth_<unit>_<n>.npy``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
import sys


def main(folder: Path) -> None:
    """
    Write lerobot's codes and depths.

    :param folder: with what is to be quantised.
    """
    # Offline from the first import on.
    os.environ.update(HF_HUB_OFFLINE='1', HF_DATASETS_OFFLINE='1')
    from lerobot.datasets.depth_utils import dequantize_depth, quantize_depth
    import numpy as np
    import torch

    codes = torch.arange(4096, dtype=torch.int32).reshape(1, 1, 64, 64)
    for number, config in enumerate(json.loads((folder / 'configs.json').read_text())):
        for unit in ('mm', 'm'):
            depth = np.load(folder / f'{unit}.npy')
            quantised = quantize_depth(depth, **config, video_backend=None)
            np.save(folder / f'codes_{unit}_{number}.npy', quantised)
            shown = dequantize_depth(codes, **config, output_unit=unit)
            np.save(folder / f'depth_{unit}_{number}.npy', shown.numpy().reshape(-1))


if __name__ == '__main__':
    # A sourced ROS workspace would put its own numpy in front of the environment's.
    if os.environ.get('PYTHONPATH') and not sys.flags.ignore_environment:
        os.execv(sys.executable, [sys.executable, '-E', *sys.argv])
    main(Path(sys.argv[1]))
