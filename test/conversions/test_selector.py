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
Selectors say what they mean, or are refused with the character that is wrong.

Guards against a joint whose name looks like a number, a place or a time being taken for one.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from lerobot_streamrec.conversions.selector import (
    ByName,
    ByTime,
    ByValue,
    Field,
    Index,
    parse_selector,
    parse_selectors,
    Slice,
    text_of,
)
from lerobot_streamrec.errors import ConfigError
import pytest

PARAMETER = 'state.selectors'


def steps(text):
    return parse_selector(PARAMETER, text).steps


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('data', [Field('data')]),
        ('pose.position.x', [Field('pose'), Field('position'), Field('x')]),
        ('axes[1]', [Field('axes'), Index(1)]),
        ('points[-1].positions', [Field('points'), Index(-1), Field('positions')]),
        ('data[0:6]', [Field('data'), Slice(0, 6)]),
        ('data[2:]', [Field('data'), Slice(2, None)]),
        ('data[:3]', [Field('data'), Slice(None, 3)]),
        ('data[:]', [Field('data'), Slice(None, None)]),
        ('data[-3:-1]', [Field('data'), Slice(-3, -1)]),
        ('data[1:-1]', [Field('data'), Slice(1, -1)]),
        ('points[0:64].z', [Field('points'), Slice(0, 64), Field('z')]),
        ('position[shoulder_pan]', [Field('position'), ByName('shoulder_pan')]),
        ('position[left/arm-1 b.2]', [Field('position'), ByName('left/arm-1 b.2')]),
        ('position[arm::joint]', [Field('position'), ByName('arm::joint')]),
        ('position[ elbow ]', [Field('position'), ByName('elbow')]),
        ('position[3dof]', [Field('position'), ByName('3dof')]),
        ('position["0"]', [Field('position'), ByName('0')]),
        ("position['a\"b']", [Field('position'), ByName('a"b')]),
        ('position["a]b.c"]', [Field('position'), ByName('a]b.c')]),
        ('position["a=b"]', [Field('position'), ByName('a=b')]),
        ('position["time"]', [Field('position'), ByName('time')]),
        ('position["1:2"]', [Field('position'), ByName('1:2')]),
        (
            'transforms[child_frame_id=tool0].transform',
            [Field('transforms'), ByValue('child_frame_id', 'tool0'), Field('transform')],
        ),
        (
            'all[header.frame_id = "a b"].x',
            [Field('all'), ByValue('header.frame_id', 'a b'), Field('x')],
        ),
        ('a[id=3].x', [Field('a'), ByValue('id', '3'), Field('x')]),
        (
            'points[time].positions[elbow]',
            [Field('points'), ByTime(), Field('positions'), ByName('elbow')],
        ),
    ],
)
def test_every_form_is_read(text, expected):
    assert steps(text) == tuple(expected)


@pytest.mark.parametrize(
    ('text', 'place', 'words'),
    [
        ('', 1, 'the name of a field is needed'),
        ('.x', 1, 'the name of a field'),
        ('pose.', 6, 'the name of a field'),
        ('pose..x', 6, 'the name of a field'),
        ('_check', 1, 'the name of a field'),
        ('a.0', 3, 'the name of a field'),
        (' a', 1, 'the name of a field'),
        ('a b', 2, "a dot is needed, not ' '"),
        ('a[0]b', 5, "a dot is needed, not 'b'"),
        ('a[0][1]', 5, "a dot is needed, not '['"),
        ('a]', 2, "a dot is needed, not ']'"),
        ('data[0', 5, 'not closed'),
        ('data["0]', 5, 'not closed'),
        ('data[a"b]', 5, 'not closed'),
        ('data[]', 5, 'there is nothing between'),
        ('data[""]', 5, 'there is nothing between'),
        ('data[id=].x', 5, 'there is nothing between'),
        ('data[1.5]', 5, '1.5 is no place in a list; if it is a name, quote it: ["1.5"]'),
        ('data[+1]', 5, 'if it is a name, quote it: ["+1"]'),
        ('data[1e3]', 5, 'if it is a name, quote it: ["1e3"]'),
        ('data[3:3]', 5, '3:3 selects nothing'),
        ('data[:0]', 5, ':0 selects nothing'),
        ('data[-1:-2]', 5, '-1:-2 selects nothing'),
        ('points[time]', 13, 'a field of the points has to follow [time]'),
        ('a[0].points[time].x', 12, '[time] has to be the first bracket'),
    ],
)
def test_what_is_no_selector_is_refused_with_the_place(text, place, words):
    with pytest.raises(ConfigError) as caught:
        parse_selector(PARAMETER, text)
    assert (caught.value.name, caught.value.value) == (PARAMETER, text)
    assert f'at character {place}: ' in str(caught.value)
    assert words in str(caught.value)
    assert 'such as pose.position.x or position[elbow]' in str(caught.value)


def test_two_trajectories_in_one_vector_are_refused():
    with pytest.raises(ConfigError, match='may only follow one list of a vector, not a and b'):
        parse_selectors(PARAMETER, ['a[time].x', 'b[time].x', 'c[0]'])
    one, other = parse_selectors(PARAMETER, ['a[time].x', 'c[0]'])
    assert (one.trajectory, other.trajectory) == ((Field('a'),), None)


names = st.text(st.sampled_from('ab0-1.:/ ="_]['), min_size=1).filter(
    lambda text: not ('"' in text and "'" in text)
)
fields = st.from_regex(r'[a-z][a-z0-9_]{0,3}', fullmatch=True)
brackets = st.one_of(
    st.integers(-99, 99).map(Index),
    names.map(ByName),
    st.builds(ByValue, fields, names),
)
paths = st.lists(st.tuples(fields.map(Field), st.none() | brackets), min_size=1, max_size=4)


@given(paths)
def test_what_is_written_from_steps_reads_as_the_same_steps(pairs):
    expected = tuple(step for pair in pairs for step in pair if step is not None)
    assert steps(text_of(expected)) == expected
