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
"""Episodes that are encoded after they were saved, as the operator sees it."""

from __future__ import annotations

import pytest
from recorder_rig.datasets import assert_whole, total_episodes
from recorder_rig.parameters import SMALL

pytestmark = [pytest.mark.ros]

DEFERRED = {'encode': 'deferred', 'encode_batch_size': 0, 'deferred_format': 'png'}


def test_what_is_encoded_later_is_told_and_finalized(rig, keep_dataset):
    rig.small_robot()
    recorder = rig.recorder({**SMALL, **DEFERRED})
    operator = rig.operator()
    for index in range(2):
        answer = operator.record(10)
        assert answer.startswith(f'episode {index}: ')
        assert '1 video to be encoded' in answer
    status = operator.wait_for_status(
        lambda one: one.values['unencoded_episodes'] == '2', 'two episodes wait'
    )
    assert (status.values['saved_episodes'], status.values['episode_index']) == ('0', '2')
    assert total_episodes(rig.root) == 0
    assert operator.send('undo').succeed().startswith('undid episode 1: ')
    operator.record(10)
    assert operator.send('finalize').succeed().startswith('2 episodes, ')
    assert_whole(rig.root, num_episodes=2)
    status = operator.wait_for_status(
        lambda one: one.values['unencoded_episodes'] == '0', 'none waits'
    )
    assert 'encoded episode 1' in recorder.log
    assert recorder.end() == 0
    keep_dataset(rig.root)
