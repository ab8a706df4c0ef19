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
Readers take the numbers that selectors say, or refuse the message and say what is wrong with it.

Guards against numbers under wrong names: lists that change their order, length or make, texts
taken for numbers, rotations that are none.
"""

from __future__ import annotations

from array import array
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from lerobot_streamrec.conversions.reader import SelectorReader
from lerobot_streamrec.conversions.selector import parse_selectors
from lerobot_streamrec.errors import VectorError
import numpy as np
import pytest


def reader(*texts, names=()):
    return SelectorReader(parse_selectors('state.selectors', texts), names)


def read(message, *texts):
    return reader(*texts)(message).tolist()


def vector3(x, y, z):
    return SimpleNamespace(x=x, y=y, z=z)


def quaternion(x=0.0, y=0.0, z=0.0, w=1.0):
    return SimpleNamespace(x=x, y=y, z=z, w=w)


def transform(child, *xyz):
    return SimpleNamespace(
        header=SimpleNamespace(stamp=SimpleNamespace(sec=7, nanosec=8), frame_id='base'),
        child_frame_id=child,
        transform=SimpleNamespace(translation=vector3(*xyz), rotation=quaternion()),
    )


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


STATES = SimpleNamespace(
    joint_names=['elbow', 'wrist'],
    interface_values=[
        SimpleNamespace(interface_names=['position', 'effort'], values=[1.0, 2.0]),
        SimpleNamespace(interface_names=['effort', 'position'], values=[3.0, 4.0]),
    ],
)
TREE = SimpleNamespace(transforms=[transform('camera', 1, 2, 3), transform('tool0', 4, 5, 6)])
NUMBERS = SimpleNamespace(data=array('f', [0, 1, 2, 3, 4, 5, 6]))
MIXED = SimpleNamespace(
    flag=True,
    count=np.int32(3),
    label='x',
    flags=[True, False],
    words=['a', 'b'],
    fixed=np.array([0.5, 1.5]),
    bytes=[b'\x01'],
    some=[1.0, None],
    empty=[],
    nothing=None,
    pose=SimpleNamespace(position=vector3(1, 2, 3), orientation=quaternion()),
)


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
    assert vector.dtype == np.float64


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
    assert ('nobody has set it' in text) == (w == 0)


OUT_OF_RANGE = 'data has 7 elements'


@pytest.mark.parametrize(
    ('message', 'text', 'words'),
    [
        (MIXED, 'pos', 'the message has no field pos; it has flag, count, label'),
        (MIXED, 'pose.position.q', 'pose.position has no field q; it has x, y, z'),
        (MIXED, 'flag.x', 'flag is a number and has no field x'),
        (MIXED, 'fixed.x', 'fixed is a list and has no field x'),
        (MIXED, 'label.x', 'label is no message and has no field x'),
        (MIXED, 'pose[0]', 'pose is no list, [0] cannot be taken of it'),
        (MIXED, 'label', 'label is str, not a number; select numbers, bools, arrays'),
        (MIXED, 'words[0]', 'words[0] is str, not a number'),
        (MIXED, 'words', 'words is a list of messages or texts; choose numbers of one element'),
        (MIXED, 'bytes[0]', 'bytes[0] is bytes, not a number'),
        (MIXED, 'some[0]', 'some[1] is NoneType, not a number'),
        (MIXED, 'nothing', 'nothing is NoneType, not a number'),
        (MIXED, 'empty', 'message has 0 numbers'),
        (MIXED, 'empty[0]', 'empty[0] is out of range: empty has 0 elements'),
        (MIXED, 'empty[id=1].x', 'empty is empty'),
        (MIXED, 'fixed[a]', 'no list of names (name, names, joint_names, interface_names)'),
        (NUMBERS, 'data[7]', f'data[7] is out of range: {OUT_OF_RANGE}'),
        (NUMBERS, 'data[-8]', f'data[-8] is out of range: {OUT_OF_RANGE}'),
        (NUMBERS, 'data[0:8]', f'data[0:8] is out of range: {OUT_OF_RANGE}'),
        (NUMBERS, 'data[8:]', f'data[8:] is out of range: {OUT_OF_RANGE}'),
        (NUMBERS, 'data[-8:]', f'data[-8:] is out of range: {OUT_OF_RANGE}'),
        (NUMBERS, 'data[id=1].x', 'data[0] is a number and has no field id'),
        (TREE, 'transforms', 'transforms is a list of messages or texts; choose'),
        (TREE, 'transforms[0:2]', 'transforms is a list of messages, of which a slice'),
        (TREE, 'transforms[2].transform', 'transforms[2] is out of range'),
        (TREE, 'transforms[0].header.frame_id', 'is str, not a number'),
        (
            TREE,
            'transforms[child_frame_id=hand].transform',
            'no element whose child_frame_id is hand; there are camera, tool0',
        ),
        (TREE, 'transforms[parent=base].transform', 'has no field parent; it has header, child'),
        (TREE, 'transforms[header.frame_id=base].transform', '2 elements whose header.frame_id'),
        (STATES, 'interface_values[thumb].values[effort]', 'lacks thumb; it has elbow, wrist'),
        (
            STATES,
            'interface_values[elbow].values[mass]',
            'interface_values[elbow].interface_names lacks mass; it has position, effort',
        ),
        (
            SimpleNamespace(name=['a', 'b', 'a'], position=[1.0, 2.0, 3.0]),
            'position[a]',
            'name has a more than once',
        ),
        (
            SimpleNamespace(name=['a', 'b'], position=[1.0]),
            'position[a]',
            'name has 2 names but position has 1 values',
        ),
        (
            SimpleNamespace(name=['a', 'b'], parts=[quaternion()]),
            'parts[b].x',
            'name has 2 names but parts has 1 values',
        ),
    ],
)
def test_what_is_wrong_is_said_at_the_first_message_and_at_every_later_one(message, text, words):
    read = reader(text)
    for _ in range(2):
        with pytest.raises(VectorError) as caught:
            read(message)
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ('good', 'bad', 'text', 'words'),
    [
        (NUMBERS, SimpleNamespace(data=[1.0]), 'data[6]', 'data[6] is out of range: data has 1'),
        (NUMBERS, SimpleNamespace(date=[1.0]), 'data[6]', 'no field data; it has date'),
        (NUMBERS, SimpleNamespace(data=['a'] * 7), 'data[6]', 'data[0] is str, not a number'),
        (NUMBERS, SimpleNamespace(data=None), 'data[6]', 'data is no list'),
        (NUMBERS, SimpleNamespace(data=[1.0, 2.0]), 'data', 'data has 2 numbers, 7 are needed'),
        (MIXED, SimpleNamespace(flag='true'), 'flag', 'flag is str, not a number'),
        (MIXED, SimpleNamespace(flag='1.5'), 'flag', 'flag is str, not a number'),
        (NUMBERS, SimpleNamespace(data=['1.5'] * 7), 'data', 'data[0] is str, not a number'),
        (MIXED, SimpleNamespace(pose=SimpleNamespace()), 'pose.position', 'pose is'),
        (TREE, SimpleNamespace(transforms=[]), 'transforms[0].transform', 'out of range'),
        (
            TREE,
            SimpleNamespace(transforms=[]),
            'transforms[child_frame_id=tool0].transform',
            'no element whose child_frame_id is tool0; there are none',
        ),
    ],
)
def test_a_later_message_that_differs_is_refused_and_does_no_harm(good, bad, text, words):
    read = reader(text)
    expected = read(good).tolist()
    for _ in range(2):
        with pytest.raises(VectorError) as caught:
            read(bad)
        assert words in str(caught.value)
    assert read(good).tolist() == expected


def test_two_arrays_keep_the_lengths_of_the_first_message():
    def joy(num_axes, num_buttons):
        return SimpleNamespace(axes=[0.5] * num_axes, buttons=[1] * num_buttons)

    read = reader('axes', 'buttons', names=['x', 'y', 'a', 'b', 'c'])
    with pytest.raises(VectorError, match='has 4 numbers, 5 are named: x, y, a, b, c; selected'):
        read(joy(2, 2))
    assert read(joy(2, 3)).tolist() == [0.5, 0.5, 1, 1, 1]
    # As many numbers, and each would stand under another one's name.
    with pytest.raises(VectorError, match='axes has 3 numbers, 2 are needed'):
        read(joy(3, 2))
    with pytest.raises(VectorError, match='selected are axes: 1, buttons: 4'):
        read(SimpleNamespace(axes=0.5, buttons=[1] * 4))


def test_lengths_are_those_of_the_first_message_that_fits():
    def message(num_left, num_right, name):
        return SimpleNamespace(
            left=[1.0] * num_left, right=[2.0] * num_right, name=[name], position=[3.0]
        )

    read = reader('left', 'right', 'position[elbow]', names=['a', 'b', 'c', 'elbow'])
    with pytest.raises(VectorError, match='lacks elbow'):
        read(message(2, 1, 'wrist'))
    assert read(message(1, 2, 'elbow')).tolist() == [1, 2, 2, 3]


def test_a_number_that_is_selected_twice_needs_names():
    with pytest.raises(VectorError, match=r'data\[1\] is selected more than once'):
        read(NUMBERS, 'data[0:3]', 'data[1]')
    assert reader('data[1]', 'data[1]', names=['a', 'b'])(NUMBERS).tolist() == [1, 1]


@pytest.mark.parametrize('bad', [float('nan'), float('inf'), 1e39])
def test_what_cannot_be_stored_is_refused_by_name(bad):
    message = SimpleNamespace(pose=vector3(1.0, bad, 2.0))
    with pytest.raises(VectorError, match=r'finite, at most 3.4e\+38\): pose.y = '):
        read(message, 'pose')
    assert read(message, 'pose.x', 'pose.z') == [1.0, 2.0]


def test_a_vector_does_not_change_with_the_message():
    message = SimpleNamespace(data=np.array([1.0, 2.0]), x=np.float64(3.0))
    for texts in (['data'], ['data[0:1]', 'x']):
        vector = reader(*texts)(message)
        before = vector.tolist()
        message.data[0] += 1.0
        assert vector.tolist() == before
