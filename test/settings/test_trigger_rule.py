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
"""Triggers as users write them, colons wherever they may stand."""

from __future__ import annotations

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.settings.teleop_settings import parse_triggers
import pytest

PARAMETER = 'teleop.triggers'


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('/pedal/pressed: toggle', ('/pedal/pressed', 'None', 'toggle')),
        ('pedal :toggle', ('pedal', 'None', 'toggle')),
        (' ~/pedal:start fold: the towel ', ('~/pedal', 'None', 'start fold: the towel')),
        ('/pedal: note time: 3', ('/pedal', 'None', 'note time: 3')),
        ('/pedal: note a > 3: b', ('/pedal', 'None', 'note a > 3: b')),
        ('/x data > 3: undo', ('/x', 'data > 3', 'undo')),
        ('/x  data>=-.5e1 :undo', ('/x', 'data >= -5', 'undo')),
        (
            '/leader/joint_states position[trigger] > 0.8: toggle',
            ('/leader/joint_states', 'position[trigger] > 0.8', 'toggle'),
        ),
        ('/x position["a > 1: b"] <= 2: undo', ('/x', 'position["a > 1: b"] <= 2', 'undo')),
        ("/x position['0'] < 2: note c > 1: d", ('/x', "position['0'] < 2", 'note c > 1: d')),
        ('/x data[2:3] > 1: undo', ('/x', 'data[2:3] > 1', 'undo')),
        ('/x position[left: arm] > 1: undo', ('/x', 'position[left: arm] > 1', 'undo')),
        (
            '/x transforms[child_frame_id=tool0].transform.translation.z < 0.1: save',
            ('/x', 'transforms[child_frame_id=tool0].transform.translation.z < 0.1', 'save'),
        ),
    ],
)
def test_triggers_are_read(text, expected):
    (one,) = parse_triggers(PARAMETER, [text])
    condition, written = one.condition, 'None'
    if condition is not None:
        written = f'{condition.selector.text} {condition.comparison} {condition.threshold:g}'
    assert (one.topic, written, one.command) == expected


def test_an_empty_list_is_none():
    assert parse_triggers(PARAMETER, ['']) == parse_triggers(PARAMETER, []) == ()


@pytest.mark.parametrize(
    ('text', 'why'),
    [
        ('/pedal', "such as '/pedal/pressed: toggle'"),
        ('/pedal toggle', "such as '/pedal/pressed: toggle'"),
        (': toggle', 'this is not a trigger'),
        ('/pedal:', 'the command is empty'),
        ('/pedal: tuggle', 'did you mean toggle?'),
        ('/2pedal: toggle', 'must not start with a number'),
        ('/x data >: undo', 'this is not a trigger'),
        ('/x data > high: undo', 'this is not a trigger'),
        ('/x data == 3: undo', 'this is not a trigger'),
        ('/x data > nan: undo', 'this is not a trigger'),
        ('/x > 3: undo', 'this is not a trigger'),
        ('/x data[] > 3: undo', 'there is nothing between the brackets'),
        ('/x points[time].positions[0] > 3: undo', '[time] selects many numbers'),
    ],
)
def test_what_is_wrong_is_told(text, why):
    with pytest.raises(ConfigError) as caught:
        parse_triggers(PARAMETER, ['/other: save', text])
    assert str(caught.value).startswith(f'{PARAMETER} is ')
    assert why in str(caught.value)


def test_two_commands_for_the_same_are_refused():
    with pytest.raises(ConfigError, match='has the same topic and condition'):
        parse_triggers(PARAMETER, ['/x data > 3: undo', '/x data > 3.0: save'])
    different = ['/x: undo', '/x data > 3: save', '/x data > 4: undo']
    assert len(parse_triggers(PARAMETER, different)) == 3
