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
"""A trajectory read by time: linear between points, held outside, refused if it makes no sense."""

from __future__ import annotations

from types import SimpleNamespace

from lerobot_streamrec.conversions.parts import TimedVector
from lerobot_streamrec.errors import ConfigError, VectorError
from message_definitions import find_elements
import numpy as np
import pytest

TYPE = 'trajectory_msgs/msg/JointTrajectory'
BY_TIME = ('points[time].positions[b]', 'points[time].positions[a]')
NAMES = ['a', 'b']


def point(at_s, *positions):
    seconds, rest = divmod(round(at_s * 1e9), 1_000_000_000)
    return SimpleNamespace(
        positions=list(positions), time_from_start=SimpleNamespace(sec=seconds, nanosec=rest)
    )


def trajectory(*points, names=NAMES):
    return SimpleNamespace(joint_names=list(names), points=list(points))


def reader(*selectors):
    return find_elements('action', TYPE, selectors or BY_TIME).make_reader()


@pytest.fixture
def three():
    return trajectory(point(0.5, 1.0, 10.0), point(1.0, 2.0, 30.0), point(3.0, 4.0, 0.0))


@pytest.mark.parametrize(
    ('age_s', 'expected'),
    [
        (-1.0, [10.0, 1.0]),
        (0.0, [10.0, 1.0]),
        (0.5, [10.0, 1.0]),
        (0.75, [20.0, 1.5]),
        (1.0, [30.0, 2.0]),
        (2.5, [7.5, 3.5]),
        (3.0, [0.0, 4.0]),
        (3.000000001, [0.0, 4.0]),
        (1e6, [0.0, 4.0]),
    ],
)
def test_it_is_linear_between_points_and_held_outside(three, age_s, expected):
    vector = reader()(three).at(round(age_s * 1e9))
    assert vector.tolist() == pytest.approx(expected)
    assert vector.dtype == np.float64


def test_one_point_is_held_for_all_time():
    timed = reader()(trajectory(point(2.0, 1.0, 2.0)))
    assert [timed.at(age).tolist() for age in (0, 2_000_000_000, 10**12)] == [[2.0, 1.0]] * 3


def test_what_is_returned_can_be_changed_without_harm(three):
    timed = reader()(three)
    for age in (0, 1_000_000_000, 10**12):
        before = timed.at(age).tolist()
        timed.at(age)[:] = 99.0
        assert timed.at(age).tolist() == before


def test_a_trajectory_does_not_change_with_its_message(three):
    timed = reader()(three)
    three.points[0].positions[1] = 99.0
    assert timed.at(0).tolist() == [10.0, 1.0]


def test_joints_may_change_their_order(three):
    read = reader()
    assert read(three).at(0).tolist() == [10.0, 1.0]
    other = trajectory(point(0.0, 5.0, 0.0, 6.0), names=['b', 'c', 'a'])
    assert read(other).at(0).tolist() == [5.0, 6.0]


def test_first_and_last_point_are_taken_by_number(three):
    first = reader('points[0].positions[a]', 'points[-1].positions[b]')
    assert first(three).tolist() == [1.0, 0.0]


def test_what_stands_outside_of_the_points_is_the_same_for_all_of_them(three):
    timed = reader('points[time].positions[a]', 'points[0].positions[b]')(three)
    assert timed.at(3_000_000_000).tolist() == [4.0, 10.0]


def test_an_empty_trajectory_is_refused():
    with pytest.raises(VectorError, match='points is empty'):
        reader()(trajectory())
    with pytest.raises(VectorError, match=r'points\[0\] is out of range: points has 0 elements'):
        reader('points[0].positions[a]')(trajectory())


@pytest.mark.parametrize('second_s', [1.0, 0.5, -3.0])
def test_times_that_do_not_ascend_are_refused(second_s):
    message = trajectory(point(1.0, 1.0, 2.0), point(second_s, 1.0, 2.0))
    with pytest.raises(VectorError, match=rf'points\[1\].time_from_start is {second_s:g} s, not'):
        reader()(message)


def test_every_point_is_looked_at(three):
    three.points[2] = point(2.0, 1.0)
    words = 'joint_names has 2 names but points.time..positions has 1 values'
    with pytest.raises(VectorError, match=words):
        reader()(three)


def test_points_without_times_are_refused(three):
    del three.points[1].time_from_start
    with pytest.raises(VectorError, match=r'this is not a trajectory.*time_from_start'):
        reader()(three)


def test_rotations_are_refused_before_the_first_message():
    fields = {'points': 'sequence<my_msgs/Point>'}
    of_point = {
        'transform': 'geometry_msgs/Transform',
        'time_from_start': 'builtin_interfaces/Duration',
    }
    types = {'my_msgs/msg/Path': fields, 'my_msgs/Point': of_point}

    def find(selector):
        return find_elements('action', 'my_msgs/msg/Path', [selector], definitions=types.get)

    with pytest.raises(ConfigError, match='rotations cannot be interpolated'):
        find('points[time].transform')
    assert find('points[0].transform').quaternions == (3,)
    assert find('points[time].transform.translation').is_timed


def test_rotations_of_a_type_that_is_not_known_are_refused_by_the_first_message():
    rotation = SimpleNamespace(x=0.0, y=0.0, z=0.0, w=1.0)
    start = SimpleNamespace(sec=0, nanosec=0)
    message = SimpleNamespace(points=[SimpleNamespace(rotation=rotation, time_from_start=start)])
    elements = find_elements('action', 'my_msgs/msg/Path', ['points[time].rotation'], list('xyzw'))
    with pytest.raises(VectorError, match=r'rotations cannot be interpolated; use points\[0\]'):
        elements.make_reader()(message)


def test_a_timed_vector_of_large_numbers_does_not_overflow():
    timed = TimedVector((0, 10), (np.array([3e38]), np.array([-3e38])))
    assert timed.at(5).tolist() == [0.0]
