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
"""While an episode is on its way to the disk, everything else goes on, the next episode too."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
import re
import time

from examples.demo.dataset_files import read_instants
from examples.demo.drawing import MIN_HEIGHT
from examples.demo.truth import read_truth
from examples.demo.verdict import judge
import pytest
from recorder_rig.datasets import record, total_episodes
from recorder_rig.parameters import FRONT_KEY, FRONT_TOPIC, SLOW_ENCODER, SMALL, TOPICS
from recorder_rig.pictures import NumberedPicture
from recorder_rig.surroundings import wait_until

pytestmark = [pytest.mark.ros, pytest.mark.slow]

PERIOD_NS = 10**9 // 30
SECOND_TASK = 'Put it back'


@pytest.fixture
def truth_path(tmp_path):
    return tmp_path / 'truth.jsonl'


@pytest.fixture
def robot(rig, truth_path):
    """Show pictures that take the encoder several times as long as they take to come."""
    picture = NumberedPicture(noise=True, height=MIN_HEIGHT + 64)
    robot, _ = rig.small_robot(truth_path, picture)
    return robot


def begin_slow_save(operator):
    """Send a save that waits for the encoder."""
    operator.start()
    operator.wait_for_rows(30)
    saving = operator.send('save')
    operator.wait_for_status(
        lambda one: one.values['pending_episodes'] == '1', 'an episode is pending'
    )
    assert not saving.is_answered, 'the encoder is too quick for this test'
    return saving


def test_the_next_episode_starts_at_once_and_lacks_nothing(rig, robot, truth_path):
    rig.recorder({**SMALL, **SLOW_ENCODER})
    operator = rig.operator()
    saving = begin_slow_save(operator)
    assert operator.set_parameter('task', SECOND_TASK).successful
    asked_ns = time.time_ns()
    starting = operator.send('start')
    assert starting.succeed() == f'recording episode 1: {SECOND_TASK}'
    answered_ns = time.time_ns()
    assert not saving.is_answered
    assert total_episodes(rig.root) == 0
    operator.wait_for_rows(20)
    second = operator.send('save')
    assert saving.succeed().startswith('episode 0: ')
    answer = second.succeed()
    assert answer.startswith('episode 1: ')
    robot.close()

    verdict = judge(rig.root, truth_path, topics=TOPICS)
    assert verdict.problems == ()
    assert [one.task for one in verdict.episodes] == ['Pick up the cube', SECOND_TASK]
    # The first row is less than a period after the newest sample of the moment.
    first_ns = read_instants(rig.root, 1)[0]
    assert asked_ns - 2 * PERIOD_NS < first_ns < answered_ns + 2 * PERIOD_NS
    for index in (0, 1):
        assert record(rig.root, index)['streams'][FRONT_KEY]['rows_overloaded'] == 0
        assert_repeats_are_the_cameras(rig.root, truth_path, index)


def assert_repeats_are_the_cameras(root, truth_path, episode_index):
    """A row may only show a picture again where no new one was there in time."""
    stamps_ns = read_truth(truth_path)[FRONT_TOPIC].stamps_ns
    without_new = sum(
        bisect_right(stamps_ns, before) == bisect_right(stamps_ns, instant)
        for before, instant in pairwise(read_instants(root, episode_index))
    )
    front = record(root, episode_index)['streams'][FRONT_KEY]
    assert front['rows_repeated'] <= without_new + front['late'] + front['lost_in_transport']


def test_status_parameters_and_verbs_are_answered_meanwhile(rig, robot):
    rig.recorder({**SMALL, **SLOW_ENCODER})
    operator = rig.operator()
    saving = begin_slow_save(operator)
    for number in range(3):
        heard = len(operator.statuses)
        assert operator.set_parameter('task', f'task {number}').successful
        assert 'no episode is being recorded' in operator.send('save').fail()
        # The refusal publishes one status, the timer the others.
        wait_until(lambda heard=heard: len(operator.statuses) > heard + 1, 90.0, 'two statuses')
        assert not saving.is_answered, 'the save kept the others waiting, or was too quick'
    assert saving.succeed().startswith('episode 0: ')


def test_too_many_pending_episodes_are_refused(rig, robot):
    rig.recorder({**SMALL, **SLOW_ENCODER, 'max_pending_episodes': 1})
    operator = rig.operator()
    saving = begin_slow_save(operator)
    refusal = operator.send('start').fail()
    assert re.search(r'1 episodes? are still being written \(max_pending_episodes is 1\)', refusal)
    saving.succeed()
    assert operator.send('start').succeed().startswith('recording episode 1')
