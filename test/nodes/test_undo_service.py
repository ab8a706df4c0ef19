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
"""Undo and what is said of an episode, by service, topic and parameter."""

from __future__ import annotations

import pytest
from rclpy.qos import QoSProfile
from recorder_rig.datasets import assert_whole, record, total_episodes
from recorder_rig.parameters import SMALL
from recorder_rig.surroundings import wait_until

pytestmark = [pytest.mark.ros]

WAIT_S = 120


@pytest.fixture(scope='module')
def operator(shared_rig):
    shared_rig.small_robot()
    shared_rig.recorder({**SMALL, 'operator': 'Ada'})
    return shared_rig.operator()


@pytest.fixture(scope='module')
def root(shared_rig):
    return shared_rig.root


def test_undo_takes_the_last_episode_out(operator, root):
    assert operator.send('undo').fail() == 'there is no saved episode to undo'
    operator.record(num_rows=3)
    operator.record(num_rows=3)
    answer = operator.send('undo').succeed()
    assert answer.startswith('undid episode 1: ')
    assert total_episodes(root) == 1
    assert operator.start() == 'recording episode 1: Pick up the cube'
    assert 'save or discard it first' in operator.send('undo').fail()
    operator.wait_for_rows(3)
    operator.save()
    assert_whole(root, 2)


def test_verdict_and_notes_come_by_topic_and_the_operator_by_parameter(operator, root):
    assert operator.set_parameter('operator', 'Grace').successful
    operator.record(num_rows=3)
    last = total_episodes(root) - 1
    assert record(root, last)['metadata'] == {'operator': 'Grace'}
    operator.publish_text('verdict', 'success', QoSProfile(depth=1))
    operator.publish_text('notes', 'a bit slow', QoSProfile(depth=1))
    expected = {'operator': 'Grace', 'verdict': 'success', 'notes': 'a bit slow'}
    wait_until(lambda: record(root, last)['metadata'] == expected, WAIT_S, 'what was said')
    # A verdict that is none changes nothing.
    operator.publish_text('verdict', 'so so', QoSProfile(depth=1))
    operator.record(num_rows=3)
    assert record(root, last)['metadata'] == expected
    assert record(root, last + 1)['metadata'] == {'operator': 'Grace'}
