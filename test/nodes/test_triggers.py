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
"""Topics of many types that give commands, over DDS."""

from __future__ import annotations

import math

import pytest
import rclpy
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from recorder_rig.surroundings import NODE_OPTIONS
from recorder_rig.teleop_bench import RELIABLE, TeleopBench
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Empty, Float32, Float64MultiArray, Int8, Int32, String, UInt64

pytestmark = [pytest.mark.ros]

BEST_EFFORT = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
GRIPPER = '/leader/joint_states position[gripper] > 0.8: toggle'


@pytest.fixture
def bench(ros_context):
    bench = TeleopBench(ros_context)
    yield bench
    bench.close()


def make(bench, *triggers, **parameters):
    """Listen to these, and to a topic whose messages tell that all before them were read."""
    bench.start({'triggers': [*triggers, '/marker: note marker'], **parameters})


def told(bench, num_messages=0):
    """Return what was given, once so many messages were read."""
    if not hasattr(bench, 'marker'):
        bench.marker = bench.publisher(Empty, '/marker')
    found = []
    # While several topics have messages, the executor reads one of each in turn.
    for _ in range(num_messages + 3):
        bench.marker.publish(Empty())
        found += bench.wait_for('note marker', lambda: bench.marker.publish(Empty()))
    return [one for one in found if one != 'note marker']


def send(bench, publisher, *messages):
    for message in messages:
        publisher.publish(message)
    return told(bench, len(messages))


@pytest.mark.parametrize('qos', [RELIABLE, BEST_EFFORT, LATCHED], ids=['rel', 'best', 'latched'])
def test_a_bool_counts_when_it_becomes_true(bench, qos):
    make(bench, '/pedal/pressed: toggle')
    pedal = bench.publisher(Bool, '/pedal/pressed', qos)
    told(bench)
    on, off = Bool(data=True), Bool(data=False)
    assert send(bench, pedal, on, on, on) == []
    assert send(bench, pedal, off, on, on, off, off, on) == ['toggle', 'toggle']
    assert send(bench, pedal, on, off) == []


def test_who_gave_it_is_told(bench):
    bench.start({'triggers': ['pressed: toggle']}, '-r', 'pressed:=pedals/left', namespace='/arm')
    pedal = bench.publisher(Empty, '/arm/pedals/left')
    pedal.publish(Empty())
    bench.wait_for('toggle', lambda: pedal.publish(Empty()))
    pedal.publish(Empty())
    bench.spin_until(lambda: bench.given)
    assert bench.given == [('toggle', 'trigger /arm/pedals/left')]


def test_every_empty_message_is_a_press(bench):
    make(bench, '/button: rotate')
    button = bench.publisher(Empty, '/button')
    assert send(bench, button, Empty(), Empty()) == ['rotate', 'rotate']
    bench.destroy(button)
    assert send(bench, bench.publisher(Empty, '/button'), Empty()) == ['rotate']


@pytest.mark.parametrize('kind', [Int8, Int32, UInt64])
def test_a_counter_counts_when_it_changes(bench, kind):
    make(bench, '/presses: toggle')
    counter = bench.publisher(kind, '/presses')
    told(bench)
    counts = [kind(data=count) for count in (7, 7, 8, 8, 10, 3)]
    assert send(bench, counter, *counts) == ['toggle'] * 3
    # A driver that was started anew begins at zero.
    bench.destroy(counter)
    counter = bench.publisher(kind, '/presses')
    assert send(bench, counter, kind(data=0), kind(data=0)) == []
    assert send(bench, counter, kind(data=1)) == ['toggle']


def joints(*positions, names=('elbow', 'gripper')):
    return JointState(name=list(names), position=list(positions))


@pytest.mark.parametrize('qos', [RELIABLE, BEST_EFFORT], ids=['reliable', 'best_effort'])
def test_a_number_counts_when_it_passes_the_threshold(bench, qos):
    make(bench, GRIPPER)
    leader = bench.publisher(JointState, '/leader/joint_states', qos)
    told(bench)
    assert send(bench, leader, joints(0.0, 0.9), joints(0.0, 0.95)) == []
    rising = [joints(9.0, value) for value in (0.1, 0.8, 0.81, 0.9, 0.5, 0.9)]
    assert send(bench, leader, *rising) == ['toggle', 'toggle']
    # Neither a number that is none, nor another arm's message changes anything.
    other = [
        joints(9.0, math.nan),
        joints(9.0, 0.9),
        joints(0.1, names=['wrist']),
        JointState(),
        joints(0.9, 9.0, names=['gripper', 'elbow']),
    ]
    assert send(bench, leader, *other) == []
    assert send(bench, leader, joints(0.2, 9.0, names=['gripper', 'elbow'])) == []
    assert send(bench, leader, joints(9.0, 0.9)) == ['toggle']


def test_a_message_that_does_not_fit_is_told_once(bench, capfd):
    make(bench, GRIPPER)
    leader = bench.publisher(JointState, '/leader/joint_states')
    told(bench)
    assert send(bench, leader, *[joints(0.1, names=['wrist'])] * 5) == []
    assert capfd.readouterr().err.count('a message on /leader/joint_states is ignored') == 1


def test_a_leader_that_comes_back_closed_is_no_press(bench):
    make(bench, GRIPPER)
    leader = bench.publisher(JointState, '/leader/joint_states')
    told(bench)
    assert send(bench, leader, joints(0.0, 0.1), joints(0.0, 0.1)) == []
    bench.destroy(leader)
    leader = bench.publisher(JointState, '/leader/joint_states')
    assert send(bench, leader, joints(0.0, 0.9), joints(0.0, 0.9)) == []
    assert send(bench, leader, joints(0.0, 0.1), joints(0.0, 0.9)) == ['toggle']


def test_chatter_around_the_threshold_counts_once(bench):
    bench.start({'triggers': ['/x data < 1: undo'], 'debounce_s': 9.0, 'long_press_s': 10.0})
    publisher = bench.publisher(Float32, '/x')

    def press():
        bench.ahead_s += 60.0
        publisher.publish(Float32(data=2.0))
        bench.turn()
        bench.ahead_s += 60.0
        publisher.publish(Float32(data=0.9))

    bench.spin_until(lambda: bench.given, press)
    bench.given.clear()
    for value in [1.1, 0.8, 1.2, 0.5, 0.4]:
        publisher.publish(Float32(data=value))
        bench.turn()
        bench.turn()
    assert bench.given == []
    bench.spin_until(lambda: bench.given, press)


def test_bools_and_arrays_may_have_conditions_too(bench):
    make(bench, '/a data > 0.5: undo', '/b data[1:2] >= 3: save', '/b data[0] <= -1: discard')
    bools = bench.publisher(Bool, '/a')
    arrays = bench.publisher(Float64MultiArray, '/b')
    told(bench)
    assert send(bench, bools, Bool(data=False), Bool(data=True)) == ['undo']
    given = [Float64MultiArray(data=data) for data in ([0.0, 0.0], [0.0, 3.0], [-1.0, 3.0], [1.0])]
    assert send(bench, arrays, *given) == ['save', 'discard']


@pytest.mark.parametrize(
    ('trigger', 'kind', 'why'),
    [
        ('/x: toggle', Float32, 'without a condition std_msgs/msg/Bool, Empty, Int8 to Int64'),
        ('/x: toggle', String, 'any other type needs a selector'),
        ('/x data > 1: toggle', String, 'data is string, not a number'),
        ('/x angle > 1: toggle', Float32, 'has no field angle; it has data'),
        ('/x data > 1: toggle', Float64MultiArray, 'data'),
        ('/x data[0:2] > 1: toggle', Float64MultiArray, 'is 2 numbers of std_msgs/msg/Float64M'),
        ('/x position[a] > 1: toggle', Float64MultiArray, 'has no field position'),
    ],
)
def test_a_type_that_cannot_be_used_is_told_once_and_nothing_else_suffers(
    bench, capfd, trigger, kind, why
):
    make(bench, trigger)
    bench.lonely_publisher(kind, '/x')
    bench.spin_until(bench.teleop.problems)
    (problem,) = bench.teleop.problems()
    assert problem.startswith(f'teleop.triggers is {trigger!r}: ')
    assert why in problem
    assert told(bench) == []
    assert capfd.readouterr().err.count(problem) == 1


def test_a_topic_may_change_its_type(bench):
    make(bench, '/x: toggle')
    context = rclpy.Context()
    rclpy.init(context=context)
    other = Node('test_other', context=context, **NODE_OPTIONS)
    try:
        wrong = other.create_publisher(String, '/x', 10)
        bench.spin_until(bench.teleop.problems)
        other.destroy_publisher(wrong)
        bench.publisher(Empty, '/x')
    finally:
        other.destroy_node()
        rclpy.shutdown(context=context)
    assert bench.teleop.problems() == []


def test_a_topic_that_this_process_reads_as_another_type_is_told(bench, ros_context):
    make(bench, '/x: toggle')
    reader = Node('test_reader', context=ros_context, **NODE_OPTIONS)
    reader.create_subscription(String, '/x', lambda _: None, 10)
    context = rclpy.Context()
    rclpy.init(context=context)
    other = Node('test_other', context=context, **NODE_OPTIONS)
    try:
        other.create_publisher(Empty, '/x', 10)
        bench.spin_until(bench.teleop.problems)
        (problem,) = bench.teleop.problems()
        assert "'/x: toggle'): /x is published as std_msgs/msg/Empty, but" in problem
        assert told(bench) == []
    finally:
        other.destroy_node()
        rclpy.shutdown(context=context)
        reader.destroy_node()


def test_a_topic_that_nobody_publishes_is_told_once(bench, capfd):
    make(bench, '/x: toggle')
    for now_s in (0.0, 9.9, 10.1, 20.0, 90.0):
        bench.teleop.look(now_s)
    text = capfd.readouterr().err
    assert text.count("nobody has published /x for 10 s: teleop.triggers ('/x: toggle')") == 1
    assert bench.teleop.problems() == []
