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
"""Keys become commands, answers lead to further ones, and a stop takes its steps."""

from __future__ import annotations

import json

from lerobot_streamrec.nodes.clients.keyboard_keys import (
    BACKSPACE,
    ENTER,
    ESCAPE,
    Keyboard,
    LEFT,
    left_behind,
    RIGHT,
    Stage,
)
from lerobot_streamrec.nodes.clients.news import Event, read_event, Status
from lerobot_streamrec.recording.operating.command import parse_command
import pytest


class Session:
    """A keyboard, a clock that runs on between keys, and a phase that the test sets."""

    def __init__(self, phase='ready', **values):
        self.keyboard = Keyboard('keyboard')
        self.now_s = 100.0
        self.phase, self.values = phase, values

    @property
    def status(self):
        values = {'phase': self.phase, 'episode_index': '3', **self.values}
        return Status(values, 0, '', self.now_s)

    def press(self, *keys, after_s=1.0):
        sent = []
        for key in keys:
            self.now_s += after_s
            sent += self.keyboard.press(key, self.status, self.now_s)
        for command in sent:
            parse_command(command)
        return sent

    def hear(self, verb, *, success=True, source='keyboard', episode=3):
        event = Event('08:00:00', source, verb, success, 'the answer', episode)
        return self.keyboard.hear(event, self.now_s)


@pytest.mark.parametrize(
    ('phase', 'key', 'command'),
    [
        ('idle', ' ', 'start'),
        ('ready', ' ', 'start'),
        ('done', ' ', 'start'),
        ('recording', ' ', 'pause'),
        ('paused', ' ', 'resume'),
        ('recording', RIGHT, 'save'),
        ('resetting', RIGHT, 'save'),
        # The recorder says what is not possible.
        ('ready', RIGHT, 'save'),
        ('recording', LEFT, 'discard'),
        ('ready', 'u', 'undo'),
        ('recording', 's', 'verdict success'),
        ('recording', 'f', 'verdict failure'),
        ('recording', 'r', 'rotate'),
    ],
)
def test_each_key_is_a_command(phase, key, command):
    assert Session(phase).press(key) == [command]


def test_a_key_without_a_command_is_told():
    session = Session()
    assert session.press('x') == []
    assert "'x'" in session.keyboard.notice
    assert session.press('u') == ['undo']
    assert not session.keyboard.notice


def test_a_key_that_is_held_down_counts_once():
    session = Session('recording')
    assert session.press(RIGHT) == ['save']
    # Half a second until it repeats, then thirty times a second.
    assert session.press(RIGHT, after_s=0.5) == []
    assert session.press(*[RIGHT] * 100, after_s=0.033) == []
    assert session.press(LEFT, after_s=0.01) == ['discard']
    assert session.press(LEFT) == ['discard']


def test_an_episode_that_is_discarded_is_recorded_again():
    session = Session('recording')
    session.press(LEFT)
    assert session.hear('discard', source='pedal') == []
    assert session.hear('discard') == ['start']
    assert session.hear('discard') == []


def test_what_was_not_discarded_is_not_started():
    session = Session('ready')
    session.press(LEFT)
    assert session.hear('discard', success=False) == []
    assert session.hear('discard') == []


def test_a_command_that_becomes_another_one_is_answered():
    session = Session('ready')
    session.press('r')
    session.hear('start')
    assert not session.keyboard.sent
    session.phase = 'resetting'
    session.press(LEFT)
    session.hear('saved')
    assert session.keyboard.sent
    assert session.hear('undo') == []
    assert not session.keyboard.sent


@pytest.mark.parametrize('values', [{'phase_seconds_left': '17.5'}, {'automatic': '3 of 9'}])
def test_the_recorder_repeats_automatic_episodes_by_itself(values):
    session = Session('recording', **values)
    assert session.press(LEFT) == ['discard']
    assert session.hear('discard') == []


def test_a_command_waits_for_its_own_answer():
    session = Session('ready')
    session.press(' ', 'u')
    session.hear('start', source='pedal')
    session.hear('undo')
    assert [one.text for one in session.keyboard.sent] == ['start']
    session.hear('start', success=False)
    assert not session.keyboard.sent
    assert [one.verb for one in session.keyboard.events] == ['start', 'undo', 'start']


def test_escape_saves_finalizes_and_leaves():
    session = Session('recording')
    assert session.press(ESCAPE) == ['save']
    # Not ours: a pedal's save, and one of an episode before.
    assert session.hear('save', source='pedal') == []
    assert session.keyboard.stage is Stage.SAVING
    assert session.hear('save') == []
    assert session.hear('saved', source='', episode=2) == []
    assert session.press(' ', RIGHT, 'n') == []
    assert session.hear('saved', source='') == ['finalize']
    assert not session.keyboard.has_left
    assert session.hear('finalize', episode=None) == []
    assert session.keyboard.has_left
    assert session.keyboard.parting == 'the answer'


def test_escape_finalizes_at_once_if_nothing_runs():
    session = Session('resetting')
    assert session.press(ESCAPE) == ['finalize']
    session.hear('finalize')
    assert session.keyboard.has_left


@pytest.mark.parametrize('failing', ['save', 'saved', 'finalize'])
def test_a_stop_that_fails_is_given_up_and_told(failing):
    session = Session('recording')
    session.press(ESCAPE)
    for verb in ('save', 'saved', 'finalize'):
        session.hear(verb, success=verb != failing)
        if verb == failing:
            break
    assert not session.keyboard.has_left
    assert session.keyboard.stage is None
    assert failing in session.keyboard.notice
    assert session.press(' ') == ['pause']


@pytest.mark.parametrize('key', [ESCAPE, 'q'])
def test_a_second_escape_leaves_and_sends_nothing(key):
    session = Session('recording')
    session.press(ESCAPE)
    # The first one was held down.
    assert session.press(*[ESCAPE] * 20, after_s=0.05) == []
    assert not session.keyboard.has_left
    assert session.press(key) == []
    assert session.keyboard.has_left
    assert session.keyboard.parting == 'left while waiting for the answer to the save'


def test_without_a_recorder_escape_leaves():
    keyboard = Keyboard('keyboard')
    assert keyboard.press(ESCAPE, None, 1.0) == []
    assert keyboard.has_left


def test_q_sends_nothing():
    session = Session('recording')
    assert session.press('q') == []
    assert session.keyboard.has_left


def test_a_note_is_typed():
    session = Session('recording')
    # Letters are no commands, and come as quickly as one types.
    assert session.press('n', *'suurr q!', BACKSPACE, *'é タ', '\x01', after_s=0.01) == []
    assert session.keyboard.note == 'suurr qé タ'
    assert session.press(ENTER) == ['note suurr qé タ']
    assert session.keyboard.note is None
    assert session.press('u') == ['undo']


def test_a_note_can_be_left_out():
    session = Session('recording')
    assert session.press('n', 'a', '\x15', ' ', ENTER) == []
    assert session.press('n', 'a', ESCAPE) == []
    assert session.keyboard.note is None
    assert session.keyboard.stage is None
    session.press('n', *'long' * 1000)
    assert len(session.keyboard.note) == 500


def test_an_event_is_read():
    text = json.dumps(
        {
            'time': '2026-11-27T08:00:00.123Z',
            'source': 'pedal',
            'verb': 'save',
            'success': True,
            'message': 'saving episode 3',
            'episode': 3,
        }
    )
    event = read_event(text)
    assert (event.source, event.verb, event.success, event.episode) == ('pedal', 'save', True, 3)
    assert event.message == 'saving episode 3'
    assert event.at.endswith(':00:00')


@pytest.mark.parametrize('text', ['', '[]', '{}', '7', 'null', '"x"', '{"verb":', '[' * 100_000])
def test_what_is_no_event_is_quoted(text):
    event = read_event(text)
    assert not event.success
    assert f'not an event of a recorder: {text[:80]!r}' == event.message


@pytest.mark.parametrize(
    ('values', 'said'),
    [
        ({'phase': 'recording', 'rows': '120'}, 'episode 3 is still being recorded (120 rows'),
        ({'phase': 'paused'}, 'episode 3 stays paused, and is not saved yet'),
        ({'phase': 'resetting'}, 'automatic episodes go on'),
        ({'phase': 'ready'}, '/arm/episode: no episode is running'),
        ({'phase': 'ready', 'pending_episodes': '2'}, 'still being written: 2'),
        # A recorder without phases.
        ({'state': 'recording', 'rows': '7'}, '(7 rows so far)'),
    ],
)
def test_what_goes_on_is_told_on_leaving(values, said):
    status = Status({'episode_index': '3', **values}, 0, '', 0.0)
    assert said in left_behind(status, '/arm/episode', 1.0)
    assert 'last status' not in left_behind(status, '/arm/episode', 1.0)
    assert 'according to its last status 9 s ago' in left_behind(status, '/arm/episode', 9.0)
    assert 'no recorder was heard at /arm/episode' in left_behind(None, '/arm/episode', 1.0)
