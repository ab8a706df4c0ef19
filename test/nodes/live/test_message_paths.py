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
"""Selectors as Foxglove's message paths: what its plots read is what the recorder records."""

from __future__ import annotations

from lerobot_streamrec.conversions.elements import find_elements
from lerobot_streamrec.conversions.leaves import leaves_of
from lerobot_streamrec.conversions.message_types import JOINT_STATE, JOINT_TRAJECTORY
from lerobot_streamrec.conversions.selector import Field
from lerobot_streamrec.live.foxglove import Series, series_of, wanted_names
from message_definitions import load_known as load
import pytest

NAMES = (Field('name'),)
ARRAY = 'std_msgs/msg/Float64MultiArray'


def shown(message_type, selectors=(), names=(), field='position', name_lists=None):
    """Return what is plotted of a topic /t: message paths, labels, and marks of whole arrays."""
    elements = find_elements('state', message_type, selectors, names, field, load)
    leaves = leaves_of(elements.selectors, message_type, load)
    return series_of('/t', leaves, elements.names, name_lists or {})


def numbers(**labels):
    return tuple(Series(f'/t.{path}', label) for label, path in labels.items())


def test_joints_are_plotted_where_they_stand_in_the_message():
    found = shown(JOINT_STATE, names=('a', 'b'), name_lists={NAMES: ('b', 'c', 'a')})
    assert found == numbers(a='position[2]', b='position[0]')


@pytest.mark.parametrize('name_lists', [{}, {NAMES: ('b', 'c')}], ids=['unheard', 'of-others'])
def test_joints_of_unknown_places_are_plotted_as_one_array(name_lists):
    found = shown(JOINT_STATE, names=('a', 'd'), field='velocity', name_lists=name_lists)
    assert found == (Series('/t.velocity[:]', is_array=True),)


def test_the_names_that_have_to_be_heard_are_those_that_are_recorded():
    elements = find_elements('state', JOINT_STATE, (), ('a', 'b'), 'effort', load)
    assert wanted_names(leaves_of(elements.selectors, JOINT_STATE, load)) == {NAMES: {'a', 'b'}}


def test_types_that_need_no_selectors():
    found = shown('geometry_msgs/msg/Pose')
    assert [one.path for one in found] == [
        *(f'/t.position.{axis}' for axis in 'xyz'),
        *(f'/t.orientation.{axis}' for axis in 'xyzw'),
    ]
    assert [one.label for one in found[:3]] == [f'position.{axis}' for axis in 'xyz']
    assert shown('std_msgs/msg/Bool') == (Series('/t.data', 'data'),)


def test_an_array_is_as_long_as_its_names():
    assert shown(ARRAY, names=('x', 'y')) == numbers(x='data[0]', y='data[1]')


def test_slices_are_taken_apart():
    found = shown(ARRAY, ('data[2:4]', 'data[-1]'), ('x', 'y', 'z'))
    assert found == numbers(x='data[2]', y='data[3]', z='data[-1]')
    found = shown(ARRAY, ('data[-2:]',), ('x', 'y'))
    assert found == numbers(x='data[-2]', y='data[-1]')


def test_points_of_a_cloud_are_left_out():
    found = shown('sensor_msgs/msg/PointCloud2', ('points[0:2].z', 'width'))
    assert found == numbers(width='width')


def test_arrays_of_unknown_lengths_are_plotted_whole():
    found = shown('sensor_msgs/msg/Joy', names=('a', 'b', 'c'))
    assert found == (Series('/t.axes[:]', is_array=True), Series('/t.buttons[:]', is_array=True))


def test_an_open_slice_ends_as_foxglove_s_slices_do():
    found = shown('sensor_msgs/msg/Joy', ('axes[1:-1]', 'buttons[2:]'), ('a', 'b', 'c'))
    assert [one.path for one in found] == ['/t.axes[1:-2]', '/t.buttons[2:]']


@pytest.mark.parametrize(
    ('selector', 'path'),
    [
        ('points[time].positions[a]', 'points[0].positions[1]'),
        ('points[-1].effort[0]', 'points[-1].effort[0]'),
    ],
)
def test_points_of_a_trajectory(selector, path):
    lists = {(Field('joint_names'),): ('b', 'a')}
    found = shown(JOINT_TRAJECTORY, (selector,), ('one',), name_lists=lists)
    assert found == numbers(one=path)


@pytest.mark.parametrize(
    ('selector', 'condition'),
    [
        ('[child_frame_id=tool0]', '{child_frame_id=="tool0"}'),
        ('[child_frame_id=\'say "hi"\']', '{child_frame_id==\'say "hi"\'}'),
    ],
)
def test_elements_by_the_value_of_a_field_become_filters(selector, condition):
    x = '.transform.translation.x'
    found = shown('tf2_msgs/msg/TFMessage', (f'transforms{selector}{x}',), ('one',))
    assert found == numbers(one=f'transforms[:]{condition}{x}')
