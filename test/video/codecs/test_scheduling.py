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

from lerobot_streamrec.video.codecs.scheduling import usable_cores
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


@pytest.mark.parametrize(
    ('limit', 'share'), [('50000 100000', 1), ('max 100000', None), ('nonsense', None), ('', None)]
)
def test_a_limit_of_the_container_counts(tmp_path, limit, share):
    path = tmp_path / 'cpu.max'
    path.write_text(limit)
    all_of_them = len(os.sched_getaffinity(0))
    assert usable_cores(path) == (all_of_them if share is None else share)
    assert usable_cores(tmp_path / 'missing') == all_of_them


def test_cores_to_which_the_process_is_pinned_count():
    code = (
        'import os; os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1]); '
        'from lerobot_streamrec.video.codecs.scheduling import cores_each, usable_cores; '
        'print(usable_cores(), cores_each(3), cores_each(0))'
    )
    run = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert run.stdout.split() == ['1', '1', '1']
