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
"""``streamrec check --repair``: the plan, the question, the answer in one sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path
import pty
import subprocess
import sys

from command_line import STREAMREC, streamrec
from lerobot_streamrec.dataset.format.features import vector_feature
from lerobot_streamrec.dataset.format.state import EpisodeDraft
from lerobot_streamrec.dataset.takes.open_dataset import open_dataset
import numpy as np
import pytest

STATE = 'observation.state'


@pytest.fixture
def root(tmp_path):
    """Three episodes without cameras, of which the second one's rows are lost."""
    writer, _ = open_dataset(
        tmp_path / 'dataset',
        fps=10,
        robot_type='so101',
        features={STATE: vector_feature(('x', 'y'))},
        resume=False,
    )
    for number in range(3):
        rows = np.full((3, 2), number, np.float32)
        writer.commit(EpisodeDraft(3, 'pick', {STATE: rows}, {}))
    writer.close()
    (tmp_path / 'dataset/data/chunk-000/file-001.parquet').write_bytes(b'PAR1')
    return tmp_path / 'dataset'


def files(root):
    return {path: path.read_bytes() for path in root.rglob('*') if path.is_file()}


def test_repair_says_what_it_did(root, read_dataset):
    done = streamrec('check', root, '--repair', '--yes')
    assert (done.returncode, done.stderr) == (0, '')
    assert 'unreadable-file' in done.stdout
    assert 'A repair keeps 2 episodes, 6 rows:' in done.stdout
    assert '  episode 1 is set aside: data/chunk-000/file-001.parquet cannot be' in done.stdout
    assert '  episodes are renumbered: 2 -> 1' in done.stdout
    last = done.stdout.splitlines()[-1]
    assert last.startswith(f'repaired {root} in ')
    assert f'are in {root}/.streamrec/quarantine/repair-' in last
    np.testing.assert_array_equal(read_dataset(root).vectors(STATE, 1), np.full((3, 2), 2))
    before = files(root)
    done = streamrec('check', root, '--repair', '--yes')
    assert (done.returncode, done.stdout) == (0, 'whole: 2 episodes, 6 rows, 0 cameras\n')
    assert files(root) == before


def test_a_dry_run_changes_nothing(root):
    before = files(root)
    done = streamrec('check', root, '--repair', '--dry-run')
    assert done.returncode == 1
    assert 'A repair keeps 2 episodes, 6 rows:' in done.stdout
    assert files(root) == before
    done = streamrec('check', root, '--repair', '--dry-run', '--json')
    content = json.loads(done.stdout)
    assert content['whole'] is False
    assert content['repair']['done'] is False
    assert content['repair']['plan']['num_set_aside'] == 1
    assert files(root) == before


def test_json_is_all_that_stands_on_stdout(root):
    done = streamrec('check', root, '--repair', '--yes', '--json')
    assert (done.returncode, done.stderr) == (0, '')
    content = json.loads(done.stdout)
    assert content['whole'] is True
    assert content['repair']['done'] is True
    assert [one['new_episode_index'] for one in content['repair']['plan']['episodes']] == [
        *(0, None, 1),
    ]
    assert Path(content['repair']['quarantine']).is_dir()
    done = streamrec('check', root, '--repair', '--yes', '--json')
    assert json.loads(done.stdout)['repair'] == {
        'plan': None,
        'done': False,
        'quarantine': None,
        'num_quarantined_files': 0,
        'remarks': [],
    }


@pytest.mark.parametrize(
    ('options', 'hint'),
    [
        (['--repair'], 'add --yes'),
        (['--repair', '--json'], 'add --yes'),
        (['--repair', '--fast', '--yes'], '--fast'),
        (['--dry-run'], 'only apply together with --repair'),
        (['--yes'], 'only apply together with --repair'),
        (['--repair', '--yes', '--min-seconds', '-1'], 'min-seconds'),
    ],
)
def test_wrong_usage_ends_with_2(root, options, hint):
    before = files(root)
    done = streamrec('check', root, *options)
    assert done.returncode == 2
    assert hint in done.stderr
    assert files(root) == before


@pytest.mark.parametrize(('answer', 'status'), [('n', 1), ('y', 0)])
def test_it_asks_on_a_terminal(root, answer, status):
    before = files(root)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, *STREAMREC, 'check', str(root), '--repair'],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.write(ours, f'{answer}\n'.encode())
        _, said = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == status
    assert f'Repair {root}?' in said
    assert (files(root) == before) == (answer == 'n')


def test_what_cannot_be_repaired_ends_with_1(root):
    for path in root.glob('data/*/*'):
        path.write_bytes(b'PAR1')
    before = files(root)
    done = streamrec('check', root, '--repair', '--yes')
    assert done.returncode == 1
    assert done.stderr.startswith(f'streamrec: no episode of {root} can be kept: ')
    assert files(root) == before


def test_no_dataset_ends_with_2(tmp_path):
    assert streamrec('check', tmp_path / 'nothing', '--repair', '--yes').returncode == 2
    assert streamrec('check', tmp_path, '--repair', '--yes').returncode == 2
