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
Killed at any instant, the dataset is as broken as it was, or repaired; nothing half of it.

Guards promise 2: every step on the disk is made the last one in turn, before and after its effect.
"""

from __future__ import annotations

import errno
import math
import os
import subprocess

from fault_at import chosen_steps, FaultAt, Killed
from lerobot_streamrec.dataset.rebuild.exchange import finish_rebuild, folder_beside
from lerobot_streamrec.dataset.repair.repair import examine, repair_dataset
from lerobot_streamrec.errors import DatasetLockedError, RebuildError, RepairError
import pytest

STRAY = 'data/chunk-000/tmp.parquet'
LOST = 'data/chunk-000/file-001.parquet'


@pytest.fixture
def broken(dataset):
    """Rows that are lost, rows that are not finite, a file that is nobody's."""
    dataset.path(LOST).write_bytes(b'PAR1')
    dataset.path(STRAY).write_bytes(b'x')
    dataset.path('README.md').write_text('about')
    dataset.column(
        'data/chunk-000/file-002.parquet',
        'observation.state',
        lambda values: [*values[:6], [math.nan] * 3, *values[7:]],
    )
    return dataset.root


def seen(root):
    """What readers see, and what is kept beside it."""
    names = {}
    for path in sorted(root.rglob('*')):
        relative = path.relative_to(root).as_posix()
        if path.is_file() and relative.split('/')[1:2] not in (['lock'], ['owner.json']):
            names[relative] = path.read_bytes()
    return {
        # The names of repairs tell the time; what lies there is told apart by what readers see.
        name: content
        for name, content in names.items()
        if not name.startswith('.streamrec/quarantine') and name != '.streamrec/rebuild.json'
    }


def copied(source, target):
    target.parent.mkdir(parents=True)
    subprocess.run(['cp', '-a', source, target], check=True)
    return target


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.parametrize('is_after', [False, True], ids=['before', 'after'])
def test_killed_at_any_step_it_is_broken_or_repaired(broken, tmp_path, is_after):
    before = seen(broken)
    counting = FaultAt()
    repaired = copied(broken, tmp_path / 'all' / 'dataset')
    repair_dataset(repaired, min_seconds=0.1, disk=counting.disk)
    after = seen(repaired)
    assert set(before) != set(after)
    for step in chosen_steps(counting.steps):
        root = copied(broken, tmp_path / f'step-{step}' / 'dataset')
        disk = FaultAt(step, Killed(), is_after=is_after).disk
        with pytest.raises(Killed):
            repair_dataset(root, min_seconds=0.1, disk=disk)
        assert seen(root) in (before, after), counting.steps[step]
        finish_rebuild(root)
        assert not folder_beside(root).exists()
        assert not (root / '.streamrec/rebuild.json').exists()
        assert seen(root) in (before, after), counting.steps[step]
        repairs = list(root.glob('.streamrec/quarantine/repair-*'))
        if seen(root) == before:
            assert repairs == []
        else:
            (one,) = repairs
            assert (one / STRAY).read_bytes() == b'x'
            assert (one / LOST).read_bytes() == b'PAR1'
            assert not (root / STRAY).exists()


def test_a_full_disk_changes_nothing(broken):
    before = seen(broken)
    counting = FaultAt()
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(RebuildError):
        repair_dataset(broken, min_seconds=0.1, disk=FaultAt(20, error).disk)
    assert seen(broken) == before
    assert [one.name for one in broken.parent.iterdir()] == [broken.name]
    assert counting.steps == []


def test_a_recorder_that_runs_is_left_alone(dataset, open_writer):
    writer = open_writer()
    dataset.path(STRAY).write_bytes(b'x')
    before = seen(dataset.root)
    with pytest.raises(DatasetLockedError, match='is being written by process'):
        repair_dataset(dataset.root)
    assert seen(dataset.root) == before
    writer.close()


def test_a_dataset_that_changed_since_it_was_checked_is_left_alone(broken):
    examined = examine(broken)
    (broken / 'data/chunk-000/tmp2.parquet').write_bytes(b'x')
    before = seen(broken)
    with pytest.raises(RepairError, match='has changed since'):
        repair_dataset(broken, examined=examined)
    assert seen(broken) == before


def test_what_is_not_whole_after_all_never_takes_the_dataset_s_place(broken, monkeypatch):
    monkeypatch.setattr(
        'lerobot_streamrec.dataset.repair.assemble.stats_json', lambda *_: b'{"action": {}}'
    )
    before = seen(broken)
    with pytest.raises(RepairError, match='the rewritten dataset has'):
        repair_dataset(broken, min_seconds=0.1)
    assert seen(broken) == before
    assert not folder_beside(broken).exists()


def test_a_whole_dataset_is_not_touched(dataset):
    before = {path: path.stat().st_mtime_ns for path in dataset.root.rglob('*')}
    assert repair_dataset(dataset.root).plan is None
    assert {path: path.stat().st_mtime_ns for path in dataset.root.rglob('*')} == before


def test_info_that_cannot_be_read_is_said(dataset):
    dataset.path('meta/info.json').write_text('{')
    with pytest.raises(Exception, match='nothing else says what the features are'):
        repair_dataset(dataset.root)
