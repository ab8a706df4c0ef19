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
`sync --keep-days` deletes a root as a whole, and only if a place has every byte of it.

Guards promise 2: nothing that was saved is lost, whatever comes between.
"""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time

from cell import fetched, numbers_in, shared_files, sync
from command_line import streamrec_process
from fault_at import Killed
from lerobot_streamrec.errors import DatasetLockedError
from lerobot_streamrec.fleet.sync import expiry
from lerobot_streamrec.fleet.sync.store import Store
import pytest
from waiting import wait_for

DAY_S = 86_400


@pytest.fixture
def old(cell):
    """Return a root of two episodes that nobody has changed for eight days, and no writer."""
    cell.save()
    cell.save(5)
    cell.close()
    age(cell.root, 8)
    return cell


def age(root, days):
    then_s = time.time() - days * DAY_S
    for path in root.rglob('*'):
        os.utime(path, (then_s, then_s))


def test_an_old_root_is_deleted_once_it_is_copied(old, url, tmp_path):
    files, said = shared_files(old.root), []
    assert sync(old, Store(url), keep_days=7, said=said) == 0
    assert not old.root.exists()
    assert sorted(one.name for one in tmp_path.iterdir() if one.name.startswith('.')) == []
    assert 'files read back, all as here' in said[-2]
    assert said[-1] == f'{old.root} was deleted: all of it is at {url}'
    copy = fetched(url, tmp_path / 'copy')
    assert numbers_in(copy) == [1, 2]
    assert shared_files(copy) == files


def test_the_command(old, place):
    kept = streamrec_process('sync', old.root, place, '--keep-days', '9')
    assert kept.returncode == 0
    assert f'{old.root} is kept: its last change was 8.0 days ago, and not 9' in kept.stderr
    wrong = streamrec_process('sync', old.root, place, '--keep-days', '-1')
    assert wrong.returncode == 2
    assert old.root.exists()
    gone = streamrec_process('sync', old.root, place, '--keep-days', '7.5')
    assert gone.returncode == 0, gone.stderr
    assert gone.stderr.endswith(f'{old.root} was deleted: all of it is at {place}\n')
    assert not old.root.exists()


def test_a_young_root_and_one_from_the_future_are_kept(old, place):
    newest = old.root / 'README.md'
    newest.write_text('a card')
    for days in (6.9, -300):
        then_s = time.time() - days * DAY_S
        os.utime(newest, (then_s, then_s))
        sync(old, Store(str(place)), keep_days=7)
        assert numbers_in(old.root) == [1, 2]
    sync(old, Store(str(place)))
    assert numbers_in(old.root) == [1, 2]


@pytest.mark.parametrize(
    'path',
    [
        '.streamrec/staging/take-000009/rows.arrow',
        '.streamrec/quarantine/interrupted-take-000001/rows.arrow',
        'notes/.hidden',
        'data/chunk-000/file-777.parquet',
        'images/observation.images.front/episode-000002/frame-000001.png',
    ],
)
def test_files_that_are_only_here_keep_the_root(old, place, path):
    (old.root / path).parent.mkdir(parents=True, exist_ok=True)
    (old.root / path).write_bytes(b'only here')
    age(old.root, 8)
    said = []
    sync(old, Store(str(place)), keep_days=7, said=said)
    assert f'{old.root} is kept: no other place has 1 file, such as {path!r}; ' in said[-1]
    assert (old.root / path).read_bytes() == b'only here'
    (old.root / path).unlink()
    assert numbers_in(old.root) == [1, 2]
    sync(old, Store(str(place)), keep_days=7)
    assert not old.root.exists()


def test_links_are_never_followed(old, place, tmp_path):
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine/file').write_bytes(b'mine')
    (old.root / 'link').symlink_to(tmp_path / 'mine')
    said = []
    sync(old, Store(str(place)), keep_days=7, said=said)
    assert "no other place has 1 file, such as 'link'" in said[-1]
    (old.root / 'link').unlink()
    root = tmp_path / 'by-link'
    root.symlink_to(old.root)
    old.root = root
    sync(old, Store(str(place)), keep_days=7)
    assert not root.exists()
    assert (tmp_path / 'mine/file').read_bytes() == b'mine'


def test_undone_episodes_go_with_the_root(old, place):
    old.open()
    old.undo()
    old.close()
    age(old.root, 8)
    assert any((old.root / '.streamrec/quarantine').iterdir())
    sync(old, Store(str(place)), keep_days=7)
    assert not old.root.exists()
    assert numbers_in(place) == [1]


def test_a_root_that_is_open_is_kept_and_none_can_open_it_meanwhile(old, place, monkeypatch):
    old.open()
    age(old.root, 8)
    said = []
    sync(old, Store(str(place)), keep_days=7, said=said)
    assert 'is kept' in said[-1]
    assert 'is being written by process' in said[-1]
    old.close()
    age(old.root, 8)
    begun = []

    def try_to_open(self, target):
        with pytest.raises(DatasetLockedError):
            old.open()
        begun.append(target)
        return rename(self, target)

    rename = expiry.Path.rename
    monkeypatch.setattr(expiry.Path, 'rename', try_to_open)
    sync(old, Store(str(place)), keep_days=7)
    assert len(begun) == 1
    assert not old.root.exists()


def test_a_change_while_files_are_read_back_keeps_the_root(old, place):
    class Changing(Store):
        is_changed = False

        def chunks(self, path):
            if path.endswith('.mp4') and not self.is_changed:
                self.is_changed = True
                old.open()
                old.save(3)
                old.close()
            return super().chunks(path)

    said = []
    assert sync(old, Changing(str(place)), keep_days=7, said=said) == 0
    assert numbers_in(old.root) == [1, 2, 3]
    assert numbers_in(place) == [1, 2, 3]
    assert 'its last change was 0.0 days ago' in said[-1]


def test_a_file_that_the_place_has_lost_is_copied_again_before(old, place, tmp_path):
    sync(old, Store(str(place)))
    video = next(place.glob('videos/*/*/file-001.mp4'))
    content = video.read_bytes()
    video.write_bytes(bytes(len(content)))
    files = shared_files(old.root)
    said = []
    assert sync(old, Store(str(place)), keep_days=7, said=said) == 0
    assert any('was read back' in one and 'with other bytes' in one for one in said)
    assert not old.root.exists()
    assert shared_files(fetched(str(place), tmp_path / 'copy')) == files


def test_a_place_that_goes_away_while_files_are_read_back(old, place):
    class Lost(Store):
        is_away = False

        def chunks(self, path):
            if self.is_away and path.endswith('.mp4'):
                assert numbers_in(old.root) == [1, 2]
                shutil.rmtree(place)
                raise OSError(errno.EHOSTUNREACH, 'no route to host')
            return super().chunks(path)

    store = Lost(str(place))
    sync(old, store)
    store.is_away = True
    stop, said = threading.Event(), []
    thread = threading.Thread(
        target=lambda: sync(old, store, stop=stop, said=said, keep_days=7, is_watching=True)
    )
    thread.start()
    wait_for(lambda: any('no longer holds the dataset' in one for one in said))
    stop.set()
    thread.join(60)
    assert numbers_in(old.root) == [1, 2]


def test_a_watch_ends_with_the_root(old, place):
    assert sync(old, Store(str(place)), keep_days=7, is_watching=True) == 0
    assert not old.root.exists()


@pytest.mark.parametrize('is_after', [False, True])
def test_a_kill_leaves_the_whole_root_or_none(old, place, monkeypatch, is_after):
    files = shared_files(old.root)

    def killed(path, *_, **options):
        if is_after:
            for one in path.glob('data/**/*.parquet'):
                one.unlink()
        raise Killed

    monkeypatch.setattr(expiry.shutil, 'rmtree', killed)
    if not is_after:
        monkeypatch.setattr(expiry.Path, 'rename', killed)
    with pytest.raises(Killed):
        sync(old, Store(str(place)), keep_days=7)
    monkeypatch.undo()
    left = list(old.root.parent.glob('.cell-07*'))
    if not is_after:
        assert left == []
        assert shared_files(old.root) == files
        return
    assert not old.root.exists()
    assert len(left) == 1
    # The next sync with --keep-days of a root in the same folder removes the remains.
    old.open()
    old.save()
    old.close()
    sync(old, Store(f'{place}-b'), keep_days=7)
    assert list(old.root.parent.glob('.cell-07*')) == []
    assert numbers_in(old.root) == [3]


def test_remains_that_cannot_be_removed_are_named(old, place, monkeypatch):
    monkeypatch.setattr(expiry.shutil, 'rmtree', lambda *_, **__: None)
    said = []
    sync(old, Store(str(place)), keep_days=7, said=said)
    (left,) = old.root.parent.glob('.cell-07*')
    assert said[-2] == f'{left} cannot be removed as a whole: delete it'
    assert numbers_in(left) == [1, 2]


def test_a_root_that_cannot_be_moved_is_kept(old, place, monkeypatch):
    def refused(self, target):
        raise OSError(errno.EBUSY, 'Device or resource busy', str(self))

    monkeypatch.setattr(expiry.Path, 'rename', refused)
    said = []
    assert sync(old, Store(str(place)), keep_days=7, said=said) == 0
    assert 'is kept: [Errno 16] Device or resource busy' in said[-1]
    assert numbers_in(old.root) == [1, 2]
