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
"""Undo takes the last episode out as a commit puts it in: wholly or not at all."""

from __future__ import annotations

import json

from fault_at import FaultAt, Killed
from lerobot_streamrec.errors import CommitError, DatasetError, EpisodeStateError
import numpy as np
import pytest

FRONT, TOP = 'observation.images.front', 'observation.images.top'
STEPS = ('stats.json', 'info.json')
UNDONE = {'data.parquet', 'episodes.parquet', 'episode.json', f'{FRONT}.mp4', f'{TOP}.mp4'}


@pytest.fixture
def commit(make_draft):
    def save(writer, *arguments):
        draft = make_draft(*arguments)
        writer.commit(draft)
        writer.remove(draft.videos[FRONT].path.parent)
        return draft

    return save


def test_the_dataset_is_what_it_was_before_the_episode(
    open_writer, commit, snapshot, quarantined, read_dataset
):
    writer = open_writer()
    commit(writer, 5, 'first')
    before, info = snapshot(), writer.info
    commit(writer, 6, 'second')
    undone = writer.undo()
    assert (undone.episode_index, undone.num_rows) == (1, 6)
    assert snapshot() == before
    assert writer.info == info
    assert set(quarantined()) == {f'undone-episode-000001/{name}' for name in UNDONE}
    draft = commit(writer, 7, 'third')
    dataset = read_dataset(writer.root)
    assert dataset.tasks.index.tolist() == ['first', 'third']
    np.testing.assert_array_equal(dataset.vectors('action', 1), draft.vectors['action'])


def test_the_first_episode_leaves_nothing_for_readers(
    open_writer, commit, snapshot, quarantined, read_dataset
):
    writer = open_writer()
    commit(writer)
    writer.undo()
    assert snapshot() == {}
    assert 'undone-episode-000000/stats.json' in quarantined()
    commit(writer, 4, 'again')
    assert read_dataset(writer.root).info['total_episodes'] == 1


def test_after_the_first_episode_cameras_may_have_another_size(
    open_writer, make_draft, commit, read_dataset
):
    writer = open_writer()
    commit(writer)
    writer.undo()
    writer.commit(make_draft(height=64))
    dataset = read_dataset(writer.root)
    assert dataset.info['features'][FRONT]['shape'] == [64, 64, 3]
    assert dataset.info['features'][FRONT]['info']['video.height'] == 64


def test_one_after_the_other_can_be_undone_and_after_a_restart_too(
    open_writer, commit, snapshot, read_dataset
):
    writer = open_writer()
    states = []
    for number in range(4):
        states.append(snapshot())
        commit(writer, 3 + number, f'task {number}')
    assert writer.undo().episode_index == 3
    writer.close()
    writer = open_writer()
    assert snapshot() == states[3]
    for index in (2, 1, 0):
        assert writer.undo().episode_index == index
        assert snapshot() == states[index]
        # What is kept of later states would be taken for that of episodes that others add.
        kept = (writer.root / '.streamrec/statistics').iterdir()
        assert sorted(path.stem for path in kept) == [
            f'after-{number:06d}' for number in range(1, index + 1)
        ]
    with pytest.raises(EpisodeStateError, match='no saved episode to undo'):
        writer.undo()


def test_a_task_that_came_before_stays(open_writer, commit, read_dataset):
    writer = open_writer()
    for task in ('first', 'second', 'first'):
        commit(writer, 3, task)
    writer.undo()
    assert read_dataset(writer.root).tasks.index.tolist() == ['first', 'second']


def test_an_episode_undone_twice_is_kept_twice(open_writer, commit, quarantined):
    writer = open_writer()
    for _ in range(2):
        commit(writer)
        writer.undo()
    assert {name.partition('/')[0] for name in quarantined()} == {
        'undone-episode-000000',
        'undone-episode-000000.2',
    }


def test_only_so_many_episodes_can_be_undone(open_writer, commit):
    writer = open_writer()
    for _ in range(18):
        commit(writer, 1)
    for _ in range(16):
        writer.undo()
    with pytest.raises(EpisodeStateError, match=r'run: .* delete .* --episodes 1'):
        writer.undo()
    assert writer.info.total_episodes == 2


def test_an_episode_that_shares_a_file_is_not_undone(open_writer, commit, root, snapshot):
    """As those that LeRobot wrote, or after files were merged."""
    writer = open_writer()
    commit(writer)
    commit(writer)
    writer.close()
    path = root / 'meta/episodes/chunk-000/file-001.parquet'
    table = pytest.importorskip('pandas').read_parquet(path)
    table[f'videos/{TOP}/from_timestamp'] = 0.25
    table.to_parquet(path, index=False)
    writer, before = open_writer(), snapshot()
    with pytest.raises(EpisodeStateError, match=r'shares a file with other.*run: .* delete '):
        writer.undo()
    assert snapshot() == before
    commit(writer)


@pytest.fixture
def fault(monkeypatch):
    """Put faulty files under every writer that is opened from here on."""
    return FaultAt().under_writers(monkeypatch, 'replace', 'remove')


@pytest.mark.parametrize('step', range(len(STEPS)), ids=STEPS)
def test_a_step_that_fails_leaves_the_dataset_as_it_was(
    step, fault, open_writer, commit, snapshot
):
    writer = open_writer()
    commit(writer, 3, 'first')
    commit(writer, 3, 'second')
    writer.close()
    fault.arm(step, DatasetError('no space left'))
    writer, before = open_writer(), snapshot()
    with pytest.raises(CommitError, match='the episode was not undone: no space left'):
        writer.undo()
    assert snapshot() == before
    assert writer.undo().episode_index == 1


@pytest.mark.parametrize('is_after', [False, True], ids=['before', 'after'])
@pytest.mark.parametrize('step', range(len(STEPS)), ids=STEPS)
def test_a_kill_leaves_the_dataset_with_the_episode_or_without(
    step, is_after, fault, open_writer, commit, read_dataset
):
    writer = open_writer()
    commit(writer, 3, 'first')
    commit(writer, 3, 'second')
    writer.close()
    fault.arm(step, Killed(), is_after=is_after)
    writer = open_writer()
    with pytest.raises(Killed):
        writer.undo()
    writer.close()
    fault.arm()
    writer = open_writer()
    is_undone = is_after and STEPS[step] == 'info.json'
    assert writer.info.total_episodes == 2 - is_undone
    assert read_dataset(writer.root).info['total_episodes'] == 2 - is_undone
    commit(writer, 3, 'third')
    assert read_dataset(writer.root).info['total_episodes'] == 3 - is_undone


def test_a_kill_before_a_task_is_removed_is_mended(
    fault, open_writer, commit, read_dataset
):
    writer = open_writer()
    commit(writer, 3, 'first')
    commit(writer, 3, 'second')
    writer.close()
    fault.arm(lambda _, arguments: arguments[0].name == 'tasks.parquet', Killed())
    writer = open_writer()
    with pytest.raises(Killed):
        writer.undo()
    writer.close()
    fault.arm()
    open_writer()
    assert read_dataset(writer.root).tasks.index.tolist() == ['first']


@pytest.mark.parametrize('is_after', [False, True], ids=['before', 'after'])
def test_a_kill_while_the_first_episode_is_undone(
    is_after, fault, open_writer, commit, read_dataset, snapshot
):
    writer = open_writer()
    commit(writer)
    writer.close()
    fault.arm(0, Killed(), is_after=is_after)
    writer = open_writer()
    with pytest.raises(Killed):
        writer.undo()
    writer.close()
    fault.arm()
    writer = open_writer()
    assert writer.info.total_episodes == 1 - is_after
    if is_after:
        assert snapshot() == {}
    commit(writer)
    assert read_dataset(writer.root).info['total_episodes'] == 2 - is_after


def test_files_that_cannot_be_moved_give_way_to_the_next_episode(
    monkeypatch, open_writer, commit, read_dataset, caplog
):
    stuck = FaultAt().under_writers(monkeypatch, 'quarantine_together')
    stuck.arm(0, DatasetError('cannot write the quarantine'), is_lasting=True)
    writer = open_writer()
    commit(writer)
    commit(writer)
    undone = writer.undo()
    assert undone.folder is None
    assert 'could not be moved' in caplog.text
    assert (writer.root / 'data/chunk-000/file-001.parquet').exists()
    commit(writer)
    assert read_dataset(writer.root).info['total_episodes'] == 2


def test_the_record_of_an_episode_tells_its_tasks(open_writer, commit, root):
    writer = open_writer()
    commit(writer, 3, 'first')
    commit(writer, 3, 'second')
    path = root / '.streamrec/episodes/episode-000001.json'
    assert json.loads(path.read_text())['total_tasks'] == 2
