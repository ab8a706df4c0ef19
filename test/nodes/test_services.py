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
"""What the services answer, and what is on the disk by then."""

from __future__ import annotations

import re

import pytest
from recorder_rig.datasets import assert_whole, record, total_episodes
from recorder_rig.parameters import SMALL
from recorder_rig.surroundings import wait_until

pytestmark = [pytest.mark.ros]


@pytest.fixture(scope='module')
def root(shared_rig):
    return shared_rig.root


@pytest.fixture(scope='module')
def operator(shared_rig):
    shared_rig.small_robot()
    shared_rig.recorder(SMALL)
    return shared_rig.operator()


@pytest.fixture
def saved(operator, root):
    """Return how many episodes there are, with the recorder idle."""
    if operator.status.values['state'] == 'recording':
        operator.send('discard').succeed()
    return total_episodes(root)


def test_a_second_start_is_refused_and_the_episode_goes_on(operator, root, saved):
    assert operator.start() == f'recording episode {saved}: Pick up the cube'
    refusal = operator.send('start').fail()
    assert f'episode {saved} is already being recorded' in refusal
    assert re.search(r'\(\d+ rows, \d+\.\d s\): save or discard it first', refusal)
    operator.wait_for_rows(5)
    assert f'episode {saved}: ' in operator.save()
    assert total_episodes(root) == saved + 1


@pytest.mark.parametrize('verb', ['save', 'discard'])
def test_without_an_episode_there_is_nothing_to_end(operator, root, saved, verb):
    assert operator.send(verb).fail() == 'no episode is being recorded: call start first'
    assert total_episodes(root) == saved


def test_a_discarded_episode_leaves_nothing(operator, root, saved):
    operator.start()
    operator.wait_for_rows(5)
    answer = operator.send('discard').succeed()
    assert re.fullmatch(r'discarded \d+ rows, \d+\.\d s', answer)
    assert total_episodes(root) == saved
    staging = root / '.streamrec' / 'staging'
    wait_until(lambda: not list(staging.iterdir()), 90.0, 'the staging folder is empty')
    # Its index is free for the next one.
    assert operator.start() == f'recording episode {saved}: Pick up the cube'
    operator.wait_for_rows(2)
    operator.save()
    assert_whole(root, saved + 1)


def test_save_is_answered_when_the_episode_can_be_trained_on(operator, root, saved):
    found = []

    def look():
        try:
            assert_whole(root, saved + 1)
            found.append(total_episodes(root))
        # The executor would swallow whatever it is.
        except BaseException as error:  # noqa: BLE001
            found.append(error)

    operator.start()
    operator.wait_for_rows(10)
    answer = operator.send('save', on_answer=look).succeed()
    wait_until(lambda: found, 90.0, 'a look at the dataset')
    assert found == [saved + 1]
    told = re.match(
        rf'episode {saved}: (\d+) rows, (\d+\.\d) s, 1 video, \d+\.\d MB, \d+ repeated frames?',
        answer,
    )
    assert told, answer
    kept = record(root, saved)
    assert kept['length'] == int(told[1]) >= 10
    assert kept['task'] == 'Pick up the cube'
    assert kept['streams']['observation.images.front']['rejected'] == 0


def test_finalize_tells_what_there_is(operator, root, saved):
    operator.start()
    assert 'save or discard it first' in operator.send('finalize').fail()
    operator.wait_for_rows(2)
    operator.save()
    answer = operator.send('finalize').succeed()
    assert answer.startswith(f'{saved + 1} episodes, ')
    assert str(root) in answer
    # Recording may go on.
    operator.record(num_rows=2)
    assert_whole(root, saved + 2)
