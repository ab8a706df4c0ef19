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
Whose a message of a shared topic is, by the names that it brings.

Guards against two mistakes: to complain of what is meant for others, and to pass over in silence
what is meant for us and does not fit.
"""

from __future__ import annotations

from types import SimpleNamespace

from lerobot_streamrec.errors import ForeignMessageError, VectorError
from message_definitions import find_elements
import pytest
from reading import reader

TRAJECTORY = 'trajectory_msgs/msg/JointTrajectory'


def joints(*names, **fields):
    fields = fields or {'position': [float(place) for place in range(len(names))]}
    return SimpleNamespace(name=list(names), **fields)


def frames(*names):
    vector = SimpleNamespace(x=1.0, y=2.0, z=3.0)
    return SimpleNamespace(
        transforms=[
            SimpleNamespace(child_frame_id=name, transform=SimpleNamespace(translation=vector))
            for name in names
        ]
    )


def dynamic(*names):
    values = SimpleNamespace(interface_names=['position'], values=[1.0])
    return SimpleNamespace(joint_names=list(names), interface_values=[values] * len(names))


def trajectory(*names, num_points=1):
    time = SimpleNamespace(sec=0, nanosec=0)
    point = SimpleNamespace(positions=[1.0] * len(names), time_from_start=time)
    return SimpleNamespace(joint_names=list(names), points=[point] * num_points)


BY_NAME = ('position[a]', 'position[b]')
BY_FRAME = ('transforms[child_frame_id=tool].transform.translation',)
BY_JOINT = ('interface_values[a].values[position]',)


@pytest.mark.parametrize(
    ('selectors', 'message'),
    [
        (BY_NAME, joints('c', 'd')),
        (BY_NAME, joints()),
        # What else is wrong with it is the affair of those whom it is meant for.
        (BY_NAME, joints('c', 'd', position=[float('nan'), 0.0])),
        (BY_NAME, joints('c', position=[])),
        # Another publisher brings velocities of the same joints.
        (BY_NAME, joints('a', 'b', position=[], velocity=[1.0, 2.0])),
        (BY_FRAME, frames('wheel', 'base')),
        (BY_FRAME, frames()),
        (BY_JOINT, dynamic('c')),
        (BY_JOINT, dynamic()),
        # A number without a name does not make it ours.
        ((*BY_NAME, 'weight'), joints('c', position=[1.0], weight=1.0)),
    ],
)
@pytest.mark.parametrize('is_first', [True, False])
def test_a_message_without_any_wanted_name_is_foreign(selectors, message, is_first):
    read = reader(*selectors)
    if not is_first:
        ours = {BY_FRAME: frames('tool'), BY_JOINT: dynamic('a')}.get(
            selectors, joints('a', 'b', position=[1.0, 2.0], weight=1.0)
        )
        read(ours)
    with pytest.raises(ForeignMessageError):
        read(message)


@pytest.mark.parametrize(
    ('selectors', 'message', 'words'),
    [
        (BY_NAME, joints('a', 'c'), 'name lacks b; it has a, c: where several publishers share'),
        (BY_NAME, joints('a', 'b', position=[1.0]), 'name has 2 names but position has 1 values'),
        (BY_NAME, joints('a', 'a', 'b'), 'name has a more than once'),
        (BY_NAME, SimpleNamespace(data=[1.0]), 'has no field position'),
        (BY_FRAME, frames('tool', 'tool'), '2 elements whose child_frame_id is tool'),
        (BY_FRAME, SimpleNamespace(data=[1.0]), 'has no field transforms'),
        # Nothing is looked up by name: whatever comes is meant for us.
        (('data[0:3]',), SimpleNamespace(data=[1.0]), 'out of range'),
    ],
)
def test_a_message_of_ours_that_does_not_fit_is_not_foreign(selectors, message, words):
    with pytest.raises(VectorError) as caught:
        reader(*selectors)(message)
    assert not isinstance(caught.value, ForeignMessageError)
    assert words in str(caught.value)


@pytest.mark.parametrize('point', ['0', 'time'])
@pytest.mark.parametrize('num_points', [0, 1])
def test_a_trajectory_of_other_joints_is_foreign_even_without_points(point, num_points):
    read = find_elements('action', TRAJECTORY, [f'points[{point}].positions[a]']).make_reader()
    with pytest.raises(ForeignMessageError):
        read(trajectory('c', 'd', num_points=num_points))


@pytest.mark.parametrize('point', ['0', 'time'])
def test_a_trajectory_of_ours_without_points_is_refused(point):
    read = find_elements('action', TRAJECTORY, [f'points[{point}].positions[a]']).make_reader()
    with pytest.raises(VectorError, match='points') as caught:
        read(trajectory('a', num_points=0))
    assert not isinstance(caught.value, ForeignMessageError)
