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
No codec goes before the robot: SVT-AV1 takes real-time priority for its threads as root.

A process that may not be real-time in the first place shows only that nothing breaks.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
import subprocess
import sys

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = Path(__file__).parent / 'encode_and_list_threads.py'


@pytest.fixture(scope='module')
def threads(tmp_path_factory):
    path = tmp_path_factory.mktemp('threads') / 'video.mp4'
    run = subprocess.run(
        [sys.executable, str(SCRIPT), str(path)],
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
        timeout=100,
    )
    return json.loads(run.stdout)


def test_no_thread_of_an_encoder_is_real_time(threads):
    added = {task: seen for task, seen in threads.items() if task != 'main'}
    # The encoder's own and those of the codec.
    assert len(added) > 1
    assert {policy for policy, _ in added.values()} == {os.SCHED_OTHER}


def test_only_threads_of_encoders_give_the_right_up(threads):
    if not threads.pop('main')[1]:
        pytest.skip('this process had no right to be real-time to begin with')
    assert not any(right for _, right in threads.values())
