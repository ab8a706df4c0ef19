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
"""A gamepad over DDS: messages as joy_node sends them, and as those who publish on change do."""

from __future__ import annotations

import time

import pytest
import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from recorder_rig.surroundings import NODE_OPTIONS
from recorder_rig.teleop_bench import RELIABLE, TeleopBench
from sensor_msgs.msg import Joy
from std_msgs.msg import String

pytestmark = [pytest.mark.ros]

BEST_EFFORT = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
NUM_BUTTONS = 8
# A button that tests press to see that all that was sent before has arrived.
MARKER = 7
BINDINGS = ['0: toggle', '1: save success', '1 long: discard', '4+5: undo', '7: note marker']
PAUSE_S = 1.2


class Pad:
    """A gamepad of real messages."""

    def __init__(self, bench, topic='/joy', qos=RELIABLE, num_buttons=NUM_BUTTONS):
        self._bench = bench
        self._num_buttons = num_buttons
        self._publisher = bench.publisher(Joy, topic, qos)

    def show(self, *down):
        buttons = [int(number in down) for number in range(self._num_buttons)]
        self._publisher.publish(Joy(axes=[0.0, 1.0], buttons=buttons))

    def mark(self, *down):
        """Wait until all was read; return which commands came besides."""
        self.show(*down)
        self.show(*down, MARKER)
        told = self._bench.wait_for('note marker', lambda: self.mark_again(*down))
        return [one for one in told if one != 'note marker']

    def mark_again(self, *down):
        self.show(*down)
        self.show(*down, MARKER)

    def repeat(self, *down):
        for _ in range(8):
            self.show(*down)

    def unplug(self):
        self._bench.destroy(self._publisher)


@pytest.fixture
def bench(ros_context):
    bench = TeleopBench(ros_context)
    yield bench
    bench.close()


@pytest.mark.parametrize('qos', [RELIABLE, BEST_EFFORT], ids=['reliable', 'best_effort'])
def test_buttons_give_their_commands(bench, qos):
    bench.start({'joy.bindings': BINDINGS})
    pad = Pad(bench, qos=qos)
    pad.mark()
    pad.show(0)
    pad.show()
    pad.show(4)
    pad.show(4, 5)
    bench.spin_until(lambda: len(bench.given) == 2)
    assert bench.given == [
        ('toggle', 'gamepad /joy button 0'),
        ('undo', 'gamepad /joy buttons 4+5'),
    ]
    bench.given.clear()
    pad.mark(1)
    # Not another message, but a timer tells time.
    bench.ahead_s += 1.0
    bench.spin_until(lambda: bench.given)
    assert bench.given == [('discard', 'gamepad /joy button 1 long')]
    bench.given.clear()
    assert pad.mark() == []


def test_a_press_that_repeats_itself_counts_once(bench):
    bench.start({'joy.bindings': BINDINGS, 'long_press_s': 60.0})
    pad = Pad(bench)
    pad.mark()
    pad.repeat()
    pad.repeat(0)
    pad.repeat(1)
    pad.repeat()
    assert pad.mark() == ['toggle', 'save success']


def test_what_is_held_when_a_gamepad_is_first_heard_is_no_press(bench):
    bench.start({'joy.bindings': BINDINGS})
    pad = Pad(bench)
    pad.repeat(0, 4)
    pad.repeat(0, 4, 5)
    pad.repeat(0)
    assert pad.mark() == []


def test_another_publisher_is_no_press(bench):
    bench.start({'joy.bindings': BINDINGS})
    pad = Pad(bench)
    pad.mark()
    pad.repeat()
    pad.unplug()
    pad = Pad(bench)
    pad.repeat(0)
    assert pad.mark() == []
    pad.show(0)
    assert pad.mark() == ['toggle']


def test_a_gamepad_with_another_number_of_buttons_is_no_press(bench):
    bench.start({'joy.bindings': BINDINGS})
    pad = Pad(bench)
    pad.mark()
    pad._num_buttons = 12
    pad.repeat(0)
    assert pad.mark() == []


def test_a_gamepad_that_comes_back_is_no_press(bench):
    bench.start({'joy.bindings': BINDINGS})
    pad = Pad(bench)
    pad.mark()
    pad.repeat()
    pad.mark()
    time.sleep(PAUSE_S)
    pad.repeat(0)
    assert pad.mark() == []


def test_a_gamepad_that_goes_while_a_button_is_down_does_not_hold_it(bench):
    bench.start({'joy.bindings': BINDINGS, 'long_press_s': 5.0})
    pad = Pad(bench)
    pad.mark()
    pad.repeat()
    pad.repeat(1)
    pad.mark(1)
    bench.ahead_s += 60.0
    for _ in range(50):
        bench.turn()
    assert bench.given == []
    assert pad.mark() == []


def test_who_publishes_on_change_may_be_silent_before_a_press(bench):
    bench.start({'joy.bindings': BINDINGS})
    pad = Pad(bench)
    pad.mark()
    pad.show(3)
    pad.show()
    pad.mark()
    time.sleep(PAUSE_S)
    pad.show(0)
    bench.spin_until(lambda: bench.given)
    assert bench.commands == ['toggle']


def test_names_are_resolved_and_remapped(bench):
    bench.start(
        {'joy.bindings': BINDINGS, 'joy.topic': 'joy'}, '-r', 'joy:=pads/left', namespace='/robot'
    )
    pad = Pad(bench, '/robot/pads/left', BEST_EFFORT)
    pad.mark()
    pad.show(0)
    bench.spin_until(lambda: bench.given)
    assert bench.given == [('toggle', 'gamepad /robot/pads/left button 0')]


def test_nothing_is_listened_to_without_a_binding(bench, ros_context):
    bench.start({})
    publisher = bench.lonely_publisher(Joy, '/joy')
    for _ in range(5):
        bench.turn()
    assert publisher.get_subscription_count() == 0
    assert bench.teleop.problems() == []


def test_buttons_that_a_gamepad_does_not_have_are_told(bench, capfd):
    bench.start({'joy.bindings': ['7: note marker', '11: undo', '1+12 long: discard']})
    pad = Pad(bench)
    pad.mark()
    (problem,) = bench.teleop.problems()
    assert 'has the buttons 0 to 7, not those of 11: undo; 1+12 long: discard' in problem
    for _ in range(5):
        bench.turn()
    assert capfd.readouterr().err.count(problem) == 1


def test_a_topic_that_is_no_gamepad_or_that_nobody_publishes_is_told_once(bench, capfd):
    bench.start({'joy.bindings': BINDINGS})
    for now_s in (0.0, 9.0, 10.5, 30.0):
        bench.teleop.look(now_s)
    assert capfd.readouterr().err.count('nobody has published /joy for 10 s') == 1
    assert bench.teleop.problems() == []
    # One participant does not read a topic as two types.
    context = rclpy.Context()
    rclpy.init(context=context)
    other = Node('test_other', context=context, **NODE_OPTIONS)
    try:
        other.create_publisher(String, '/joy', 10)
        bench.spin_until(bench.teleop.problems)
    finally:
        other.destroy_node()
        rclpy.shutdown(context=context)
    for _ in range(5):
        bench.turn()
    (problem,) = bench.teleop.problems()
    assert 'published as std_msgs/msg/String, but teleop.joy.bindings needs' in problem
    assert capfd.readouterr().err.count(problem) == 1
