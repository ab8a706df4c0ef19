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
"""`streamrec latency --root`: the delay of pictures behind the state in the rows of a dataset."""

from __future__ import annotations

import json

from arm_dataset import draw, FRONT, keep_pictures_in_rows, Plan, WRIST, write_dataset
from arm_strokes import Strokes
from command_line import streamrec
import pytest

FPS = 30
DELAY_S = 0.04


def plan(number):
    """Return an episode in which the camera in front shows what was before, the other nothing."""
    motion = Strokes(number)

    def move(state, action):
        for row, values in enumerate(state):
            values[:] = motion.joints(row / FPS)
        action[:] = state

    def see(camera, row, _picture):
        at_s = row / FPS - DELAY_S if camera == FRONT else 0.0
        return draw(camera, row, motion.joints(at_s), 240, 320)

    return Plan(seconds=5.0, motion=move, picture=see)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('latency') / 'strokes'
    return write_dataset(folder, [plan(number) for number in range(3)], fps=FPS)


def measured(root, *more):
    done = streamrec('latency', '--root', root, '--json', *more)
    assert not done.stderr
    # The camera at the wrist sees nothing that moves.
    assert done.returncode == 1
    return json.loads(done.stdout)['cameras']


def test_the_delay_of_a_dataset_is_found_and_nothing_is_changed(root):
    before = sorted(root.rglob('*'))
    cameras = measured(root)
    assert cameras['front']['delay_ms'] == pytest.approx(1e3 * DELAY_S, abs=5)
    assert cameras['front']['uncertainty_ms'] <= 10
    assert 'differ from the one before' in cameras['wrist']['problem']
    assert sorted(root.rglob('*')) == before


def test_people_get_a_table_and_what_it_means(root):
    done = streamrec('latency', '--root', root)
    assert done.returncode == 1
    (line,) = [one for one in done.stdout.splitlines() if one.startswith('front')]
    assert ' ± ' in line
    assert 'not known' in done.stdout
    assert 'behind the state in the same rows, which are 33 ms apart' in done.stdout


def test_pictures_in_the_rows_are_measured_too(tmp_path):
    root = write_dataset(tmp_path / 'rows', [plan(number) for number in range(2)], fps=FPS)
    cameras = measured(keep_pictures_in_rows(root))
    assert cameras['front']['delay_ms'] == pytest.approx(1e3 * DELAY_S, abs=5)
    assert WRIST.rpartition('.')[2] in cameras


@pytest.mark.parametrize(
    ('arguments', 'status', 'said'),
    [
        (('--root', '{root}', '--episodes', '7'), 2, 'has the episodes 0 to 2'),
        (('--root', '{root}', '--write'), 2, '--write and --bag need a parameter file'),
        (('robot.yaml', '--root', '{root}'), 2, 'either a parameter file PARAMS or a dataset'),
        ((), 2, 'either a parameter file PARAMS or a dataset'),
    ],
)
def test_wrong_usage_is_refused(root, arguments, status, said):
    done = streamrec('latency', *(one.format(root=root) for one in arguments))
    assert done.returncode == status
    assert said in ' '.join(done.stderr.split())


def test_one_episode_that_is_too_short_is_refused(tmp_path):
    short = plan(0)
    short.seconds = 2.0
    cameras = measured(write_dataset(tmp_path / 'short', [short], fps=FPS))
    assert 'measure for longer' in cameras['front']['problem']
