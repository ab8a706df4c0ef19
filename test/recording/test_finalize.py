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
"""Finalizing merges small files, and costs nothing that was saved, whatever comes between."""

from __future__ import annotations

import json
import re
import shutil
import threading

from lerobot_streamrec.dataset.commit.writer import DatasetWriter
from lerobot_streamrec.errors import DatasetLockedError, EpisodeStateError
import pytest
from waiting import wait_for

WAIT_S = 120


@pytest.fixture
def record(rig):
    def record_some(number):
        for _ in range(number):
            rig.record()

    return record_some


def check(rig, read_dataset, num_episodes):
    dataset = read_dataset(rig.config.root)
    assert dataset.info['total_episodes'] == num_episodes
    for index in range(num_episodes):
        rig.check(dataset, index)


def files(root, pattern):
    return sorted(path.relative_to(root).as_posix() for path in root.glob(pattern))


def test_small_files_become_few_and_recording_goes_on(rig, record, read_dataset, make_rig):
    root = rig.config.root
    record(3)
    finalized = rig.recorder.finalize().result(WAIT_S)
    assert str(finalized).startswith('3 episodes, ')
    assert '12 files became 4 in ' in str(finalized)
    assert rig.recorder.status().last_result == f'finalized: {finalized}'
    assert len(files(root, 'data/*/*')) == len(files(root, 'meta/episodes/*/*')) == 1
    assert len(files(root, 'videos/*/*/*')) == 2
    check(rig, read_dataset, 3)
    with pytest.raises(DatasetLockedError):
        make_rig(resume=True)
    rig.run(1)
    record(2)
    check(rig, read_dataset, 5)
    assert 'files became' in str(rig.recorder.finalize().result(WAIT_S))
    check(rig, read_dataset, 5)
    again = rig.recorder.finalize().result(WAIT_S)
    assert 'files became' not in str(again)
    assert again.remark == ''


def test_what_was_undone_is_deleted_for_good(rig, record):
    record(2)
    rig.recorder.undo().result(WAIT_S)
    quarantine = rig.config.root / '.streamrec/quarantine'
    assert files(quarantine, '*') == ['undone-episode-000001']
    rig.recorder.finalize().result(WAIT_S)
    assert files(quarantine, '*') == []


def test_an_episode_among_others_in_a_file_is_not_undone(rig, record, read_dataset):
    record(2)
    rig.recorder.finalize().result(WAIT_S)
    with pytest.raises(EpisodeStateError, match='shares a file with other episodes'):
        rig.recorder.undo().result(WAIT_S)
    check(rig, read_dataset, 2)
    rig.run(1)
    record(1)
    assert rig.recorder.undo().result(WAIT_S).startswith('undid episode 2')
    check(rig, read_dataset, 2)


def test_the_only_episode_is_undone_and_the_next_recorder_goes_on(
    rig, record, make_rig, read_dataset
):
    root = rig.config.root
    record(1)
    rig.recorder.finalize().result(WAIT_S)
    (root / 'notes.txt').write_text('Mine')
    rig.recorder.undo().result(WAIT_S)
    assert (root / 'README.md').exists()
    rig.recorder.close(WAIT_S)
    rig = make_rig()
    rig.run(1)
    rig.record()
    check(rig, read_dataset, 1)
    rig.recorder.finalize().result(WAIT_S)
    assert '| episodes | 1 |' in (root / 'README.md').read_text()
    assert (root / 'notes.txt').read_text() == 'Mine'


def test_nothing_is_merged_if_that_is_not_wanted(make_rig):
    rig = make_rig(compact_at_finalize=False)
    rig.run(1)
    for _ in range(2):
        rig.record()
    assert rig.recorder.finalize().result(WAIT_S).change is None
    assert len(files(rig.config.root, 'data/*/*')) == 2


def test_an_empty_dataset_can_be_finalized(rig):
    finalized = rig.recorder.finalize().result(WAIT_S)
    assert str(finalized) == '0 episodes, 0 rows, 0 tasks'


@pytest.fixture
def held_up(monkeypatch):
    """Hold compaction up as soon as it has something to tell."""
    reached, gate = threading.Event(), threading.Event()
    compact = DatasetWriter.compact

    def slow(self, progress):
        def wait(done, total):
            reached.set()
            assert gate.wait(WAIT_S)
            progress(done, total)

        return compact(self, wait)

    monkeypatch.setattr(DatasetWriter, 'compact', slow)
    yield reached, gate
    gate.set()


def test_no_episode_starts_while_files_are_merged(rig, record, held_up, read_dataset):
    reached, gate = held_up
    record(2)
    future = rig.recorder.finalize()
    assert reached.wait(WAIT_S)
    rig.run(0.5)
    with pytest.raises(EpisodeStateError, match='is being finalized'):
        rig.recorder.start()
    gate.set()
    future.result(WAIT_S)
    rig.record()
    check(rig, read_dataset, 3)


def test_a_recorder_that_ends_gives_the_work_up(rig, record, held_up, read_dataset):
    reached, gate = held_up
    record(2)
    before = files(rig.config.root, '*/*/*')
    future = rig.recorder.finalize()
    assert reached.wait(WAIT_S)
    closing = threading.Thread(target=rig.recorder.close, args=(WAIT_S,))
    closing.start()
    wait_for(lambda: rig.recorder._committer._closing_since_s is not None)
    gate.set()
    closing.join(WAIT_S)
    assert 'the recorder is shutting down' in future.result(WAIT_S).remark
    assert files(rig.config.root, '*/*/*') == before
    assert files(rig.config.root.parent, '.*') == []
    check(rig, read_dataset, 2)


def test_how_far_it_is_can_be_seen(rig, record, monkeypatch):
    seen = []
    compact = DatasetWriter.compact

    def watched(self, progress):
        def note(done, total):
            progress(done, total)
            seen.append(rig.recorder.status().activity)

        return compact(self, note)

    monkeypatch.setattr(DatasetWriter, 'compact', watched)
    record(2)
    rig.recorder.finalize().result(WAIT_S)
    assert re.fullmatch(r'merging files: \d+ %', seen[-1])
    assert seen == sorted(seen, key=lambda text: int(text.split()[2]))
    assert rig.recorder.status().activity == ''


def test_an_interrupted_merge_is_brought_to_its_end(rig, record, make_rig, tmp_path, read_dataset):
    """As a kill leaves it: the folder beside the dataset, and no mark in the dataset."""
    record(2)
    copy = tmp_path / 'copy' / 'dataset'
    shutil.copytree(rig.config.root, copy)
    beside = copy.parent / '.dataset.streamrec-rebuild'
    (beside / '.streamrec').mkdir(parents=True)
    (beside / '.streamrec/rebuild.json').write_text('{"id": "x"}')
    (beside / 'data').mkdir()
    again = make_rig(root=copy, resume=True)
    assert 'an interrupted rebuild of ' in again.recorder.status().last_result
    assert not beside.exists()
    assert read_dataset(copy).info['total_episodes'] == 2


@pytest.mark.parametrize('is_compacting', [True, False])
def test_a_finalized_dataset_describes_itself(make_rig, read_dataset, is_compacting):
    rig = make_rig(license='mit', modality=True, compact_at_finalize=is_compacting)
    root = rig.config.root
    rig.recorder.finalize().result(WAIT_S)
    # There is nothing to describe before the first episode.
    assert not (root / 'README.md').exists()
    rig.run(1)
    rig.record()
    rig.recorder.finalize().result(WAIT_S)
    assert 'license: "mit"' in (root / 'README.md').read_text()
    assert 'action' in json.loads((root / 'meta' / 'modality.json').read_text())
    (root / 'README.md').write_text('Mine')
    rig.record()
    rig.recorder.finalize().result(WAIT_S)
    assert (root / 'README.md').read_text() == 'Mine'
    check(rig, read_dataset, 2)


def test_files_of_a_root_that_syncs_stay_and_the_rest_is_done(rig, record, read_dataset, caplog):
    record(2)
    folder = rig.config.root / '.streamrec/sync'
    folder.mkdir()
    (folder / '0123456789ab.jsonl').write_text('{"url": "s3://cells/cell-07"}\n')
    finalized = str(rig.recorder.finalize().result(WAIT_S))
    assert 'files were not merged' in finalized
    assert 'is synced to s3://cells/cell-07' in finalized
    assert '--forget' in finalized
    assert 'is synced to s3://cells/cell-07' in caplog.text
    # The card is written all the same, and recording goes on.
    assert (rig.config.root / 'README.md').is_file()
    assert len(files(rig.config.root, 'data/*/*')) == 2
    record(1)
    check(rig, read_dataset, 3)
