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
"""Cues: what is rung, said and run, and that nothing waits for it."""

from __future__ import annotations

import os
from pathlib import Path
import threading

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.recording.operating import cues
from lerobot_streamrec.recording.operating.cues import Cues, CuesConfig, spoken
from lerobot_streamrec.recording.operating.events import Event
import pytest
from waiting import wait_for

WAIT_S = 60.0


@pytest.fixture(autouse=True)
def _threads_end(no_thread_left):
    """Cues leave no thread behind."""


def program(folder, name, body):
    """Write an executable; it is a stand-in for the real one."""
    path = folder / name
    path.write_text(f'#!/bin/sh\n{body}\n')
    path.chmod(0o755)
    return path


def event(verb='save', *, success=True, message='saving episode 3 (5 rows)', episode=3, **more):
    return Event('pedal', verb, success, message, episode, **more)


@pytest.fixture
def speaker(tmp_path, monkeypatch):
    """Put a stand-in for spd-say on the path; return the file of what it said."""
    said = tmp_path / 'said.txt'
    program(tmp_path, 'spd-say', f'echo "$@" >> {said}')
    monkeypatch.setenv('PATH', f'{tmp_path}:{os.environ["PATH"]}')
    return said


@pytest.mark.parametrize(
    ('told', 'text'),
    [
        (event('start'), 'recording episode 3'),
        (event('saved', message='episode 3: 5 rows'), 'saved episode 3'),
        (event('saved', success=False, message='disk full'), 'the episode was not saved'),
        (event('failed', success=False), 'the recording has failed'),
        (event('note', message="notes of episode 3: 'x {y}'"), "notes of episode 3: 'x {y}'"),
        (event('start', success=False, message='front is missing'), 'front is missing'),
    ],
)
def test_what_is_said(told, text):
    assert spoken(told) == text


def test_events_are_spoken_in_their_order_and_a_bounce_is_not(speaker):
    told = Cues(CuesConfig('speech'))
    told.tell(event('start'))
    told.tell(event('start', is_repeat=True))
    told.tell(event('save'))
    assert told.close(WAIT_S)
    assert speaker.read_text().splitlines() == ['-- recording episode 3', '-- saving']


def test_without_a_speaker_the_bell_rings(tmp_path, monkeypatch, caplog):
    terminal = tmp_path / 'terminal'
    terminal.touch()
    monkeypatch.setattr(cues, 'SPEAKER', 'no-such-speaker')
    told = Cues(CuesConfig('speech'), terminal=terminal)
    told.tell(event(success=False))
    assert told.close(WAIT_S)
    assert terminal.read_bytes() == b'\a\a'
    assert 'the program no-such-speaker is not installed' in caplog.text


def test_a_command_gets_the_event_as_arguments(tmp_path):
    out = tmp_path / 'out.txt'
    light = program(tmp_path, 'light', f'printf "%s|" "$@" >> {out}')
    told = Cues(CuesConfig('none', f"{light} {{event}} '{{verb}} {{episode}}' {{message}}"))
    told.tell(event('undo', success=False, message="it's; $(touch x)", episode=None))
    assert told.close(WAIT_S)
    # Nothing of a message is read by a shell.
    assert out.read_text() == "undo_failed|undo |it's; $(touch x)|"
    assert not Path('x').exists()


def test_a_command_that_hangs_or_fails_holds_nobody_up(tmp_path, caplog):
    out = tmp_path / 'out.txt'
    body = f'echo $1 >> {out}\n[ $1 = start ] && exec sleep 60\nexit 3'
    config = CuesConfig('none', f'{program(tmp_path, "light", body)} {{verb}}')
    told = Cues(config, command_timeout_s=0.2)
    for verb in ('start', 'pause', *['save'] * 30):
        told.tell(event(verb))
    wait_for(lambda: out.exists() and 'pause' in out.read_text())
    assert told.close(WAIT_S)
    # Late cues are left out.
    assert out.read_text().count('save') < 30
    assert 'a cue could not be given' in caplog.text


def test_without_cues_there_is_no_thread():
    before = threading.active_count()
    told = Cues(CuesConfig())
    told.tell(event())
    assert threading.active_count() == before
    assert told.close(0.0)


@pytest.mark.parametrize(
    ('settings', 'part'),
    [
        (('loud', ''), "cues is 'loud': allowed are none, bell, speech"),
        (('none', '/no/such/program {event}'), 'its first word has to be a program'),
        (('none', "light '{event}"), 'No closing quotation: mend the quotes'),
        (('none', '  '), 'its first word has to be a program'),
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings, part):
    with pytest.raises(ConfigError) as refused:
        CuesConfig(*settings)
    assert part in str(refused.value)
