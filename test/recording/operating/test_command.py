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
"""Commands as people write them, and the answers to those that are none."""

from __future__ import annotations

from lerobot_streamrec.errors import EpisodeError
from lerobot_streamrec.recording.operating.command import (
    Command,
    FORMS,
    parse_command,
    split_sender,
    Verb,
)
import pytest


@pytest.mark.parametrize(
    ('text', 'command'),
    [
        ('start', Command(Verb.START)),
        ('  START  Fold the Towel ', Command(Verb.START, 'Fold the Towel')),
        ('rotate\tpour', Command(Verb.ROTATE, 'pour')),
        ('save', Command(Verb.SAVE)),
        ('Save SUCCESS', Command(Verb.SAVE, 'success')),
        ('save failure', Command(Verb.SAVE, 'failure')),
        ('discard', Command(Verb.DISCARD)),
        ('pause', Command(Verb.PAUSE)),
        ('resume\n', Command(Verb.RESUME)),
        ('undo', Command(Verb.UNDO)),
        ('verdict success', Command(Verb.VERDICT, 'success')),
        ('verdict None', Command(Verb.VERDICT)),
        ('verdict success 12', Command(Verb.VERDICT, 'success', 12)),
        (' Verdict  FAILURE   0 ', Command(Verb.VERDICT, 'failure', 0)),
        ('verdict none 7', Command(Verb.VERDICT, '', 7)),
        ('note 12: text', Command(Verb.NOTE, 'text', 12)),
        ('note 0 :at 10: 30 it fell', Command(Verb.NOTE, 'at 10: 30 it fell', 0)),
        ('note 12 cubes: too many', Command(Verb.NOTE, '12 cubes: too many')),
        ('note Dropped it  twice', Command(Verb.NOTE, 'Dropped it  twice')),
        ('finalize', Command(Verb.FINALIZE)),
        ('ToGgLe', Command(Verb.TOGGLE)),
    ],
)
def test_a_command_is_read_whatever_its_case_and_blanks(text, command):
    assert parse_command(text) == command
    # A command that is written out reads as itself.
    assert parse_command(str(command)) == command


@pytest.mark.parametrize(
    ('text', 'part'),
    [
        ('', 'the command is empty'),
        ('   ', 'the command is empty'),
        ('sav', "'sav' is not a command: did you mean save?"),
        ('tooggle', 'did you mean toggle?'),
        ('strat fold the towel', 'did you mean start?'),
        ('xyzzy', "'xyzzy' is not a command;"),
        ('discard it', 'discard takes no text'),
        ('pause 3', 'pause takes no text'),
    ],
)
def test_anything_else_is_refused_with_the_list_and_the_nearest_word(text, part):
    with pytest.raises(EpisodeError) as refused:
        parse_command(text)
    assert part in str(refused.value)
    assert all(form in str(refused.value) for form in FORMS)


@pytest.mark.parametrize(
    ('text', 'part'),
    [
        (
            'save sucess',
            "verdict is 'sucess': allowed are success, failure: did you mean success?",
        ),
        ('save none', "verdict is 'none': allowed are success, failure"),
        ('verdict', "verdict is '': allowed are success, failure, none"),
        ('verdict good', "verdict is 'good': allowed are success, failure, none"),
        ('verdict 12', "verdict is '12': allowed are success, failure, none"),
        ('verdict success twelve', "the episode is 'twelve': give the index of a saved episode"),
        ('verdict success -1', "the episode is '-1': give the index"),
        ('verdict success 1 2', "the episode is '1 2': give the index"),
        ('note', 'write note <text>'),
        ('note 12:', 'or note <episode>: <text>'),
    ],
)
def test_a_wrong_text_is_refused_with_what_is_allowed(text, part):
    with pytest.raises(EpisodeError) as refused:
        parse_command(text)
    assert part in str(refused.value)


@pytest.mark.parametrize(
    ('text', 'sender', 'command'),
    [
        ('toggle', '', 'toggle'),
        (' [pedal] toggle', 'pedal', 'toggle'),
        ('[ left pedal ]save success', 'left pedal', 'save success'),
        ('note [sic]', '', 'note [sic]'),
        ('[] save', '', 'save'),
    ],
)
def test_a_sender_may_sign_a_command(text, sender, command):
    assert split_sender(text) == (sender, command)
