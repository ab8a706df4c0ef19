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
"""Files that are missing, cannot be read, or belong to nothing are found."""

from __future__ import annotations

import os
import shutil

from lerobot_streamrec.dataset.about.robot_files import (
    CALIBRATION,
    file_name,
    keep_robot_files,
    last_files,
)
from lerobot_streamrec.dataset.check.check import check_dataset
from lerobot_streamrec.dataset.format.files import Files
from lerobot_streamrec.dataset.format.layout import STAGING
from lerobot_streamrec.dataset.rebuild.label import label_episodes
from lerobot_streamrec.errors import ConfigError
import pyarrow as pa
import pytest

VIDEO = 'videos/observation.images.front/chunk-000/file-001.mp4'
DATA = 'data/chunk-000/file-001.parquet'
META = 'meta/episodes/chunk-000/file-001.parquet'


@pytest.mark.parametrize(
    ('relative', 'lost'),
    [
        (VIDEO, {1}),
        (DATA, {1}),
        ('meta/tasks.parquet', set()),
        ('meta/stats.json', set()),
        ('meta/info.json', {0, 1, 2}),
    ],
)
def test_a_file_that_is_missing_is_found(dataset, relative, lost):
    dataset.path(relative).unlink()
    report = dataset.check()
    (finding,) = report.findings
    assert (finding.kind.code, finding.path) == ('missing-file', relative)
    assert set(report.sound_episodes()) == {0, 1, 2} - lost


def test_files_about_the_robot_that_are_missing_or_changed_are_found(dataset):
    contents = {file_name(CALIBRATION, name, b'original'): b'original' for name in 'abc'}
    missing, changed, unused = contents
    keep_robot_files(Files(dataset.root), contents)
    label_episodes(dataset.root, [0, 2], {'robot_files': f'{missing} {changed}'})
    assert dataset.codes() == set()
    dataset.path(f'meta/robot/{missing}').unlink()
    for one in (changed, unused):
        dataset.path(f'meta/robot/{one}').write_bytes(b'edited')
    report = dataset.check()
    assert {(one.kind.code, one.path, one.found) for one in report.findings} == {
        ('missing-robot-file', f'meta/robot/{missing}', 'episodes 0, 2'),
        ('changed-robot-file', f'meta/robot/{changed}', 'episodes 0, 2'),
    }
    assert report.sound_episodes() == (0, 1, 2)


def test_a_column_of_another_meaning_names_no_files(dataset):

    def numbered(table):
        return table.drop_columns(['robot_files']).append_column('robot_files', pa.array([7]))

    for number in range(3):
        dataset.table(f'meta/episodes/chunk-000/file-{number:03d}.parquet', numbered)
    assert dataset.codes() == set()
    assert last_files(dataset.root) == {}


def test_a_recording_whose_episodes_were_never_written_is_found(dataset):
    shutil.rmtree(dataset.path('meta/episodes'))
    report = dataset.check()
    (finding,) = report.findings
    assert (finding.kind.code, finding.path) == ('missing-file', 'meta/episodes')
    assert report.episodes == ()


@pytest.mark.parametrize('relative', [VIDEO, DATA])
def test_a_folder_in_a_file_s_place_is_found(dataset, relative):
    dataset.path(relative).unlink()
    dataset.path(relative).mkdir()
    assert dataset.codes() == {'missing-file'}


@pytest.mark.parametrize('relative', [DATA, META, 'meta/tasks.parquet', 'meta/stats.json'])
def test_a_file_without_its_end_is_found(dataset, relative):
    """A recorder that was killed leaves parquet files without their footer."""
    content = dataset.path(relative).read_bytes()
    dataset.path(relative).write_bytes(content[:-9])
    report = dataset.check()
    (finding,) = report.findings
    assert (finding.kind.code, finding.path) == ('unreadable-file', relative)
    lost = {1} if relative in (DATA, META) else set()
    assert set(report.sound_episodes()) == {0, 1, 2} - lost


@pytest.mark.parametrize(
    ('name', 'codes'),
    [
        # Readers take every file one folder deep, by name.
        ('data/chunk-000/file-000b.parquet', {'orphan-rows'}),
        ('data/chunk-000/file-003.parquet', {'orphan-file'}),
        ('data/chunk-000/deeper/file-003.parquet', {'orphan-file'}),
        ('data/file-003.parquet', {'orphan-file'}),
        ('videos/observation.images.front/chunk-000/file-003.mp4', {'orphan-file'}),
        ('videos/another/chunk-000/file-000.mp4', {'orphan-file'}),
        ('tmp0a1b2c.mp4', {'orphan-file'}),
        ('images/observation.images.front/episode-000003/frame-000000.png', {'leftover-images'}),
        ('README.md', set()),
        ('meta/modality.json', set()),
        ('.cache/data/chunk-000/file-000.parquet', set()),
    ],
)
def test_a_file_that_nobody_refers_to_is_found(dataset, name, codes):
    target = dataset.path(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(dataset.path(DATA), target)
    assert dataset.codes() == codes


def test_a_stray_file_that_stops_readers_is_an_error(dataset):
    dataset.path('data/chunk-000/tmp.parquet').write_bytes(b'x')
    report = dataset.check()
    (finding,) = report.errors
    assert (finding.kind.code, finding.path) == ('stray-file', 'data/chunk-000/tmp.parquet')
    assert report.sound_episodes() == (0, 1, 2)


def test_a_stray_file_of_other_columns_is_an_error(dataset):
    dataset.write('data/chunk-000/more.parquet', dataset_table(dataset).rename_columns(['a', 'b']))
    assert dataset.codes() == {'stray-file'}


def dataset_table(dataset):
    kept = []
    dataset.table('meta/tasks.parquet', lambda table: kept.append(table) or table)
    return kept[0]


def test_a_take_that_was_interrupted_is_found(dataset):
    folder = dataset.path(STAGING / 'take-000009')
    folder.mkdir(parents=True)
    (folder / 'front.mp4').write_bytes(b'')
    assert dataset.codes() == {'unfinished-take'}
    # What is saved is no unfinished business of the dataset's, but it is not there yet.
    (folder / 'saved.json').write_bytes(b'{}')
    assert dataset.codes() == {'unencoded-episode'}


def test_a_recorder_that_has_it_open_is_named(dataset, open_writer):
    writer = open_writer()
    dataset.path(STAGING / 'take-000009').mkdir(parents=True)
    report = dataset.check()
    (finding,) = report.findings
    assert finding.kind.code == 'recorder-runs'
    assert finding.found == f'process {os.getpid()}'
    assert report.is_whole
    writer.close()
    dataset.path(STAGING / 'take-000009').rmdir()
    assert dataset.codes() == set()


def test_what_is_saved_meanwhile_is_said(dataset, open_writer, make_draft):
    writer = open_writer()
    drafts = [make_draft()]

    def save(progress):
        if progress.step == 'rows' and drafts:
            writer.commit(drafts.pop())

    report = check_dataset(dataset.root, progress=save)
    codes = {one.kind.code for one in report.findings}
    # Files of the new episode were not there when the others were listed.
    assert codes >= {'changed-meanwhile', 'recorder-runs'}
    assert report.sound_episodes() == (0, 1, 2)


def test_a_link_that_leads_out_is_found(dataset, tmp_path):
    outside = tmp_path / 'elsewhere.mp4'
    dataset.path(VIDEO).rename(outside)
    dataset.path(VIDEO).symlink_to(outside)
    dataset.path('videos/inner').symlink_to(dataset.path('videos'))
    report = dataset.check()
    (finding,) = report.findings
    assert (finding.kind.code, finding.path) == ('link-out-of-root', VIDEO)
    assert report.sound_episodes() == (0, 1, 2)


def test_links_that_lead_nowhere_are_found(dataset):
    dataset.path(VIDEO).unlink()
    dataset.path(VIDEO).symlink_to('/nonexistent/file.mp4')
    dataset.path(DATA).unlink()
    dataset.path(DATA).symlink_to(dataset.path(DATA).name)
    codes = dataset.codes()
    assert codes == {'link-out-of-root', 'missing-file'}


def test_a_root_that_is_none_is_refused(tmp_path):
    with pytest.raises(ConfigError, match='it is not a folder'):
        check_dataset(tmp_path / 'nothing')
    (tmp_path / 'notes.txt').write_text('hello')
    with pytest.raises(ConfigError, match='it holds no LeRobot dataset'):
        check_dataset(tmp_path)
