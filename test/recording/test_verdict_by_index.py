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
A verdict or a note for any saved episode, by its index.

Guards against a verdict on the wrong demonstration: it stands in the record of the episode that
was named, or nowhere, and the one who gave it is told so.
"""

from __future__ import annotations

import threading

from command_line import streamrec
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.dataset.format.episode_table import NOTES, VERDICT
from lerobot_streamrec.errors import EpisodeStateError
from lerobot_streamrec.recording.saving import deferred_encoder as late_encoder
import pytest
from waiting import wait_for

WAIT_S = 120
TOP = 'observation.images.top'


def said(rig, episode_index):
    texts = read_catalog(rig.config.root).episodes[episode_index].texts
    return {name: texts[name] for name in (VERDICT, NOTES) if texts[name]}


def say(rig, name, text, index):
    return rig.recorder.annotate(name, text, index).result(WAIT_S)


@pytest.fixture
def three(rig):
    """Return a recorder with three saved episodes."""
    for _ in range(3):
        rig.record(1)
    return rig


def test_only_the_named_episode_gets_it(three):
    before = three.record_of(1)
    assert say(three, 'verdict', 'success', 1) == "verdict of episode 1: 'success'"
    assert say(three, 'notes', ' the cube fell ', 1) == "notes of episode 1: 'the cube fell'"
    wanted = {'verdict': 'success', 'notes': 'the cube fell'}
    assert three.record_of(1) == {**before, 'metadata': wanted}
    assert (said(three, 0), said(three, 2)) == ({}, {})
    assert say(three, 'verdict', '', 1) == "verdict of episode 1: ''"
    assert said(three, 1) == {'notes': 'the cube fell'}


def test_the_running_episode_may_be_named_and_others_leave_it_alone(three):
    three.recorder.start()
    three.run(1)
    say(three, 'verdict', 'failure', 0)
    say(three, 'verdict', 'success', 3)
    three.save()
    assert [said(three, one) for one in range(4)] == [
        {'verdict': 'failure'},
        {},
        {},
        {'verdict': 'success'},
    ]


def test_an_unknown_index_is_refused_with_those_that_exist(three):
    for index in (3, 400):
        with pytest.raises(EpisodeStateError) as refused:
            three.recorder.annotate('verdict', 'success', index)
        assert str(refused.value) == (
            f'there is no saved episode {index}: the saved ones are 0 to 2'
        )
    assert not (three.config.root / '.streamrec/episodes/episode-000003.json').exists()


def test_without_any_episode_nothing_can_be_said(rig):
    with pytest.raises(EpisodeStateError, match='no saved episode 0: none is saved yet'):
        rig.recorder.annotate('notes', 'x', 0)


def test_an_undone_episode_is_unknown_even_before_the_undo_is_over(three):
    undoing = three.recorder.undo()
    # The second time, the recorder's thread knows it without asking the commit thread.
    for _ in range(2):
        with pytest.raises(EpisodeStateError, match='the saved ones are 0 to 1'):
            say(three, 'verdict', 'success', 2)
        undoing.result(WAIT_S)


def test_one_that_is_still_being_saved_is_refused_until_it_is_saved(encoders, rig):
    rig.record(1)
    encoders.is_shut.add(TOP)
    rig.recorder.start()
    rig.run(1)
    saving = rig.recorder.save()
    with pytest.raises(EpisodeStateError, match='episode 1 is still being saved: repeat'):
        rig.recorder.annotate('verdict', 'success', 1)
    earlier = rig.recorder.annotate('verdict', 'failure', 0)
    # The encoder's thread may not have reached its gate yet.
    encoders.open()
    saving.result(WAIT_S)
    # It waited for the save, as everything does that changes the dataset.
    assert earlier.result(WAIT_S) == "verdict of episode 0: 'failure'"
    say(rig, 'verdict', 'success', 1)
    assert (said(rig, 0), said(rig, 1)) == ({'verdict': 'failure'}, {'verdict': 'success'})


def test_deferred_episodes_keep_what_was_said_when_they_are_encoded(make_rig, monkeypatch):
    gate, begun = threading.Event(), threading.Event()
    encode = late_encoder.encode_take

    def held_up(folder, num_rows, tell):
        begun.set()
        while not gate.wait(0.01):
            tell(0)
        return encode(folder, num_rows, tell)

    monkeypatch.setattr(late_encoder, 'encode_take', held_up)
    rig = make_rig(encode='deferred')
    rig.run(1)
    for _ in range(3):
        rig.record(1)
        rig.run(1)
    assert begun.wait(WAIT_S)
    assert say(rig, 'verdict', 'success', 1) == "verdict of episode 1: 'success'"
    say(rig, 'notes', 'first', 0)
    with pytest.raises(EpisodeStateError, match='the saved ones are 0 to 2'):
        rig.recorder.annotate('verdict', 'success', 3)
    gate.set()
    wait_for(lambda: rig.recorder.status().num_saved == 3)
    assert [said(rig, one) for one in range(3)] == [{'notes': 'first'}, {'verdict': 'success'}, {}]


def test_episodes_of_a_dataset_that_is_continued_get_it_too(three, make_rig):
    assert three.recorder.close(WAIT_S)
    record = three.config.root / '.streamrec/episodes/episode-000001.json'
    # As in a dataset that another program began.
    record.unlink()
    again = make_rig(resume=True)
    say(again, 'verdict', 'failure', 0)
    say(again, 'notes', 'by hand', 1)
    again.run(1)
    again.record(1)
    say(again, 'verdict', 'success', 3)
    assert [said(again, one) for one in range(4)] == [
        {'verdict': 'failure'},
        {'notes': 'by hand'},
        {},
        {'verdict': 'success'},
    ]
    # What was said stays with its episode when files are merged and episodes are taken out.
    again.recorder.finalize().result(WAIT_S)
    say(again, 'notes', 'after finalize', 0)
    assert again.recorder.close(WAIT_S)
    root = again.config.root
    assert streamrec('check', root).returncode == 0
    assert streamrec('delete', root, '--episodes', '2', '--yes').returncode == 0
    assert [said(again, one) for one in (0, 1, 2)] == [
        {'verdict': 'failure', 'notes': 'after finalize'},
        {'notes': 'by hand'},
        {'verdict': 'success'},
    ]
