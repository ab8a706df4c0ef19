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
"""Looking at a root says what opening it would say, and leaves every file as it is."""

from __future__ import annotations

from lerobot_streamrec.dataset.format.features import vector_feature
from lerobot_streamrec.dataset.format.layout import STAGING
from lerobot_streamrec.dataset.format.state import EpisodeDraft
from lerobot_streamrec.dataset.takes.open_dataset import look_at_root, open_dataset
from lerobot_streamrec.errors import (
    ConfigError,
    DatasetError,
    DatasetExistsError,
    DatasetLockedError,
    DatasetMismatchError,
    StreamrecError,
    UnusableDatasetError,
)
import numpy as np
import pytest

STATE = 'observation.state'
WANTED = {
    'fps': 10,
    'robot_type': 'so101',
    'features': {STATE: vector_feature(('x', 'y'))},
    'resume': True,
}


@pytest.fixture
def root(tmp_path):
    """A dataset of two episodes."""
    root = tmp_path / 'set'
    writer, _ = open_dataset(root, **WANTED)
    for _ in range(2):
        writer.commit(EpisodeDraft(3, 'pick', {STATE: np.zeros((3, 2), np.float32)}, {}))
    writer.close()
    return root


def files(folder):
    return {
        path.relative_to(folder): path.read_bytes() if path.is_file() else None
        for path in folder.rglob('*')
    }


def same_refusal(root, **changes):
    """Return the kind of error that both looking and opening end with."""
    before = files(root.parent)
    with pytest.raises(StreamrecError) as looked:
        look_at_root(root, **{**WANTED, **changes})
    assert files(root.parent) == before
    with pytest.raises(StreamrecError) as opened:
        open_dataset(root, **{**WANTED, **changes})
    assert type(opened.value) is type(looked.value)
    return looked.type


def test_a_dataset_that_can_be_appended_to(root):
    before = files(root)
    outlook = look_at_root(root, **WANTED)
    assert (outlook.is_new, outlook.info.total_episodes, outlook.num_takes) == (False, 2, 0)
    assert files(root) == before


def test_a_root_that_will_be_made(tmp_path):
    outlook = look_at_root(tmp_path / 'a' / 'b', **WANTED)
    assert outlook.is_new
    assert STATE in outlook.info.features
    assert not list(tmp_path.iterdir())


def test_takes_that_a_crash_left_are_counted(root):
    (root / STAGING / 'take-000002').mkdir(parents=True)
    assert look_at_root(root, **WANTED).num_takes == 1


@pytest.mark.parametrize(
    ('changes', 'error'),
    [
        ({'resume': False}, DatasetExistsError),
        ({'fps': 20}, DatasetMismatchError),
        ({'robot_type': 'other'}, DatasetMismatchError),
        ({'features': {STATE: vector_feature(('x',))}}, DatasetMismatchError),
    ],
    ids=['not-asked-for', 'fps', 'robot', 'features'],
)
def test_another_kind_is_refused(root, changes, error):
    assert same_refusal(root, **changes) is error


def test_foreign_files_are_refused(tmp_path):
    root = tmp_path / 'set'
    root.mkdir()
    (root / 'holiday.jpg').write_bytes(b'precious')
    assert same_refusal(root) is DatasetExistsError


def test_a_file_in_the_way_is_refused(tmp_path):
    root = tmp_path / 'file'
    root.write_text('x')
    assert same_refusal(root) is ConfigError
    assert same_refusal(root / 'below') is ConfigError


def test_a_broken_info_is_refused(root):
    (root / 'meta/info.json').write_text('{')
    assert same_refusal(root) is UnusableDatasetError


def test_a_link_is_refused(root):
    (root / 'data').rename(root.parent / 'elsewhere')
    (root / 'data').symlink_to(root.parent / 'elsewhere')
    assert same_refusal(root) is DatasetError


def test_a_dataset_that_is_open_is_locked(root):
    writer, _ = open_dataset(root, **WANTED)
    with pytest.raises(DatasetLockedError, match='being written by process'):
        look_at_root(root, **WANTED)
    writer.close()
    assert look_at_root(root, **WANTED).info.total_episodes == 2
