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
"""The JSON that browsers see, made of the texts that a recorder sends."""

from __future__ import annotations

from console_room import FRONT
from lerobot_streamrec.console.board import Board
from lerobot_streamrec.console.state import SILENT_S, state_of
from lerobot_streamrec.nodes.clients.news import Heard, Status
import pytest

NOW_S = 1000.0


def heard(values, *, level=0, message='', age_s=0.5, streams=None):
    return Heard('/episode', Status(values, level, message, NOW_S - age_s), streams or {}, True)


def test_before_a_recorder_is_heard_everything_is_unknown():
    state = state_of(Heard('/left/episode'), NOW_S)
    assert state['recorder'] == '/left/episode'
    assert state['connected'] is False
    assert state['phase'] == 'unknown'
    unknown = ('age_s', 'episode_index', 'rows', 'seconds', 'fps', 'head_room', 'disk_free_mib')
    assert {state[key] for key in unknown} == {None}
    assert state['blockers'] == state['problems'] == state['streams'] == []
    assert state['task'] == state['root'] == ''


def test_texts_become_numbers_in_the_unit_of_their_name():
    values = {
        'phase': 'resetting',
        'phase_seconds_left': '7.5',
        'automatic': '3 of 50',
        'episode_index': '12',
        'rows': '431',
        'seconds': '14.4',
        'fps': '30',
        'head_room': '2.3',
        'disk_free_mib': '51234',
        'disk_minutes_left': '210.0',
        'repeated_frames': '2',
        'sync': 's3://lab/cell-07: up to date, 12 episodes',
        'task': 'Stack 3 cubes',
    }
    state = state_of(heard(values), NOW_S)
    assert state['connected'] is True
    assert state['age_s'] == 0.5
    assert state['phase'] == 'resetting'
    assert state['phase_seconds_left'] == 7.5
    assert state['automatic'] is True
    assert state['automatic_count'] == '3 of 50'
    assert (state['episode_index'], state['rows'], state['repeated_frames']) == (12, 431, 2)
    assert (state['seconds'], state['fps'], state['head_room']) == (14.4, 30.0, 2.3)
    assert (state['disk_free_mib'], state['disk_minutes_left']) == (51234, 210.0)
    assert state['sync'] == 's3://lab/cell-07: up to date, 12 episodes'
    assert state['task'] == 'Stack 3 cubes'


@pytest.mark.parametrize('text', ['', 'unknown', 'never', 'nan', 'inf', '-', '١٢'])
def test_what_is_no_number_is_unknown(text):
    values = dict.fromkeys(('rows', 'disk_free_mib'), text)
    state = state_of(heard({**values, 'disk_minutes_left': text if text != '١٢' else ''}), NOW_S)
    assert state['rows'] is state['disk_free_mib'] is state['disk_minutes_left'] is None


def test_a_silent_recorder_is_not_connected():
    assert state_of(heard({}, age_s=SILENT_S), NOW_S)['connected'] is True
    state = state_of(heard({'phase': 'ready'}, age_s=SILENT_S + 0.1), NOW_S)
    assert state['connected'] is False
    # What was heard last is still there.
    assert state['phase'] == 'ready'
    assert state['age_s'] == 3.1


def test_blockers_and_problems_are_lists():
    values = {'blocker_list': 'no picture yet; wait\ndisk full', 'problem_list': 'slow\nhot; dry'}
    state = state_of(heard({**values, 'blockers': 'no picture yet; wait; disk full'}), NOW_S)
    assert state['blockers'] == ['no picture yet; wait', 'disk full']
    assert state['problems'] == ['slow', 'hot; dry']


def test_an_older_recorder_has_them_in_one_text():
    state = state_of(heard({'blockers': 'a; b'}, level=1, message='c; d'), NOW_S)
    assert state['blockers'] == ['a', 'b']
    assert state['problems'] == ['c', 'd']
    assert state_of(heard({}, level=0, message='recording'), NOW_S)['problems'] == []


def test_each_stream_has_its_numbers_and_a_name_for_people():
    values = {
        'topic': '/front/image_raw',
        'kind': 'depth',
        'rate_hz': '29.9',
        'nominal_hz': '',
        'age_s': '0.030',
        'missing': '1',
        'late': '2',
        'lost_in_transport': '3',
        'rejected': '4',
        'repeated_frames': '5',
        'stale_rows': '6',
        'queued_frames': '7',
        'max_skew_ms': '33.1',
    }
    streams = {
        FRONT: Status(values, 1, 'is stale', NOW_S - 0.5),
        'action': Status({'age_s': 'never'}, 0, '', NOW_S),
    }
    first, second = state_of(heard({}, streams=streams), NOW_S)['streams']
    # The age goes on while the recorder says nothing new.
    assert first == {
        'key': FRONT, 'name': 'front', 'kind': 'depth', 'topic': '/front/image_raw',
        'rate_hz': 29.9, 'nominal_hz': None, 'age_s': 0.03, 'missing': 1, 'late': 2,
        'lost_in_transport': 3, 'rejected': 4, 'repeated_frames': 5, 'stale_rows': 6,
        'queued_frames': 7, 'max_skew_ms': 33.1, 'level': 1, 'message': 'is stale',
    }  # fmt: skip
    assert (second['name'], second['kind'], second['age_s']) == ('action', 'vector', None)


@pytest.fixture
def board(robot):
    board = Board(robot)
    robot.attach(board.refresh)
    return board


def test_tasks_are_those_of_this_session_and_then_of_the_dataset(board, robot):
    for task in ('a', 'b', 'a', 'c'):
        robot.hear(task=task)
    board.known_tasks = ('d', 'b', 'e')
    assert board.state()['tasks'] == ['c', 'a', 'b', 'd', 'e']
    for number in range(30):
        robot.hear(task=f'task {number}')
    assert board.state()['tasks'][:2] == ['task 29', 'task 28']
    assert len(board.state()['tasks']) == 20


def test_the_revision_grows_when_the_list_of_episodes_may_differ(board, robot):
    def revision_after(act):
        before = board.state()['episodes_revision']
        act()
        return board.state()['episodes_revision'] - before

    robot.hear(root='/data/a', saved_episodes='1')
    assert revision_after(lambda: robot.hear(root='/data/a', saved_episodes='1', rows='5')) == 0
    assert revision_after(lambda: robot.hear_event('recording', 'start')) == 0
    assert revision_after(lambda: robot.hear(root='/data/a', saved_episodes='2')) == 1
    assert revision_after(lambda: robot.hear(root='/data/b', saved_episodes='2')) == 1
    for verb in ('saved', 'undo', 'verdict', 'note', 'finalize'):
        assert revision_after(lambda verb=verb: robot.hear_event('done', verb)) == 1


def test_the_last_fifty_events_are_kept(board, robot):
    for number in range(60):
        robot.hear_event(f'event {number}')
    last, events = board.events_after(0)
    assert [one['message'] for one in events] == [f'event {number}' for number in range(10, 60)]
    robot.hear_event('one more', episode=3)
    _, new = board.events_after(last)
    assert new == [
        {
            'time': '08:13:20',
            'source': 'console',
            'verb': 'start',
            'success': True,
            'message': 'one more',
            'episode': 3,
        }
    ]


def test_a_command_is_sent_only_if_somebody_hears_it(board, robot):
    assert not board.send('start')
    robot.hear(is_heard=False)
    assert not board.send('start')
    robot.hear(age_s=SILENT_S + 1)
    assert not board.send('start')
    assert robot.commands == []
    robot.hear()
    assert board.send('start')
    assert robot.commands == ['start']
