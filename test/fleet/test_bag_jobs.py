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
Several bags at once give the dataset that one after the other gives, whatever dies in between.

Guards against an order that depends on the speed of processes, and against parts of an import.
"""

from __future__ import annotations

import os
from pathlib import Path
import signal

import pytest

pytest.importorskip('rosbags', reason='bags need rosbags')

from bags import JAZZY
from command_line import python
import dying_imports
from lerobot_streamrec.cli.main import main
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.dataset.format.files import lock_holder
from lerobot_streamrec.dataset.format.take_record import read_record
from lerobot_streamrec.dataset.rebuild.new_tree import Disk
from lerobot_streamrec.fleet import bag_workers
from lerobot_streamrec.fleet.bag_jobs import folder_of_imports
import numpy as np
import pandas as pd
from robot_bags import BEGIN_NS, expected_rows, JOINTS, make_bag, rows_of, stamped, trains
from waiting import wait_for

TEXT = 'std_msgs/msg/String'
SECONDS = {'a': 2.0, 'b': 3.0, 'c': 2.5}


def described(text):
    data = bytes(JAZZY.serialize_cdr(JAZZY.types[TEXT](data=text), TEXT))
    return ('/robot_description', TEXT, BEGIN_NS, data)


@pytest.fixture
def bags(tmp_path):
    """Three bags of different lengths, of which one robot differs from the others."""
    return [
        str(
            make_bag(
                tmp_path / name,
                trains(seconds),
                others=[described('<robot/>' if name == 'c' else '<arm/>')],
            )
        )
        for name, seconds in SECONDS.items()
    ]


def texts_of(root):
    return [one.texts['bag'].partition(' ')[0] for one in read_catalog(root).episodes]


def parts_of(root):
    return sorted(folder_of_imports(root).glob('*'))


def assert_same(one, other):
    """Compare two datasets by all that readers find."""
    assert one.info == other.info
    pd.testing.assert_frame_equal(one.rows, other.rows)
    pd.testing.assert_frame_equal(one.tasks, other.tasks)
    pd.testing.assert_frame_equal(one.episodes, other.episodes)
    for index in range(len(one.episodes)):
        pairs = zip(
            *(each.pictures('observation.images.front', index) for each in (one, other)),
            strict=True,
        )
        assert all((ours == theirs).all() for ours, theirs in pairs)
    names = [sorted(path.name for path in each.root.glob('meta/robot/*')) for each in (one, other)]
    assert names[0] == names[1]


@pytest.mark.parametrize('is_compact', [True, False], ids=['compact', 'as saved'])
def test_the_dataset_is_that_of_one_bag_after_the_other(
    is_compact, tmp_path, bags, params, root, read_dataset, capsys
):
    given = ['--params', params(compact_at_finalize=is_compact)]
    other = tmp_path / 'other'
    # Both have an episode before.
    first = str(make_bag(tmp_path / 'first', trains(1)))
    for one in (root, other):
        assert main(['import', first, *given, '--root', str(one), '--task', 'wait']) == 0
    assert main(['import', *bags, *given, '--root', str(other)]) == 0
    capsys.readouterr()
    assert main(['import', *bags, *given, '--jobs', '2']) == 0
    told = capsys.readouterr()
    assert [line.split(': ')[:2] for line in told.out.splitlines()[:-1]] == [
        [bag, f'episode {index}'] for index, bag in enumerate(bags, start=1)
    ]
    assert told.out.splitlines()[-1].startswith('3 bags: 8.2 s, ')
    assert not told.err
    assert texts_of(root) == ['first', 'a', 'b', 'c']
    assert_same(read_dataset(root, is_kept=False), read_dataset(other))
    assert rows_of(root, read_dataset, 2) == expected_rows(root, trains(3), 2)
    assert main(['check', str(root)]) == 0
    assert not folder_of_imports(root).exists()
    # A second time, nothing is done.
    assert main(['import', *bags, first, *given, '--jobs', '3']) == 0
    assert capsys.readouterr().out.count('has it already') == 4
    assert len(texts_of(root)) == 4


@pytest.mark.parametrize(
    ('work', 'told'), [('work_until_killed', 'by SIGKILL'), ('work_and_fail', 'with status 1')]
)
def test_a_process_that_dies_is_named_and_the_others_are_kept(
    work, told, bags, params, root, read_dataset, monkeypatch, capsys
):
    arguments = ['import', *bags, '--params', params(), '--jobs', '2']
    with monkeypatch.context() as patch:
        patch.setattr(bag_workers, '_work', getattr(dying_imports, work))
        assert main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f'{bags[1]}: not imported: its process ended {told}; ')
    assert texts_of(root) == ['a', 'c']
    assert main(['check', str(root)]) == 0
    assert len(parts_of(root)) == 1
    capsys.readouterr()
    assert main(arguments) == 0
    assert texts_of(root) == ['a', 'c', 'b']
    assert rows_of(root, read_dataset, 2) == expected_rows(root, trains(3), 2)
    assert not folder_of_imports(root).exists()


@pytest.mark.slow
@pytest.mark.parametrize('instant', dying_imports.INSTANTS)
def test_the_same_command_goes_on_where_a_killed_one_stopped(
    instant, bags, tmp_path, params, root, read_dataset
):
    arguments = ['import', *bags, '--params', params(), '--jobs', '2']
    died = python(dying_imports.__file__, instant, *arguments)
    assert died.returncode == -signal.SIGKILL, died.stderr
    # Processes that nobody hears end by themselves.
    wait_for(lambda: not any(map(lock_holder, parts_of(root))))
    is_exchanged = instant == 'after the exchange'
    assert (root / 'meta/info.json').exists() is is_exchanged
    done = [one for one in parts_of(root) if (one / 'meta/info.json').is_file()]
    takes = {read_record(one, 0)['take_id'] for one in done}
    assert len(done) in ((1, 2) if instant == 'a bag is done' else (3,))
    assert main(arguments) == 0
    assert texts_of(root) == ['a', 'b', 'c']
    # What was done is not imported again.
    assert takes <= {read_record(root, index)['take_id'] for index in range(3)}
    for index, seconds in enumerate(SECONDS.values()):
        rows = rows_of(root, read_dataset, index)
        assert rows == expected_rows(root, trains(seconds), index)
    assert main(['check', str(root)]) == 0
    assert (root / 'README.md').is_file()
    assert {one.name for one in tmp_path.iterdir()} == {*SECONDS, 'robot.yaml', root.name}


@pytest.mark.slow
def test_an_interrupt_ends_the_processes_in_order(bags, params, root):
    arguments = ['import', *bags, '--params', params(), '--jobs', '2']
    ended = python(dying_imports.__file__, 'interrupt', *arguments)
    assert (ended.returncode, ended.stdout) == (1, '')
    assert ended.stderr.strip() == 'aborted'
    assert len(parts_of(root)) >= 2
    for part in parts_of(root):
        assert lock_holder(part) is None
        assert not list(part.glob('.streamrec/staging/take-*'))
    assert not (root / 'meta/info.json').exists()
    assert main(arguments) == 0
    assert texts_of(root) == ['a', 'b', 'c']


def test_bags_that_do_not_fit_or_cannot_be_read_are_named(tmp_path, bags, params, root, capsys):
    def flags_at(stamp_ns, number):
        message = JAZZY.types[JOINTS](
            header=stamped(stamp_ns),
            name=['a'],
            position=np.array([number], float),
            **dict.fromkeys(('velocity', 'effort'), np.empty(0)),
        )
        return bytes(JAZZY.serialize_cdr(message, JOINTS))

    one_joint = [
        (topic, kind, received_ns, flags_at(stamp_ns, number))
        for topic, kind, received_ns, stamp_ns, number in trains(1)
        if kind == JOINTS
    ]
    pictures = [one for one in trains(1) if one[1] != JOINTS]
    without = str(make_bag(tmp_path / 'without', pictures, others=one_joint))
    silent = str(make_bag(tmp_path / 'silent', pictures))
    # The same name with other content, and the same bag twice.
    namesake = str(make_bag(tmp_path / 'more' / 'a', trains(1)))
    (tmp_path / 'empty').mkdir()
    given = [silent, *bags[:2], without, str(tmp_path / 'empty'), namesake, bags[0]]
    assert main(['import', *given, '--params', params(), '--jobs', '2']) == 1
    told = capsys.readouterr()
    problems = dict(line.split(': not imported: ') for line in told.err.splitlines())
    assert set(problems) == {silent, without, str(tmp_path / 'empty'), namesake}
    assert 'has no topic /joint_states' in problems[silent]
    assert 'no episode could begin' in problems[without]
    assert 'it has no files' in problems[str(tmp_path / 'empty')]
    assert 'rename one of the bags' in problems[namesake]
    assert texts_of(root) == ['a', 'b']


def test_a_bag_of_another_kind_is_left_out(tmp_path, bags, params, root, capsys):
    # Twice the size of the pictures of the others.
    large = str(make_bag(tmp_path / 'large', trains(2), scale=2))
    for again in ([*bags[:1], large], [large, bags[1]]):
        assert main(['import', *again, '--params', params(), '--jobs', '2']) == 1
        told = capsys.readouterr().err
        assert told.startswith(f'{large}: not imported: ')
        assert 'observation.images.front' in told
    assert texts_of(root) == ['a', 'b']


def test_with_auto_the_first_bag_decides_about_the_codec(bags, params, root, read_dataset):
    given = params(encoder={'vcodec': 'auto'})
    assert main(['import', *bags, '--params', given, '--jobs', '3']) == 0
    assert texts_of(root) == ['a', 'b', 'c']
    read_dataset(root)


def test_a_file_system_that_cannot_exchange_folders_is_refused_before_the_work(
    bags, params, root, monkeypatch, capsys
):
    def refuse(*_):
        raise OSError(22, os.strerror(22))

    monkeypatch.setattr(Disk, 'exchange', refuse)
    assert main(['import', *bags, '--params', params(), '--jobs', '2']) == 1
    told = capsys.readouterr().err
    assert 'cannot exchange' in told
    assert 'Without --jobs' in told
    assert not folder_of_imports(root).exists()
    assert not Path(root, 'meta').exists()


@pytest.mark.slow
def test_tasks_on_ray_import_the_same(bags, tmp_path, params, root, read_dataset, capsys):
    pytest.importorskip('ray', reason='Ray has no wheel for this Python')
    (tmp_path / 'empty').mkdir()
    given = [*bags, str(tmp_path / 'empty'), '--params', params()]
    other = tmp_path / 'other'
    assert main(['import', *bags, *given[-2:], '--root', str(other)]) == 0
    capsys.readouterr()
    assert main(['import', *given, '--engine', 'ray', '--jobs', '2']) == 1
    told = capsys.readouterr()
    (line,) = told.err.splitlines()
    assert line.startswith(f'{tmp_path / "empty"}: not imported: ')
    assert [line.split(': ')[0] for line in told.out.splitlines()[:3]] == bags
    assert_same(read_dataset(root), read_dataset(other))
    assert not folder_of_imports(root).exists()
    assert main(['import', bags[0], '--params', params(), '--engine', 'ray', '--jobs', '1']) == 0
    assert 'has it already' in capsys.readouterr().out
    assert main(['import', bags[0], *given[-2:], '--engine', 'ray', '--root', 's3://lab/x']) == 1
    assert '--engine is ' in capsys.readouterr().err
    assert main(['import', *bags, *given[-2:], '--jobs', '2', '--address', 'auto']) == 2
    assert '--address only applies together with --engine ray' in capsys.readouterr().err
