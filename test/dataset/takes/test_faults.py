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
A commit happens, or it does not: wherever the disk fails or the process is killed.

Guards promise 2. Every step of a commit is made to fail in turn, before and after its effect;
afterwards the dataset must be whole, nothing may be lost, and the next episode must be saved.
"""

from __future__ import annotations

from dataclasses import replace
import errno
import os
import stat

from fault_at import FaultAt, io_error, Killed
from lerobot_streamrec.errors import CommitError, DatasetError, DatasetMismatchError
import numpy as np
import pytest

FRONT, TOP = 'observation.images.front', 'observation.images.top'
STEPS = (
    f'{FRONT}.mp4',
    f'{TOP}.mp4',
    'data',
    'episodes',
    'tasks.parquet',
    'statistics',
    'stats.json',
    'record',
    'info.json',
)
LAST = len(STEPS) - 1
# What readers of the dataset take no notice of before info.json counts it, or ever.
AHEAD = {'meta/tasks.parquet', 'meta/stats.json'}


@pytest.fixture
def fault(monkeypatch):
    """Put faulty files under every writer that is opened from here on."""
    return FaultAt().under_writers(monkeypatch, 'replace', 'adopt')


def commit(writer, draft):
    saved = writer.commit(draft)
    writer.remove(draft.videos[FRONT].path.parent)
    return saved


def test_a_commit_takes_as_many_steps_as_are_made_to_fail_below(fault, open_writer, make_draft):
    writer = open_writer()
    commit(writer, make_draft())
    assert len(fault.steps) == len(STEPS)


def without_what_may_be_ahead(files):
    return {name: content for name, content in files.items() if name not in AHEAD}


@pytest.mark.parametrize('num_before', [0, 1])
@pytest.mark.parametrize('step', range(len(STEPS)), ids=STEPS)
def test_a_step_that_fails_leaves_the_dataset_as_it_was_and_the_next_commit_works(
    step, num_before, fault, open_writer, make_draft, snapshot, quarantined, read_dataset
):
    writer = open_writer()
    for _ in range(num_before):
        commit(writer, make_draft())
    before = snapshot()
    draft = make_draft(task='a new one')
    fault.arm(step, DatasetError('no space left on device'))
    with pytest.raises(CommitError, match='no space left') as caught:
        writer.commit(draft)
    assert caught.value.__cause__ is fault.error
    assert without_what_may_be_ahead(snapshot()) == without_what_may_be_ahead(before)
    assert writer.info.total_episodes == num_before
    assert len(quarantined()) == max(0, min(step, 4) - 2), 'what was created'
    for video in draft.videos.values():
        assert video.path.is_file(), 'whoever wants the episode finds all of it in one place'
    commit(writer, make_draft(task='another'))
    dataset = read_dataset(writer.root)
    assert dataset.info['total_episodes'] == num_before + 1
    assert dataset.tasks.index.tolist() == ['pick the cube'] * bool(num_before) + ['another']


@pytest.mark.parametrize('step', range(len(STEPS)), ids=STEPS)
def test_statistics_and_tasks_are_those_of_the_saved_episodes_after_a_step_failed(
    step, fault, open_writer, make_draft, snapshot
):
    writer = open_writer()
    commit(writer, make_draft())
    before = snapshot()
    fault.arm(step, DatasetError('no space left on device'))
    with pytest.raises(CommitError):
        writer.commit(make_draft(task='a new one'))
    after = snapshot()
    assert {name for name in AHEAD if after[name] != before[name]} == set()


@pytest.mark.parametrize('num_before', [0, 1])
@pytest.mark.parametrize('is_after', [False, True], ids=['before', 'after'])
@pytest.mark.parametrize('step', range(len(STEPS)), ids=STEPS)
def test_a_kill_at_any_step_loses_no_saved_episode_and_none_of_the_running_one(
    step, is_after, num_before, fault, open_writer, make_draft, quarantined, read_dataset
):
    writer = open_writer()
    for _ in range(num_before):
        commit(writer, make_draft())
    fault.arm(step, Killed(), is_after=is_after)
    draft = make_draft(task='a new one')
    with pytest.raises(Killed):
        writer.commit(draft)
    writer.close()
    is_saved = step == LAST and is_after
    num_saved = num_before + is_saved
    fault.arm()
    writer = open_writer(resume=num_saved > 0)
    assert writer.info.total_episodes == num_saved
    if num_saved:
        read_dataset(writer.root)
    videos = [name for name in quarantined() if name.endswith('.mp4')]
    assert len(videos) == (0 if is_saved else 2)
    commit(writer, make_draft(task='another'))
    dataset = read_dataset(writer.root)
    assert dataset.info['total_episodes'] == num_saved + 1
    assert dataset.episodes['length'].sum() == len(dataset.rows)


@pytest.mark.parametrize('step', range(len(STEPS)), ids=STEPS)
def test_the_tasks_are_as_many_as_info_json_says_after_a_kill(
    step, fault, open_writer, make_draft, read_dataset
):
    writer = open_writer()
    commit(writer, make_draft())
    fault.arm(step, Killed())
    with pytest.raises(Killed):
        writer.commit(make_draft(task='a new one'))
    writer.close()
    fault.arm()
    writer = open_writer()
    commit(writer, make_draft())
    dataset = read_dataset(writer.root)
    assert dataset.tasks.index.tolist() == ['pick the cube']


@pytest.fixture
def disk(monkeypatch):
    return FaultAt().under_fsync(monkeypatch)


def test_the_dataset_is_whole_whichever_write_to_the_disk_fails(
    disk, open_writer, make_draft, read_dataset
):
    writer = open_writer()
    commit(writer, make_draft())
    disk.arm()
    commit(writer, make_draft())
    num_calls, num_saved = len(disk.steps), 2
    assert num_calls >= 2 * (len(STEPS) - 1), 'each file and its folder'
    for call in range(num_calls):
        disk.arm(call, io_error())
        with pytest.raises(CommitError, match='Input/output error'):
            writer.commit(make_draft())
        disk.arm()
        dataset = read_dataset(writer.root, with_statistics=False)
        assert dataset.info['total_episodes'] == num_saved, f'after call {call} of {num_calls}'
        commit(writer, make_draft())
        num_saved += 1
    assert read_dataset(writer.root).info['total_episodes'] == num_saved


def test_frames_that_are_not_rows_are_refused(open_writer, make_draft, snapshot):
    writer = open_writer()
    for num_frames in (4, 6):
        draft = make_draft(5, num_frames=num_frames)
        with pytest.raises(CommitError, match=f'{FRONT} has {num_frames} frames for 5 rows'):
            writer.commit(draft)
        assert draft.videos[FRONT].path.exists()
    assert snapshot() == {}


def test_an_episode_of_another_kind_is_refused(open_writer, make_draft, snapshot):
    writer = open_writer()
    commit(writer, make_draft())
    before = snapshot()
    with pytest.raises(DatasetMismatchError, match=r'\(48, 64, 3\) in the dataset, \(50, 64, 3\)'):
        writer.commit(make_draft(height=50))
    draft = make_draft()
    with pytest.raises(DatasetMismatchError, match=f'{TOP} is not recorded now'):
        writer.commit(replace(draft, videos={FRONT: draft.videos[FRONT]}))
    assert snapshot() == before
    commit(writer, draft)


@pytest.mark.parametrize('num_before', [0, 1])
def test_vectors_of_another_length_are_refused(num_before, open_writer, make_draft, snapshot):
    writer = open_writer()
    for _ in range(num_before):
        commit(writer, make_draft())
    before = snapshot()
    draft = make_draft()
    vectors = {**draft.vectors, 'action': np.zeros((5, 4), np.float32)}
    with pytest.raises(DatasetMismatchError, match=r'shape \(3,\) in the dataset, \(4,\) now'):
        writer.commit(replace(draft, vectors=vectors))
    assert snapshot() == before
    commit(writer, draft)


def test_a_video_that_is_gone_is_a_commit_that_failed(
    open_writer, make_draft, snapshot, read_dataset
):
    writer = open_writer()
    commit(writer, make_draft())
    before = snapshot()
    draft = make_draft()
    draft.videos[TOP].path.unlink()
    with pytest.raises(CommitError, match=TOP):
        writer.commit(draft)
    assert snapshot() == before
    commit(writer, make_draft())
    assert read_dataset(writer.root).info['total_episodes'] == 2


def test_an_episode_in_doubt_stays_whole_and_nothing_is_written_after_it(
    monkeypatch, open_writer, make_draft, snapshot, read_dataset
):
    """The disk fails for good right after info.json was replaced: it cannot be put back."""
    fault = FaultAt().under_writers(monkeypatch, 'replace', 'remove')
    fault.arm(
        lambda _, arguments: arguments[0].name == 'info.json',
        DatasetError('Input/output error'),
        is_after=True,
        is_lasting=True,
    )
    writer = open_writer()
    with pytest.raises(CommitError, match='it is unknown whether the episode was saved'):
        writer.commit(make_draft())
    before = snapshot()
    fault.arm()
    for change in (
        lambda: writer.commit(make_draft()),
        writer.undo,
        writer.compact,
        # It is not known which episode is the last.
        lambda: writer.annotate({'verdict': 'success'}),
    ):
        with pytest.raises(CommitError, match='start it again'):
            change()
    assert snapshot() == before
    writer.close()
    assert open_writer().info.total_episodes == 1
    assert read_dataset(writer.root).info['total_episodes'] == 1


def test_a_file_system_that_cannot_sync_folders_is_written_to(
    monkeypatch, open_writer, make_draft, read_dataset
):
    fsync = os.fsync

    def without_folders(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, 'Invalid argument')
        fsync(descriptor)

    monkeypatch.setattr('os.fsync', without_folders)
    writer = open_writer()
    commit(writer, make_draft())
    assert read_dataset(writer.root).info['total_episodes'] == 1
