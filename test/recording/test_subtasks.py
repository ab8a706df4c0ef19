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
Subtasks that the operator marks: each begins at its instant, in the forms that LeRobot reads.

Guards against subtasks that begin in another row than the operator meant, and against those that
a crash or the deferred encoding loses.
"""

from __future__ import annotations

import json

from lerobot_streamrec.cli.main import main
from lerobot_streamrec.dataset.format.take_record import Subtask, subtasks_within
from lerobot_streamrec.errors import EpisodeError, EpisodeStateError
from lerobot_streamrec.recording.stream_config import StreamConfig
import pandas as pd
import pyarrow.parquet as pq
import pytest
from staged_takes import crash

STATE, WAIT_S = 'observation.state', 120
ARM = StreamConfig(STATE, '/joint_states', names=('elbow',))


def send(play, begin, end):
    play.send(STATE, *range(begin, end, 50))


def rows(root, name):
    paths = sorted(root.glob('data/*/*.parquet'))
    return [one for path in paths for one in pq.read_table(path).column(name).to_pylist()]


def said(utterances):
    return [(one['content'], round(one['timestamp'], 3)) for one in utterances]


def record_two(play):
    send(play, 0, 101)
    play.recorder.start()
    send(play, 150, 301)
    play.recorder.begin_subtask(' reach\nthe cube ')
    send(play, 350, 501)
    play.recorder.begin_subtask('grasp')
    assert play.recorder.status().subtask == 'grasp'
    send(play, 550, 601)


def test_a_subtask_begins_at_the_instant_of_its_command(make_play, root):
    play = make_play(ARM, subtasks='both')
    record_two(play)
    play.save()
    numbers = rows(root, 'subtask_index')
    table = pd.read_parquet(root / 'meta/subtasks.parquet')
    texts = [table.iloc[number].name for number in numbers]
    assert texts == ['', '', '', 'reach the cube', 'reach the cube', 'grasp']
    (utterances,) = {str(one) for one in rows(root, 'language_persistent')}
    assert said(rows(root, 'language_persistent')[0]) == [('reach the cube', 0.3), ('grasp', 0.5)]
    assert "'role': 'assistant'" in utterances
    assert "'style': 'subtask'" in utterances
    features = json.loads((root / 'meta/info.json').read_text())['features']
    assert features['language_persistent'] == {'dtype': 'language', 'shape': [1], 'names': None}
    assert features['subtask_index'] == {'dtype': 'int64', 'shape': [1], 'names': None}
    assert 'language_persistent' not in json.loads((root / 'meta/stats.json').read_text())


def test_people_read_the_subtasks_in_the_report(make_play, root, tmp_path):
    play = make_play(ARM, subtasks='index')
    record_two(play)
    play.save()
    play.recorder.close(WAIT_S)
    page = tmp_path / 'report.html'
    assert main(['report', str(root), '--output', str(page)]) == 0
    assert 'Subtasks: 0.3 s <b>reach the cube</b> · 0.5 s <b>grasp</b>' in page.read_text()


def test_later_episodes_share_the_table_of_subtasks(make_play, root):
    play = make_play(ARM, subtasks='index')
    record_two(play)
    play.save()
    send(play, 650, 701)
    play.recorder.start()
    play.recorder.begin_subtask('grasp')
    send(play, 750, 801)
    play.recorder.begin_subtask('lift')
    send(play, 850, 901)
    play.save()
    table = pd.read_parquet(root / 'meta/subtasks.parquet')
    assert table.index.tolist() == ['', 'reach the cube', 'grasp', 'lift']
    assert rows(root, 'subtask_index')[6:] == [2, 2, 3]
    assert (
        'language_persistent' not in json.loads((root / 'meta/info.json').read_text())['features']
    )


def test_an_episode_without_subtasks_has_empty_ones(make_play, root):
    play = make_play(ARM, subtasks='both')
    send(play, 0, 101)
    play.recorder.start()
    send(play, 150, 301)
    play.save()
    assert rows(root, 'language_persistent') == [[], [], []]
    assert rows(root, 'subtask_index') == [0, 0, 0]


@pytest.mark.parametrize('subtasks', ['language', 'index', 'both'])
def test_a_crash_keeps_the_subtasks_of_the_rows_it_keeps(subtasks, make_play, root):
    play = make_play(ARM, subtasks=subtasks)
    record_two(play)
    crash(play.recorder, root)
    make_play(ARM, subtasks=subtasks)
    if subtasks != 'index':
        expected = [('reach the cube', 0.3), ('grasp', 0.5)]
        assert said(rows(root, 'language_persistent')[-1]) == expected
    if subtasks != 'language':
        assert rows(root, 'subtask_index') == [0, 0, 0, 1, 1, 2]


def test_a_range_of_rows_keeps_the_subtask_that_it_begins_in():
    all_of = (Subtask(2, 'reach'), Subtask(5, 'grasp'), Subtask(9, 'lift'))
    assert subtasks_within(all_of, 10) == all_of
    assert subtasks_within(all_of, 4, first_row=6) == (Subtask(0, 'grasp'), Subtask(3, 'lift'))
    assert subtasks_within(all_of, 2, first_row=0) == ()


def test_a_subtask_needs_an_episode_a_text_and_a_column(make_play):
    play = make_play(ARM, subtasks='language')
    send(play, 0, 101)
    with pytest.raises(EpisodeStateError, match='no episode is being recorded'):
        play.recorder.begin_subtask('reach')
    play.recorder.start()
    with pytest.raises(EpisodeError, match='the subtask has no text'):
        play.recorder.begin_subtask('  ')


def test_a_dataset_without_subtasks_takes_none(make_play):
    play = make_play(ARM)
    send(play, 0, 101)
    play.recorder.start()
    with pytest.raises(EpisodeStateError, match='set the parameter subtasks'):
        play.recorder.begin_subtask('reach')
