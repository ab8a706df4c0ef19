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
A copy that is kept up by a sync can be loaded after each single operation at the remote.

Guards against metadata that is ahead of its files, and against episodes that are taken back and
recorded anew under the same number.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
import itertools
import json
import re
import shutil
import threading
from types import SimpleNamespace

from cell import fetched, is_copied, numbers_in, shared_files, status_of, sync, Watched
from command_line import python, streamrec, streamrec_process
from fault_at import FaultAt, Killed
from lerobot_streamrec.dataset.rebuild.compact import compact_dataset
from lerobot_streamrec.dataset.rebuild.delete import delete_episodes
from lerobot_streamrec.dataset.rebuild.exchange import refuse_unless_exchangeable
from lerobot_streamrec.dataset.rebuild.label import label_episodes
from lerobot_streamrec.errors import DatasetError, RebuildError
from lerobot_streamrec.fleet.sync import run, upload
from lerobot_streamrec.fleet.sync.run import status_path
from lerobot_streamrec.fleet.sync.store import journal_path, Store
from lerobot_streamrec.recording.disk_watch import copies_text
import pytest
from thoroughness import THOROUGH
from waiting import wait_for

TIMEOUT_S = 120
STEPS = ('put', 'remove')


def test_the_copy_loads_after_every_operation(cell, url, tmp_path):
    store = Watched(url, tmp_path / 'look')
    cell.change_much(lambda: (sync(cell, store), is_copied(cell, url, tmp_path / 'end')))
    assert store.seen == [
        [],
        [1, 2],
        [1, 2, 3],
        [1, 2],
        # Episode 1 was taken back and recorded anew, so readers do not see it in between.
        [1],
        [1, 4],
        [1, 4, 5, 6],
        [1],
        [1, 7],
    ]
    while cell.writer.info.total_episodes:
        cell.undo()
    assert sync(cell, store) == 0
    assert store.seen[-1] == []
    assert store.files() == {}


def test_a_long_backlog_becomes_visible_in_steps(cell, place, tmp_path):
    for _ in range(5):
        cell.save(2)
    store = Watched(str(place), tmp_path / 'look')
    sync(cell, store, step=2)
    assert store.seen == [[], [1, 2], [1, 2, 3, 4], [1, 2, 3, 4, 5]]
    is_copied(cell, str(place), tmp_path / 'end')


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.parametrize('is_after', [False, True], ids=['before', 'after'])
def test_killed_at_each_operation_the_next_sync_goes_on(cell, place, tmp_path, is_after):
    look = tmp_path / 'look'
    cell.save()
    cell.save(5)
    sync(cell, Store(str(place)))
    cell.label(0, verdict='success', colour='red')
    cell.undo()
    cell.save(6)
    cell.save(3)
    cell.close()
    folders = (cell.root, place)
    kept = [shutil.copytree(one, tmp_path / f'kept-{at}') for at, one in enumerate(folders)]
    for step in itertools.count(0, 1 if THOROUGH else 2):
        for source, target in zip(kept, folders, strict=True):
            shutil.rmtree(target)
            shutil.copytree(source, target)
        fault = FaultAt(step, Killed(), is_after=is_after, is_lasting=True)
        try:
            sync(cell, fault.class_of(Store, STEPS)(str(place)))
        except Killed:
            assert numbers_in(fetched(str(place), look)) in ([1, 2], [1], [1, 3, 4])
        else:
            assert step > 8
            return
        store = Watched(str(place), look)
        # A second change in between: what the kill left is neither the old nor the new state.
        if step % 4 == 0:
            cell.open()
            cell.undo()
            cell.close()
        sync(cell, store)
        is_copied(cell, str(place), tmp_path / 'end')


def test_beside_a_recorder_that_commits_labels_and_takes_back(cell, url, tmp_path):
    cell.save()
    store, stop = Watched(url, tmp_path / 'look'), threading.Event()
    watcher = threading.Thread(
        target=lambda: sync(cell, store, stop=stop, is_watching=True), name='watch'
    )
    watcher.start()
    try:
        for _ in range(5 if THOROUGH else 2):
            cell.change_much()
            wait_for(lambda: store.seen)
        numbers = numbers_in(cell.root)
        wait_for(lambda: store.seen[-1] == numbers or not watcher.is_alive())
        wait_for(lambda: status_of(cell, url)['state'] == 'up to date' or not watcher.is_alive())
    finally:
        stop.set()
        watcher.join(TIMEOUT_S)
    assert not watcher.is_alive()
    is_copied(cell, url, tmp_path / 'end')


def test_the_bandwidth_is_kept(monkeypatch):
    class Event(threading.Event):
        def wait(self, timeout):
            clock[0] += timeout

    clock = [100.0]
    monkeypatch.setattr(upload.time, 'monotonic', lambda: clock[0])
    pace = upload.Pace(2.0, Event())
    for _ in range(40):
        pace.spend(1 << 18)
    assert clock[0] == pytest.approx(100.0 + 5.0)


class _Hours(threading.Event):
    """An event whose waits take no time, but move a clock on; the network is away for an hour."""

    def __init__(self, cell, url):
        super().__init__()
        self.now_s, self.back_s = 0.0, float('inf')
        self.waits_s, self.told = [], []
        self._cell, self._url = cell, url

    def wait(self, timeout):
        self.now_s += timeout
        status = status_of(self._cell, self._url)
        if status['state'] == 'waiting':
            self.waits_s.append(timeout)
            self.told.append(status['files_waiting'])
            if len(self.waits_s) in (20, 40):
                self._cell.save()
        elif self.back_s == float('inf'):
            # The first pass is done: the network goes away, and the recorder goes on.
            self.back_s = self.now_s + 3600.0
            self._cell.save()
            self._cell.label(0, verdict='success')
        elif self.now_s > self.back_s:
            self.set()
        return self.is_set()


def test_a_network_that_is_away_for_an_hour(cell, place, tmp_path, monkeypatch):
    cell.save()
    url = str(place)
    hours, said, asked_s = _Hours(cell, url), [], []

    class Away(Store):
        def _open(self):
            if not hours.now_s < hours.back_s < float('inf'):
                return super()._open()
            asked_s.append(hours.now_s)
            raise OSError('Could not connect to server')

    monkeypatch.setattr(run, 'time', SimpleNamespace(monotonic=lambda: hours.now_s))
    assert run.Sync(cell.root, Away(url), hours, say=said.append).run(is_watching=True) == 0
    # It doubles from 1 s to 60 s, less up to a half at random, so a minute is never exceeded.
    for at, wait_s in enumerate(hours.waits_s):
        longest_s = min(60.0, 2.0**at)
        assert longest_s / 2 <= wait_s <= longest_s
    assert 3600.0 <= sum(hours.waits_s) + 2.0 <= 3660.0 + 2.0
    assert len(asked_s) == len(hours.waits_s) >= 60
    # Two more episodes wait then: of each the video, rows, record and row of meta/episodes.
    assert hours.told == sorted(hours.told)
    assert hours.told[-1] == hours.told[0] + 2 * 4
    assert f'{hours.told[-1]} files left, next attempt in' in said[-3]
    assert said[-3].endswith('Could not connect to server')
    assert said[-1] == f'{url} is up to date, with 4 episodes'
    assert status_of(cell, url)['problem'] == ''
    is_copied(cell, url, tmp_path / 'end')


def test_tools_that_renumber_files_refuse_a_root_that_syncs(cell, place, tmp_path):
    cell.save()
    cell.save()
    sync(cell, Store(str(place)))
    cell.close()
    before = shared_files(cell.root)
    for change in (
        lambda: compact_dataset(cell.root),
        lambda: delete_episodes(cell.root, {0}),
        lambda: refuse_unless_exchangeable(cell.root),
    ):
        with pytest.raises(RebuildError, match=f'is synced to {place}.*--forget') as caught:
            change()
        assert 'merge' in str(caught.value)
    assert shared_files(cell.root) == before
    assert not (cell.root.parent / f'.{cell.root.name}.streamrec-rebuild').exists()
    # A label changes no number.
    label_episodes(cell.root, [1], {'verdict': 'failure'})
    sync(cell, Store(str(place)))
    is_copied(cell, str(place), tmp_path / 'end')
    journal = journal_path(cell.root, str(place))
    kept = journal.read_bytes()
    for damaged in (b'', b'{"url": "s3', b'[]\n', b'\xff\n', b'{}\n'):
        journal.write_bytes(damaged)
        with pytest.raises(RebuildError, match=r'first line of .*\.jsonl.* is damaged'):
            compact_dataset(cell.root)
    journal.write_bytes(kept)
    assert streamrec_process('sync', cell.root, place, '--forget').returncode == 0
    assert compact_dataset(cell.root).after.num_files == 3


def test_a_watch_begins_before_the_first_episode(cell, place, tmp_path):
    store, stop = Watched(str(place), tmp_path / 'look'), threading.Event()
    watcher = threading.Thread(target=lambda: sync(cell, store, stop=stop, is_watching=True))
    watcher.start()
    try:
        wait_for(lambda: status_path(cell.root, str(place)).exists())
        cell.save()
        wait_for(lambda: store.seen == [[], [1]])
    finally:
        stop.set()
        watcher.join(TIMEOUT_S)
    cell.undo()
    with pytest.raises(DatasetError, match='has no episode yet'):
        sync(cell, Store(str(tmp_path / 'nas/other')))


def test_a_log_that_grows_all_the_time_keeps_nothing_waiting(cell, place, tmp_path):
    cell.save()
    log, big = cell.root / 'session.log', cell.root / 'big.log'
    big.write_bytes(bytes(9 << 20))
    is_over = threading.Event()

    def write():
        with log.open('a') as small, big.open('ab') as large:
            while not is_over.wait(0.001):
                for file in (small, large):
                    file.write('x\n' if file is small else b'x\n')
                    file.flush()

    writer = threading.Thread(target=write, name='log')
    writer.start()
    store, stop = Store(str(place)), threading.Event()
    # Ends the sync if it never ends by itself.
    limit = threading.Timer(TIMEOUT_S, stop.set)
    limit.start()
    try:
        assert sync(cell, store, stop=stop) == 0
        assert numbers_in(place) == [1]
        assert set(store.files()) >= {'session.log', 'big.log'}
    finally:
        limit.cancel()
        is_over.set()
        writer.join(TIMEOUT_S)
    # The last state is copied once nobody writes any more.
    sync(cell, store)
    is_copied(cell, str(place), tmp_path / 'end')


def test_a_recorder_tells_the_state_of_its_copies(cell, place):
    now = datetime.now(timezone.utc)
    assert copies_text(cell.root, now) == ''
    cell.save()
    seen = []
    look = SimpleNamespace(append=lambda _: seen.append(copies_text(cell.root, now)))
    sync(cell, Store(str(place)), said=look)
    assert seen == ['', f'{place}: copying, 1 file left']
    assert copies_text(cell.root, now) == f'{place}: ended, 1 episode'
    path = status_path(cell.root, str(place))
    told = json.loads(path.read_text())
    problem = 'Could not connect to server ' * 20
    told |= {'url': 's3://lab/x?scheme=http', 'state': 'waiting', 'problem': problem}
    path.write_text(json.dumps({**told, 'files_waiting': 8}))
    text = copies_text(cell.root, now)
    assert text.startswith('s3://lab/x: waiting, 8 files left: Could not connect')
    assert len(text) < 200
    later = now + timedelta(minutes=10)
    expected = r's3://lab/x: nothing heard since \d\d:\d\d, 8 files left'
    assert re.fullmatch(expected, copies_text(cell.root, later))
    path.with_name('other.json').write_text('[]')
    path.write_text('{"url": "x"')
    assert copies_text(cell.root, now) == ''


def test_a_sync_takes_no_lock_that_a_recorder_waits_for(cell, place):
    """The writer of the fixture holds the dataset's lock all the time; and the other way round."""
    cell.save()
    cell.close()

    class Reopening(Store):
        def put(self, path, chunks):
            super().put(path, chunks)
            cell.open()
            cell.close()

    assert sync(cell, Reopening(str(place))) == 0
    assert numbers_in(place) == [1]


def test_a_dataset_with_shared_files_grows_and_shrinks(cell, place, tmp_path):
    for _ in range(3):
        cell.save()
    cell.close()
    compact_dataset(cell.root)
    store = Watched(str(place), tmp_path / 'look')
    cell.open()
    for change in (cell.save, cell.save, cell.undo, lambda: cell.label(1, verdict='success')):
        change()
        sync(cell, store)
    assert store.seen == [[], [1, 2, 3, 4], [1, 2, 3, 4, 5], [1, 2, 3, 4]]
    is_copied(cell, str(place), tmp_path / 'end')


def test_a_recorder_loads_nothing_of_it():
    code = 'import sys, lerobot_streamrec.recording.recorder; print(*sys.modules)'
    loaded = python('-c', code).stdout.split()
    assert 'lerobot_streamrec.dataset.commit.writer' in loaded
    assert not [one for one in loaded if 'fleet' in one]


def test_check_finds_nothing_in_root_or_copy(cell, place):
    cell.save()
    cell.save()
    sync(cell, Store(str(place)))
    cell.close()
    for folder in (cell.root, place):
        said = streamrec('check', folder)
        assert said.returncode == 0, said.stdout
