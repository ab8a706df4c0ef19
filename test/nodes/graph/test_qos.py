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
What the recorder asks of publishers, and what it says of those that it cannot hear.

Guards promise 4: whatever a driver offers is heard, also when it appears later or is replaced; a
pair that cannot work is named as such instead of silence.
"""

from __future__ import annotations

from types import SimpleNamespace

from lerobot_streamrec.nodes.graph.qos import choose_qos, describe_qos, qos_problems
import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from recorder_rig.datasets import columns, record
from recorder_rig.parameters import JOINTS, STATE, STATE_KEY, STATE_TOPIC
from recorder_rig.robot import seconds_of
from recorder_rig.surroundings import DISCOVERY_TIMEOUT_S, wait_until
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64

pytestmark = [pytest.mark.ros]

BEST_EFFORT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
RELIABLE = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
TYPE = 'sensor_msgs/msg/JointState'


def offer(profile, topic_type=TYPE, name='driver'):
    return SimpleNamespace(
        qos_profile=profile, topic_type=topic_type, node_namespace='/', node_name=name
    )


@pytest.mark.parametrize(
    ('choice', 'offers', 'expected'),
    [
        ('auto', [], 'BEST_EFFORT, VOLATILE'),
        ('auto', [RELIABLE], 'RELIABLE, VOLATILE'),
        ('auto', [BEST_EFFORT], 'BEST_EFFORT, VOLATILE'),
        ('auto', [LATCHED], 'RELIABLE, TRANSIENT_LOCAL'),
        # The stricter policy only if all offer it.
        ('auto', [LATCHED, RELIABLE], 'RELIABLE, VOLATILE'),
        ('auto', [LATCHED, BEST_EFFORT], 'BEST_EFFORT, VOLATILE'),
        ('best_effort', [LATCHED], 'BEST_EFFORT, TRANSIENT_LOCAL'),
        ('reliable', [BEST_EFFORT], 'RELIABLE, VOLATILE'),
    ],
)
def test_what_is_asked_for_is_what_everyone_offers(choice, offers, expected):
    asked = choose_qos(choice, [offer(one) for one in offers], 7)
    assert describe_qos(asked) == expected
    assert asked.depth == 7
    problems = qos_problems(asked, TYPE, [offer(one) for one in offers])
    assert bool(problems) == (choice == 'reliable')


def test_a_pair_that_cannot_work_is_named():
    asked = choose_qos('reliable', [], 5)
    problems = qos_problems(
        asked, TYPE, [offer(BEST_EFFORT), offer(RELIABLE, 'std_msgs/msg/Float64', 'other')]
    )
    assert problems == [
        '/driver offers BEST_EFFORT, VOLATILE, which is not compatible with the requested '
        'RELIABLE, VOLATILE (ERROR: Best effort publisher and reliable subscription)',
        f'/other publishes std_msgs/msg/Float64, not {TYPE}',
    ]


def fill(message, stamp_ns):
    message.name = list(JOINTS)
    message.position = [seconds_of(stamp_ns), 0.0, 0.0]
    return message.position


def test_publishers_may_come_later_and_be_replaced(rig):
    """The recorder is there first; a reliable driver is replaced by one that is not."""
    recorder = rig.recorder(STATE)
    operator = rig.operator()
    first = rig.robot()
    first.add_messages(STATE_TOPIC, JointState, fill, qos=RELIABLE)
    first.start()
    operator.record(num_rows=20)
    first.close()
    second = rig.robot()
    second.add_messages(STATE_TOPIC, JointState, fill, qos=BEST_EFFORT)
    second.start()
    # Only a reader that asks for no more than is offered counts.
    second.wait_for_recorder()
    operator.record(num_rows=20)
    assert recorder.end() == 0
    for index in range(2):
        values = [row[0] for row in columns(rig.root, index)[STATE_KEY]]
        assert len(set(values)) > 2
        assert record(rig.root, index)['streams'][STATE_KEY]['rejected'] == 0
    assert 'cannot be heard' not in recorder.log


@pytest.mark.parametrize(
    ('kind', 'qos', 'words'),
    [
        (JointState, BEST_EFFORT, ['/test_robot offers BEST_EFFORT', 'RELIABLE', 'requested']),
        (Float64, RELIABLE, [f'/test_robot publishes std_msgs/msg/Float64, not {TYPE}']),
    ],
    ids=['reliability', 'type'],
)
def test_a_publisher_that_cannot_be_heard_is_told_at_the_start(rig, kind, qos, words):
    rig.robot().publisher(kind, STATE_TOPIC, qos)
    recorder = rig.recorder({**STATE, 'state.qos': 'reliable'})
    operator = rig.operator()
    wait_until(
        lambda: 'cannot be heard' in recorder.log, DISCOVERY_TIMEOUT_S, 'the publisher is seen'
    )
    answer = operator.send('start').fail()
    assert all(word in answer for word in (f'{STATE_TOPIC} has 1 publishers', *words)), answer
    assert all(word in recorder.log for word in words)
