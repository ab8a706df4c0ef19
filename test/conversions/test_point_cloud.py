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
The numbers of a cloud's points are those that its own description says, or it is refused.

Guards against numbers of another field, point, row or byte order, which look like any others.
"""

from __future__ import annotations

import struct
from types import SimpleNamespace

from clouds import cloud, cloud_of, FLOAT32, FLOAT64, FORMATS, point_field, TYPE, UINT16
from hypothesis import given, settings
from hypothesis import strategies as st
from lerobot_streamrec.errors import ConfigError, VectorError
from lerobot_streamrec.recording.streams.column_values import column_values
from message_definitions import find_elements
import numpy as np
import pytest
from reading import read, reader
from thoroughness import examples

X, Z, RING = ('x', FLOAT32), ('z', FLOAT64), ('ring', UINT16)
GOOD = cloud_of({X: [0.5, 1.5, 2.5], Z: [-1.0, -2.0, -3.0], RING: [7, 8, 9]})


@st.composite
def clouds(draw):
    """Draw a cloud of any layout, filled with random bytes."""
    fields, end = [], 0
    for number in range(draw(st.integers(1, 4))):
        datatype, count = draw(st.integers(1, 8)), draw(st.integers(1, 3))
        offset = end + draw(st.integers(0, 3))
        fields.append(point_field(f'field_{number}', datatype, offset, count))
        end = offset + count * struct.calcsize(f'={FORMATS[datatype]}')
    width, height = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    point_step = end + draw(st.integers(0, 5))
    row_step = width * point_step + draw(st.integers(0, 7))
    size = height * row_step + draw(st.integers(0, 3))
    return cloud(
        draw(st.permutations(fields)),
        data=draw(st.binary(min_size=size, max_size=size)),
        point_step=point_step,
        width=width,
        height=height,
        order=draw(st.sampled_from('<>')),
        row_step=row_step,
    )


def numbers(made, field, place):
    """Return a field's numbers in all points, taken one by one."""
    kind = ('>' if made.is_bigendian else '<') + FORMATS[field.datatype]
    return [
        struct.unpack_from(
            kind,
            made.data,
            row * made.row_step
            + column * made.point_step
            + field.offset
            + place * struct.calcsize(kind),
        )[0]
        for row in range(made.height)
        for column in range(made.width)
    ]


@given(clouds())
@settings(max_examples=examples(200), deadline=None)
def test_every_number_is_read_from_where_the_cloud_says(made):
    for field in made.fields:
        for place in range(field.count):
            index = f'[{place}]' if field.count > 1 else ''
            values = read(made, f'points[:].{field.name}{index}')
            # The text makes NaN equal to NaN.
            assert repr(values) == repr(numbers(made, field, place))


def test_points_are_chosen_like_the_elements_of_an_array():
    assert read(GOOD, 'points[1].x') == [1.5]
    assert read(GOOD, 'points[-1].z', 'points[0:2].x') == [-3.0, 0.5, 1.5]
    assert read(GOOD, 'points[1:].ring', 'points[0].ring', 'width') == [8, 9, 7, 3]
    assert read(SimpleNamespace(skin=GOOD), 'skin.points[-2:].x') == [1.5, 2.5]
    normal = cloud(
        [point_field('n', count=2)], data=struct.pack('<2f', 1, 2), point_step=8, width=1
    )
    assert read(normal, 'points[0].n[-1]') == [2.0]
    read_x = reader('points[0:2].x')
    read_x(GOOD)
    assert read_x.names == ('points[0].x', 'points[1].x')


def test_each_cloud_is_read_by_its_own_layout():
    read_both = reader('points[0:2].z', 'points[-1].x')
    columns = {X: [0.5, 1.5, 2.5], Z: [-1.0, -2.0, -3.0]}
    layouts = [
        cloud_of(columns),
        cloud_of(columns, order='>'),
        cloud_of(columns, gap=3),
        cloud_of({RING: [1, 2, 3], **dict(reversed(columns.items()))}),
        cloud_of({('z', FLOAT32): columns[Z], ('x', FLOAT64): columns[X]}),
        cloud_of({key: [*values[:2], 0.0, values[2]] for key, values in columns.items()}),
    ]
    for made in layouts * 2:
        assert read_both(made).tolist() == [-1.0, -2.0, 2.5]


def test_a_number_that_no_column_holds_is_refused_only_where_it_is_selected():
    made = cloud_of({X: [0.5, float('nan')], Z: [1.0, 2.0]}, order='>')
    made.is_dense = False
    found = column_values(reader('points[:].z')(made), 'float32', ['a', 'b'])
    assert (found.tolist(), found.dtype) == ([1.0, 2.0], np.float64)
    assert read(made, 'points[0].x') == [0.5]
    with pytest.raises(VectorError, match='b = nan'):
        column_values(reader('points[:].x')(made), 'float32', ['a', 'b'])


def changed(**changes):
    return SimpleNamespace(**{**vars(GOOD), **changes})


def with_x(**changes):
    x, *others = GOOD.fields
    return changed(fields=[SimpleNamespace(**{**vars(x), **changes}), *others])


@pytest.mark.parametrize(
    ('bad', 'words'),
    [
        (cloud_of({X: [0.5]}), 'points[0:2] is out of range: points has 1 elements'),
        (changed(width=0), 'points[0:2] is out of range: points has 0 elements'),
        (cloud_of({Z: [1.0, 2.0]}), 'the points have no field x; they have z'),
        (changed(fields=[]), 'the points have no field x; they have none'),
        (changed(fields=GOOD.fields * 2), 'the points have x more than once'),
        (with_x(datatype=9), 'the field x of the points has datatype 9; those of'),
        (with_x(datatype=0), 'has datatype 0'),
        (with_x(count=2), 'each point has 2 numbers in x; choose one, such as points[0].x[0]'),
        (with_x(offset=11), 'x ends at byte 15 of a point, but point_step is 14'),
        (changed(point_step=0, row_step=0), 'point_step is 0, but the cloud has 3 points'),
        (changed(data=GOOD.data[:-1]), 'data has 41 bytes, but 1 rows of 42 bytes need 42'),
        (changed(row_step=43), 'data has 42 bytes, but 1 rows of 43 bytes need 43'),
        (changed(height=2), 'data has 42 bytes, but 2 rows of 42 bytes need 84'),
        (changed(height=3, width=1, row_step=13), 'row_step is 13, but rows of 1 points of 14'),
        (changed(height=2**32 - 1, width=2**32 - 1, row_step=2**32 - 1), 'row_step is 4294967295'),
    ],
)
def test_a_cloud_that_contradicts_itself_or_the_selector_is_refused(bad, words):
    before, after = reader('points[0:2].x'), reader('points[0:2].x')
    assert after(GOOD).tolist() == [0.5, 1.5]
    for one in (before, after):
        for _ in range(2):
            with pytest.raises(VectorError) as caught:
                one(bad)
            assert words in str(caught.value)
        assert one(GOOD).tolist() == [0.5, 1.5]


def test_what_drivers_leave_out_of_a_cloud_with_one_row_is_not_missed():
    assert read(changed(row_step=0), 'points[:].ring') == [7, 8, 9]
    assert read(with_x(count=0), 'points[2].x') == [2.5]


def test_an_index_into_a_field_has_to_be_in_it():
    for place in (1, -2):
        with pytest.raises(VectorError, match=r'is out of range: x has 1 numbers per point'):
            read(GOOD, f'points[0].x[{place}]')


def test_the_length_of_a_vector_follows_from_the_selector_or_from_names():
    elements = find_elements('state', TYPE, ['points[0:64].z', 'points[3].intensity'])
    assert elements.names == (*(f'points[{k}].z' for k in range(64)), 'points[3].intensity')
    elements = find_elements('state', TYPE, ['points[:].z'], ['left', 'right'])
    made = cloud_of({Z: [1.0, 2.0]})
    assert elements.make_reader()(made).tolist() == [1.0, 2.0]
    with pytest.raises(VectorError, match='message has 3 numbers, 2 are named: left, right'):
        elements.make_reader()(GOOD)


@pytest.mark.parametrize(
    ('selector', 'words'),
    [
        ('points', 'points is a list of messages or texts; choose numbers of one element'),
        ('points.z', 'points is a list and has no field z'),
        (
            'points[0:64]',
            'one field of the points has to follow points[0:64], such as points[0:64]',
        ),
        (
            'points[3]',
            'has to follow points[3], such as points[3].z; select each field on its own',
        ),
        ('points[0:2].z.x', 'one field of the points has to follow points[0:2]'),
        ('points[0:2].n[0:2]', 'one field of the points has to follow points[0:2]'),
        ('points[a].z', 'choose points of a cloud by number, such as points[0:64].z'),
        ('points[time].z', 'choose points of a cloud by number'),
        ('points[z=1].x', 'choose points of a cloud by number'),
        ('data[0:6].x', 'data is an array of numbers, so nothing can follow [0:6]'),
        ('fields[0:2].offset', 'fields is a list of messages, which cannot be sliced'),
    ],
)
def test_a_selector_that_tells_no_field_of_some_points_is_refused_at_the_start(selector, words):
    with pytest.raises(ConfigError) as caught:
        find_elements('state', TYPE, [selector])
    assert caught.value.name == 'state.selectors'
    assert words in str(caught.value)


def test_points_without_a_known_number_need_names():
    with pytest.raises(ConfigError, match=r'how many numbers points\[:\].z will have: name them'):
        find_elements('state', TYPE, ['points[:].z'])
