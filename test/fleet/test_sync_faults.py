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
Places that go away, are full or hold other files: a sync waits or refuses, and loses nothing.

Guards against partial uploads, and a copy that is lost or overwritten by mistake.
"""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

from cell import Cell, fetched, is_copied, numbers_in, shared_files, SOON, status_of, sync, Watched
from command_line import STREAMREC, streamrec_process
from fault_at import FaultAt, io_error, Killed
from lerobot_streamrec.dataset.rebuild.compact import compact_dataset
from lerobot_streamrec.errors import ConfigError, DatasetError, SyncError
from lerobot_streamrec.fleet.sync import upload
from lerobot_streamrec.fleet.sync.run import Sync
from lerobot_streamrec.fleet.sync.store import checked_url, Store
import pytest
from s3_server import CREDENTIALS, S3Server
from waiting import wait_for

TIMEOUT_S = 120
STEPS = ('put', 'remove')


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
    for num_lines in (2, 17):
        # So slow that it cannot end before the kill.
        process = _start(cell, url, '--bandwidth', '0.05')
        try:
            while process.poll() is None and _num_lines(journals) < num_lines:
                threading.Event().wait(0.005)
        finally:
            process.kill()
            process.communicate()
        assert numbers_in(fetched(url, tmp_path / 'look')) in ([], [1, 2, 3, 4])
    said = streamrec_process('sync', cell.root, url, '--verify')
    assert said.returncode == 0, said.stderr
    assert 'read back, all as here' in said.stderr
    assert list(tmp_path.rglob('*.streamrec-part')) == []
    is_copied(cell, url, tmp_path / 'end')


@pytest.mark.slow
def test_a_network_that_goes_away_and_comes_back(cell, server, tmp_path):
    url = server.url('lab/away')
    cell.save()
    process = _start(cell, url, '--watch')
    try:
        assert 'copying 8 files' in process.stderr.readline()
        assert 'up to date, with 1 episode' in process.stderr.readline()
        server.tell('down')
        try:
            cell.save()
            lines = iter(process.stderr.readline, '')
            waits = next(line for line in lines if 'files left, next attempt in' in line)
            assert 'Could not connect to server' in waits
            status = status_of(cell, url)
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
    assert status_of(cell, url)['state'] == 'ended'
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
        assert str(error) in status_of(cell, str(place))['problem']
        assert numbers_in(place) == [1]
        fault.arm()
        wait_for(lambda: status_of(cell, str(place))['state'] == 'up to date')
    finally:
        stop.set()
        watcher.join(TIMEOUT_S)
    assert all('files left, next attempt in' in one for one in said if str(error) in one)
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


def test_credentials_are_refused_in_urls_and_never_stored_or_shown(cell, server):
    secret = CREDENTIALS['AWS_SECRET_ACCESS_KEY']
    key = CREDENTIALS['AWS_ACCESS_KEY_ID']
    for url in (f's3://{key}:{secret}@cells/x', f's3://cells/x?access_key={key}&secret_key={secret}'):
        said = streamrec_process('sync', cell.root, url)
        assert said.returncode == 1
        assert 'name no credentials there' in said.stderr
        assert secret not in said.stderr
        assert key not in said.stderr
    cell.save()
    said = streamrec_process('sync', cell.root, server.url('lab/secret'))
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
            said = streamrec_process('sync', cell.root, guarded.url('x'))
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
        ('file://nas/cell-07', 'files of the computer nas are reached once they are mounted'),
        ('s3://bucket/cell#7', 'a # in a name is written as %23'),
    ],
)
def test_a_wrong_url_is_refused(cell, text, hint):
    with pytest.raises(ConfigError, match=hint):
        checked_url(text.format(root=cell.root), cell.root)


def test_paths_mean_themselves_and_file_urls_are_decoded(cell, tmp_path):
    for text in ('what?x=1', 'user@nas', 'a%20b'):
        assert checked_url(str(tmp_path / text), cell.root) == str(tmp_path / text)
    assert checked_url(f'file://{tmp_path}/my%20nas', cell.root) == f'{tmp_path}/my nas'


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
        said = streamrec_process('sync', cell.root, place)
        assert said.returncode == 1
        assert 'another process syncs' in said.stderr
        said = streamrec_process('sync', cell.root, place, '--forget')
        assert 'another process syncs' in said.stderr
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
    assert f'has lost 1 file, such as {lost}' in said[0]
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
    assert streamrec_process('sync', cell.root, place, '--forget').returncode == 0
    assert streamrec_process('sync', cell.root, place).returncode == 0
    assert numbers_in(place) == [1]


def test_a_first_copy_that_is_not_mounted_any_more_is_not_begun_anew(cell, place, tmp_path):
    cell.save()
    fault = FaultAt(5, Killed(), is_lasting=True)
    with pytest.raises(Killed):
        sync(cell, fault.class_of(Store, STEPS)(str(place)))
    shutil.move(place, tmp_path / 'nas/disk')
    with pytest.raises(SyncError, match=r'no longer holds the dataset.*mount it'):
        sync(cell, Store(str(place)))
    shutil.move(tmp_path / 'nas/disk', place)
    sync(cell, Store(str(place)))
    is_copied(cell, str(place), tmp_path / 'end')


def test_a_disk_that_goes_away_within_a_pass_leaves_nothing_on_the_one_below(cell, tmp_path):
    with tempfile.TemporaryDirectory(dir='/dev/shm') as disk:
        if Path(disk).stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip('there is only one file system here')
        mount, below = tmp_path / 'mount', tmp_path / 'below'
        below.mkdir()
        mount.symlink_to(disk)

        class Unmounted(Store):
            def put(self, path, chunks):
                super().put(path, chunks)
                mount.unlink()
                mount.symlink_to(below)
                self.put = super().put

        cell.save()
        with pytest.raises(SyncError, match='is on another file system than before'):
            sync(cell, Unmounted(str(mount / 'cell-07')))
        assert list(below.iterdir()) == []
        mount.unlink()
        mount.symlink_to(disk)
        sync(cell, Store(str(mount / 'cell-07')))
        is_copied(cell, str(mount / 'cell-07'), tmp_path / 'end')


def test_two_roots_that_begin_at_the_same_place_at_once(cell, url, tmp_path):
    other = Cell(tmp_path / 'other', first_number=20)
    try:
        cell.save()
        other.save()

        class Late(Store):
            def put(self, path, chunks):
                if path == 'meta/tasks.parquet':
                    early = Store(url)
                    # It has looked before the first one began.
                    early.files = dict
                    sync(other, early)
                super().put(path, chunks)

        with pytest.raises(SyncError, match='changed by another program or another sync'):
            sync(cell, Late(url))
        assert Store(url).content('meta/info.json') == (other.root / 'meta/info.json').read_bytes()
    finally:
        other.close()


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
    assert 'another program' in status_of(cell, str(place))['problem']


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


def test_a_root_without_a_dataset(tmp_path, place):
    (tmp_path / 'empty').mkdir()
    said = streamrec_process('sync', tmp_path / 'empty', place)
    assert said.returncode == 1
    assert 'holds no LeRobot dataset' in said.stderr
    assert list((tmp_path / 'empty').iterdir()) == []


def test_odd_names_of_folders_and_files(cell, tmp_path):
    place = tmp_path / 'Zelle 7 #a%20b?x=1'
    cell.save()
    for name in ('README.md', 'notes/häuser 50%.txt', 'data.json.gz', '.git/config', 'link'):
        (cell.root / name).parent.mkdir(exist_ok=True)
        (cell.root / name).write_text(name)
    (cell.root / 'link').unlink()
    (cell.root / 'link').symlink_to('/etc/hostname')
    said = streamrec_process('sync', cell.root, place)
    assert said.returncode == 0, said.stderr
    files = shared_files(place)
    assert files['notes/häuser 50%.txt'].decode() == 'notes/häuser 50%.txt'
    assert files['data.json.gz'] == b'data.json.gz'
    assert not {'link', '.git/config'} & set(files)
    (cell.root / 'data.json.gz').unlink()
    sync(cell, Store(checked_url(str(place), cell.root)))
    assert 'data.json.gz' not in shared_files(place)


def test_files_that_cannot_be_copied_are_named_and_keep_none_of_the_others(cell, url, tmp_path):
    cell.save()
    os.mkfifo(cell.root / 'pipe')
    Path(os.fsdecode(bytes(cell.root) + b'/\xff.txt')).write_text('x')
    (cell.root / 'notes.txt').write_text('x')
    said = []
    sync(cell, Store(url), said=said)
    assert [one for one in said if 'cannot be copied' in one] == [
        "'pipe' and 1 more cannot be copied: unreadable, no plain file, or no name in UTF-8"
    ]
    copied = fetched(url, tmp_path / 'end')
    assert numbers_in(copied) == [1]
    assert (copied / 'notes.txt').read_text() == 'x'


def test_parts_of_other_copies_are_left_alone(cell, place):
    part = place / 'other/data/.file-000.parquet.streamrec-part'
    part.parent.mkdir(parents=True)
    part.write_text('of another sync')
    cell.save()
    cell.save()

    class Cut(Store):
        def put(self, path, chunks):
            if path.endswith('meta/episodes/chunk-000/file-001.parquet'):
                (place / path).with_name('.file-001.parquet.streamrec-part').write_text('cut')
                raise Killed
            super().put(path, chunks)

    (place / 'meta/episodes/chunk-000').mkdir(parents=True)
    with pytest.raises(Killed):
        sync(cell, Cut(str(place)))
    cell.undo()
    sync(cell, Store(str(place)))
    assert list(place.rglob('*.streamrec-part')) == [part]
