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
"""The meaning of buttons that go down and up at given instants."""

from __future__ import annotations

from itertools import pairwise
import math

from hypothesis import given, settings
from hypothesis import strategies as st
from lerobot_streamrec.recording.operating.presses import parse_bindings, Presses
import pytest

LONG_S = 0.8
DEBOUNCE_S = 0.25


def make(*texts, debounce_s=DEBOUNCE_S):
    bindings = parse_bindings('bindings', texts)
    return Presses(bindings, long_press_s=LONG_S, debounce_s=debounce_s)


def played(presses, *steps, end_s=None):
    """
    Play what is seen and return when which command was meant.

    :param steps: instants, and the buttons that are down from then on
    :param end_s: time passes until then; None: until nothing can come of it any more
    """
    told = []

    def note(now_s, meant):
        told.extend((round(now_s, 3), one.command) for one in meant)

    for step, after in pairwise([*steps, (math.inf, '')]):
        note(step[0], presses.see({int(one) for one in step[1]}, step[0]))
        until_s = min(after[0], math.inf if end_s is None else end_s)
        while math.isfinite(due_s := presses.due_s) and due_s < until_s:
            note(due_s, presses.tick(due_s))
    return told


IDLE = (0.0, '')


def test_a_button_with_nothing_else_to_mean_counts_when_it_goes_down():
    presses = make('0: toggle', '1: undo')
    assert played(presses, IDLE, (1.0, '0'), (1.1, ''), (2.0, '0'), (9.0, '')) == [
        (1.0, 'toggle'),
        (2.0, 'toggle'),
    ]
    assert presses.due_s == math.inf


def test_two_buttons_that_mean_nothing_together_do_not_mind_each_other():
    told = played(make('0: toggle', '1: note hm'), IDLE, (1.0, '0'), (1.1, '01'), (1.2, '1'))
    assert told == [(1.0, 'toggle'), (1.1, 'note hm')]


def test_short_counts_on_release_if_there_is_a_long_one():
    presses = make('1: toggle', '1 long: discard')
    assert played(presses, IDLE, (1.0, '1'), (1.5, '')) == [(1.55, 'toggle')]
    assert played(presses, (2.0, '1'), (2.81, '')) == [(2.8, 'discard')]


def test_a_long_press_counts_while_the_button_is_still_down():
    assert played(make('1 long: discard'), IDLE, (1.0, '1')) == [(1.8, 'discard')]


def test_a_long_press_that_is_too_short_is_nothing():
    assert played(make('1 long: discard'), IDLE, (1.0, '1'), (1.7, '')) == []


def test_what_was_held_long_enough_is_long_even_if_nobody_looked_meanwhile():
    presses = make('1: toggle', '1 long: discard')
    presses.see((), 0.0)
    assert presses.see({1}, 1.0) == []
    (meant,) = presses.see((), 5.0)
    assert meant.command == 'discard'
    presses.see({1}, 10.0)
    presses.see((), 10.7)
    (meant,) = presses.tick(99.0)
    assert meant.command == 'toggle'


@pytest.mark.parametrize('order', ['45', '54'])
def test_a_chord_counts_once_and_its_buttons_mean_nothing_else(order):
    presses = make('4: save', '5: rotate', '4+5: undo')
    first, second = order
    steps = (
        (1.0, first), (1.2, '45'), (1.6, second), (2.0, '45'), (3.0, second),
        (4.0, ''), (5.0, '45'), (6.0, ''), (7.0, first), (7.5, ''),
    )  # fmt: skip
    alone = 'save' if first == '4' else 'rotate'
    assert played(presses, IDLE, *steps) == [(1.2, 'undo'), (5.0, 'undo'), (7.55, alone)]


def test_a_button_of_a_chord_counts_on_release_however_long_it_was_down():
    told = played(make('4: save', '4+5: undo'), IDLE, (1.0, '4'), (9.0, ''))
    assert told == [(9.05, 'save')]


def test_a_button_that_was_long_is_no_part_of_a_chord_any_more():
    presses = make('4 long: finalize', '4+5: undo')
    told = played(presses, IDLE, (1.0, '4'), (3.0, '45'), (4.0, ''), (5.0, '45'))
    assert told == [(1.8, 'finalize'), (5.0, 'undo')]


def test_the_largest_chord_is_meant():
    presses = make('4+5: undo', '4+5+6: finalize', '6: toggle')
    assert played(presses, IDLE, (1.0, '45'), (1.3, '456'), (2.0, '')) == [(1.3, 'finalize')]
    assert played(presses, (3.0, '45'), (3.5, '5'), (4.0, '')) == [(3.55, 'undo')]
    assert played(presses, (5.0, '456'), (6.0, '')) == [(5.0, 'finalize')]


def test_of_two_chords_with_a_button_in_common_the_first_one_counts():
    told = played(make('4+5: undo', '5+6: rotate'), IDLE, (1.0, '45'), (1.5, '456'), (2.0, '56'))
    assert told == [(1.0, 'undo')]


def test_a_chord_may_be_long():
    presses = make('4: save', '4+5: undo', '4+5 long: finalize')
    assert played(presses, IDLE, (1.0, '4'), (1.5, '45')) == [(2.3, 'finalize')]
    assert played(presses, (3.0, ''), (4.0, '45'), (4.5, '4'), (9.0, '')) == [(4.55, 'undo')]


def test_contacts_that_bounce_count_once():
    bouncing = [(1.0, '0'), (1.004, ''), (1.006, '0'), (1.01, ''), (1.012, '0')]
    opening = [(3.0, ''), (3.01, '0'), (3.02, ''), (3.2, '0'), (3.21, '')]
    told = played(make('0: toggle'), IDLE, *bouncing, *opening, (3.45, '0'), (3.5, ''), (4.0, '0'))
    assert told == [(1.0, 'toggle'), (4.0, 'toggle')]
    # A long press goes on meanwhile.
    told = played(make('0: toggle', '0 long: discard'), IDLE, *bouncing, *opening)
    assert told == [(1.8, 'discard')]


def test_a_contact_that_is_open_when_the_press_becomes_long_is_waited_for():
    presses = make('0: toggle', '0 long: discard')
    told = played(presses, IDLE, (1.0, '0'), (1.79, ''), (1.81, '0'), (3.0, ''))
    assert told == [(1.81, 'discard')]
    assert played(presses, (4.0, '0'), (4.79, '')) == [(4.84, 'toggle')]


def test_without_a_debounce_time_every_press_counts_at_once():
    steps = [(k / 1000, '0' if k % 2 else '') for k in range(10)]
    assert len(played(make('0: toggle', debounce_s=0.0), *steps)) == 5
    presses = make('0: toggle', '0 long: discard', debounce_s=0.0)
    assert played(presses, IDLE, (1.0, '0'), (1.1, '')) == [(1.1, 'toggle')]


@pytest.mark.parametrize('texts', [('0: toggle',), ('0: toggle', '0 long: discard')])
def test_what_is_down_at_first_has_to_be_released(texts):
    presses = make(*texts)
    assert played(presses, (0.0, '0'), (3.0, ''), (4.0, '0'), (4.3, ''))[0][1] == 'toggle'
    presses.forget()
    assert presses.due_s == math.inf
    assert played(presses, (5.0, '0'), (8.0, '')) == []


def test_what_goes_down_just_after_a_device_has_come_is_no_press():
    presses = make('0: toggle')
    assert played(presses, (0.0, ''), (0.2, '0'), (2.0, ''), (3.0, '0')) == [(3.0, 'toggle')]


def test_a_press_ends_without_a_command_when_the_device_goes():
    presses = make('0: toggle', '0 long: discard', '0+1: undo')
    presses.see((), 0.0)
    presses.see({0}, 1.0)
    presses.forget()
    assert presses.tick(9.0) == []
    assert presses.see({0, 1}, 10.0) == []
    assert presses.see((), 11.0) == []
    assert presses.tick(12.0) == []


def test_buttons_that_are_not_bound_and_buttons_that_are_not_there_do_not_matter():
    presses = make('0: toggle', '12: undo')
    assert played(presses, (0.0, ''), (1.0, '3'), (2.0, '03'), (3.0, '')) == [(2.0, 'toggle')]
    assert Presses((), long_press_s=1.0, debounce_s=0.1).see({1}, 0.0) == []


ALL = ('0: toggle', '0 long: discard', '1: save', '0+1: undo', '2: note c', '1+2 long: finalize')
SEEN = st.lists(
    st.tuples(
        st.sampled_from([0.001, 0.02, 0.06, 0.2, 0.3, 0.79, 0.8, 1.1]),
        st.sets(st.sampled_from([0, 1, 2])),
    ),
    max_size=14,
)


def seen(presses, gaps, ticks=()):
    told, now_s = [], 0.0
    for gap_s, down in gaps:
        for tick_s in ticks:
            if tick_s < gap_s:
                told += presses.tick(now_s + tick_s)
        now_s += gap_s
        told += presses.see(down, now_s)
    return told


def num_downs(button, gaps):
    downs = [down for _, down in gaps]
    return sum(button in now and button not in before for before, now in pairwise(downs))


@settings(max_examples=300)
@given(SEEN, st.sampled_from([0.0, 0.03, 0.25]))
def test_how_often_time_is_told_changes_nothing(gaps, debounce_s):
    rarely = seen(make(*ALL, debounce_s=debounce_s), gaps)
    often = seen(make(*ALL, debounce_s=debounce_s), gaps, [k / 25 for k in range(30)])
    assert rarely == often


@settings(max_examples=300)
@given(SEEN, st.sampled_from([0.0, 0.03, 0.25]))
def test_no_press_counts_twice(gaps, debounce_s):
    gaps = [*gaps, (5.0, set())]
    told = seen(make(*ALL, debounce_s=debounce_s), gaps)
    for button in (0, 1, 2):
        assert sum(button in one.buttons for one in told) <= num_downs(button, gaps)


@given(SEEN)
def test_alone_and_without_bouncing_every_press_counts(gaps):
    assert len(seen(make('0: toggle', debounce_s=0.0), gaps)) == num_downs(0, gaps)
