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
Read datasets with LeRobot's own loader: ``lerobot_reader.py ROOT...`` prints a JSON line for each.

It runs in an environment with the real LeRobot.
"""

from __future__ import annotations

import json
import os
import sys

os.environ['HF_HUB_OFFLINE'] = '1'

from lerobot.datasets.lerobot_dataset import LeRobotDataset


def lengths(root):
    """Read every item, including its frames; return the number of rows of each episode."""
    dataset = LeRobotDataset('local/killed', root=root)
    counts = [0] * dataset.num_episodes
    for index in range(len(dataset)):
        item = dataset[index]
        counts[int(item['episode_index'])] += 1
        assert int(item['index']) == index
        assert item['observation.images.front'].shape == (3, 48, 64)
    return counts


for root in sys.argv[1:]:
    found = {'root': root, 'lengths': None, 'error': None}
    try:
        found['lengths'] = lengths(root)
    # Any error means that the loader cannot read the dataset, which is the finding.
    except Exception as error:  # noqa: BLE001
        found['error'] = f'{type(error).__name__}: {error}'
    print(json.dumps(found), flush=True)
