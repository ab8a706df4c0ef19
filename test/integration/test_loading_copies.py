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
"""LeRobot's own loader reads every item of the copy of a sync, after each operation."""

from __future__ import annotations

import json
import os
from pathlib import Path
import shutil
import subprocess
import threading

from cell import Cell, Watched
from lerobot_streamrec.fleet.sync.run import Sync
import pytest

VARIABLE = 'STREAMREC_CONFORMANCE_PYTHON'
READER = Path(__file__).parents[1] / 'kills' / 'lerobot_reader.py'
TIMEOUT_S = 280

pytestmark = [pytest.mark.conformance, pytest.mark.slow]


def test_lerobot_loads_the_copy_after_every_operation(tmp_path):
    python = os.environ.get(VARIABLE)
    if python is None:
        pytest.skip(f'{VARIABLE} names no Python with the real LeRobot')
    cell, lengths = Cell(tmp_path / 'root'), {}

    def keep(folder):
        target = tmp_path / f'at-{len(lengths):03d}'
        lengths[str(shutil.copytree(folder, target))] = len(store.seen[-1])

    store = Watched(str(tmp_path / 'copy'), tmp_path / 'look', keep)
    cell.change_much(lambda: Sync(cell.root, store, threading.Event()).run())
    cell.close()
    run = subprocess.run(
        [python, str(READER), *lengths],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    read = [json.loads(line) for line in run.stdout.splitlines()]
    assert [one['error'] for one in read if one['error']] == []
    assert {one['root']: len(one['lengths']) for one in read} == lengths
    assert len(read) > 50
    assert all(min(one['lengths']) > 0 for one in read)
