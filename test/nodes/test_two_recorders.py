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
"""One dataset and several runs: side by side, and one after the other."""

from __future__ import annotations

import pytest
from recorder_rig.datasets import assert_whole, columns
from recorder_rig.parameters import JOINTS, SMALL, STATE_TOPIC

pytestmark = [pytest.mark.ros, pytest.mark.slow]

EXIT_CONFIG = 2


def refusal(recorder):
    status = recorder.wait()
    assert status == EXIT_CONFIG, recorder.log
    (line,) = recorder.log.splitlines()
    return line


def test_a_second_recorder_on_the_same_root_is_refused(rig):
    rig.small_robot()
    first = rig.recorder(SMALL)
    operator = rig.operator()
    operator.start()
    complaint = refusal(rig.launch(SMALL))
    assert f'{rig.root} is being written by process {first.pid} on ' in complaint
    # The first one has not noticed, and frees the root when it ends.
    operator.wait_for_rows(5)
    operator.save()
    assert first.end() == 0
    assert rig.recorder(SMALL).end() == 0
    assert_whole(rig.root, num_episodes=1)


def test_a_dataset_is_continued_by_its_like_and_by_nothing_else(rig, keep_dataset):
    rig.small_robot()
    settings = {**SMALL, 'robot_type': 'arm', 'encoder.vcodec': 'hevc'}
    first = rig.recorder(settings)
    rig.operator().record(num_rows=10)
    assert first.end() == 0

    complaint = refusal(rig.launch({**settings, 'resume': False}))
    assert f'{rig.root} holds a dataset of 1 episodes, and resume is false' in complaint
    for change, difference in (
        ({'fps': 15}, 'fps is 30 in the dataset, 15 now'),
        (
            {'state.names': [*JOINTS, 'wrist']},
            'observation.state has shape (3,) in the dataset, (4,) now',
        ),
        (
            {'action.topic': STATE_TOPIC, 'action.names': ['gripper']},
            'feature action is recorded now and not in the dataset',
        ),
    ):
        assert difference in refusal(rig.launch({**settings, **change}))

    second = rig.recorder({**settings, 'task': 'Put the cube back'})
    assert f'the dataset at {rig.root} exists and is appended to; saved episodes: 1' in second.log
    answer = rig.operator().record(num_rows=10)
    assert answer.startswith('episode 1: ')
    assert second.end() == 0
    assert_whole(rig.root, num_episodes=2)
    rows = [columns(rig.root, index) for index in (0, 1)]
    assert [set(one['task_index']) for one in rows] == [{0}, {1}]
    assert rows[1]['index'][0] == len(rows[0]['index'])
    keep_dataset(rig.root)
