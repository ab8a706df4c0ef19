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
Several episodes of one bag: their rows, texts and places, and imports that are interrupted.

Guards against an episode that is imported twice or in part, or kept from the dataset by another.
"""

from __future__ import annotations

import signal

import pytest

pytest.importorskip('rosbags', reason='bags need rosbags')

from bags import IMAGE
from command_line import python
import dying_imports
from lerobot_streamrec.cli.main import main
from lerobot_streamrec.dataset.format.catalog import read_catalog
from robot_bags import BEGIN_NS, expected_rows, make_bag, rows_of, SECOND_NS, trains

SECONDS = 7.0
TABLE = """start,end,task,verdict
0.5,2,Push the cube,success
3,4.5,Pull the cube,
5,6.5,,failure
"""


@pytest.fixture
def bag(tmp_path):
    return make_bag(tmp_path / 'monday', trains(SECONDS))


@pytest.fixture
def command(tmp_path, bag, params):
    table = tmp_path / 'episodes.csv'
    table.write_text(TABLE)
    given = ['import', str(bag), '--params', params(), '--episodes', str(table)]
    return [*given, '--task', 'wait']


def places_of(root):
    return [one.texts['bag'].rpartition(' sha256:')[2][17:] for one in read_catalog(root).episodes]


def assert_complete(root, read_dataset, sent=None):
    verdicts = [one.texts['verdict'] for one in read_catalog(root).episodes]
    assert verdicts == ['success', '', 'failure']
    dataset = read_dataset(root, is_kept=False)
    tasks = [str(one[0]) for one in dataset.episodes['tasks']]
    assert tasks == ['Push the cube', 'Pull the cube', 'wait']
    for index in range(3):
        rows = rows_of(root, read_dataset, index)
        assert rows == expected_rows(root, sent or trains(SECONDS), index)
        assert len(rows) in (15, 16)
    assert main(['check', str(root)]) == 0


def test_the_rows_of_a_table_become_episodes_once(command, root, read_dataset, tmp_path, capsys):
    assert main(command) == 0
    told = capsys.readouterr()
    assert [line.split(': ')[1] for line in told.out.splitlines()] == [
        f'episode {index}' for index in range(3)
    ]
    assert not told.err
    assert_complete(root, read_dataset)
    assert len(set(places_of(root))) == 3
    assert all(one.startswith('@') for one in places_of(root))
    assert main(command) == 0
    assert 'has it already' in capsys.readouterr().out
    # Other episodes of the bag would show some of its messages twice.
    table = tmp_path / 'episodes.csv'
    table.write_text(TABLE.replace('3,4.5', '3.5,4.5'))
    assert main(command) == 1
    assert 'its episodes now begin elsewhere' in capsys.readouterr().err
    assert len(places_of(root)) == 3


def test_a_bag_that_was_recorded_beside_the_dataset_is_refused(
    tmp_path, bag, params, root, capsys
):
    other = make_bag(tmp_path / 'tuesday', trains(1.0))
    assert main(['import', str(other), '--params', params()]) == 0
    # The column as a recorder writes it.
    column = f'bag={bag.resolve()}'
    assert main(['label', str(root), '--episodes', '0', '--set', column]) == 0
    assert main(['import', str(bag), '--params', params()]) == 1
    assert f'recorded while {bag.resolve()} was' in capsys.readouterr().err
    assert len(read_catalog(root).episodes) == 1


@pytest.mark.parametrize('instant', ['save 1', 'saved 1', 'save 3', 'saved 3'])
def test_the_same_command_goes_on_with_the_episode_at_which_it_was_killed(
    instant, command, root, read_dataset
):
    died = python(dying_imports.__file__, instant, *command)
    assert died.returncode == -signal.SIGKILL, died.stderr
    word, number = instant.split()
    num_done = int(number) - (word == 'save')
    assert (len(read_catalog(root).episodes) if num_done else 0) == num_done
    assert main(command) == 0
    assert_complete(root, read_dataset)
    assert len(set(places_of(root))) == 3


@pytest.mark.parametrize('jobs', ['1', '2'])
def test_an_episode_that_cannot_begin_is_named_and_the_others_are_imported(
    jobs, tmp_path, bag, params, root, capsys
):
    # The camera of the second bag begins late.
    late = [
        one for one in trains(SECONDS) if one[1] != IMAGE or one[2] > BEGIN_NS + 3 * SECOND_NS
    ]
    other = make_bag(tmp_path / 'tuesday', late)
    table = tmp_path / 'episodes.csv'
    rows = TABLE.splitlines()[1:]
    lines = [f'{row},{name}' for name in ('monday', 'tuesday') for row in rows]
    table.write_text('\n'.join(['start,end,task,verdict,bag', *lines]))
    given = [str(bag), str(other), '--params', params(), '--episodes', str(table), '--jobs', jobs]
    for number in range(2):
        assert main(['import', *given]) == 1
        told = capsys.readouterr()
        assert len(told.err.splitlines()) == 1
        assert f'{other} @' in told.err
        assert 'no episode could begin' in told.err
        assert told.out.count(': episode ') == (0 if number else 5)
        assert len(read_catalog(root).episodes) == 5
    assert main(['check', str(root)]) == 0


def test_processes_give_the_episodes_of_one_bag_after_the_other(
    tmp_path, bag, params, root, read_dataset, capsys
):
    other = make_bag(tmp_path / 'tuesday', trains(4.0))
    table = tmp_path / 'episodes.csv'
    lines = ['0.5,2,monday', '3,4.5,monday', '5,6.5,monday', '0.5,1.5,tuesday', '2,3.5,tuesday']
    # The dataset has one of them already.
    table.write_text('start,end,bag\n' + lines[1] + '\n')
    given = ['--params', params(), '--episodes', str(table)]
    assert main(['import', str(bag), *given]) == 0
    table.write_text('start,end,bag\n' + '\n'.join(lines) + '\n')
    assert main(['import', str(bag), str(other), *given, '--jobs', '2']) == 0
    assert capsys.readouterr().out.count(': episode ') == 5
    names = [one.texts['bag'].partition(' ')[0] for one in read_catalog(root).episodes]
    assert names == ['monday'] * 3 + ['tuesday'] * 2
    assert len({one.texts['bag'] for one in read_catalog(root).episodes}) == 5
    for index, seconds in enumerate((SECONDS, SECONDS, SECONDS, 4.0, 4.0)):
        assert rows_of(root, read_dataset, index) == expected_rows(root, trains(seconds), index)
    assert main(['import', str(bag), str(other), *given, '--jobs', '2']) == 0
    assert capsys.readouterr().out.count('has it already') == 2
    assert main(['check', str(root)]) == 0
