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
"""The keyboard's screen, without a terminal: what it says, and that it fits any size."""

from __future__ import annotations

import html
import importlib.util
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from lerobot_streamrec.nodes.clients.keyboard_keys import Keyboard, RIGHT
from lerobot_streamrec.nodes.clients.keyboard_screen import screen, Style, View
from lerobot_streamrec.nodes.clients.news import Event, Status
import pytest
from rich.cells import cell_len

NOW_S = 100.0
TOOL = Path(__file__).resolve().parents[3] / 'tools' / 'keyboard_picture.py'
RECORDING = {
    'state': 'recording',
    'phase': 'recording',
    'episode_index': '3',
    'seconds': '12.4',
    'rows': '372',
    'task': 'タオルをたたむ — fold it',
    'saved_episodes': '3',
    'pending_episodes': '1',
    'repeated_frames': '0',
    'blockers': '',
    'phase_seconds_left': '17.6',
}


def view(
    values=RECORDING, *, level=0, message='', age_s=0.1, is_heard=True, keyboard=None
):
    status = Status(values, level, message, NOW_S - age_s)
    return View('/episode', 0.0, status, is_heard, keyboard or Keyboard('keyboard'))


def text_of(lines):
    return '\n'.join(''.join(span.text for span in line) for line in lines)


def shown(one, size=(80, 24), now_s=NOW_S):
    return text_of(screen(one, size, now_s))


def style_of(lines, text):
    (style,) = {span.style for line in lines for span in line if text in span.text}
    return style


def test_what_is_being_recorded_is_shown():
    lines = screen(view(), (80, 24), NOW_S)
    text = text_of(lines)
    for part in ('RECORDING', 'episode 3', '12.4 s', '372 rows', '17.6 s left', '/episode'):
        assert part in text
    for part in ('タオルをたたむ — fold it', 'saved 3', 'being saved 1', 'space pause'):
        assert part in text
    assert style_of(lines, 'RECORDING') is Style.GOOD
    assert 'repeated' not in text


def test_a_warning_and_what_keeps_an_episode_from_starting_are_shown_once():
    values = {**RECORDING, 'phase': 'idle', 'blockers': 'front: no message yet'}
    lines = screen(view(values, level=1, message='the disk is nearly full'), (80, 24), NOW_S)
    assert style_of(lines, 'the disk is nearly full') is Style.WARNING
    assert 'no episode can start: front: no message yet' in text_of(lines)
    assert 'next: episode 3' in text_of(lines)
    again = shown(view(values, level=2, message='front: no message yet; and more'))
    assert again.count('no message yet') == 1
    assert 'no episode can start' not in shown(view({**values, 'phase': 'recording'}))


def test_the_last_answers_are_shown_with_who_gave_the_command():
    keyboard = Keyboard('keyboard')
    for number in range(60):
        keyboard.hear(Event('08:00:00', 'pedal', 'note', True, f'note {number}'), NOW_S)
    keyboard.hear(Event('08:00:01', 'keyboard', 'start', False, 'word ' * 30, 3), NOW_S)
    lines = screen(view(keyboard=keyboard), (80, 24), NOW_S)
    text = text_of(lines)
    assert '08:00:00 pedal note: note 59' in text
    assert 'note 40' not in text
    # The newest one in full.
    assert '08:00:01 keyboard start: FAILED: word' in text
    assert text.count('word') == 30
    assert style_of(lines, 'FAILED') is Style.ERROR


def test_a_command_without_an_answer_is_shown():
    keyboard = Keyboard('keyboard')
    keyboard.press(RIGHT, None, NOW_S)
    assert 'save ...' in shown(view(keyboard=keyboard))
    assert 'save: unanswered for 3 s' in shown(view(keyboard=keyboard), now_s=NOW_S + 3.0)


def test_a_recorder_that_is_not_there_is_told_with_how_to_name_another():
    nobody = View('/left/episode', NOW_S, None, False, Keyboard('keyboard'))
    assert 'looking for a recorder at /left/episode' in shown(nobody)
    text = ' '.join(shown(nobody, now_s=NOW_S + 2.1).split())
    assert 'no recorder at /left/episode: is it running' in text
    assert '--ros-args -p recorder:=/left/episode' in text
    assert '--ros-args -r __ns:=/left' in text


def test_a_status_that_is_old_is_told():
    assert 'last heard' not in shown(view(age_s=1.9))
    assert 'last heard 3.2 s ago: /episode has ended' in shown(view(age_s=3.2))


def test_commands_that_nobody_would_hear_are_told():
    assert 'nobody listens to /episode/command' in shown(view(is_heard=False))
    assert 'nobody listens' not in shown(view(is_heard=True))


def test_a_note_shows_its_end_while_it_is_typed():
    keyboard = Keyboard('keyboard')
    keyboard.press('n', None, NOW_S)
    assert 'note> _   (enter sends, escape cancels)' in shown(view(keyboard=keyboard))
    for key in f'{"x" * 100}END':
        keyboard.press(key, None, NOW_S)
    (line,) = [one for one in shown(view(keyboard=keyboard)).splitlines() if 'note>' in one]
    assert line.endswith('xEND_')
    assert len(line) == 80


def test_what_the_last_keyboard_has_missed_is_told_by_the_status():
    assert 'last result: saved 7' in shown(view({**RECORDING, 'last_result': 'saved 7'}))


def test_texts_cannot_steer_the_terminal():
    values = {**RECORDING, 'task': 'a\x1b[2Jb\nc\x00d\ud800'}
    lines = screen(view(values), (80, 24), NOW_S)
    assert 'a [2Jb c d' in text_of(lines)
    assert all(span.text.isprintable() for line in lines for span in line)


@pytest.mark.parametrize('phase', ['recording', 'idle'])
def test_a_small_terminal_shows_what_matters(phase):
    values = {**RECORDING, 'phase': phase, 'blockers': 'front (/front/image_raw) is silent'}
    keyboard = Keyboard('keyboard')
    keyboard.hear(Event('08:00:01', 'pedal', 'save', True, 'saving episode 2'), NOW_S)
    text = shown(view(values, level=1, message='slow ' * 50, keyboard=keyboard), (40, 12))
    for part in (phase.upper(), 'episode 3', 'slow slow', '08:00:01 pedal save', 'esc stop'):
        assert part in text


def test_the_picture_in_the_docs_shows_the_screen():
    spec = importlib.util.spec_from_file_location('keyboard_picture', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    svg = html.unescape(tool.PICTURE.read_text('utf-8')).replace('\xa0', ' ')
    lines = screen(tool.session(), tool.SIZE, tool.NOW_S)
    missing = [span.text for line in lines for span in line if span.text.strip() not in svg]
    assert not missing, f'draw it again: python {TOOL.name}'
    assert 'http' not in svg.replace('http://www.w3.org/2000/svg', '')


texts = st.text(max_size=60)


@given(
    width=st.integers(1, 130),
    height=st.integers(1, 50),
    phase=st.sampled_from(['idle', 'ready', 'recording', 'paused', 'resetting', 'done', 'closed']),
    task=texts,
    message=texts,
    note=st.none() | texts,
    level=st.integers(0, 3),
    age_s=st.floats(0, 10),
)
def test_any_screen_fits(width, height, phase, task, message, note, level, age_s):
    keyboard = Keyboard('keyboard')
    for index in range(3):
        keyboard.hear(Event('08:00:00', task, 'save', index > 1, message, index), NOW_S)
    keyboard.press(RIGHT, None, NOW_S - 5)
    keyboard.note, keyboard.notice = note, message
    values = {**RECORDING, 'phase': phase, 'task': task, 'blockers': message}
    one = view(values, level=level, message=message, age_s=age_s, keyboard=keyboard)
    lines = screen(one, (width, height), NOW_S)
    assert len(lines) <= height
    for line in lines:
        assert sum(cell_len(span.text) for span in line) <= width
        assert all(span.text.isprintable() for span in line)
    assert lines[0]
