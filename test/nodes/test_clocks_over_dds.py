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
Clocks that are set, and clocks that differ, over DDS: publishers say so by their stamps.

The numbers of state and action are the true time of their messages, which no clock changes. In
every row they must be of one instant, and between rows as much of it must pass as rows are apart.
"""

from __future__ import annotations

from itertools import pairwise
import re
import time

from lerobot_streamrec.inspection.diagnosis import Level
import pytest
from recorder_rig.datasets import assert_whole, columns, record
from recorder_rig.examining import examine
from recorder_rig.parameters import FRONT, FRONT_KEY, FRONT_TOPIC, STATE_KEY
from recorder_rig.pictures import Picture, quadrants
from sensor_msgs.msg import JointState

pytestmark = [pytest.mark.ros]

FPS = 30
DELAY_S = 0.4
# By so much may messages be late in the moment in which a clock is set, on a machine that is busy.
LATE_S = 2.5
SECOND_NS = 10**9
VECTORS = {
    f'{name}.{parameter}': value
    for name in ('state', 'action')
    for parameter, value in {
        'topic': f'/{name}',
        'type': 'sensor_msgs/msg/JointState',
        'names': ['true_s'],
    }.items()
}


class Clock:
    """The clock of a robot's computer, which can be set."""

    def __init__(self, ahead_s=0.0):
        self._ahead_ns = round(ahead_s * SECOND_NS)

    def __call__(self):
        # Not the system's own clock, which may be set while tests run.
        return FIRST_NS + time.monotonic_ns() + self._ahead_ns

    def set(self, jump_s):
        self._ahead_ns += round(jump_s * SECOND_NS)


FIRST_NS = time.time_ns() - time.monotonic_ns()


def add_true_time(robot, topic, hz):
    def fill(message, _stamp_ns):
        message.name, message.position = ['true_s'], [time.monotonic_ns() / SECOND_NS % 10_000]
        return message.position

    robot.add_messages(topic, JointState, fill, hz=hz)


def make_robot(rig, camera_clock, clock):
    """Start a robot whose camera may have another clock than its joints."""
    camera, joints = rig.robot(now_ns=camera_clock), rig.robot(now_ns=clock)
    camera.add_camera(FRONT_TOPIC, Picture(quadrants()))
    add_true_time(joints, '/state', 100)
    add_true_time(joints, '/action', 50)
    for robot in (camera, joints):
        robot.start()


def true_times(root):
    """Return the true times of the rows by action and by state."""
    rows = columns(root, 0)
    return [rows[key] for key in ('action', STATE_KEY)]


@pytest.mark.parametrize('jump_s', [3600.0, -3.0, 2.0, -3600.0])
def test_rows_go_on_when_the_clock_of_the_robot_is_set(rig, jump_s, keep_dataset):
    clock = Clock()
    make_robot(rig, clock, clock)
    recorder = rig.recorder({**FRONT, **VECTORS, 'fps': FPS})
    operator = rig.operator()
    operator.start()
    operator.wait_for_rows(FPS)
    clock.set(jump_s)
    words = re.compile(r'the clock of all streams jumped by ([+-][0-9.]+) s')
    told = operator.wait_for_status(lambda one: words.search(one.message), 'the step')
    size = words.search(told.message)[1]
    # Messages that a busy machine delays make a step look smaller.
    assert jump_s - LATE_S < float(size) < jump_s + 0.1
    operator.wait_for_rows(int(told.values['rows']) + FPS)
    answer = operator.save()
    assert f'the clock of all streams jumped by {size} s after' in answer
    assert 'and the rows continue in the old time' in answer
    assert f'jumped by {size} s; the rows continue' in recorder.log
    # The next episode is in the time that the clock shows now.
    operator.record(num_rows=5)
    assert recorder.end() == 0
    assert_whole(rig.root, num_episodes=2)

    kept = record(rig.root, 0)
    (step,) = kept['clock_steps']
    assert step['size_ns'] / SECOND_NS == pytest.approx(float(size), abs=0.1)
    assert kept['streams'][FRONT_KEY]['rejected'] == 0
    again = record(rig.root, 1)
    assert again['clock_steps'] == []
    action, state = true_times(rig.root)
    passed_s = (again['start_stamp_ns'] - kept['start_stamp_ns']) / SECOND_NS - jump_s
    assert passed_s > (len(state) - 1) / FPS
    # As far as a busy machine lets messages through, the newest of both is less than 0.2 s old.
    pairs = zip(action, state, strict=True)
    away = sorted(abs(one - other) for one, other in pairs)
    assert away[len(away) * 9 // 10] < 0.2
    assert all(after >= before for before, after in pairwise(state))
    assert state[-1] - state[0] == pytest.approx((len(state) - 1) / FPS, abs=DELAY_S)
    keep_dataset(rig.root)


def test_one_camera_whose_clock_is_set_is_refused_and_told(rig):
    camera_clock = Clock()
    make_robot(rig, camera_clock, Clock())
    rig.recorder({**FRONT, **VECTORS, 'fps': FPS})
    operator = rig.operator()
    operator.start()
    operator.wait_for_rows(FPS)
    camera_clock.set(3600.0)
    words = re.compile(rf'the clock of {FRONT_KEY} jumped by \+([0-9.]+) s')
    told = operator.wait_for_status(lambda one: words.search(one.message), 'the jump')
    assert float(words.search(told.message)[1]) == pytest.approx(3600.0, abs=LATE_S)
    operator.wait_for_rows(int(told.values['rows']) + FPS)
    answer = operator.save()
    assert words.search(answer)
    assert 'those of the other streams did not: its messages are refused' in answer
    assert record(rig.root, 0)['streams'][FRONT_KEY]['rejected'] > 10
    _, state = true_times(rig.root)
    assert state[-1] - state[0] == pytest.approx((len(state) - 1) / FPS, abs=0.3)
    # Its first message since the save may not have come yet.
    assert FRONT_KEY in operator.send('start').fail()
    off = re.compile(rf'{FRONT_KEY} \({FRONT_TOPIC}\) has stamps (\d+) s ahead')
    operator.wait_for_status(lambda one: off.search(one.message), 'the clock in the status')
    refusal = operator.send('start').fail()
    assert int(off.search(refusal)[1]) == pytest.approx(3600, abs=1)


def test_the_clock_that_differs_is_named_and_its_offset_mends_it(rig, tmp_path):
    """Between max_lateness_s and max_age_s nothing used to be said."""
    make_robot(rig, Clock(0.8), Clock())
    recorder = rig.recorder({**FRONT, **VECTORS, 'fps': FPS, 'sync.max_lateness_s': 0.5})
    operator = rig.operator()
    words = f'{FRONT_KEY} ({FRONT_TOPIC}) has stamps 0.'
    told = operator.wait_for_status(lambda one: words in one.message, 'the clock in the status')
    assert 'ahead of the other streams: its clock is ahead' in told.message
    refusal = operator.send('start').fail()
    assert words in refusal
    assert 'observation.state' not in refusal
    offset_ms = int(refusal.split('set its offset_ms parameter to ')[1].split(',')[0])
    assert offset_ms == pytest.approx(-800, abs=100)
    assert recorder.end() == 0

    file = (
        '/episode:\n  ros__parameters:\n    root: /nowhere\n    fps: 30\n    task: t\n'
        f'    cameras: [front]\n    camera.front.topic: {FRONT_TOPIC}\n'
        '    camera.front.offset_ms: {offset}.0\n'
        "    state.topic: /state\n    state.names: ['true_s']\n"
        "    action.topic: /action\n    action.names: ['true_s']\n"
    )

    def remarks(offset):
        report = examine(tmp_path, file.replace('{offset}', str(offset)), seconds=2)
        return {one.seen.parameter: one for one in report.topics}

    found = remarks(0)
    assert found['camera.front'].level is Level.PROBLEM
    (remark,) = [one for one in found['camera.front'].remarks if 'stamps' in one.text]
    assert 'ahead of the other streams' in remark.text
    assert 'set camera.front.offset_ms: -' in remark.text
    for name in ('state', 'action'):
        assert not [one for one in found[name].remarks if 'stamps' in one.text]
    for topic in remarks(offset_ms).values():
        assert not [one for one in topic.remarks if 'stamps' in one.text]

    rig.recorder({**FRONT, **VECTORS, 'fps': FPS, 'camera.front.offset_ms': float(offset_ms)})
    answer = rig.operator().record(num_rows=2 * FPS)
    assert 'other streams' not in answer
