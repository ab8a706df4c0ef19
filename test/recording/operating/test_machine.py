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
"""The state machine that every way in drives, with a real recorder and without ROS."""

from __future__ import annotations

import json
import re

from lerobot_streamrec.recording.operating.command import Command, Verb
from lerobot_streamrec.recording.operating.events import Event
from lerobot_streamrec.recording.operating.status import Phase
import pytest
from waiting import wait_for

TOP = 'observation.images.top'


def test_every_command_is_answered_and_everybody_sees_who_gave_it(driver):
    assert driver.phase is Phase.READY
    assert driver.press('start fold', 'voice').message == 'recording episode 0: fold'
    assert driver.phase is Phase.RECORDING
    driver.run(1)
    assert driver.press('note slipped').message == "notes of episode 0: 'slipped'"
    assert driver.press('pause').message.startswith('paused after')
    assert driver.phase is Phase.PAUSED
    driver.run(1)
    assert driver.press('resume').success
    driver.run(1)
    saved = driver.press('save failure', 'keyboard')
    assert saved.message.startswith('episode 0: ')
    status = driver.status
    assert (status.last_command, status.last_source) == ('save failure', 'keyboard')
    assert status.last_result == f'saved {saved.message}'
    assert driver.room.tasks == ['fold']
    record = driver.rig.record_of(0)
    assert record['metadata'] == {'verdict': 'failure', 'notes': 'slipped'}
    assert record['task'] == 'fold'
    assert driver.press('undo').message.startswith('undid episode 0')
    assert driver.press('finalize').success
    assert driver.told() == [
        ('voice', 'start', True),
        ('pedal', 'note', True),
        ('pedal', 'pause', True),
        ('pedal', 'resume', True),
        ('keyboard', 'save', True),
        ('keyboard', 'saved', True),
        ('pedal', 'undo', True),
        ('pedal', 'finalize', True),
    ]


def test_toggle_starts_and_saves_and_rotate_does_both(driver):
    assert driver.press('toggle').message.startswith('recording episode 0')
    driver.run(1)
    rotated = driver.press('rotate pour')
    assert rotated.message == 'saving episode 0 (10 rows, 1.0 s); recording episode 1: pour'
    driver.run(1)
    assert driver.press('toggle').message.startswith('episode 1: ')
    assert driver.press('rotate').message == 'recording episode 2: pour'
    driver.run(1)
    driver.press('pause')
    assert driver.press('toggle').message.startswith('episode 2: ')


@pytest.mark.parametrize(
    ('text', 'part'),
    [
        ('save', 'no episode is being recorded: call start first'),
        ('pause', 'no episode is being recorded'),
        ('resume', 'no episode is being recorded'),
        ('undo', 'there is no saved episode'),
        ('fly', "'fly' is not a command; allowed are start [task]"),
    ],
)
def test_the_wrong_button_is_answered_with_what_would_be_possible(driver, text, part):
    answer = driver.press(text)
    assert not answer.success
    assert part in answer.message
    assert driver.status.last_result == answer.message
    ((_, verb, success),) = driver.told()
    assert (verb, success) == ('refused' if text == 'fly' else text, False)


def test_the_same_command_twice_within_the_debounce_time_counts_once(driver):
    driver.press('toggle', 'left pedal')
    assert driver.press('toggle', 'right pedal').success
    assert driver.press('start').success
    assert driver.phase is Phase.RECORDING
    driver.run(1)
    driver.press('note a')
    driver.press('note b')
    driver.press('save')
    assert driver.press('save').message.startswith('save counts once')
    assert driver.rig.record_of(0)['metadata']['notes'] == 'b'
    # A program that calls twice means it.
    driver.machine.carry_out(Command(Verb.START), 'script')
    assert not driver.machine.carry_out(Command(Verb.START), 'script').result().success


def test_an_episode_that_has_only_just_begun_is_saved_only_if_asked_twice(drive):
    driver = drive(min_episode_s=30.0)
    driver.press('start')
    driver.run(0.5)
    for text in ('save', 'rotate', 'toggle'):
        answer = driver.press(text)
        assert not answer.success
        assert re.search(r'episode 0 is only \d\.\d s .*min_episode_s is 30\)', answer.message)
        driver.run(2.5)
    assert not driver.press('save').success
    # A contact that bounces does not ask again.
    driver.run(0.1)
    assert driver.press('save').message.startswith('save counts once')
    assert driver.phase is Phase.RECORDING
    driver.run(1)
    assert driver.press('save').message.startswith('episode 0: ')
    driver.press('start')
    driver.run(30.1)
    assert driver.press('save').success


def test_commands_do_not_pile_up_behind_one_that_waits(driver):
    # Another recorder of the same name would be known by now, or not yet.
    driver.room.wall = None
    held = driver.machine.hear('start', 'pedal')
    assert not held.done()
    driver.rig.run(1)
    refused = driver.press('start pour', 'voice')
    assert 'start is already being carried out for pedal' in refused.message
    assert not driver.press('undo').success
    driver.room.wall = ''
    driver.machine.tick()
    assert held.result().success
    driver.press('discard')
    driver.room.wall = 'another recorder is called so'
    assert driver.press('start').message == 'another recorder is called so'
    assert driver.press('save').message.endswith('another recorder is called so')
    assert driver.status.blockers == ('another recorder is called so',)
    assert driver.phase is Phase.IDLE


def test_a_second_undo_is_not_piled_up_on_the_first(driver):
    for _ in range(2):
        driver.press('start')
        driver.run(0.5)
        driver.press('save')
    first = driver.machine.carry_out(Command(Verb.UNDO), 'a')
    second = driver.machine.carry_out(Command(Verb.UNDO), 'b')
    assert first.done() or 'undo is already being carried out for a' in second.result().message
    wait_for(lambda: driver.machine.tick() or first.done())


def test_a_command_that_waits_is_answered_at_the_end(driver):
    driver.room.wall = None
    held = driver.machine.hear('start', 'pedal')
    driver.machine.end()
    assert held.result().message == 'the recorder is shutting down'


def test_what_stands_in_the_way_of_a_start_is_told_in_words(drive):
    driver = drive({'task': ''})
    assert driver.status.blockers[0].startswith('there is no task')
    assert not driver.press('start').success
    assert driver.press('start fold').success


def test_an_episode_that_fails_is_told_when_it_happens(driver):
    driver.press('start')
    driver.run(1)
    driver.told()
    driver.rig.push(TOP, driver.rig.now_ns + 1, height=80)
    driver.run(0.5)
    ((source, verb, success),) = driver.told()
    assert (source, verb, success) == ('recorder', 'failed', False)
    assert not driver.press('save').success
    assert driver.phase is Phase.READY or driver.status.blockers


def test_an_episode_that_ends_by_itself_is_told(driver, monkeypatch):
    driver.press('start')
    driver.run(1)
    driver.told()
    driver.rig.recorder.save()
    wait_for(lambda: driver.machine.tick() or ('recorder', 'saved', True) in driver.told())


def test_an_event_is_one_line_of_json():
    event = Event('pedal', 'save', True, 'saving "ä"\nnow', 3, text='success')
    line = event.as_json(1_800_000_000.25)
    assert '\n' not in line
    assert json.loads(line) == {
        'time': '2027-01-15T08:00:00.250Z',
        'source': 'pedal',
        'verb': 'save',
        'success': True,
        'message': 'saving "ä"\nnow',
        'episode': 3,
        'repeat': False,
        'task': None,
        'text': 'success',
    }


def test_what_is_said_of_an_earlier_episode_names_it_and_leaves_the_running_one(driver):
    for _ in range(2):
        driver.press('start')
        driver.run(1)
        driver.press('save')
    driver.press('start')
    driver.run(1)
    driver.told()
    assert driver.press('verdict failure 0').message == "verdict of episode 0: 'failure'"
    # It is another command than the one before, and does not count as a repeat.
    assert driver.press('verdict failure 1').message == "verdict of episode 1: 'failure'"
    assert driver.press('note 2: well done').message == "notes of episode 2: 'well done'"
    refused = driver.press('note 3: not yet')
    assert not refused.success
    assert refused.message == 'there is no saved episode 3: the saved ones are 0 to 1'
    assert [one.episode for one in driver.room.events[:3]] == [0, 1, 2]
    driver.press('save')
    said = [driver.rig.record_of(index)['metadata'] for index in range(3)]
    assert said == [{'verdict': 'failure'}, {'verdict': 'failure'}, {'notes': 'well done'}]
