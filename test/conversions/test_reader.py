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
Readers take the numbers that selectors say, and name them.

Guards against numbers under wrong names: lists that change their order, rotations that are none.
"""

from __future__ import annotations

from array import array
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from lerobot_streamrec.errors import VectorError
import numpy as np
import pytest
from reading import MIXED, NUMBERS, quaternion, read, reader, STATES, TREE


def joints(**values):
    return SimpleNamespace(name=list(values), position=array('d', values.values()))


class Slotted:
    """A message as rosidl makes them, without the method that tells its fields."""

    __slots__ = ('_b', '_a', '_check_fields')  # noqa: RUF023

    def __init__(self, a, b):
        self._a, self._b, self._check_fields = a, b, True

    a = property(lambda self: self._a)
    b = property(lambda self: self._b)


class Described(Slotted):
    """A message that tells its fields, in another order than that of its slots."""

    @classmethod
    def get_fields_and_field_types(cls):
        return {'a': 'double', 'b': 'double'}


@pytest.mark.parametrize(
    ('message', 'texts', 'expected'),
    [
        (MIXED, ['pose.position.y'], [2]),
        (MIXED, ['pose.position'], [1, 2, 3]),
        (MIXED, ['pose'], [1, 2, 3, 0, 0, 0, 1]),
        (MIXED, ['flag', 'count'], [1, 3]),
        (MIXED, ['flags'], [1, 0]),
        (MIXED, ['fixed[1]', 'flag', 'fixed[0]'], [1.5, 1, 0.5]),
        (MIXED, ['fixed', 'empty[:]'], [0.5, 1.5]),
        (NUMBERS, ['data[0:6]'], [0, 1, 2, 3, 4, 5]),
        (NUMBERS, ['data[5:]'], [5, 6]),
        (NUMBERS, ['data[:3]'], [0, 1, 2]),
        (NUMBERS, ['data[:]'], [0, 1, 2, 3, 4, 5, 6]),
        (NUMBERS, ['data[-2:]', 'data[-7]', 'data[1:-4]'], [5, 6, 0, 1, 2]),
        (NUMBERS, ['data[6]', 'data[0:2]'], [6, 0, 1]),
        (TREE, ['transforms[child_frame_id=tool0].transform.translation'], [4, 5, 6]),
        (TREE, ['transforms[0].transform.translation.z'], [3]),
        (TREE, ['transforms[-1].transform.translation.z'], [6]),
        # Headers and texts are none of the numbers of a message.
        (TREE, ['transforms[1]'], [4, 5, 6, 0, 0, 0, 1]),
        (STATES, ['interface_values[wrist].values[effort]'], [3]),
        (
            STATES,
            ['interface_values[wrist].values[position]', 'interface_values[0].values[position]'],
            [4, 1],
        ),
        (Slotted(1.0, 2.0), ['b', 'a'], [2, 1]),
        (SimpleNamespace(in_slots=Slotted(1.0, 2.0)), ['in_slots'], [2, 1]),
        (SimpleNamespace(described=Described(1.0, 2.0)), ['described'], [1, 2]),
    ],
)
def test_every_form_takes_what_it_says(message, texts, expected):
    vector = reader(*texts)(message)
    assert vector.tolist() == expected
    assert vector.dtype.kind in 'fiub'


def test_names_are_looked_up_in_the_message_itself_first():
    inner = SimpleNamespace(names=['b', 'a'], values=[1.0, 2.0])
    both = SimpleNamespace(name=['a', 'b'], inner=inner, values=[3.0, 4.0])
    assert read(both, 'inner.values[a]', 'values[a]') == [2.0, 3.0]
    # A name of its own is no list of names, nor are numbers.
    inner = SimpleNamespace(name='arm', names=[1, 2], values=[1.0, 2.0])
    assert read(SimpleNamespace(joint_names=['a', 'b'], inner=inner), 'inner.values[b]') == [2.0]


def test_names_that_look_like_numbers():
    message = SimpleNamespace(name=['1', '0'], position=[5.0, 6.0])
    assert read(message, 'position["0"]', 'position[0]') == [6.0, 5.0]


@given(st.lists(st.permutations(['a', 'b', 'c', 'd']), min_size=1), st.data())
def test_joints_may_come_in_any_order_and_number(orders, data):
    values = {'a': 1.0, 'b': 2.0, 'c': 3.0, 'd': 4.0}
    read = reader('position[c]', 'position[a]')
    for order in orders:
        dropped = data.draw(st.sampled_from([None, 'b', 'd']))
        message = joints(**{name: values[name] for name in order if name != dropped})
        assert read(message).tolist() == [3.0, 1.0]


NESTED = SimpleNamespace(
    data=array('d', range(5)),
    flag=True,
    rows=[SimpleNamespace(x=float(row), data=[row + 0.25, row + 0.5]) for row in range(3)],
    inner=SimpleNamespace(x=9.0, fixed=np.arange(4.0)),
)
PLACES = st.integers(-3, 2)
TEXTS = st.one_of(
    st.sampled_from(['flag', 'inner.x', 'data', 'inner.fixed', 'data[1:]', 'inner.fixed[:-1]']),
    st.builds('data[{}]'.format, st.integers(-5, 4)),
    st.builds('rows[{}].x'.format, PLACES),
    st.builds('rows[{}].data[{}]'.format, PLACES, st.integers(-2, 1)),
    st.builds('inner.fixed[{}:{}]'.format, st.integers(0, 1), st.integers(2, 4)),
)


@given(st.lists(TEXTS, min_size=1, max_size=8, unique=True))
def test_places_and_parts_are_those_of_python(texts):
    expected = np.hstack([eval(f'NESTED.{text}') for text in texts])
    names = [str(place) for place in range(len(expected))]
    read = reader(*texts, names=names)
    for _ in range(2):
        assert read(NESTED).tolist() == expected.tolist()


def test_elements_of_a_list_of_messages_may_come_in_any_order():
    read = reader('interface_values[elbow].values[position]')
    for _ in range(2):
        assert read(STATES).tolist() == [1.0]
        turned = SimpleNamespace(
            joint_names=['wrist', 'elbow'], interface_values=STATES.interface_values
        )
        assert read(turned).tolist() == [4.0]
    read = reader('transforms[child_frame_id=camera].transform.translation.x')
    for order in (TREE.transforms, TREE.transforms[::-1]):
        assert read(SimpleNamespace(transforms=order)).tolist() == [1.0]


@pytest.mark.parametrize(
    ('texts', 'expected'),
    [
        (['position[a]', 'position[b]'], ['a', 'b']),
        (['position["0"]'], ['0']),
        (['position[a]', 'velocity[a]', 'position[b]'], ['position[a]', 'velocity[a]', 'b']),
        (['data[1:3]', 'data[0]'], ['data[1]', 'data[2]', 'data[0]']),
        (['data[-2:]'], ['data[-2]', 'data[-1]']),
        (['data'], ['data[0]', 'data[1]', 'data[2]']),
        (['pose.position', 'flag'], ['pose.position.x', 'pose.position.y', 'flag']),
        (['parts[a].x', 'parts[id=7].x'], ['parts[a].x', 'parts[id=7].x']),
    ],
)
def test_names_are_derived_short_where_that_tells_them_apart(texts, expected):
    message = SimpleNamespace(
        name=['a', 'b', '0'],
        position=[1.0, 2.0, 3.0],
        velocity=[1.0, 2.0, 3.0],
        data=[1, 2, 3],
        flag=False,
        pose=SimpleNamespace(position=SimpleNamespace(x=1.0, y=2.0)),
        parts=[SimpleNamespace(x=float(number), id=number) for number in (5, 6, 7)],
    )
    read = reader(*texts)
    assert read.names == ()
    read(message)
    assert read.names == tuple(expected)


def test_names_that_are_given_stay():
    read = reader('pose.position', 'flag', names=['x', 'y', 'z', 'grip'])
    assert read.names == ('x', 'y', 'z', 'grip')
    assert read(MIXED).tolist() == [1, 2, 3, 1]
    assert read.names == ('x', 'y', 'z', 'grip')


@pytest.mark.parametrize(
    ('texts', 'expected'),
    [
        (['pose'], (3,)),
        (['flag', 'pose.orientation', 'pose.position', 'again'], (1, 8)),
        (['fixed', 'again.x', 'again.y', 'again.z', 'again.w'], (2,)),
        (['again.x', 'again.y', 'again.z', 'other.w'], ()),
        (['again.w', 'again.x', 'again.y', 'again.z'], ()),
        (['pose.position'], ()),
    ],
)
def test_quaternions_are_found_where_they_stand_together(texts, expected):
    message = SimpleNamespace(**vars(MIXED), again=quaternion(), other=quaternion())
    read = reader(*texts)
    read(message)
    assert read.quaternions == expected


def test_a_message_that_is_a_quaternion_itself():
    read = reader('x', 'y', 'z', 'w')
    assert read(quaternion()).tolist() == [0, 0, 0, 1]
    assert read.quaternions == (0,)


@pytest.mark.parametrize(('w', 'fits'), [(0.991, True), (1.009, True), (0.989, False), (0, False)])
def test_quaternions_have_to_be_rotations_and_stay_as_they_came(w, fits):
    message = SimpleNamespace(orientation=quaternion(w=w))
    if fits:
        assert read(message, 'orientation') == [0, 0, 0, w]
        return
    with pytest.raises(VectorError) as caught:
        read(message, 'orientation')
    text = str(caught.value)
    assert f'norm {w:.4g}, 1 ± 0.01 is needed' in text
    assert 'orientation.x, orientation.y, orientation.z, orientation.w' in text
    assert ('its publisher has not set it' in text) == (w == 0)


def test_a_vector_does_not_change_with_the_message():
    message = SimpleNamespace(data=np.array([1.0, 2.0]), x=np.float64(3.0))
    for texts in (['data'], ['data[0:1]', 'x']):
        vector = reader(*texts)(message)
        before = vector.tolist()
        message.data[0] += 1.0
        assert vector.tolist() == before


LARGE = 2**53 + 1


@pytest.mark.parametrize(
    ('message', 'texts', 'expected'),
    [
        (SimpleNamespace(data=array('q', [LARGE, -LARGE])), ['data[0:2]'], [LARGE, -LARGE]),
        (SimpleNamespace(data=array('Q', [2**64 - 1])), ['data[0:1]'], [2**64 - 1]),
        (SimpleNamespace(a=LARGE, b=1.5), ['a', 'b'], [LARGE, 1.5]),
        (SimpleNamespace(a=2**63, b=-1), ['a', 'b'], [2**63, -1]),
        (SimpleNamespace(a=LARGE, c=SimpleNamespace(b=0.5)), ['c.b', 'a'], [0.5, LARGE]),
        (SimpleNamespace(data=array('q', [LARGE]), b=0.5), ['data[0:1]', 'b'], [LARGE, 0.5]),
        (SimpleNamespace(flag=True, a=LARGE), ['flag', 'a'], [True, LARGE]),
    ],
)
def test_whole_numbers_keep_every_digit(message, texts, expected):
    assert read(message, *texts) == expected
