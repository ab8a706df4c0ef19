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
"""Bindings as users write them, and what is said of those that cannot be."""

from __future__ import annotations

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.recording.operating.presses import Binding, parse_bindings
import pytest

PARAMETER = 'teleop.joy.bindings'


def parsed(*texts):
    return parse_bindings(PARAMETER, texts)


def test_bindings_are_read():
    assert parsed('0: toggle', ' 1  LONG :discard ', '5 + 4: undo', '2: save failure') == (
        Binding(frozenset({0}), False, 'toggle', '0'),
        Binding(frozenset({1}), True, 'discard', '1 long'),
        Binding(frozenset({4, 5}), False, 'undo', '5+4'),
        Binding(frozenset({2}), False, 'save failure', '2'),
    )
    assert parsed('3+4 long: finalize')[0].label == '3+4 long'


def test_short_long_and_together_are_different_bindings_of_a_button():
    assert len(parsed('4: toggle', '4 long: discard', '4+5: undo', '4+5 long: finalize')) == 4


def test_a_command_may_hold_colons():
    assert parsed('0: note at 12:30: dropped')[0].command == 'note at 12:30: dropped'


def test_an_empty_list_is_none():
    assert parsed() == parsed('') == parsed(' ') == ()


def test_buttons_may_have_names():
    names = {'KEY_A': 30, 'KEY_B': 48}
    (one,) = parse_bindings('bindings', ['KEY_A+KEY_B long: undo'], names.__getitem__)
    assert one == Binding(frozenset({30, 48}), True, 'undo', 'KEY_A+KEY_B long')


@pytest.mark.parametrize(
    ('text', 'why'),
    [
        ('0', 'a colon and a command are missing'),
        ('0:', 'the command is empty'),
        ('0: tuggle', 'did you mean toggle?'),
        ('0: save sucess', 'allowed are success, failure'),
        (': toggle', 'the name of a button is missing'),
        ('4+: undo', 'the name of a button is missing'),
        ('long: undo', "'long' is not a button"),
        ('-1: undo', "'-1' is not a button"),
        ('1.5: undo', "'1.5' is not a button"),
        ('²: undo', "'²' is not a button"),
        ('A: undo', 'the buttons of a gamepad are 0, 1, 2 and so on'),
        ('0 lang: undo', "'0 lang' is not a button"),
        ('4+4: undo', 'it names the same button twice'),
        ('4+04: undo', 'it names the same button twice'),
    ],
)
def test_what_is_wrong_is_told(text, why):
    with pytest.raises(ConfigError) as caught:
        parsed('9: toggle', text)
    assert str(caught.value).startswith(f'{PARAMETER} is {text!r}: ')
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ('first', 'second'),
    [('0: toggle', '0: rotate'), ('4+5: undo', '5+4: rotate'), ('1 long: undo', '01 long: undo')],
)
def test_two_bindings_of_the_same_press_are_refused(first, second):
    with pytest.raises(ConfigError, match='is already bound') as caught:
        parsed(first, second)
    assert first in str(caught.value)
    assert repr(second) in str(caught.value)
