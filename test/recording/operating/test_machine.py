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

from lerobot_streamrec.errors import ConfigError, StreamsNotReadyError
from lerobot_streamrec.recording.config import StreamConfig
from lerobot_streamrec.recording.operating.command import Command, Verb
from lerobot_streamrec.recording.operating.config import AutomaticConfig, OperatingConfig
from lerobot_streamrec.recording.operating.events import Event
from lerobot_streamrec.recording.operating.machine import EpisodeMachine
from lerobot_streamrec.recording.operating.status import Phase
from lerobot_streamrec.recording.operating.surroundings import Surroundings
import numpy as np
import pytest
from waiting import wait_for

FRONT, TOP, STATE = 'observation.images.front', 'observation.images.top', 'observation.state'
SECOND_NS = 10**9
WAIT_S = 120


class Listener(Surroundings):
    """Collects what everybody is told."""

    def __init__(self):
        self.events = []
        self.tasks = []
        self.wall = ''

    def obstacle(self):
        return self.wall

    def note_task(self, task):
        self.tasks.append(task)

    def publish(self, event):
        self.events.append(event)


class Driver:
    """A rig with somebody who presses buttons."""

    def __init__(self, rig, **settings):
        self.rig = rig
        self.room = Listener()
        self.machine = EpisodeMachine(
            rig.recorder, OperatingConfig(**settings), self.room, lambda: rig.steady_ns
        )

    def press(self, text, source='pedal'):
        answer = self.machine.hear(text, source)
        if not answer.done():
            wait_for(lambda: self.machine.tick() or answer.done())
        return answer.result()

    def run(self, seconds):
        """Let time go by, with the ticks that a node gives."""
        while seconds > 0.001:
            self.rig.run(min(0.1, seconds))
            self.machine.tick()
            seconds -= 0.1

    def told(self):
        """Return source, verb and success of the events since the last time."""
        events, self.room.events = self.room.events, []
        return [(one.source, one.verb, one.success) for one in events]

    @property
    def status(self):
        return self.machine.status(self.rig.recorder.status())

    @property
    def phase(self):
        return self.status.phase


def has_started(rig):
    """Start an episode as soon as its encoders have been tried at the size of pictures."""
    try:
        rig.recorder.start('try')
    except StreamsNotReadyError:
        return False
    rig.recorder.set_task(rig.config.task)
    return True


@pytest.fixture
def drive(make_rig):
    def make(config=None, **settings):
        rig = make_rig(**(config or {}))
        rig.run(1)
        wait_for(lambda: has_started(rig))
        rig.recorder.discard().result(WAIT_S)
        return Driver(rig, **settings)

    return make


@pytest.fixture
def driver(drive):
    return drive(min_episode_s=0.0)


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
        ('fly', "'fly' is no command; allowed are start [task]"),
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
    assert 'start is being carried out already, for pedal' in refused.message
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
    assert first.done() or 'undo is being carried out already, for a' in second.result().message
    wait_for(lambda: driver.machine.tick() or first.done())


def test_a_command_that_waits_is_answered_at_the_end(driver):
    driver.room.wall = None
    held = driver.machine.hear('start', 'pedal')
    driver.machine.end()
    assert held.result().message == 'the recorder is ending'


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
    line = Event('pedal', 'save', True, 'saving "ä"\nnow', 3).as_json(1_800_000_000.25)
    assert '\n' not in line
    assert json.loads(line) == {
        'time': '2027-01-15T08:00:00.250Z',
        'source': 'pedal',
        'verb': 'save',
        'success': True,
        'message': 'saving "ä"\nnow',
        'episode': 3,
    }


# --- automatic episodes ------------------------------------------------------------------------


def automatic(**settings):
    return {'min_episode_s': 0.5, 'automatic': AutomaticConfig(**settings)}


def test_automatic_episodes_run_as_in_lerobot_record(drive):
    driver = drive(**automatic(num_episodes=2, episode_time_s=1.0, reset_time_s=2.0))
    driver.run(0.2)
    assert driver.phase is Phase.RECORDING
    assert driver.status.phase_seconds_left == pytest.approx(0.9, abs=0.2)
    driver.run(1.2)
    assert driver.phase is Phase.RESETTING
    assert driver.status.phase_seconds_left == pytest.approx(1.8, abs=0.3)
    assert driver.status.automatic == '1 of 2 automatic episodes'
    driver.run(1.5)
    assert driver.phase is Phase.RESETTING
    driver.run(0.6)
    assert driver.phase is Phase.RECORDING
    driver.run(1.5)
    assert driver.phase is Phase.DONE
    wait_for(lambda: driver.machine.tick() or driver.rig.recorder.status().num_saved == 2)
    told = []
    wait_for(lambda: driver.run(1) or told.extend(driver.told()) or 'finalize' in str(told))
    assert told.count(('automatic', 'start', True)) == 2
    assert told.count(('automatic', 'saved', True)) == 2
    assert told.count(('automatic', 'finalize', True)) == 1
    assert driver.phase is Phase.DONE
    # One more by hand is possible.
    assert driver.press('start').success


def test_save_ends_a_phase_early_and_discard_repeats(drive):
    driver = drive(**automatic(num_episodes=3, episode_time_s=60.0, reset_time_s=60.0))
    driver.run(1)
    assert driver.press('save').message.startswith('episode 0')
    assert driver.phase is Phase.RESETTING
    driver.run(0.5)
    assert driver.press('save').message == 'the reset phase is over'
    driver.run(1)
    assert driver.phase is Phase.RECORDING
    # What is being recorded is thrown away and recorded again after the reset.
    assert driver.press('discard').success
    assert driver.phase is Phase.RESETTING
    driver.run(0.5)
    driver.press('save')
    driver.run(1)
    driver.press('save')
    assert driver.status.automatic == '2 of 3 automatic episodes'
    driver.run(0.5)
    # In the reset phase the last one is saved already: it is undone.
    assert driver.press('discard').message.startswith('undid episode 1')
    assert driver.status.automatic == '1 of 3 automatic episodes'
    driver.run(0.3)
    assert driver.phase is Phase.RECORDING
    assert driver.rig.recorder.status().episode_index == 1


def test_finalize_ends_automatic_episodes_until_somebody_starts_one(drive):
    driver = drive(**automatic(num_episodes=9, episode_time_s=60.0, reset_time_s=1.0))
    driver.run(1)
    driver.press('save')
    assert driver.press('finalize').success
    driver.run(3)
    assert driver.phase is Phase.DONE
    assert driver.rig.recorder.status().episode_index == 1
    driver.press('start')
    driver.run(1)
    driver.press('save')
    driver.run(3)
    assert driver.phase is Phase.RECORDING


def test_an_episode_that_failed_is_recorded_again_after_the_reset(drive):
    driver = drive(**automatic(num_episodes=2, episode_time_s=1.0, reset_time_s=1.0))
    driver.run(0.5)
    driver.rig.push(TOP, driver.rig.now_ns + 1, height=80)
    driver.run(2)
    assert ('automatic', 'save', False) in driver.told()
    assert driver.status.automatic == '0 of 2 automatic episodes'
    driver.run(2.5)
    assert driver.phase is Phase.RECORDING


def test_without_fresh_streams_nothing_starts_by_itself(drive):
    driver = drive(**automatic(num_episodes=1, episode_time_s=1.0))
    driver.rig.run(3, without=[TOP])
    driver.machine.tick()
    assert driver.phase is Phase.IDLE
    assert 'top' in driver.status.blockers[0]
    assert driver.told() == []


STREAMS = (
    StreamConfig(FRONT, '/front'),
    StreamConfig('action', '/leader', names=('pan', 'grip')),
)


def test_an_episode_begins_when_the_leader_moves_and_ends_when_it_is_still(drive):
    driver = drive(
        {'streams': STREAMS},
        **automatic(start_on_motion=True, save_after_still_s=1.0, motion_threshold=0.1),
    )
    rig, motion = driver.rig, driver.machine.motion

    def move(seconds, speed):
        for _ in range(round(seconds * 10)):
            place[0] += speed / 10
            motion.push('action', rig.now_ns, np.array(place))
            driver.run(0.1)

    place = [0.0, 1.0]
    # Noise is no motion.
    move(2, 0.01)
    assert driver.phase is Phase.READY
    move(0.5, 1.0)
    assert driver.phase is Phase.RECORDING
    move(2, 1.0)
    assert driver.phase is Phase.RECORDING
    move(0.8, 0.0)
    assert driver.phase is Phase.RECORDING
    move(0.5, 0.0)
    wait_for(lambda: driver.machine.tick() or ('automatic', 'saved', True) in driver.told())
    move(3, 0.0)
    assert driver.phase is Phase.READY
    move(0.5, 1.0)
    assert driver.rig.recorder.status().episode_index == 1
    assert driver.phase is Phase.RECORDING


def test_settings_of_automatic_episodes_that_contradict_each_other_are_refused():
    with pytest.raises(ConfigError, match=r'auto\.episode_time_s is 0\.5'):
        OperatingConfig(automatic=AutomaticConfig(num_episodes=1, episode_time_s=0.5))
    with pytest.raises(ConfigError, match=r'auto\.episode_time_s is 0\.0'):
        AutomaticConfig(episode_time_s=0.0)
