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
"""A recorder that is killed in an episode, as a whole process over DDS."""

from __future__ import annotations

import re
import signal

import pytest
from recorder_rig.datasets import assert_whole, record, total_episodes
from recorder_rig.parameters import SMALL

pytestmark = [pytest.mark.ros]

FPS = 30


def test_the_next_recorder_makes_an_episode_of_what_was_running(rig, keep_dataset):
    rig.small_robot()
    first = rig.recorder({**SMALL, 'operator': 'Ada'})
    operator = rig.operator()
    operator.record(num_rows=5)
    operator.start()
    operator.wait_for_rows(3 * FPS)
    first.send(signal.SIGKILL)
    rows = int(operator.status.values['rows'])
    first.wait()
    assert total_episodes(rig.root) == 1, 'readers see what was saved, and nothing else'

    second = rig.recorder({**SMALL, 'resume': True})
    told = re.search(r'recovered episode 1 after a crash: (\d+) rows', second.log)
    assert told, second.log
    assert int(told[1]) >= rows - FPS
    operator = rig.operator()
    assert 'recovered episode 1' in operator.status.values['last_result']
    assert_whole(rig.root, num_episodes=2)
    recovered = record(rig.root, 1)
    assert recovered['recovered'] is True
    assert recovered['metadata'] == {'operator': 'Ada'}
    assert operator.record(num_rows=5).startswith('episode 2: ')
    assert_whole(rig.root, num_episodes=3)
    keep_dataset(rig.root)


def test_a_recovered_episode_is_kept_aside_if_that_is_wanted(rig):
    rig.small_robot()
    first = rig.recorder(SMALL)
    operator = rig.operator()
    operator.start()
    operator.wait_for_rows(2 * FPS)
    first.send(signal.SIGKILL)
    first.wait()
    second = rig.recorder({**SMALL, 'recovery': 'quarantine'})
    assert 'interrupted-take-000001' in second.log
    assert total_episodes(rig.root) == 0
    assert (rig.root / '.streamrec/quarantine/interrupted-take-000001/rows.arrows').is_file()
    rig.operator().record(num_rows=5)
    assert_whole(rig.root, num_episodes=1)


def test_an_unknown_recovery_is_refused(rig):
    recorder = rig.launch({**SMALL, 'recovery': 'hope'})
    assert recorder.wait() == 2
    assert "recovery is 'hope': allowed are save, quarantine, discard" in recorder.log
