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
"""Verdicts: each fault of a topic is named, with what to do, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

from lerobot_streamrec.inspection.arrivals import Heard
from lerobot_streamrec.inspection.diagnosis import judge, Level, worst
from lerobot_streamrec.inspection.observation import Observation
import pytest

IMAGE = 'sensor_msgs/msg/Image'
GOOD = Heard(150, 30.0, 0, 0, 0.002, 0.005)
FRONT = Observation(
    parameter='camera.front',
    key='observation.images.front',
    topic='/front/image_raw',
    message_type=IMAGE,
    is_camera=True,
    stamp='header',
    offered=('/driver: RELIABLE, VOLATILE',),
    types=(IMAGE,),
    asked='RELIABLE, VOLATILE',
    heard=GOOD,
    size_bytes=921_600,
)
STATE = replace(
    FRONT,
    parameter='state',
    key='observation.state',
    topic='/joint_states',
    message_type='sensor_msgs/msg/JointState',
    types=('sensor_msgs/msg/JointState',),
    is_camera=False,
    size_bytes=0,
)
AHEAD = replace(GOOD, delay_s=-7200.0)


def only(seen, *others, fps=30):
    (remark,) = judge(seen, others, fps)
    return remark.level, remark.text


def test_a_good_topic_needs_no_words():
    assert judge(FRONT, [STATE], 30) == ()
    assert worst(()) is Level.OK


@pytest.mark.parametrize(
    ('changes', 'level', 'words'),
    [
        (
            {'offered': ('/arm: RELIABLE, VOLATILE', '/replay: RELIABLE, VOLATILE')},
            Level.NOTE,
            ['2 publishers (/arm, /replay) share the topic', 'data that camera.front records'],
        ),
        (
            {
                'offered': ('/arm: RELIABLE, VOLATILE', '/replay: RELIABLE, VOLATILE'),
                'is_unsure': True,
            },
            Level.WARNING,
            ['2 publishers (/arm, /replay)', 'cannot tell their messages apart'],
        ),
        (
            {'heard': Heard(), 'ignored': 'name lacks elbow; it has wheel'},
            Level.PROBLEM,
            ['none has any of the selected names', 'it has wheel', 'correct camera.front.names'],
        ),
        (
            {'offered': (), 'alike': ('/front/image',)},
            Level.PROBLEM,
            ['nobody publishes /front/image_raw', 'camera.front.topic', 'mean /front/image?'],
        ),
        (
            {'heard': Heard()},
            Level.PROBLEM,
            ['/driver publishes', 'no message came', 'config/fastdds_images.xml'],
        ),
        (
            {'heard': Heard(), 'obstacles': ('/driver offers less',)},
            Level.PROBLEM,
            ['cannot be read: /driver offers less', 'set camera.front.qos: auto'],
        ),
        (
            {'heard': Heard(), 'obstacles': ('/driver publishes x',), 'types': ('x',)},
            Level.PROBLEM,
            [
                'cannot be read: /driver publishes x',
                'set camera.front.topic to a topic with images',
            ],
        ),
        (
            {'num_rejected': 150, 'rejection': 'encoding is odd', 'readiness': 'is missing'},
            Level.PROBLEM,
            ['150 of 150 messages cannot be recorded: encoding is odd'],
        ),
        (
            {'num_rejected': 5, 'rejection': 'a key frame was lost'},
            Level.WARNING,
            ['5 of 150 messages cannot be recorded: a key frame was lost'],
        ),
        ({'readiness': 'is stale'}, Level.PROBLEM, ['would not start: is stale']),
        ({'picture_problem': 'too large'}, Level.PROBLEM, ['too large']),
        (
            {'heard': replace(GOOD, delay_s=2.0)},
            Level.PROBLEM,
            [
                'stamps 2.00 s behind the other streams',
                'synchronise the clocks, or set camera.front.offset_ms: 1998, or set '
                'camera.front.stamp: receive',
            ],
        ),
        (
            {
                'heard': Heard(150, 30.0, 0, 150),
                'num_rejected': 150,
                'rejection': 'header.stamp is zero',
            },
            Level.PROBLEM,
            ['stamps are zero', 'set camera.front.stamp: receive'],
        ),
        (
            {'heard': replace(GOOD, rate_hz=15.0)},
            Level.WARNING,
            ['15.0 messages per second but fps is 30', '50% of the rows repeat the picture'],
        ),
        (
            {'heard': replace(GOOD, num_missing=50)},
            Level.PROBLEM,
            ['50 of 200 messages are missing', '0.9 MB', 'config/fastdds_images.xml'],
        ),
        (
            {'heard': replace(GOOD, num_missing=20, num_lost=10), 'size_bytes': 20_000},
            Level.WARNING,
            ['20 of 170 messages are missing, of which 10 were lost in transport'],
        ),
    ],
)
def test_a_fault_is_named_once_with_what_to_do(changes, level, words):
    found = only(replace(FRONT, **changes), STATE)
    assert found[0] is level
    assert all(word in found[1] for word in words), found[1]


def test_the_rate_of_what_is_lost_is_not_the_cameras():
    lossy = replace(FRONT, heard=replace(GOOD, rate_hz=4.0, num_missing=50, num_lost=50))
    assert 'lost in transport' in only(lossy, STATE)[1]


def test_small_messages_need_no_more_room():
    missing = replace(FRONT, heard=replace(GOOD, num_missing=50), size_bytes=20_000)
    assert 'fastdds' not in only(missing)[1]


@pytest.mark.parametrize(
    ('seen', 'others', 'level'),
    [
        (replace(FRONT, heard=AHEAD), [STATE], Level.PROBLEM),
        # Recorded data that are played again: one clock, though not ours.
        (replace(FRONT, heard=AHEAD), [replace(STATE, heard=AHEAD)], Level.WARNING),
        # Of what never came, nothing is known.
        (replace(FRONT, heard=AHEAD), [replace(STATE, heard=Heard())], Level.WARNING),
        # The other one is read by our clock.
        (
            replace(FRONT, heard=AHEAD),
            [replace(STATE, heard=AHEAD, stamp='receive')],
            Level.PROBLEM,
        ),
    ],
)
def test_a_clock_is_wrong_if_another_topic_has_another_one(seen, others, level):
    assert only(seen, *others)[0] is level


@pytest.mark.parametrize('delay_s', [-7200.0, 2.0, None])
def test_stamps_that_are_not_read_may_be_anything(delay_s):
    seen = replace(FRONT, stamp='receive', heard=replace(GOOD, delay_s=delay_s))
    assert judge(seen, [STATE], 30) == ()


def test_a_type_that_is_another_one_can_be_mended_by_parameter():
    other = replace(STATE, heard=Heard(), obstacles=('/a publishes b, not c',), types=('b',))
    assert 'set state.type to that type' in only(other)[1]


@pytest.mark.parametrize(
    ('num_messages', 'num_missing', 'is_said'),
    [(30, 1, False), (30, 2, True), (150, 2, False), (150, 3, True)],
)
def test_a_few_missing_messages_are_no_warning(num_messages, num_missing, is_said):
    heard = replace(GOOD, num_messages=num_messages, num_missing=num_missing)
    assert bool(judge(replace(FRONT, heard=heard), [STATE], 30)) == is_said


@pytest.mark.parametrize(
    ('delay_s', 'level', 'side', 'offset_ms'),
    [
        (-0.7, Level.PROBLEM, '0.70 s ahead of', -702),
        (0.8, Level.PROBLEM, '0.80 s behind', 798),
        # Rows wait for so long, but their pictures are not of their instants.
        (-0.2, Level.WARNING, '0.20 s ahead of', -202),
    ],
)
def test_a_clock_that_is_a_little_off_is_named_with_the_offset_that_mends_it(
    delay_s, level, side, offset_ms
):
    front = replace(FRONT, heard=replace(GOOD, delay_s=delay_s))
    found = only(front, STATE)
    assert found[0] is level
    assert f'has stamps {side} the other streams' in found[1]
    assert f'set camera.front.offset_ms: {offset_ms}, or set camera.front.stamp: rec' in found[1]
    assert judge(STATE, [front], 30) == ()
    assert judge(replace(front, offset_ms=float(offset_ms)), [STATE], 30) == ()


@pytest.mark.parametrize('delay_s', [-0.03, 0.15, 0.4])
def test_delays_and_small_differences_are_no_other_clock(delay_s):
    front = replace(FRONT, heard=replace(GOOD, delay_s=delay_s))
    assert judge(front, [STATE], 30) == judge(STATE, [front], 30) == ()


def test_a_longer_wait_lets_longer_delays_be():
    front = replace(FRONT, heard=replace(GOOD, delay_s=0.8))
    (remark,) = judge(front, [STATE], 30, 1.0)
    assert remark.level is Level.WARNING
    assert 'arrive 800 ms after their header stamps' in remark.text
