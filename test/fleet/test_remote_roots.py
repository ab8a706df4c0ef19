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
Commands on datasets in an object store read what they need there, and find what they find here.

Guards against downloads of whole datasets, and against a network failure told as damage.
"""

from __future__ import annotations

from functools import partial
import itertools
import json
from pathlib import Path
import shutil
from typing import ClassVar

from arm_dataset import Plan, write_dataset
from cell import fetched
from lerobot_streamrec.cli import progress
from lerobot_streamrec.cli.main import main
from lerobot_streamrec.dataset.rebuild.merge import merge_datasets, READ_WHOLE
from lerobot_streamrec.fleet.sync import mirror
from lerobot_streamrec.fleet.sync.store import Store
from lerobot_streamrec.workers import InProcess, Processes
import numpy as np
import pytest
from s3_server import CREDENTIALS, S3Server

_names = itertools.count()
# What a sync does not copy.
HERE_ALONE = ('lock', 'owner.json', 'episode_index.json')
NOISE = np.random.default_rng(0).integers(0, 255, (40, 480, 640, 3), np.uint8)


class Counting(Store):
    """Counts the bytes that are read of each file."""

    read: ClassVar = {}

    def open(self, path):
        return _Counted(super().open(path), self.read, path)

    def chunks(self, path):
        for chunk in super().chunks(path):
            self.read[path] = self.read.get(path, 0) + len(chunk)
            yield chunk


class _Counted:
    def __init__(self, stream, read, path):
        self._stream, self._read, self._path = stream, read, path

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def readinto(self, buffer):
        num = self._stream.readinto(buffer)
        self._read[self._path] = self._read.get(self._path, 0) + num
        return num


def _draw(camera, row, _joints):
    return NOISE[row % len(NOISE)]


@pytest.fixture(scope='module')
def local(tmp_path_factory):
    """Return a dataset whose videos are far larger than what their indices take."""
    root = tmp_path_factory.mktemp('local') / 'arm'
    write_dataset(root, [Plan(2.0), Plan(1.0, task='Wave')], draw=_draw)
    (root / 'README.md').write_text('# Arm\n')
    return root


@pytest.fixture
def remote(local, server):
    url = server.url(f'tools/{next(_names)}/arm')
    put(local, url)
    return url


@pytest.fixture
def read(monkeypatch):
    monkeypatch.setattr(progress, 'Store', Counting)
    monkeypatch.setattr(Counting, 'read', {})
    return Counting.read


def put(root, url):
    for path in root.rglob('*'):
        if path.is_file() and path.name not in HERE_ALONE:
            Store(url).put(path.relative_to(root).as_posix(), [path.read_bytes()])


def sizes_of(read, root, ending):
    return {
        path: (num, (root / path).stat().st_size)
        for path, num in read.items()
        if path.endswith(ending)
    }


def said(capsys, *arguments, status=0):
    assert main([*map(str, arguments)]) == status
    return capsys.readouterr()


def test_info_reads_metadata_alone(local, remote, read, capsys):
    of_one, of_other = (
        json.loads(said(capsys, 'info', root, '--json').out) for root in (local, remote)
    )
    # Files of this process, such as the lock, are no part of the copy.
    assert of_one.pop('size_bytes') >= of_other.pop('size_bytes')
    assert of_one.pop('root') == str(local)
    assert of_other.pop('root') == remote
    assert of_one == of_other
    assert read
    assert [path for path in read if not path.startswith(('meta/', '.streamrec/stat'))] == []


@pytest.fixture
def spread(monkeypatch):
    """Let other processes do even the small tasks."""
    monkeypatch.setattr(progress, 'Processes', partial(Processes, here_s=0.0))


# In this process the bytes are counted that are read.
@pytest.mark.parametrize(
    'options', [['--fast', '--jobs', '1'], ['--jobs', '1'], ['--jobs', '2']]
)
@pytest.mark.usefixtures('spread')
def test_a_check_finds_the_same_and_a_fast_one_reads_no_frames(
    local, remote, read, capsys, options, tmp_path
):
    broken = tmp_path / 'arm'
    shutil.copytree(local, broken)
    # It has too few frames.
    video = next(broken.glob('videos/*front/*/*-000.mp4'))
    shutil.copy(next(broken.glob('videos/*wrist/*/*-001.mp4')), video)
    put(broken, remote)
    of_one, of_other = (
        json.loads(said(capsys, 'check', one, '--json', *options, status=1).out)
        for one in (broken, remote)
    )
    assert of_other.pop('root') == remote
    assert of_one.pop('root') == str(broken)
    assert of_one == of_other
    videos = sizes_of(read, broken, '.mp4')
    if '2' in options:
        assert not videos
        return
    assert len(videos) == 4
    if '--fast' in options:
        assert all(num < 0.5 * size for num, size in videos.values()), videos
    else:
        assert all(num > 0.9 * size for num, size in videos.values()), videos


def test_a_report_is_equal_and_a_repair_is_refused(local, remote, read, capsys, tmp_path):
    pages = []
    for number, root in enumerate((local, remote)):
        page = tmp_path / f'{number}.html'
        said(capsys, 'report', root, '--output', page, '--episodes', '1')
        lines = page.read_text().replace(remote, str(local)).splitlines()
        pages.append([line for line in lines if 'made on' not in line])
    assert pages[0] == pages[1]
    # The first episode has files of its own, which this page does not show.
    assert not [path for path in read if path.startswith('videos/') and '-000.mp4' in path]
    told = said(capsys, 'check', remote, '--repair', '--yes', status=1).err
    assert 'copy it to a folder' in told
    assert remote in told


def contents(root):
    files = [path for path in Path(root).rglob('*') if path.is_file()]
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in files
        if path.name not in HERE_ALONE and '/sync/' not in str(path)
    }


@pytest.mark.usefixtures('spread')
def test_a_merge_from_and_to_a_store_equals_the_local_one(
    local, remote, server, capsys, tmp_path, monkeypatch
):
    more = tmp_path / 'more'
    write_dataset(more, [Plan(1.0)], draw=_draw)
    out = server.url(f'merged/{next(_names)}')
    seen = []

    class Watched(Store):
        def put(self, path, chunks):
            super().put(path, chunks)
            seen.append((path, 'meta/info.json' in self.files()))

    told = said(capsys, 'merge', tmp_path / 'one', local, more).out
    assert 'merged 2 datasets' in told
    monkeypatch.setattr(progress, 'Store', Watched)
    said(capsys, 'merge', '--dry-run', out, remote, more)
    assert Store(out).files() == {}
    told = said(capsys, 'merge', out, remote, more, '--jobs', '2')
    assert f'into {out}' in told.out
    assert [path for path, is_visible in seen if is_visible] == ['meta/info.json']
    made = contents(fetched(out, tmp_path / 'fetched'))
    assert made == contents(tmp_path / 'one')
    assert 'name an empty place' in said(capsys, 'merge', out, remote, status=1).err
    inside = remote.replace('/arm?', '/arm/new?')
    assert 'must not be in the dataset' in said(capsys, 'merge', inside, remote, status=1).err
    twice = said(capsys, 'merge', tmp_path / 'two', remote, remote, status=1).err
    assert f'{remote}' in twice
    assert 'named twice' in twice


@pytest.mark.parametrize('is_on_this_machine', [True, False])
def test_who_checks_the_rows_of_a_merge_sees_the_names_of_their_files(
    is_on_this_machine, local, remote, tmp_path
):
    class Elsewhere(InProcess):
        asked: ClassVar = []

        def run(self, tasks):
            self.asked.extend(task.name for task in tasks)
            return super().run(tasks)

    Elsewhere.is_on_this_machine = is_on_this_machine
    more = tmp_path / 'more'
    write_dataset(more, [Plan(1.0)], draw=_draw)
    with mirror.mirrored(Store(remote), READ_WHOLE) as folder:
        merge_datasets(tmp_path / 'out', [folder, more], workers=Elsewhere())
        assert (f'the rows of {folder}' in Elsewhere.asked) is is_on_this_machine
    merge_datasets(tmp_path / 'one', [local, more])
    assert contents(tmp_path / 'out') == contents(tmp_path / 'one')


def test_what_is_wrong_is_one_sentence(remote, server, capsys, tmp_path, monkeypatch):
    for url in (server.url('arm', 'no-such-bucket'), server.url('nothing-here')):
        told = said(capsys, 'info', url, status=1).err
        assert told.startswith('streamrec: there is no file at s3://')
        assert 'check the bucket' in told


def test_refused_credentials_are_told_and_not_shown(server, capsys):
    guarded = S3Server()
    try:
        guarded.tell('guard')
        told = said(capsys, 'check', guarded.url('arm'), status=1).err
    finally:
        guarded.close()
    assert 'the place refuses these credentials' in told
    assert CREDENTIALS['AWS_SECRET_ACCESS_KEY'] not in told


def test_files_of_two_stores_are_compared_by_their_content(local, server, capsys, tmp_path):
    roots = []
    for name, text in (('a', 'one'), ('b', 'two'), ('c', 'one')):
        root = tmp_path / name
        shutil.copytree(local, root)
        (root / 'notes.txt').write_text(text)
        (root / '.streamrec/sync').mkdir()
        (root / '.streamrec/sync/x.jsonl').write_text('{}')
        roots.append(server.url(f'tools/{next(_names)}/{name}'))
        put(root, roots[-1])
    told = said(capsys, 'merge', tmp_path / 'out', *roots).err
    assert 'not copied' not in told
    assert (tmp_path / 'out/notes.txt').read_text() == 'one'
    moved = (tmp_path / 'out/merged_from').rglob('notes.txt')
    assert {one.parent.name: one.read_text() for one in moved} == {'b': 'two'}


@pytest.mark.parametrize('command', ['check', 'report', 'merge'])
def test_a_network_that_goes_away_is_not_told_as_damage(
    remote, server, capsys, tmp_path, monkeypatch, command
):
    opened = []

    class Failing(Store):
        def open(self, path):
            opened.append(path)
            if path.endswith('.mp4'):
                raise OSError('AWS Error NETWORK_CONNECTION')
            return super().open(path)

    monkeypatch.setattr(progress, 'Store', Failing)
    monkeypatch.setattr(mirror.tempfile, 'tempdir', str(tmp_path / 'temporary'))
    (tmp_path / 'temporary').mkdir()
    out = tmp_path / 'out'
    arguments = {'check': [remote], 'report': [remote, '--output', out], 'merge': [out, remote]}
    told = said(capsys, command, *arguments[command], '--jobs', '1', status=1)
    assert told.err.count('NETWORK_CONNECTION') == 1
    assert told.err.startswith('streamrec: videos/')
    assert told.out == ''
    assert opened[-1].endswith('.mp4')
    assert not out.exists()
    assert list((tmp_path / 'temporary').iterdir()) == []


def test_an_upload_that_fails_leaves_nothing(local, server, capsys, tmp_path, monkeypatch):
    out = server.url(f'merged/{next(_names)}')

    class Failing(Store):
        def put(self, path, chunks):
            if path == 'meta/info.json':
                raise PermissionError('ACCESS_DENIED')
            super().put(path, chunks)

    monkeypatch.setattr(progress, 'Store', Failing)
    monkeypatch.setattr(mirror, 'PATIENCE', mirror.Patience(0.001, 0.01, 0.0, 2))
    told = said(capsys, 'merge', out, local, status=1).err
    assert 'ACCESS_DENIED' in told
    assert Store(out).files() == {}


def test_an_interrupt_removes_the_folder(remote, tmp_path, capsys, monkeypatch):
    class Interrupted(Store):
        def open(self, path):
            raise KeyboardInterrupt

    monkeypatch.setattr(progress, 'Store', Interrupted)
    monkeypatch.setattr(mirror.tempfile, 'tempdir', str(tmp_path / 'temporary'))
    (tmp_path / 'temporary').mkdir()
    assert main(['check', remote, '--jobs', '1']) not in (0, None)
    assert 'whole' not in capsys.readouterr().out
    assert list((tmp_path / 'temporary').iterdir()) == []
