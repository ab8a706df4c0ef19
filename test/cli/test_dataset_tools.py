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
"""`streamrec compact`, `delete` and `merge` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

from command_line import streamrec
from lerobot_streamrec.dataset.format.features import vector_feature
from lerobot_streamrec.dataset.format.state import EpisodeDraft
from lerobot_streamrec.dataset.takes.open_dataset import open_dataset
import numpy as np
import pytest

STATE = 'observation.state'


@pytest.fixture
def make_dataset(tmp_path):
    """Record a dataset without cameras."""

    def make(name='dataset', num_episodes=4, robot_type='so101'):
        opened = open_dataset(
            tmp_path / name,
            fps=10,
            robot_type=robot_type,
            features={STATE: vector_feature(('x', 'y'))},
            resume=False,
        )
        writer = opened[0] if isinstance(opened, tuple) else opened
        for number in range(num_episodes):
            rows = np.full((3, 2), number, np.float32)
            writer.commit(EpisodeDraft(3, 'pick', {STATE: rows}, {}))
        writer.close()
        return tmp_path / name

    return make


def files(root: Path):
    return {
        path: path.read_bytes()
        for path in root.rglob('*')
        if path.is_file() and path.name != 'owner.json'
    }


def test_help_names_the_tools():
    shown = streamrec('--help').stdout
    assert all(f'\n  {name} ' in shown for name in ('compact', 'delete', 'merge'))


def test_compact_says_what_it_did(make_dataset, read_dataset):
    root = make_dataset()
    done = streamrec('compact', root)
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout.startswith(f'compacted {root}: 8 files of ')
    assert 'became 2 files of ' in done.stdout
    assert read_dataset(root).episodes['length'].tolist() == [3, 3, 3, 3]
    done = streamrec('compact', root)
    assert done.returncode == 0
    assert done.stdout.startswith(f'{root} is already compact: 2 files of ')


def test_a_dry_run_changes_nothing(make_dataset, tmp_path):
    root, other = make_dataset(), make_dataset('other')
    before = files(tmp_path)
    done = streamrec('compact', '--dry-run', root)
    assert done.returncode == 0
    assert done.stdout == (
        f'would compact {root}:\n  data: 4 files -> 1\n  episodes: 4 files -> 1\n'
    )
    done = streamrec('delete', root, '--episodes', '1', '--dry-run')
    assert done.returncode == 0
    assert f'would delete 1 episode of {root}, leaving 3 episodes with 9 rows' in done.stdout
    done = streamrec('merge', '--dry-run', tmp_path / 'merged', root, other)
    assert done.returncode == 0
    assert 'would merge 8 episodes into' in done.stdout
    assert files(tmp_path) == before


def test_delete_asks_first(make_dataset, read_dataset):
    root = make_dataset()
    before = files(root)
    done = streamrec('delete', root, '--episodes', '0,2-3', answer='n\n')
    assert done.returncode == 1
    assert f'Delete 3 episodes of {root} for good, leaving 1 episode with 3 rows?' in done.stderr
    assert files(root) == before
    done = streamrec('delete', root, '--episodes', '0,2-3', answer='y\n')
    assert done.returncode == 0
    assert f'deleted 3 episodes of {root}: 1 episode left' in done.stdout
    np.testing.assert_array_equal(read_dataset(root).vectors(STATE, 0), np.full((3, 2), 1))


def test_delete_without_asking(make_dataset, read_dataset):
    root = make_dataset()
    assert streamrec('delete', root, '--episodes', '3', '--yes').returncode == 0
    assert len(read_dataset(root).episodes) == 3


@pytest.mark.parametrize('text', ['x', '1-', '3-1', '', '1,,2', '-1'])
def test_episodes_that_are_none_are_wrong_usage(text, make_dataset):
    done = streamrec('delete', make_dataset(), f'--episodes={text}', '--yes')
    assert done.returncode == 2
    assert 'is neither a number nor a range' in done.stderr


def test_an_unknown_episode_is_told_in_a_sentence(make_dataset):
    done = streamrec('delete', make_dataset(), '--episodes', '9', '--yes')
    assert done.returncode == 1
    assert done.stderr.startswith("streamrec: episodes is '9'")


def test_merge_says_what_it_did(make_dataset, read_dataset, tmp_path):
    out = tmp_path / 'merged'
    done = streamrec('merge', out, make_dataset('one'), make_dataset('two', 2))
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout.startswith(f'merged 2 datasets into {out}: 6 episodes, 12 files of ')
    assert len(read_dataset(out).episodes) == 6


def test_merge_shows_differences(make_dataset, tmp_path):
    one, two = make_dataset('one'), make_dataset('two', robot_type='other')
    done = streamrec('merge', tmp_path / 'merged', one, two)
    assert done.returncode == 1
    assert f"robot_type is 'so101' in {one} and 'other' in {two}" in done.stderr


def test_a_missing_root_is_wrong_usage(tmp_path):
    assert streamrec('compact', tmp_path / 'none').returncode == 2
    assert streamrec('merge', tmp_path / 'merged').returncode == 2


@pytest.mark.parametrize(
    ('name', 'value'),
    [('storage_format', 'lance'), pytest.param('fps', 29.97, marks=pytest.mark.slow)],
    ids=['storage', 'fps'],
)
@pytest.mark.parametrize(
    'arguments',
    [
        ('compact',),
        ('delete', '--yes', '--episodes', '0'),
        ('merge', 'out'),
        ('reencode',),
        ('encode',),
        ('frames', '--episode', '0', '--output', 'out'),
        ('check', '--repair', '--yes'),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_dataset_of_another_kind_is_refused_in_a_sentence(
    arguments, name, value, make_dataset, tmp_path
):
    root = make_dataset(num_episodes=2)
    info = root / 'meta/info.json'
    content = json.loads(info.read_text())
    # With something to mend, or else a repair has no reason to look.
    info.write_text(json.dumps({**content, name: value, 'total_frames': 5}))
    before = files(tmp_path)
    where = [tmp_path / one if one == 'out' else one for one in arguments]
    done = streamrec(*where, root)
    assert done.returncode == 1
    sentence = done.stderr.strip().splitlines()[-1]
    assert sentence.startswith(f'streamrec: {root}/meta/info.json: {name} is {value!r}; only ')
    assert files(tmp_path) == before


def test_merge_names_files_that_are_not_at_their_place(make_dataset, tmp_path):
    roots = make_dataset('one'), make_dataset('two')
    for root in roots:
        (root / 'README.md').write_text(f'# {root.name}')
    out = tmp_path / 'merged'
    note = (
        f'note: {roots[1]} has files whose names are taken by different files; these go to '
        'merged_from/two: README.md\n'
    )
    done = streamrec('merge', '--dry-run', out, *roots)
    assert (done.returncode, done.stderr) == (0, note)
    assert not out.exists()
    done = streamrec('merge', out, *roots)
    assert (done.returncode, done.stderr) == (0, note)
    assert (out / 'README.md').read_text() == '# one'
    assert (out / 'merged_from/two/README.md').read_text() == '# two'
