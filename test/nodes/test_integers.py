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
Whole numbers and flags over real DDS: stored as published, or refused and counted with the reason.

Guards against digits that get lost between the message and the parquet file.
"""

from __future__ import annotations

from examples.demo.truth import read_truth
import pytest
from recorder_rig.datasets import assert_whole, columns, record
from std_msgs.msg import Float64, Int64, UInt64

pytestmark = [pytest.mark.ros]

# Far beyond what float64 tells apart: the last digits are the number of the message.
FIRST = 1_800_000_000_123_456_001


class Counting:
    """Fills messages with one number after the other."""

    def __init__(self, number_of):
        self._number_of, self._count = number_of, 0

    def __call__(self, message, _stamp_ns):
        message.data = self._number_of(self._count)
        self._count += 1
        return (message.data,)


PARAMETERS = {
    'features': ['observation.ticks', 'observation.serial', 'next.done', 'observation.load'],
    'feature.observation.ticks.topic': '/ticks',
    'feature.observation.ticks.dtype': 'int64',
    'feature.observation.serial.topic': '/serial',
    'feature.observation.serial.dtype': 'int64',
    'feature.next.done.topic': '/done',
    'feature.next.done.dtype': 'bool',
    'feature.observation.load.topic': '/load',
}


@pytest.fixture(scope='module')
def recording(shared_rig):
    truth_path = shared_rig.folder / 'truth.jsonl'
    robot = shared_rig.robot(truth_path)
    robot.add_messages('/ticks', Int64, Counting(lambda count: FIRST + count))
    # Every second one is larger than a signed number can be.
    robot.add_messages('/serial', UInt64, Counting(lambda count: count + count % 2 * 2**63))
    robot.add_messages('/done', Float64, Counting(lambda count: (0.0, 0.7, 1.0)[count % 3]))
    robot.add_messages('/load', Float64, Counting(lambda count: float(count)))
    robot.start()
    recorder = shared_rig.recorder(PARAMETERS)
    operator = shared_rig.operator()
    operator.start()
    operator.wait_for_rows(30)
    status = operator.wait_for_status(
        lambda one: 'rejected, the last because' in one.message, 'a rejection in the status'
    )
    answer = operator.save()
    assert recorder.end() == 0
    robot.close()
    assert_whole(shared_rig.root, num_episodes=1)
    return columns(shared_rig.root, 0), read_truth(truth_path), status.message, answer


def test_nanoseconds_come_back_to_the_last_digit(recording):
    rows, truth, _, _ = recording
    published = [value for (value,) in truth['/ticks'].samples]
    shown = rows['observation.ticks']
    assert set(shown) <= set(published)
    assert shown == sorted(shown)
    # A way through float64 would have rounded these.
    assert any(int(float(value)) != value for value in shown)


def test_what_does_not_fit_stands_in_no_row(recording):
    rows, truth, _, _ = recording
    small = {value for (value,) in truth['/serial'].samples if value < 2**63}
    assert set(rows['observation.serial']) <= small
    # 0.7 is neither false nor true.
    assert set(rows['next.done']) == {False, True}


@pytest.mark.parametrize(
    ('key', 'words'),
    [
        ('observation.serial', 'int64 holds whole numbers from'),
        ('next.done', 'data = 0.7 cannot be stored as published: bool holds false and true'),
    ],
)
def test_the_refusals_are_told_with_the_reason(recording, shared_rig, key, words):
    _, _, status, answer = recording
    assert f'{key}: ' in status
    assert words in answer
    kept = record(shared_rig.root, 0)['streams'][key]
    assert kept['rejected'] > 0
    assert words in kept['rejection']
