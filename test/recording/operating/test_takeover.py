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
The operator takes the robot over from a policy, and says which part of the task comes next.

Guards against rows that are recorded while nobody drives, and against an episode that is stuck in
the pause of a takeover.
"""

from __future__ import annotations

from lerobot_streamrec.errors import EpisodeError
from lerobot_streamrec.recording.operating.command import Command, parse_command, Verb
from lerobot_streamrec.recording.operating.takeover import HUMAN, POLICY, TAKING_OVER
import pyarrow.parquet as pq
import pytest

WAIT_S = 120


def flags(driver):
    (path,) = driver.rig.config.root.glob('data/*/*.parquet')
    return pq.read_table(path).column('intervention').to_pylist()


def flags_when_saved(driver):
    for _ in range(100):
        driver.run(0.1)
        if list(driver.rig.config.root.glob('data/*/*.parquet')):
            break
    return flags(driver)


def states(driver, *commands):
    """Give commands, and return who drives after each."""
    found = []
    for text in commands:
        answer = driver.press(text)
        assert answer.success, answer.message
        found.append(driver.status.takeover)
        driver.run(0.5)
    return found


def test_the_takeover_has_the_phases_of_a_rollout(drive):
    driver = drive({'is_hil': True}, pauses_at_takeover=True)
    driver.press('start')
    driver.run(1)
    rows = driver.rig.recorder.status().num_rows
    assert states(driver, 'intervene') == [TAKING_OVER]
    assert driver.rig.recorder.status().num_rows <= rows + 1
    assert driver.phase.value == 'paused'
    assert states(driver, 'intervene', 'intervene') == [HUMAN, POLICY]
    driver.press('save')
    saved = flags_when_saved(driver)
    # One block of a human's rows, and none of the pause.
    changes = [row for row in range(1, len(saved)) if saved[row] != saved[row - 1]]
    assert [saved[row] for row in changes] == [True, False]
    assert 4 <= sum(saved) <= 6
    assert driver.rig.record_of(0)['cuts'][0]['row'] == changes[0]


@pytest.mark.parametrize(
    ('commands', 'expected'),
    [
        (('intervene on', 'intervene off'), [TAKING_OVER, POLICY]),
        (('intervene on', 'intervene on', 'intervene on'), [TAKING_OVER, HUMAN, HUMAN]),
        (('intervene', 'resume', 'intervene'), [TAKING_OVER, POLICY, TAKING_OVER]),
        (('pause', 'intervene on', 'resume'), [POLICY, HUMAN, HUMAN]),
    ],
)
def test_no_order_of_commands_gets_stuck(commands, expected, drive):
    driver = drive({'is_hil': True}, pauses_at_takeover=True, min_episode_s=0.0)
    driver.press('start')
    driver.run(1)
    assert states(driver, *commands) == expected
    assert driver.press('save').success


def test_without_the_pause_a_press_changes_who_drives(drive):
    driver = drive({'is_hil': True}, min_episode_s=0.0)
    assert driver.status.takeover == POLICY
    driver.press('start')
    assert states(driver, 'intervene', 'intervene', 'intervene on') == [HUMAN, POLICY, HUMAN]
    driver.press('discard')
    # The human still has the leader in hand when the next episode begins.
    assert driver.status.takeover == HUMAN


def test_a_recorder_without_interventions_says_so(driver):
    answer = driver.press('intervene')
    assert not answer.success
    assert 'set hil.enabled to true' in answer.message
    assert driver.status.takeover == ''


def test_a_subtask_is_told_and_one_that_cannot_be_is_refused(drive):
    driver = drive({'subtasks': 'language'}, min_episode_s=0.0)
    assert 'no episode is being recorded' in driver.press('subtask reach').message
    driver.press('start')
    driver.run(0.5)
    assert driver.press('subtask reach the cube').message == "subtask 'reach the cube'"
    # Two in a row are both meant, and the same one twice is a slip.
    assert driver.press('subtask grasp').success
    assert 'counts once' in driver.press('subtask grasp').message
    assert driver.rig.recorder.status().subtask == 'grasp'


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('Intervene', Command(Verb.INTERVENE)),
        ('intervene ON', Command(Verb.INTERVENE, 'on')),
        ('intervene off', Command(Verb.INTERVENE, 'off')),
        ('subtask  open the drawer ', Command(Verb.SUBTASK, 'open the drawer')),
    ],
)
def test_the_commands_are_parsed(text, expected):
    assert parse_command(text) == expected


def test_other_words_are_refused():
    with pytest.raises(EpisodeError, match='allowed are on, off, or nothing'):
        parse_command('intervene maybe')
