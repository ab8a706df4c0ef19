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
Texts about episodes, which are columns of meta/episodes: set later, and kept by every tool.

Guards against a dataset that LeRobot cannot read because its episodes files differ in their
columns, and against a verdict that a tool loses or gives to another episode.
"""

from __future__ import annotations

from dataclasses import replace
import shutil

from fault_at import killed_at_each_replacement
from lerobot_streamrec.cli.main import main
from lerobot_streamrec.dataset.about.robot_files import (
    CALIBRATION,
    file_name,
    keep_robot_files,
)
from lerobot_streamrec.dataset.check.check import check_dataset
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.dataset.format.layout import STAGING
from lerobot_streamrec.dataset.rebuild import label
from lerobot_streamrec.dataset.rebuild.label import label_episodes
from lerobot_streamrec.errors import (
    ConfigError,
    EpisodeError,
    EpisodeStateError,
    UnusableDatasetError,
)
from older_datasets import episodes_files, without_texts
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

CALIBRATIONS = {file_name(CALIBRATION, 'front', one): one for one in (b'first', b'second')}


def said(root, *names):
    """Return the texts of each episode that are not empty."""
    episodes = read_catalog(root).episodes
    return [
        {name: text for name, text in one.texts.items() if text and name in names}
        for one in episodes
    ]


def assert_readable_for_lerobot(root):
    """Its reader takes the columns from the first file, and allows no others in later ones."""
    first, *others = (set(pq.read_schema(path).names) for path in episodes_files(root))
    assert all(other <= first for other in others)
    report = check_dataset(root)
    assert report.is_whole
    # Whatever a tool has done, an episode finds the files about the robot that it names.
    assert not [one for one in report.warnings if 'robot-file' in one.kind.code]


@pytest.fixture
def save(root, open_writer, make_draft):
    """Return a function that saves episodes with texts, one dict for each."""

    def save(*texts):
        writer = open_writer()
        keep_robot_files(writer.files, CALIBRATIONS)
        for one in texts:
            draft = make_draft()
            record = {'metadata': one, 'recorded_at': '2026-11-28T16:00:00.000+00:00'}
            writer.commit(replace(draft, record={**draft.record, **record}))
            shutil.rmtree(root / STAGING)
        writer.close()

    return save


def test_a_saved_episode_has_all_columns_and_those_of_the_user(save, root):
    save({'operator': 'Ada', 'object_set': 'B'}, {'verdict': 'failure'})
    first, second = read_catalog(root).episodes
    assert dict(first.texts) == {
        'verdict': '',
        'operator': 'Ada',
        'notes': '',
        'recorded_at': '2026-11-28T16:00:00.000+00:00',
        'recorder': 'lerobot_streamrec 0.1.0',
        'robot_files': '',
        'object_set': 'B',
    }
    assert second.texts['verdict'] == 'failure'
    assert 'object_set' not in second.texts
    assert_readable_for_lerobot(root)


@pytest.mark.parametrize('is_compact', [False, True])
def test_a_new_column_of_a_later_session_comes_into_the_first_file_too(save, root, is_compact):
    save({}, {'operator': 'Ada'})
    without_texts(root)
    if is_compact:
        assert main(['compact', str(root)]) == 0
    save({'object_set': 'B', 'verdict': 'success'}, {})
    assert said(root, 'object_set', 'verdict', 'recorder') == [
        {},
        {},
        {'object_set': 'B', 'verdict': 'success', 'recorder': 'lerobot_streamrec 0.1.0'},
        {'recorder': 'lerobot_streamrec 0.1.0'},
    ]
    assert_readable_for_lerobot(root)


def test_a_label_reaches_the_chosen_episodes_alone(save, root):
    save({'verdict': 'success'}, {}, {'notes': 'x'})
    label_episodes(root, [0, 2], {'verdict': 'failure', 'object_set': 'B'})
    assert said(root, 'verdict', 'notes', 'object_set') == [
        {'verdict': 'failure', 'object_set': 'B'},
        {},
        {'verdict': 'failure', 'notes': 'x', 'object_set': 'B'},
    ]
    label_episodes(root, [0], {'verdict': ''})
    assert said(root, 'verdict') == [{}, {}, {'verdict': 'failure'}]
    assert_readable_for_lerobot(root)


def test_the_command_says_what_it_did(save, root, capsys):
    save({}, {})
    assert main(['label', str(root), '--episodes', '0-1', '--set', 'object_set=B']) == 0
    assert 'labelled 2 episodes' in capsys.readouterr().out
    assert said(root, 'object_set') == [{'object_set': 'B'}] * 2


@pytest.mark.parametrize(
    ('indices', 'texts', 'error', 'told'),
    [
        ([2], {'verdict': 'success'}, EpisodeStateError, 'the saved ones are 0 to 1'),
        ([0], {'verdict': 'good'}, EpisodeError, 'allowed are success and failure'),
        ([0], {'length': '3'}, ConfigError, 'has a column of this name'),
        ([0], {'object set': 'B'}, ConfigError, 'underscores are allowed'),
        ([0], {'stats/x/mean': '1'}, ConfigError, 'underscores are allowed'),
    ],
)
def test_a_label_that_cannot_be_set_changes_nothing(
    save, root, snapshot, indices, texts, error, told
):
    save({}, {})
    before = snapshot()
    with pytest.raises(error, match=told):
        label_episodes(root, indices, texts)
    assert snapshot() == before


def test_a_column_of_another_type_is_not_overwritten(save, root, snapshot):
    save({})
    (path,) = episodes_files(root)
    table = pq.read_table(path).append_column('score', pa.array([3]))
    pq.write_table(table, path)
    before = snapshot()
    with pytest.raises(UnusableDatasetError, match='column score'):
        label_episodes(root, [0], {'score': 'high'})
    assert snapshot() == before
    assert said(root, 'score') == [{}]


def test_a_kill_at_any_step_leaves_old_or_new_texts_and_the_command_goes_on(
    save, root, monkeypatch
):
    save({}, {}, {})
    without_texts(root)
    num_kills = 0

    def change():
        label_episodes(root, [1, 2], {'verdict': 'failure'})

    for _ in killed_at_each_replacement(root, label, change, monkeypatch):
        num_kills += 1
        assert all(one in ({}, {'verdict': 'failure'}) for one in said(root, 'verdict'))
        assert_readable_for_lerobot(root)
        change()
        assert said(root, 'verdict') == [{}, {'verdict': 'failure'}, {'verdict': 'failure'}]
    # The first file gets the column, then each of the two files changes, and their records.
    assert num_kills >= 5
