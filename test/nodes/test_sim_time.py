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
"""With use_sim_time nothing follows the wall: half as fast a clock makes half as many rows."""

from __future__ import annotations

import time

from examples.demo.dataset_files import read_instants
import pytest
from recorder_rig.datasets import assert_whole, columns
from recorder_rig.parameters import SMALL
from recorder_rig.robot import seconds_of

pytestmark = [pytest.mark.ros]

PACE = 0.5
FPS = 30
# A busy machine delivers late; another clock would be a billion seconds away.
MAX_DELAY_NS = 4 * 10**9
BEGIN_NS = 1_000_000_000_000


class SlowClock:
    """Goes at half the pace of the wall, as a simulator on a slow machine."""

    def __init__(self):
        self._first_ns = time.monotonic_ns()

    def __call__(self):
        return BEGIN_NS + int((time.monotonic_ns() - self._first_ns) * PACE)


def record_commands(rig, clock, changes):
    """Start a robot that only commands, by the clock of a simulation, and its recorder."""
    robot = rig.robot(now_ns=clock)
    robot.add_clock()
    robot.add_array('/command', size=2)
    robot.start()
    return rig.recorder(
        {
            'fps': FPS,
            'use_sim_time': True,
            'action.topic': '/command',
            'action.names': ['x', 'y'],
            **changes,
        }
    )


def test_rows_follow_the_simulation(rig, keep_dataset):
    clock = SlowClock()
    recorder = record_commands(rig, clock, {'action.type': 'std_msgs/msg/Float64MultiArray'})
    operator = rig.operator()
    operator.wait_for_streams()
    begin_ns = clock()
    operator.record(num_rows=2 * FPS)
    end_ns = clock()
    assert recorder.end() == 0

    assert_whole(rig.root, num_episodes=1)
    instants = read_instants(rig.root, 0)
    assert len(instants) >= 2 * FPS
    assert begin_ns - MAX_DELAY_NS < instants[0] < instants[-1] <= end_ns
    assert_shown_near_its_sending(rig.root, 0)
    keep_dataset(rig.root)


def assert_shown_near_its_sending(root, episode_index):
    """An array's instant is its arrival by the simulation's clock: its number is its sending."""
    values, instants = columns(root, episode_index)['action'], read_instants(root, episode_index)
    for value, instant_ns in zip(values, instants, strict=True):
        # The recorder hears of the simulation's time by messages too, so either may be behind.
        assert abs(seconds_of(instant_ns) - value[0]) < MAX_DELAY_NS / 1e9


def test_without_a_clock_header_stamps_still_serve(rig):
    """The state's own stamps are simulated time too, whoever publishes /clock."""
    rig.small_robot(now_ns=SlowClock())
    recorder = rig.recorder({**SMALL, 'use_sim_time': True})
    operator = rig.operator()
    # Statuses come though the simulation stands still.
    operator.record(num_rows=10)
    assert recorder.end() == 0
    assert_whole(rig.root, num_episodes=1)


class SteeredClock:
    """Goes as fast as it is told, and jumps."""

    def __init__(self):
        self._base_ns = BEGIN_NS
        self._since_ns = time.monotonic_ns()
        self._pace = 1.0

    def __call__(self):
        return self._base_ns + int((time.monotonic_ns() - self._since_ns) * self._pace)

    def go(self, pace, jump_s=0.0):
        now_ns = self()
        self._since_ns = time.monotonic_ns()
        self._base_ns, self._pace = now_ns + int(jump_s * 1e9), pace


def test_a_clock_that_pauses_hurries_and_jumps(rig):
    clock = SteeredClock()
    recorder = record_commands(rig, clock, {'action.max_age_s': 0.0})
    operator = rig.operator()
    operator.start()
    operator.wait_for_rows(FPS)
    clock.go(0.0)
    operator.wait_for_status(
        lambda _: len({one.values['rows'] for one in operator.statuses[-4:]}) == 1,
        'rows that stand still with the clock',
    )
    paused = operator.status.values['rows']
    clock.go(3.0)
    operator.wait_for_rows(int(paused) + FPS)
    operator.save()
    # A simulation that begins anew, as simulators do between demonstrations.
    clock.go(1.0, jump_s=-100.0)
    operator.record(num_rows=FPS)
    assert recorder.end() == 0
    assert_whole(rig.root, num_episodes=2)
    first, second = read_instants(rig.root, 0), read_instants(rig.root, 1)
    assert first[-1] - first[0] == (len(first) - 1) * 10**9 // FPS
    assert second[0] < first[0]
    for index in range(2):
        assert_shown_near_its_sending(rig.root, index)
