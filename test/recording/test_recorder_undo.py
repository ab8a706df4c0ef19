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
"""Undo, and what people say of an episode."""

from __future__ import annotations

from lerobot_streamrec.dataset.format.episode_table import OPERATOR
from lerobot_streamrec.errors import EpisodeError, EpisodeStateError
import pytest

WAIT_S = 120


@pytest.fixture
def record(rig):
    def record_one(seconds=1):
        return rig.record(seconds)

    return record_one


def test_the_last_episode_is_taken_out_again(rig, record, read_dataset):
    record()
    record(2)
    answer = rig.recorder.undo().result(WAIT_S)
    assert answer.startswith('undid episode 1: 20 rows, 2.0 s; it is kept in ')
    status = rig.recorder.status()
    assert status.last_result == answer
    assert status.num_saved == 1
    assert rig.recorder.start() == 1
    rig.run(1)
    rig.save()
    dataset = read_dataset(rig.config.root)
    assert dataset.info['total_episodes'] == 2
    rig.check(dataset, 0)
    rig.check(dataset, 1)


def test_undo_means_the_episode_that_was_saved_last_though_it_is_still_being_written(
    rig, record, read_dataset
):
    record()
    rig.recorder.start()
    rig.run(1)
    save = rig.recorder.save()
    undo = rig.recorder.undo()
    assert save.result(WAIT_S).episode.episode_index == 1
    assert undo.result(WAIT_S).startswith('undid episode 1')
    assert read_dataset(rig.config.root).info['total_episodes'] == 1


def test_there_must_be_something_to_undo(rig):
    with pytest.raises(EpisodeStateError, match='no saved episode to undo'):
        rig.recorder.undo().result(WAIT_S)
    assert rig.recorder.status().last_result == 'there is no saved episode to undo'
    rig.recorder.start()
    with pytest.raises(EpisodeStateError, match='save or discard it first'):
        rig.recorder.undo()


def metadata(rig, episode_index):
    return rig.record_of(episode_index)['metadata']


def test_a_verdict_is_of_the_running_episode_or_else_of_the_last(rig, record):
    record()
    answer = rig.recorder.annotate('verdict', 'success').result(WAIT_S)
    assert answer == "verdict of episode 0: 'success'"
    rig.recorder.start()
    rig.run(1)
    answer = rig.recorder.annotate('verdict', 'failure').result(WAIT_S)
    assert answer == "verdict of episode 1: 'failure'"
    rig.recorder.annotate('notes', ' dropped  the cube ')
    rig.save()
    assert metadata(rig, 0) == {'verdict': 'success'}
    assert metadata(rig, 1) == {'verdict': 'failure', 'notes': 'dropped  the cube'}


def test_the_last_word_counts_and_can_be_taken_back(rig, record):
    record()
    for verdict in ('success', 'failure'):
        rig.recorder.annotate('verdict', verdict).result(WAIT_S)
    assert metadata(rig, 0) == {'verdict': 'failure'}
    rig.recorder.annotate('notes', 'spilled').result(WAIT_S)
    rig.recorder.annotate('verdict', '').result(WAIT_S)
    assert metadata(rig, 0) == {'notes': 'spilled'}


def test_an_unknown_verdict_is_refused(rig, record):
    record()
    with pytest.raises(EpisodeError, match="verdict is 'meh': allowed are success and failure"):
        rig.recorder.annotate('verdict', 'meh')
    assert metadata(rig, 0) == {}


def test_nothing_can_be_said_of_no_episode(rig):
    with pytest.raises(EpisodeStateError, match='no saved episode to annotate'):
        rig.recorder.annotate('verdict', 'success').result(WAIT_S)


def test_a_record_that_is_broken_is_named_and_left(rig, record):
    record()
    path = rig.config.root / '.streamrec/episodes/episode-000000.json'
    path.write_text('{"length": ')
    with pytest.raises(Exception, match=r'episode-000000\.json cannot be read'):
        rig.recorder.annotate('verdict', 'success').result(WAIT_S)
    assert path.read_text() == '{"length": '
    record()


def test_the_operator_stands_in_every_record_from_then_on(make_rig):
    rig = make_rig(operator='Ada')
    rig.run(1)
    for operator in (None, 'Grace', ''):
        if operator is not None:
            rig.recorder.set_text(OPERATOR, operator)
        rig.recorder.start()
        rig.run(1)
        rig.save()
    found = [metadata(rig, index) for index in range(3)]
    assert found == [{'operator': 'Ada'}, {'operator': 'Grace'}, {}]
