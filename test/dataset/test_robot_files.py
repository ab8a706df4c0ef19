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
Files about the robot beside the episodes: their names, what is written, and what a merge keeps.

Guards against an episode that names a file that is not there, or one with another content.
"""

from __future__ import annotations

from dataclasses import replace
import shutil

from lerobot_streamrec.dataset.about.robot_files import (
    CALIBRATION,
    file_name,
    FOLDER,
    keep_robot_files,
    last_files,
    names_in,
    ROBOT_DESCRIPTION,
    Slot,
    slot_of,
)
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.dataset.format.files import Files
from lerobot_streamrec.dataset.format.layout import STAGING
from lerobot_streamrec.dataset.rebuild.merge import merge_datasets
from lerobot_streamrec.errors import DatasetError
from lerobot_streamrec.report.summary import ranges_text, summarize
import pytest

FIRST, SECOND = b'camera_name: front\n', b'camera_name: front\nfx: 2\n'
ONE, OTHER = (file_name(CALIBRATION, 'front', one) for one in (FIRST, SECOND))
URDF = b'<robot name="arm"/>'
ARM = file_name(ROBOT_DESCRIPTION, '', URDF)
CONTENTS = {ONE: FIRST, OTHER: SECOND, ARM: URDF}


@pytest.fixture
def save(root, open_writer, make_draft):
    """Return a function that saves episodes that name files; all files are kept before."""

    def save(*texts, contents=CONTENTS):
        writer = open_writer()
        keep_robot_files(writer.files, contents)
        for text in texts:
            draft = make_draft()
            writer.commit(replace(draft, record={'metadata': {'robot_files': text}}))
            shutil.rmtree(root / STAGING)
        writer.close()

    return save


def named(root):
    return [one.texts['robot_files'] for one in read_catalog(root).episodes]


@pytest.mark.parametrize('subject', ['front', 'wrist-left', 'a b/c', '..', 'é' * 300, ''])
def test_a_name_tells_what_the_file_is_about(subject):
    name = file_name(CALIBRATION, subject, FIRST)
    assert names_in(f' {name}  no-file.yaml ../{name} {name}x') == [name]
    assert len(name) < 255
    assert '/' not in name
    assert slot_of(name).kind == CALIBRATION
    assert slot_of(name) == slot_of(file_name(CALIBRATION, subject, SECOND))
    assert name != file_name(CALIBRATION, subject, SECOND)


def test_equal_content_is_one_file_and_is_not_written_again(root, save):
    save(f'{ONE} {ARM}', ONE)
    (root / FOLDER / ONE).write_bytes(b'edited')
    save(OTHER)
    assert sorted(path.name for path in (root / FOLDER).iterdir()) == sorted(CONTENTS)
    assert (root / FOLDER / ONE).read_bytes() == b'edited'
    assert named(root) == [f'{ONE} {ARM}', ONE, OTHER]


def test_an_episode_does_not_name_a_file_that_could_not_be_kept(root, save):
    save(f'{ONE} {ARM} ../{ONE}', contents={ARM: URDF})
    assert named(root) == [ARM]


def test_a_disk_that_refuses_costs_the_file_and_nothing_else(root, save, caplog):
    class Full(Files):
        def replace(self, relative, content):
            raise DatasetError(f'cannot write {relative}: no room')

    keep_robot_files(Full(root), CONTENTS)
    assert 'no room' in caplog.text
    save(ONE, contents={})
    assert named(root) == ['']


def test_the_last_file_of_each_camera_is_found_after_all_changes(root, save):
    assert last_files(root) == {}
    save(f'{ONE} {ARM}', ONE, OTHER, '')
    arm, front = Slot(ROBOT_DESCRIPTION, ''), Slot(CALIBRATION, 'front')
    assert last_files(root) == {arm: (ARM, 0), front: (OTHER, 2)}
    # Only the last episodes files are read.
    save(*[''] * 14, ONE)
    assert last_files(root) == {front: (ONE, 18)}


def test_a_merge_has_the_files_of_all_sources_once(root, save, tmp_path):
    save(f'{ONE} {ARM}', contents={ONE: FIRST, ARM: URDF})
    other = tmp_path / 'other'
    root.rename(other)
    save(f'{OTHER} {ARM}', contents={OTHER: SECOND, ARM: URDF})
    change = merge_datasets(tmp_path / 'merged', [root, other])
    merged = tmp_path / 'merged'
    assert named(merged) == [f'{OTHER} {ARM}', f'{ONE} {ARM}']
    kept = {path.name: path.read_bytes() for path in (merged / FOLDER).iterdir()}
    assert kept == CONTENTS
    assert change.remarks == ()
    assert [(one.about, one.episodes) for one in summarize(read_catalog(merged)).robot_files] == [
        ('camera front: calibration', '0'),
        ('camera front: calibration', '1'),
        ('robot_description', '0-1'),
    ]


@pytest.mark.parametrize(
    ('indices', 'text'),
    [([], ''), ([3], '3'), ([0, 1, 2, 5, 7, 8], '0-2, 5, 7-8')],
)
def test_many_episodes_are_told_in_few_words(indices, text):
    assert ranges_text(indices) == text
