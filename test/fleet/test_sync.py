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

Guards against metadata that is ahead of its files, episodes that are taken back and recorded anew
under the same number, partial uploads, and a copy that is lost or overwritten by mistake.
"""

from __future__ import annotations

import errno
import itertools
import json
import shutil
import signal
import subprocess
import sys
import threading

from cell import Cell, fetched, numbers_in, shared_files, Watched
from command_line import python, STREAMREC, streamrec
from fault_at import FaultAt, io_error, Killed
from lerobot_streamrec.dataset.rebuild.compact import compact_dataset
from lerobot_streamrec.dataset.rebuild.delete import delete_episodes
from lerobot_streamrec.dataset.rebuild.label import label_episodes
from lerobot_streamrec.errors import ConfigError, DatasetError, RebuildError, SyncError
from lerobot_streamrec.fleet.sync import upload
from lerobot_streamrec.fleet.sync.run import Patience, status_path, Sync
from lerobot_streamrec.fleet.sync.store import checked_url, Store
import pytest
from thoroughness import THOROUGH
from waiting import wait_for

pytest.importorskip('moto', reason='the tests of sync need requirements/test.txt')

from s3_server import CREDENTIALS, S3Server

TIMEOUT_S = 120
SOON = Patience(first_s=0.001, longest_s=0.01, give_up_s=60.0, num_first=4)
STEPS = ('put', 'remove')


@pytest.fixture(scope='module')
def server():
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        server = S3Server()
        yield server
        server.close()


@pytest.fixture
def cell(tmp_path):
    cell = Cell(tmp_path / 'cell-07')
    yield cell
    cell.close()


@pytest.fixture
def place(tmp_path):
    return tmp_path / 'nas' / 'cell-07'


@pytest.fixture(autouse=True)
def _folder_of_place(place):
    place.parent.mkdir()


_names = itertools.count()


@pytest.fixture(params=['folder', 's3'])
def url(request, place):
    """Return the URL of an empty place."""
    if request.param == 'folder':
        return str(place)
    return request.getfixturevalue('server').url(f'lab/cell-{next(_names):03d}')


def sync(cell, store, *, stop=None, said=None, **options):
    """Run one sync to its end; return the number of files that wait."""
    say = (said if said is not None else []).append
    made = Sync(cell.root, store, stop or threading.Event(), patience=SOON, say=say)
    return made.run(**options)


def is_copied(cell, url, folder):
    """Assert that a place has all files of a dataset and no others."""
    assert shared_files(fetched(url, folder)) == shared_files(cell.root)


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


def test_a_long_backlog_becomes_visible_in_steps(cell, place, tmp_path, monkeypatch):
    monkeypatch.setattr(upload, '_EPISODES_PER_STEP', 2)
    for _ in range(5):
        cell.save(2)
    store = Watched(str(place), tmp_path / 'look')
    sync(cell, store)
    assert store.seen == [[], [1, 2], [1, 2, 3, 4], [1, 2, 3, 4, 5]]
    is_copied(cell, str(place), tmp_path / 'end')


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
        wait_for(lambda: _status(cell, url)['state'] == 'up to date' or not watcher.is_alive())
    finally:
        stop.set()
        watcher.join(TIMEOUT_S)
    assert not watcher.is_alive()
    is_copied(cell, url, tmp_path / 'end')


def _status(cell, url):
    return json.loads(status_path(cell.root, url).read_text())


def _start(cell, url, *options):
    return subprocess.Popen(
        [sys.executable, *STREAMREC, 'sync', str(cell.root), url, *options],
        stderr=subprocess.PIPE,
        text=True,
    )


def _num_lines(folder):
    return sum(len(one.read_text().splitlines()) for one in folder.glob('*.jsonl'))


@pytest.mark.slow
def test_killed_for_real_at_some_instants(cell, url, tmp_path):
    for _ in range(4):
        cell.save()
    journals = cell.root / '.streamrec/sync'
    for num_lines in (2, 9, 18, 31):
        # So slow that it cannot end before the kill.
        process = _start(cell, url, '--bandwidth', '0.05')
        try:
            while process.poll() is None and _num_lines(journals) < num_lines:
                threading.Event().wait(0.005)
        finally:
            process.kill()
            process.communicate()
        assert numbers_in(fetched(url, tmp_path / 'look')) in ([], [1, 2, 3, 4])
    said = streamrec('sync', cell.root, url, '--verify')
    assert said.returncode == 0, said.stderr
    assert 'were read back and are as here' in said.stderr
    is_copied(cell, url, tmp_path / 'end')


@pytest.mark.slow
def test_a_network_that_goes_away_and_comes_back(cell, server, tmp_path):
    url = server.url('lab/away')
    cell.save()
    process = _start(cell, url, '--watch')
    try:
        assert 'copying 8 files' in process.stderr.readline()
        assert 'up to date, with 1 episodes' in process.stderr.readline()
        server.tell('down')
        try:
            cell.save()
            lines = iter(process.stderr.readline, '')
            waits = next(line for line in lines if 'files wait, next attempt in' in line)
            assert 'Could not connect to server' in waits
            status = _status(cell, url)
            assert status['state'] == 'waiting'
            assert status['files_waiting'] >= 8
            assert 'Could not connect' in status['problem']
        finally:
            server.tell('up')
        assert next(line for line in lines if 'up to date, with 2 episodes' in line)
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        assert process.wait(TIMEOUT_S) == 0
    finally:
        process.kill()
        process.communicate()
    assert _status(cell, url)['state'] == 'ended'
    is_copied(cell, url, tmp_path / 'end')


@pytest.mark.parametrize(
    'error',
    [
        OSError('AWS Error SLOW_DOWN during PutObject operation: Reduce your request rate.'),
        OSError(errno.ENOSPC, 'No space left on device'),
        io_error(),
    ],
    ids=['throttled', 'full', 'faulty'],
)
def test_what_waits_is_said_and_copied_later(cell, place, tmp_path, error):
    cell.save()
    sync(cell, Store(str(place)))
    cell.save()
    cell.undo()
    cell.save(7)
    fault, said = FaultAt(lambda name, _: name == 'put', error, is_lasting=True), []
    store = fault.class_of(Watched, STEPS)(str(place), tmp_path / 'look')
    stop = threading.Event()
    watcher = threading.Thread(
        target=lambda: sync(cell, store, stop=stop, said=said, is_watching=True), name='watch'
    )
    watcher.start()
    try:
        wait_for(lambda: sum(str(error) in one for one in said) > 5)
        assert str(error) in _status(cell, str(place))['problem']
        assert numbers_in(place) == [1]
        fault.arm()
        wait_for(lambda: _status(cell, str(place))['state'] == 'up to date')
    finally:
        stop.set()
        watcher.join(TIMEOUT_S)
    assert all('files wait, next attempt in' in one for one in said if str(error) in one)
    is_copied(cell, str(place), tmp_path / 'end')


def test_a_sync_that_does_not_watch_gives_up_and_says_what_waits(cell, place):
    cell.save()
    fault = FaultAt(lambda name, _: True, io_error(), is_lasting=True)
    with pytest.raises(SyncError, match='Input/output error'):
        sync(cell, fault.class_of(Store, STEPS)(str(place)))
    assert len(fault.steps) == SOON.num_first
    # Nothing was copied, so nothing has to be forgotten before this.
    cell.save()
    cell.close()
    assert compact_dataset(cell.root).after.num_files == 3


def test_a_part_of_an_upload_is_never_visible(cell, url):
    store = Store(url)
    big = bytes(12 << 20)

    def stopped():
        yield big
        raise upload.StoppedError

    with pytest.raises(upload.StoppedError):
        store.put('videos/a.mp4', stopped())
    assert store.files() == {}
    store.put('videos/a.mp4', [b'old'])
    with pytest.raises(upload.StoppedError):
        store.put('videos/a.mp4', stopped())
    assert store.content('videos/a.mp4') == b'old'


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


def test_credentials_are_refused_in_urls_and_never_stored_or_shown(cell, server):
    secret = CREDENTIALS['AWS_SECRET_ACCESS_KEY']
    key = CREDENTIALS['AWS_ACCESS_KEY_ID']
    for url in (f's3://{key}:{secret}@cells/x', f's3://cells/x?access_key={key}&secret_key={secret}'):
        said = streamrec('sync', cell.root, url)
        assert said.returncode == 1
        assert 'name no credentials there' in said.stderr
        assert secret not in said.stderr
        assert key not in said.stderr
    cell.save()
    said = streamrec('sync', cell.root, server.url('lab/secret'))
    assert said.returncode == 0, said.stderr
    texts = [said.stderr, said.stdout]
    texts += [one.read_text() for one in (cell.root / '.streamrec/sync').iterdir()]
    assert not any(secret in text or key in text for text in texts)


@pytest.mark.slow
def test_credentials_that_the_store_refuses(cell):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        guarded = S3Server()
        try:
            guarded.tell('guard')
            cell.save()
            said = streamrec('sync', cell.root, guarded.url('x'))
        finally:
            guarded.close()
    assert said.returncode == 1
    assert 'the place refuses these credentials' in said.stderr
    assert CREDENTIALS['AWS_SECRET_ACCESS_KEY'] not in said.stderr


def test_a_bucket_that_does_not_exist(cell, server):
    cell.save()
    with pytest.raises(SyncError, match=r'NO_SUCH_BUCKET.*check the bucket'):
        sync(cell, Store(server.url('x', bucket='no-such-bucket')), is_watching=True)


@pytest.mark.parametrize(
    ('text', 'hint'),
    [
        ('https://example.org/x', 's3://BUCKET/PREFIX'),
        ('s3:/bucket', 's3://BUCKET/PREFIX'),
        ('hdfs://host/x', 'the path of a folder is needed'),
        ('s3://bucket/x?bogus=1', 'it has bogus: the options endpoint_override'),
        ('{root}', 'lies in'),
        ('{root}/copy', 'lies in'),
        ('file://{root}/copy', 'lies in'),
    ],
)
def test_a_wrong_url_is_refused(cell, text, hint):
    with pytest.raises(ConfigError, match=hint):
        checked_url(text.format(root=cell.root), cell.root)


def test_a_folder_whose_parent_is_missing_is_not_made(cell, tmp_path):
    cell.save()
    with pytest.raises(SyncError, match='make it, or mount it'):
        sync(cell, Store(str(tmp_path / 'not-mounted' / 'cell-07')))


def test_a_second_sync_of_the_same_root_and_place_is_refused(cell, place):
    cell.save()
    store, stop, entered = Store(str(place)), threading.Event(), threading.Event()
    watcher = threading.Thread(
        target=lambda: Sync(cell.root, store, stop, say=lambda _: entered.set()).run(
            is_watching=True
        )
    )
    watcher.start()
    try:
        assert entered.wait(TIMEOUT_S)
        said = streamrec('sync', cell.root, place)
        assert said.returncode == 1
        assert 'another process syncs' in said.stderr
        assert 'another process syncs' in streamrec('sync', cell.root, place, '--forget').stderr
    finally:
        stop.set()
        watcher.join(TIMEOUT_S)


def test_a_place_with_other_files_is_refused(cell, url, tmp_path):
    cell.save()
    other = Cell(tmp_path / 'other')
    try:
        other.save()
        other.writer.close()
        Store(url).put('thesis.pdf', [b'years of work'])
        with pytest.raises(SyncError, match=r'holds other files, such as thesis\.pdf'):
            sync(cell, Store(url))
        assert Store(url).files() == {'thesis.pdf': 13}
        Store(url).remove('thesis.pdf')
        # It differs in the number of its rows only.
        other.open()
        other.undo()
        other.save(9)
        sync(other, Store(url))
        with pytest.raises(SyncError, match='and not this dataset'):
            sync(cell, Store(url))
        is_copied(other, url, tmp_path / 'end')
    finally:
        other.close()


def test_a_lost_journal_is_made_again_from_the_place(cell, place, tmp_path):
    cell.save()
    cell.save()
    sync(cell, Store(str(place)))
    shutil.rmtree(cell.root / '.streamrec/sync')
    cell.undo()
    cell.save(8)
    said, store = [], Watched(str(place), tmp_path / 'look')
    sync(cell, store, said=said)
    assert 'the list of copied files is lost' in said[0]
    assert store.seen == [[1], [1, 3]]
    is_copied(cell, str(place), tmp_path / 'end')


def test_lost_and_damaged_files_are_copied_again(cell, url, tmp_path):
    cell.save()
    cell.save()
    store = Store(url)
    sync(cell, store)
    lost = 'data/chunk-000/file-000.parquet'
    store.remove(lost)
    said = []
    sync(cell, store, said=said)
    assert f'has lost 1 files, such as {lost}' in said[0]
    is_copied(cell, url, tmp_path / 'end')
    damaged = store.content(lost)[:-1] + b'?'
    store.put(lost, [damaged])
    said = []
    sync(cell, store, said=said, is_verifying=True)
    assert any('was read back' in one and 'with other bytes' in one for one in said)
    is_copied(cell, url, tmp_path / 'end')


def test_a_place_that_was_emptied_or_is_not_mounted_is_not_filled_again(cell, place):
    cell.save()
    sync(cell, Store(str(place)))
    shutil.rmtree(place)
    with pytest.raises(SyncError, match=r'no longer holds the dataset.*mount it'):
        sync(cell, Store(str(place)))
    assert not place.exists()
    assert streamrec('sync', cell.root, place, '--forget').returncode == 0
    assert streamrec('sync', cell.root, place).returncode == 0
    assert numbers_in(place) == [1]


def test_a_copy_that_another_program_changes_is_left_alone(cell, place):
    cell.save()
    sync(cell, Store(str(place)))
    info = json.loads((place / 'meta/info.json').read_text())
    (place / 'meta/info.json').write_text(json.dumps({**info, 'robot_type': 'so102'}))
    before = shared_files(place)
    cell.save()
    with pytest.raises(SyncError, match='changed by another program or another sync'):
        sync(cell, Store(str(place)))
    assert shared_files(place) == before


def test_a_root_that_loses_its_dataset_keeps_the_copy(cell, place, tmp_path):
    cell.save()
    sync(cell, Store(str(place)))
    before = shared_files(place)
    cell.close()
    kept = shutil.move(cell.root / 'meta', tmp_path / 'meta')
    with pytest.raises(SyncError, match='has lost or changed 1 of the 1 episodes'):
        sync(cell, Store(str(place)))
    shutil.move(kept, cell.root / 'meta')
    (cell.root / 'data/chunk-000/file-000.parquet').unlink()
    with pytest.raises(DatasetError, match=r'file-000\.parquet is missing'):
        sync(cell, Store(str(place)))
    assert shared_files(place) == before


def test_more_episodes_than_undo_takes_back_are_not_replaced(cell, place, tmp_path):
    for _ in range(18):
        cell.save(2)
    sync(cell, Store(str(place)))
    before = shared_files(place)
    cell.close()
    # Another program has renumbered all files.
    forgotten = shutil.move(cell.root / '.streamrec/sync', tmp_path / 'sync')
    compact_dataset(cell.root)
    shutil.move(forgotten, cell.root / '.streamrec/sync')
    with pytest.raises(SyncError, match='has lost or changed 18 of the 18 episodes'):
        sync(cell, Store(str(place)))
    assert shared_files(place) == before


def test_tools_that_renumber_files_refuse_a_root_that_syncs(cell, place, tmp_path):
    cell.save()
    cell.save()
    sync(cell, Store(str(place)))
    cell.close()
    before = shared_files(cell.root)
    for change in (
        lambda: compact_dataset(cell.root),
        lambda: delete_episodes(cell.root, {0}),
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
    assert streamrec('sync', cell.root, place, '--forget').returncode == 0
    assert compact_dataset(cell.root).after.num_files == 3


def test_a_root_without_a_dataset(tmp_path, place):
    (tmp_path / 'empty').mkdir()
    said = streamrec('sync', tmp_path / 'empty', place)
    assert said.returncode == 1
    assert 'holds no LeRobot dataset' in said.stderr
    assert list((tmp_path / 'empty').iterdir()) == []


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


def test_odd_names_of_folders_and_files(cell, tmp_path):
    place = tmp_path / 'nas' / 'Zelle 7 #a%20b?x=1'
    cell.save()
    for name in ('README.md', 'notes/häuser 50%.txt', 'data.json.gz', '.git/config', 'link'):
        (cell.root / name).parent.mkdir(exist_ok=True)
        (cell.root / name).write_text(name)
    (cell.root / 'link').unlink()
    (cell.root / 'link').symlink_to('/etc/hostname')
    said = streamrec('sync', cell.root, place)
    assert said.returncode == 0, said.stderr
    files = shared_files(place)
    assert files['notes/häuser 50%.txt'].decode() == 'notes/häuser 50%.txt'
    assert files['data.json.gz'] == b'data.json.gz'
    assert not {'link', '.git/config'} & set(files)
    (cell.root / 'data.json.gz').unlink()
    sync(cell, Store(checked_url(str(place), cell.root)))
    assert 'data.json.gz' not in shared_files(place)


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
