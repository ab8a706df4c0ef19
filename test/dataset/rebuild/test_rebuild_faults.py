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
A dataset is exchanged for another, or it is not: wherever the disk fails or the process is killed.

Guards promise 2. Every step on the disk is made to fail in turn, before and after its effect.
What stands at the root must be whole at once, for readers mend nothing; and bringing the rebuild
to its end afterwards must leave nothing behind.
"""

from __future__ import annotations

from contextlib import suppress
import errno
import hashlib
import os
import subprocess

from fault_at import chosen_steps, FaultAt, Killed
from lerobot_streamrec.dataset.format.files import DatasetLock
from lerobot_streamrec.dataset.rebuild.compact import compact, compact_dataset
from lerobot_streamrec.dataset.rebuild.delete import delete_episodes
from lerobot_streamrec.dataset.rebuild.exchange import finish_rebuild, folder_beside
from lerobot_streamrec.dataset.rebuild.merge import merge_datasets
from lerobot_streamrec.dataset.rebuild.new_tree import Disk
from lerobot_streamrec.dataset.rebuild.reencode import reencode_dataset
from lerobot_streamrec.errors import DatasetError, DatasetLockedError, RebuildError
from lerobot_streamrec.video.codecs.config import EncoderConfig
import pytest

FRONT = 'observation.images.front'
AGAIN = EncoderConfig(vcodec='h264', preset='ultrafast', crf=20)
# Elsewhere, a kill after a step is one before the next.
TELLING_AFTER = ('exchange', 'move', 'remove', 'remove_tree')


def steps_to_kill_at(steps, is_after):
    return [at for at in chosen_steps(steps) if not is_after or steps[at] in TELLING_AFTER]


@pytest.fixture
def record(open_writer, make_draft, root):
    def run(*tasks):
        writer = open_writer()
        for number, task in enumerate(tasks):
            draft = make_draft(2 + number, task)
            writer.commit(draft)
            writer.remove(draft.videos[FRONT].path.parent)
        writer.close()
        (root / 'README.md').write_text('about')
        (root / '.streamrec/quarantine/old').mkdir(parents=True)
        (root / '.streamrec/quarantine/old/rows').write_text('kept')
        return root

    return run


@pytest.fixture
def copy_of(tmp_path):
    """Copy a dataset, so that every step begins with the same."""

    def copy(source, number):
        target = tmp_path / f'step-{number}' / 'dataset'
        Disk().make_folder(target.parent)
        subprocess.run(['cp', '-a', source, target], check=True)
        return target

    return copy


WHOLE = {}


def read_whole(root, read_dataset):
    """Read all of a dataset, unless one of the same bytes was found to be whole before."""
    digest = hashlib.sha256()
    for path in sorted(one for one in root.rglob('*') if one.is_file()):
        if (relative := path.relative_to(root)).parts[0] != '.streamrec':
            digest.update(repr((relative, path.read_bytes())).encode())
    found = digest.hexdigest()
    if found not in WHOLE:
        # LeRobot is not shown the many that one test makes.
        dataset = read_dataset(root, with_statistics=False)
        dataset.check_statistics()
        for key in dataset.cameras:
            for index, length in enumerate(dataset.episodes['length']):
                assert len(dataset.pictures(key, index)) == length
        WHOLE[found] = dataset
    return WHOLE[found]


def assert_whole(root, read_dataset, lengths):
    dataset = read_whole(root, read_dataset)
    assert dataset.episodes['length'].tolist() in lengths
    assert (root / 'README.md').read_text() == 'about'
    return dataset


def assert_nothing_is_left(root):
    assert [one.name for one in root.parent.iterdir()] == [root.name]
    assert not (root / '.streamrec/rebuild.json').exists()
    assert (root / '.streamrec/quarantine/old/rows').read_text() == 'kept'
    assert (root / 'README.md').read_text() == 'about'
    assert not folder_beside(root).exists()


TOOLS = {
    'compact': (lambda root, disk: compact_dataset(root, disk=disk), ([2, 3],)),
    'delete': (lambda root, disk: delete_episodes(root, [0], disk=disk), ([2, 3], [3])),
    'reencode': (
        lambda root, disk: reencode_dataset(root, AGAIN, cameras=['front'], disk=disk),
        ([2, 3],),
    ),
}


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.parametrize('is_after', [False, True], ids=['before', 'after'])
@pytest.mark.parametrize('tool', TOOLS)
def test_killed_at_any_step_the_dataset_is_whole_at_once(
    tool, is_after, record, read_dataset, copy_of
):
    source = record('a', 'b')
    run, lengths = TOOLS[tool]
    counting = FaultAt()
    run(copy_of(source, 'all'), counting.disk)
    assert set(counting.steps) >= {'link', 'exchange', 'sync_folders', 'remove', 'remove_tree'}
    for step in steps_to_kill_at(counting.steps, is_after):
        root = copy_of(source, step)
        with pytest.raises(Killed):
            run(root, FaultAt(step, Killed(), is_after=is_after).disk)
        before = assert_whole(root, read_dataset, lengths)
        said = finish_rebuild(root)
        assert_nothing_is_left(root)
        after = assert_whole(root, read_dataset, lengths)
        assert len(before.episodes) == len(after.episodes)
        assert finish_rebuild(root) == ''
        # Before the first step and after the last one there is nothing to bring to an end.
        assert said or step in (0, len(counting.steps) - 1)


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.parametrize('is_after', [False, True], ids=['before', 'after'])
def test_killed_again_while_it_is_brought_to_its_end(
    is_after, record, read_dataset, copy_of
):
    source = record('a', 'b')
    steps = FaultAt()
    compact_dataset(copy_of(source, 'all'), disk=steps.disk)
    # Once before the exchange, and once after it.
    last = len(steps.steps) - 1 - steps.steps[::-1].index('exchange')
    for first, is_first_after in ((last, False), (last, True)):
        number = 0
        while True:
            root = copy_of(source, f'{first}-{is_first_after}-{number}')
            with pytest.raises(Killed):
                compact_dataset(root, disk=FaultAt(first, Killed(), is_after=is_first_after).disk)
            disk = FaultAt(number, Killed(), is_after=is_after).disk
            try:
                finish_rebuild(root, disk)
            except Killed:
                pass
            else:
                break
            assert_whole(root, read_dataset, ([2, 3],))
            finish_rebuild(root)
            assert_nothing_is_left(root)
            assert_whole(root, read_dataset, ([2, 3],))
            number += 1
        assert number > 1


@pytest.mark.slow
@pytest.mark.thorough
def test_a_step_that_fails_leaves_the_dataset_as_it_was(record, read_dataset, copy_of):
    source = record('a', 'b')
    steps = FaultAt()
    compact_dataset(copy_of(source, 'all'), disk=steps.disk)
    last = len(steps.steps) - 1 - steps.steps[::-1].index('exchange')
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    for step in chosen_steps(steps.steps[: last + 1]):
        root = copy_of(source, step)
        files = {one: one.read_bytes() for one in root.rglob('*.*') if one.is_file()}
        with pytest.raises(RebuildError, match=r'(?i)nothing has changed'):
            compact_dataset(root, disk=FaultAt(step, full).disk)
        assert_whole(root, read_dataset, ([2, 3],))
        assert_nothing_is_left(root)
        del files[root / '.streamrec/owner.json']
        assert all(one.read_bytes() == content for one, content in files.items())


@pytest.mark.parametrize('number', [errno.ENOSYS, errno.EINVAL, errno.EBUSY, errno.EACCES])
def test_where_folders_cannot_be_exchanged_nothing_changes(
    number, record, read_dataset, monkeypatch
):
    root = record('a', 'b')

    def refuse(self, one, other):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Disk, 'exchange', refuse)
    with pytest.raises(RebuildError, match=r'nothing has changed: .*Copy the dataset to another'):
        compact_dataset(root)
    assert_whole(root, read_dataset, ([2, 3],))
    assert not folder_beside(root).exists()


def test_without_renameat2_nothing_changes(record, read_dataset, monkeypatch):
    root = record('a', 'b')
    monkeypatch.setattr('ctypes.CDLL', lambda *_, **__: object())
    with pytest.raises(RebuildError, match='this file system cannot exchange two folders'):
        compact_dataset(root)
    assert_whole(root, read_dataset, ([2, 3],))
    assert not folder_beside(root).exists()


def test_where_there_are_no_hard_links_files_are_copied(record, read_dataset, monkeypatch):
    root = record('a', 'b')
    link = os.link

    def refuse(source, target, **options):
        if 'lock' not in os.fspath(source):
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        link(source, target, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, 'link', refuse)
        compact_dataset(root)
    assert_whole(root, read_dataset, ([2, 3],))
    assert_nothing_is_left(root)


def test_a_lock_that_cannot_be_linked_refuses_it(record, read_dataset, monkeypatch):
    root = record('a', 'b')

    def refuse(source, target, **options):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    with monkeypatch.context() as patch:
        patch.setattr(os, 'link', refuse)
        with pytest.raises(RebuildError, match='Nothing has changed'):
            compact_dataset(root)
    assert_whole(root, read_dataset, ([2, 3],))
    assert_nothing_is_left(root)


def test_who_holds_the_lock_may_compact_and_others_stay_out(record, read_dataset):
    root = record('a', 'b')
    lock = DatasetLock(root)
    compact(root)
    with pytest.raises(DatasetLockedError):
        DatasetLock(root)
    lock.release()
    DatasetLock(root).release()
    assert_whole(root, read_dataset, ([2, 3],))


def test_a_folder_that_no_rebuild_made_is_not_deleted(record):
    root = record('a', 'b')
    beside = folder_beside(root)
    beside.mkdir()
    (beside / 'thesis.tex').write_text('years of work')
    with pytest.raises(RebuildError, match='was not made by a rebuild'):
        compact_dataset(root)
    assert (beside / 'thesis.tex').read_text() == 'years of work'


def test_a_linked_folder_refuses_it(record, tmp_path):
    root = record('a', 'b')
    (root / 'videos').rename(tmp_path / 'elsewhere')
    (root / 'videos').symlink_to(tmp_path / 'elsewhere')
    with pytest.raises(RebuildError, match='is a symbolic link'):
        compact_dataset(root)
    assert not folder_beside(root).exists()


def test_a_root_that_is_a_link_stays_one(record, read_dataset, tmp_path):
    root = record('a', 'b')
    link = tmp_path / 'link'
    link.symlink_to(root)
    compact_dataset(link)
    assert link.is_symlink()
    assert_whole(root, read_dataset, ([2, 3],))


def test_what_came_while_the_tree_was_made_is_not_lost(record, read_dataset):
    root = record('a', 'b')

    class LateDisk(Disk):
        def exchange(self, one, other):
            if other == root:
                (root / 'late').mkdir()
                (root / 'late/notes.txt').write_text('late')
                (root / '.streamrec/quarantine/new').write_text('late')
            super().exchange(one, other)

    compact_dataset(root, disk=LateDisk())
    assert (root / 'late/notes.txt').read_text() == 'late'
    assert (root / '.streamrec/quarantine/new').read_text() == 'late'
    assert_whole(root, read_dataset, ([2, 3],))


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.parametrize('is_after', [False, True], ids=['before', 'after'])
def test_killed_at_any_step_a_merge_is_there_whole_or_not_at_all(
    is_after, record, read_dataset, tmp_path
):
    source = record('a', 'b')
    counting = FaultAt()
    out = tmp_path / 'all' / 'merged'
    out.parent.mkdir()
    merge_datasets(out, [source], disk=counting.disk)
    seen = set()
    for step in steps_to_kill_at(counting.steps, is_after):
        out = tmp_path / f'merge-{step}' / 'merged'
        out.parent.mkdir()
        with suppress(Killed):
            merge_datasets(out, [source], disk=FaultAt(step, Killed(), is_after=is_after).disk)
        seen.add(out.exists())
        if out.exists():
            read_whole(out, read_dataset)
            finish_rebuild(out)
        else:
            merge_datasets(out, [source])
        assert read_whole(out, read_dataset).episodes['length'].tolist() == [2, 3]
        assert [one.name for one in out.parent.iterdir()] == ['merged']
        assert not (out / '.streamrec/rebuild.json').exists()
    assert seen == ({True} if is_after else {True, False})


@pytest.mark.thorough
def test_a_merge_that_fails_leaves_nothing(record, tmp_path):
    source = record('a', 'b')
    counting = FaultAt()
    merge_datasets(tmp_path / 'first', [source], disk=counting.disk)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    for step in chosen_steps(counting.steps[: counting.steps.index('move') + 1]):
        out = tmp_path / 'merged'
        with pytest.raises(DatasetError):
            merge_datasets(out, [source], disk=FaultAt(step, full).disk)
        assert sorted(one.name for one in tmp_path.iterdir()) == ['dataset', 'first']


@pytest.mark.skipif(os.geteuid() != 0, reason='only root can give files away')
def test_what_root_makes_belongs_to_the_owner_of_the_dataset(record, read_dataset):
    root = record('a', 'b')
    for path in (root, *root.rglob('*')):
        os.chown(path, 4321, 4321)
    compact_dataset(root)
    assert {path.stat().st_uid for path in (root, *root.rglob('*'))} == {4321}
    assert_whole(root, read_dataset, ([2, 3],))
