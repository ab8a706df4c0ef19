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
"""State and action: joints by name out of longer messages, and arrays without stamps."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise

from examples.demo.dataset_files import read_instants
from examples.demo.truth import read_truth
import numpy as np
import pytest
from recorder_rig.datasets import columns

pytestmark = [pytest.mark.ros]

SENT = ('wheel_left', 'gripper', 'wheel_right', 'elbow', 'shoulder')
RECORDED = ('shoulder', 'elbow', 'gripper')
COMMANDS = ('x', 'y')
# An array's instant is when it came. On a machine under load that is later than it was sent.
MAX_LATENCY_NS = 5_000_000_000


@pytest.fixture(scope='module')
def recording(shared_rig):
    """Record joints and commands; return the dataset's folder and the truth."""
    truth_path = shared_rig.folder / 'truth.jsonl'
    robot = shared_rig.robot(truth_path)
    robot.add_joints('/joint_states', SENT, RECORDED)
    robot.add_array('/command', len(COMMANDS))
    robot.start()
    recorder = shared_rig.recorder(
        {
            'state.topic': '/joint_states',
            'state.names': list(RECORDED),
            'action.topic': '/command',
            'action.type': 'std_msgs/msg/Float64MultiArray',
            'action.names': list(COMMANDS),
        }
    )
    shared_rig.operator().record(num_rows=45)
    assert recorder.end() == 0
    robot.close()
    return shared_rig.root, read_truth(truth_path)


def test_joints_are_taken_by_name_and_in_order(recording):
    root, truth = recording
    values = columns(root, 0)['observation.state']
    instants = read_instants(root, 0)
    assert len(values) == len(instants) >= 45
    for value, instant_ns in zip(values, instants, strict=True):
        right = truth['/joint_states'].newest_at(instant_ns)
        assert np.array_equal(np.float32(value), np.float32(right))


def test_an_array_stands_in_the_rows_after_it_came(recording):
    root, truth = recording
    published = truth['/command']
    # The first numbers are seconds: float32 keeps them apart.
    firsts = np.float32([values[0] for values in published.samples])
    places = []
    for value, instant_ns in zip(columns(root, 0)['action'], read_instants(root, 0), strict=True):
        (found,) = np.flatnonzero(firsts == np.float32(value[0]))
        places.append(int(found))
        assert np.array_equal(np.float32(value), np.float32(published.samples[found]))
        newest = bisect_left(published.stamps_ns, instant_ns) - 1
        oldest = bisect_left(published.stamps_ns, instant_ns - MAX_LATENCY_NS) - 1
        assert oldest <= found <= newest
    assert all(before <= after for before, after in pairwise(places))
    assert len(set(places)) > 2
