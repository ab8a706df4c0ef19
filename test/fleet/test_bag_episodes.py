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
The episodes that a bag holds, by each of the ways to choose them.

Guards against takes that were discarded, undone or never saved and become episodes nevertheless,
and against times in a table that are guessed. ``test/recording/operating/test_events_in_bags.py``
reads the events of a real recorder.
"""

from __future__ import annotations

import json

from bags import FORMATS, header, JAZZY, JOINTS, joints, write_bag, write_split_bag
from lerobot_streamrec.cli.main import main
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.fleet.bag_import import bag_settings
from lerobot_streamrec.fleet.planning.bag_episodes import plan_episodes
from lerobot_streamrec.fleet.planning.bag_spans import Mark, Span
from lerobot_streamrec.fleet.planning.bag_takes import Takes, Told
from lerobot_streamrec.fleet.reading.bag_reader import open_bag
from lerobot_streamrec.recording.operating.command import parse_command
from lerobot_streamrec.settings.teleop_settings import parse_triggers
import numpy as np
import pytest
import yaml

SECOND_NS = 10**9
BEGIN_NS = 1_800_000_000 * SECOND_NS  # 2027-01-15T08:00:00Z
STRING, BOOL, JOY = 'std_msgs/msg/String', 'std_msgs/msg/Bool', 'sensor_msgs/msg/Joy'
PARAMETERS = {
    'root': 'never_written',
    'fps': 10,
    'task': 'push',
    'state': {'topic': '/joint_states', 'type': JOINTS, 'names': ['a', 'b']},
    'subtasks': 'language',
}


def at(seconds):
    return BEGIN_NS + round(seconds * SECOND_NS)


def encoded(kind, **fields):
    return bytes(JAZZY.serialize_cdr(JAZZY.types[kind](**fields), kind))


def text(topic, seconds, data):
    return topic, STRING, at(seconds), encoded(STRING, data=data)


def pedal(seconds, is_down):
    return '/pedal', BOOL, at(seconds), encoded(BOOL, data=is_down)


def gamepad(seconds, *down):
    buttons = np.array([number in down for number in range(4)], np.int32)
    axes = np.zeros(2, np.float32)
    return '/joy', JOY, at(seconds), encoded(JOY, header=header(0), axes=axes, buttons=buttons)


def state(seconds, number=0):
    return '/joint_states', JOINTS, at(seconds), joints(number)


@pytest.fixture
def plan(tmp_path):
    """Return a function that makes a bag of messages and plans its episodes."""

    def make(messages, choice, triggers=(), namespace='/', name='drive', **parameters):
        params = tmp_path / 'robot.yaml'
        values = {**PARAMETERS, **parameters}
        params.write_text(yaml.safe_dump({'/**/episode': {'ros__parameters': values}}))
        messages = sorted([state(0), *messages, state(100)], key=lambda one: one[2])
        make.bag = open_bag(write_bag(tmp_path / name, messages))
        settings = bag_settings(make.bag, params, namespace, {})
        rules = parse_triggers('--trigger', triggers)
        return plan_episodes(make.bag, str(choice), settings, namespace, rules)

    return make


def refusal(call, *arguments, **options):
    with pytest.raises(ConfigError) as caught:
        call(*arguments, **options)
    return str(caught.value)


def mark(seconds, command, **rows):
    return Mark(at(seconds), parse_command(command), **rows)


# --- the whole bag, and its files ----------------------------------------------------------------


@pytest.mark.parametrize('format_of', FORMATS, ids=str)
def test_the_whole_bag_or_each_of_its_files(format_of, tmp_path):
    parts = [[state(0), state(2)], [state(3), state(5)], [state(5), state(9)]]
    for has_metadata in (True, False):
        path = write_split_bag(tmp_path / str(has_metadata), parts, *format_of)
        if not has_metadata:
            (path / 'metadata.yaml').unlink()
        bag = open_bag(path)
        assert plan_episodes(bag, 'bag', None, '/') == [Span(at(0), at(9))]
        files = [Span(at(0), at(2)), Span(at(3), at(5)), Span(at(5), at(9))]
        assert plan_episodes(bag, 'files', None, '/') == files


# --- events --------------------------------------------------------------------------------------


def event(seconds, verb, message='', episode=None, success=True, source='pedal', **keys):
    """Return the message of an event; without further keys as recorders before them wrote it."""
    line = {
        'time': '2027-01-15T08:00:00.000Z',
        'source': source,
        'verb': verb,
        'success': success,
        'message': message,
        'episode': episode,
        **keys,
    }
    return text('/episode/events', seconds, json.dumps(line))


OLDER = [
    # This one began before the bag.
    event(1, 'save', 'saving episode 6 (9 rows, 0.9 s)', 6),
    event(2, 'saved', 'episode 6: 9 rows', 6),
    event(10, 'start', 'recording episode 7: fold: a (with 1.0 s from before the start)', 7),
    event(11, 'start', 'start counts once: the same command was given a moment ago'),
    event(12, 'subtask', "subtask 'reach'", 7),
    event(13, 'pause', 'paused after 30 rows, 3.0 s', 7),
    event(14, 'resume', 'recording continues after 30 rows, 3.0 s', 7),
    event(15, 'rotate', 'saving episode 7 (40 rows, 4.0 s); recording episode 8: pour', 8),
    event(16, 'note', "notes of episode 8: 'it\\'s wet'"),
    event(17, 'saved', 'episode 7: 40 rows', 7),
    event(18, 'verdict', "verdict of episode 7: 'failure'", 7),
    event(20, 'save', 'saving episode 8 (50 rows, 5.0 s)', 8),
    event(21, 'save', 'no episode is being recorded: call start first', 9, success=False),
    event(22, 'saved', 'episode 8: 50 rows', 8),
    event(23, 'fly', 'an event of the future'),
    text('/episode/events', 24, '{"verb": '),
    event(30, 'start', 'recording episode 9: pour', 9),
    event(31, 'failed', 'the running episode cannot be saved', 9, success=False),
    event(32, 'save', 'the episode cannot be saved', 9, success=False),
    event(40, 'start', 'recording episode 9: pour', 9),
    event(41, 'discard', 'discarded 10 rows, 1.0 s'),
    event(42, 'discard', 'discard counts once: the same command was given a moment ago'),
    event(50, 'start', 'recording episode 9: pour', 9),
    event(51, 'save', 'saving episode 9 (10 rows, 1.0 s)', 9),
    event(52, 'saved', 'the disk is full', None, success=False),
    event(60, 'start', 'recording episode 9: stir', 9),
    event(61, 'save', 'saving episode 9 (10 rows, 1.0 s)', 9),
    event(62, 'saved', 'episode 9: 10 rows', 9),
    event(63, 'verdict', "verdict of episode 9: 'success'"),
    event(64, 'undo', 'undid episode 9: 10 rows, 1.0 s'),
    event(70, 'start', 'recording episode 9: stir', 9),
    event(71, 'save', 'the episode ended: the disk is full', None, source='recorder'),
    event(72, 'saved', 'episode 9: 10 rows', 9, source='recorder'),
    event(73, 'note', "notes of episode 7: 'old'", 7),
    event(80, 'start', 'recording episode 10: stir', 10),
]


def test_events_of_an_older_recorder_give_what_was_saved_and_not_undone(plan):
    spans = plan(OLDER, 'events')
    marks = (mark(12, 'subtask reach'), mark(13, 'pause'), mark(14, 'resume'))
    assert spans == [
        Span(at(10), at(15), 'fold: a', {'verdict': 'failure', 'notes': 'old'}, marks),
        Span(at(15), at(20), 'pour', {'notes': "it's wet"}),
        Span(at(70), at(71), 'stir'),
    ]
    damage, left_out = map(str, plan.bag.remarks)
    assert "/episode/events that are no events: 2, the first: the verb is 'fly'" in damage
    fates = '1 begun before the bag, 1 not saved, 1 failed, 1 discarded, 1 undone, 1 not saved '
    assert f'episodes that are left out: {fates}before the bag ends' in left_out


def test_keys_of_events_are_preferred_to_their_sentences(plan):
    keys = {'repeat': False, 'task': None, 'text': None}
    events = [
        event(1, 'start', 'begun', 3, **{**keys, 'task': 'fold'}, first_row_ns=17),
        event(1.1, 'start', 'again', None, **{**keys, 'repeat': True}),
        event(2, 'pause', '', 3, **keys, last_row_ns=18),
        event(3, 'resume', '', 3, **keys, first_row_ns=19),
        event(4, 'save', '', 3, **{**keys, 'text': 'success'}, last_row_ns=20),
        event(5, 'verdict', '', 3, **{**keys, 'text': ''}),
    ]
    marks = (mark(2, 'pause', last_row_ns=18), mark(3, 'resume', first_row_ns=19))
    # The bag ended before the save did.
    assert plan(events, 'events') == [Span(at(1), at(4), 'fold', {}, marks, 17, 20)]
    assert 'ends before the recorder had saved episode 3' in str(plan.bag.remarks[-1])


@pytest.mark.parametrize(
    ('texts', 'problem'),
    [
        (['failure'], "texts is ['failure']: an object of texts by column is needed"),
        ({'shape': 3}, "texts is {'shape': 3}: an object of texts by column is needed"),
        ({'verdict': 'good'}, "verdict is 'good': allowed are success and failure"),
        ({'episode_index': 'x'}, 'meta/episodes has a column of this name'),
        ({'a.b': 'x'}, 'letters, digits and underscores are allowed'),
    ],
)
def test_a_save_with_texts_that_no_column_can_hold_is_no_event(plan, texts, problem):
    events = [
        event(1, 'start', 'begun', 0, task='fold'),
        event(2, 'save', '', 0, texts=texts),
        event(3, 'save', '', 0, texts={'shape': ' cube '}),
        event(4, 'saved', '', 0),
    ]
    assert plan(events, 'events') == [Span(at(1), at(3), 'fold', {'shape': 'cube'})]
    assert problem in str(plan.bag.remarks[0])


def test_answers_that_come_after_the_next_start_concern_the_episode_before():
    told = [
        ('start', 1, {'episode': 0}),
        ('start', 2, {'episode': 0}),
        # The answer to the discard of the first one.
        ('discard', 3, {}),
        ('save', 4, {'episode': 0}),
        ('start', 5, {'episode': 1}),
        ('save', 6, {'episode': 1}),
        # The first save failed, so the second one has its index.
        ('saved', 7, {'is_success': False}),
        ('start', 8, {'episode': 1}),
        ('saved', 9, {'episode': 0}),
        ('verdict', 10, {'text': 'failure', 'episode': None}),
        ('undo', 11, {}),
        ('verdict', 12, {'text': 'success', 'episode': 0}),
        ('save', 13, {'episode': 0}),
        ('start', 14, {'episode': 1}),
        ('save', 15, {'source': 'recorder'}),
    ]
    takes = Takes()
    for verb, receive_ns, keys in told:
        takes.hear(Told(receive_ns, verb, **keys))
    (unconfirmed,) = takes.end()
    assert takes.saved == [unconfirmed]
    assert unconfirmed.span() == Span(8, 13, texts={'verdict': 'success'})
    assert str(takes) == '1 discarded, 2 not saved, 1 undone'


@pytest.mark.parametrize(
    ('messages', 'told'),
    [
        ([event(1, 'start', episode=0), event(2, 'discard')], 'no episode was saved: 1 discarded'),
        ([event(1, 'start', episode=0)], 'no episode was saved: 1 not saved before the bag ends'),
        ([event(1, 'finalize')], 'no episode was saved: none was begun'),
        ([], 'no topic /episode/events; it has /joint_states; --episodes bag imports all'),
        (
            [('/episode/events', BOOL, at(1), encoded(BOOL, data=True))],
            'has /episode/events as std_msgs/msg/Bool, not as std_msgs/msg/String',
        ),
        ([text('/left/episode/events', 1, '{}')], '--namespace /left reads /left/episode/events'),
    ],
)
def test_a_bag_without_saved_episodes_tells_what_it_has_instead(messages, told, plan):
    found = refusal(plan, messages, 'events')
    assert told in found
    assert found.startswith("--episodes is 'events': ")


def test_events_of_a_namespace_and_marks_without_a_column(plan):
    rename = [(f'/left{one[0]}', *one[1:]) for one in OLDER]
    spans = plan(rename, 'events', namespace='/left', subtasks='none')
    assert [span.task for span in spans] == ['fold: a', 'pour', 'stir']
    assert spans[0].marks == (mark(13, 'pause'), mark(14, 'resume'))
    assert 'subtasks are left out: set subtasks to' in str(plan.bag.remarks[-1])


# --- commands and triggers -----------------------------------------------------------------------


def command(seconds, data):
    return text('/episode/command', seconds, data)


def test_commands_are_carried_out_as_a_recorder_would(plan):
    said = [
        command(1, 'save'),
        text('/episode/task', 2, 'fold'),
        command(3, '[left pedal] toggle'),
        # It bounces.
        command(3.1, 'toggle'),
        command(3.2, 'start sweep'),
        command(4, 'subtask reach'),
        command(5, 'resume'),
        command(6, 'pause'),
        command(7, 'resume'),
        command(8, 'rotate pour'),
        # The first save of a short episode may be a slip; the second is meant.
        command(8.5, 'save failure'),
        command(9.3, 'save success'),
        text('/episode/notes', 10, 'wet'),
        command(11, 'note 12: of which dataset?'),
        command(12, 'fly'),
        command(20, 'start'),
        command(21, 'undo'),
        command(22, 'discard'),
        command(23, 'rotate'),
        command(30, 'save'),
        command(31, 'undo'),
        text('/episode/verdict', 32, 'failure'),
        text('/episode/verdict', 33, 'good'),
        command(40, 'START stir'),
        text('/episode/subtask', 41, 'grasp'),
        command(50, 'Save Failure'),
    ]
    marks = (mark(4, 'subtask reach'), mark(6, 'pause'), mark(7, 'resume'))
    assert plan(said, 'commands') == [
        Span(at(3), at(8), 'fold', {}, marks),
        Span(at(8), at(9.3), 'pour', {'verdict': 'failure', 'notes': 'wet'}),
        Span(at(40), at(50), 'stir', {'verdict': 'failure'}, (mark(41, 'subtask grasp'),)),
    ]
    damage, left_out = map(str, plan.bag.remarks)
    assert "messages without a command: 1, the first: 'fly' is not a command" in damage
    assert left_out.endswith('episodes that are left out: 1 discarded, 1 undone')


def test_triggers_and_gamepad_of_the_parameter_file_count(plan):
    teleop = {
        'triggers': ['/pedal: toggle', '/absent: undo'],
        'joy': {'bindings': ['0: note good', '1: save', '1 long: discard']},
    }
    said = [
        # A pedal that is down at the begin is no press.
        *(pedal(*one) for one in ((1, True), (2, False), (3, True), (3.05, False), (3.1, True))),
        gamepad(4),
        gamepad(5, 0),
        gamepad(5.1),
        pedal(6, False),
        pedal(10, True),
        pedal(12, False),
        pedal(13, True),
        gamepad(14, 1),
        # No message says that the press is long enough.
        command(20, 'start fold'),
        gamepad(25),
        gamepad(29, 1),
        gamepad(29.3),
    ]
    assert plan(said, 'commands', teleop=teleop) == [
        Span(at(3), at(10), '', {'notes': 'good'}),
        Span(at(20), at(29.35), 'fold'),
    ]


def test_a_trigger_of_the_command_line_replaces_those_of_the_parameter_file(plan):
    wave = [state(second, second % 10) for second in range(1, 41)]
    teleop = {'triggers': ['/pedal: toggle']}
    said = [pedal(1, False), pedal(2, True), *wave]
    triggers = ['joint_states position[a] > 4.5: rotate']
    spans = plan(said, 'commands', triggers, teleop=teleop)
    assert spans == [Span(at(begin), at(begin + 10)) for begin in (5, 15, 25)]


@pytest.mark.parametrize(
    ('trigger', 'told'),
    [
        ('/absent: toggle', "--trigger is '/absent: toggle': "),
        ('/absent: toggle', 'has no topic /absent; it has /joint_states, /pedal;'),
        ('/joint_states: toggle', 'sensor_msgs/msg/JointState; without a condition'),
        ('/joint_states velocity[x] > 0: toggle', 'without a command: 2, the first: /joint_st'),
        ('/pedal: jump', "'jump' is not a command"),
        ('/pedal: undo', 'none was begun; refused commands: 1, the first: undo: there is no'),
    ],
)
def test_a_trigger_that_cannot_be_used_is_told(trigger, told, plan):
    assert told in refusal(plan, [pedal(1, False), pedal(2, True)], 'commands', [trigger])


def test_a_bag_without_commands_tells_its_topics(plan):
    found = refusal(plan, [], 'commands')
    assert 'has no topic /episode/command; it has /joint_states; --episodes bag' in found


# --- a table -------------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path):
    path = tmp_path / 'episodes.csv'

    def write(*lines):
        path.write_text('\n'.join(lines) + '\n')
        return path

    return write


def test_a_table_has_times_tasks_and_texts(plan, table):
    path = table(
        '\N{ZERO WIDTH NO-BREAK SPACE}start, end,task,verdict,notes,site',
        '60,100.4,,,,',
        '',
        '5.25, 10,fold,success,"wet, and cold",lab',
        '1800000010.5,1800000020,,failure,,',
        '1800000020000000007,2027-01-15T08:00:30Z,,,,',
        '2027-01-15 10:00:30.123456789+02:00,50,,,,',
    )
    late = at(30) + 123_456_789
    texts = {'verdict': 'success', 'notes': 'wet, and cold', 'site': 'lab'}
    assert plan([], path) == [
        Span(at(5.25), at(10), 'fold', texts),
        Span(at(10.5), at(20), '', {'verdict': 'failure'}),
        Span(at(20) + 7, at(30)),
        Span(late, at(50)),
        # Its end is rounded, and the bag is shorter.
        Span(at(60), at(100)),
    ]


@pytest.mark.parametrize(
    ('header', 'row', 'told'),
    [
        ('start,end', '1,two', "episodes.csv, line 2, column end is 'two': allowed are seconds"),
        ('start,end', '1,1e2', "column end is '1e2': allowed"),
        ('start,end', '-1,2', "column start is '-1': allowed"),
        ('start,end', '5,5', "column end is '5': it has to be later than start, 5"),
        ('start,end', '1,102', 'the bag lasts from 2027-01-15T08:00:00.000Z to 2027-01-15T08:01'),
        ('start,end', '1,2027-01-15T08:00:30', 'it has no zone: add Z for UTC'),
        ('start,end', '1,2027-02-30T08:00:30Z', 'day is out of range for month'),
        ('start,end', '1', "line 2 is '1': it has 1 cells, and the header has 2"),
        ('start,end,a b', '1,2,3', "line 1, a column is 'a b': letters, digits and underscores"),
        ('start,stop', '1,2', "line 1 is 'start,stop': the column end is missing"),
        ('start', '1', "line 1 is 'start': the column end is missing"),
        ('start,end,end', '1,2,3', "the column 'end' is there twice"),
        ('start,end,verdict', '1,2,good', "column verdict is 'good'"),
        ('start,end,recorded_at', '1,2,x', 'meta/episodes has a column of this name'),
        ('start,end,bag', '1,2,', "column bag is '': the name of a file or folder is missing"),
        ('start,end,bag', '1,2,other', "column bag is ['other']: the bag is drive"),
        ('', '', 'it has no episode: the first line is a header such as start,end,task'),
    ],
)
def test_a_table_that_is_unclear_is_refused(header, row, told, plan, table):
    assert told in refusal(plan, [], table(header, row))


def test_rows_that_overlap_or_mean_two_times_are_refused(plan, table, tmp_path):
    path = table('start,end', '20,30', '1,20.5')
    found = refusal(plan, [], path)
    assert f"{path}, line 2, column start is '20': the episode of {path}, line 3 ends" in found
    # Simulated time began with the robot.
    early = [(*state(0)[:2], second * SECOND_NS, joints(second)) for second in (5, 65)]
    bag = open_bag(write_bag(tmp_path / 'simulated', early))
    found = refusal(plan_episodes, bag, str(table('start,end', '12,40')), None, '/')
    assert 'both within the bag' in found
    span = Span(10 * SECOND_NS, 62 * SECOND_NS)
    utc = table('start,end', '1970-01-01T00:00:10Z,1970-01-01T00:01:02Z')
    assert plan_episodes(bag, str(utc), None, '/') == [span]


def test_a_table_for_several_bags_names_them(table, tmp_path):
    bags = [open_bag(write_bag(tmp_path / name, [state(0), state(9)])) for name in ('a', 'b')]
    path = str(table('bag,start,end', 'a,1,2', f'{tmp_path.name}/b,3,4', 'a,5,6', 'c,1,2'))
    found = [plan_episodes(bag, path, None, '/', has_others=True) for bag in bags]
    assert found == [[Span(at(1), at(2)), Span(at(5), at(6))], [Span(at(3), at(4))]]
    path = str(table('start,end', '1,2'))
    told = refusal(plan_episodes, bags[0], path, None, '/', has_others=True)
    assert 'for several bags it needs a column bag' in told


# --- the command ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('options', 'status', 'told'),
    [
        (['--episodes', 'evnts'], 1, "'evnts': allowed are bag, files, events, commands, and the"),
        (['--episodes', 'files', '--trigger', '/pedal: toggle'], 1, '--trigger gives commands'),
        (['--trigger', '/pedal toggle'], 1, "--trigger is '/pedal toggle': this is not a trigger"),
        (['--trigger', '/pedal: rotate'], 0, ''),
        (['--episodes', 'events'], 1, '--episodes bag imports all of it'),
        (['--episodes', 'files'], 0, ''),
    ],
)
def test_the_command_plans_before_it_imports(options, status, told, tmp_path, capsys):
    values = {**PARAMETERS, 'subtasks': 'none', 'root': str(tmp_path / 'dataset')}
    params = tmp_path / 'robot.yaml'
    params.write_text(yaml.safe_dump({'/**/episode': {'ros__parameters': values}}))
    moves = [('/joint_states', JOINTS, at(number / 10), joints(number)) for number in range(60)]
    presses = [pedal(1, False), pedal(2, True), pedal(3, False), pedal(4, True)]
    bag = write_bag(tmp_path / 'drive', sorted([*moves, *presses], key=lambda one: one[2]))
    assert main(['import', str(bag), '--params', str(params), *options]) == status
    assert told in capsys.readouterr().err
    assert (tmp_path / 'dataset/meta/info.json').exists() is (status == 0)
