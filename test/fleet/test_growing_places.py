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
Imports into datasets in an object store, which go on after a kill, and whose copy is always whole.

Guards against episodes that are uploaded twice or lost, and against downloads of old videos.
"""

from __future__ import annotations

import itertools
import signal

from cell import fetched
from command_line import python
import dying_imports
from lerobot_streamrec.cli import progress
from lerobot_streamrec.cli.main import main
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.fleet.sync.store import Store
import pytest
from robot_bags import make_bag, trains

_names = itertools.count()


class Noting(Store):
    """Notes the files that are read and written."""

    read, written = [], []

    def open(self, path):
        self.read.append(path)
        return super().open(path)

    def chunks(self, path):
        self.read.append(path)
        return super().chunks(path)

    def put(self, path, chunks):
        self.written.append(path)
        super().put(path, chunks)


@pytest.fixture
def place(server, tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return server.url(f'growing/{next(_names)}/arm')


@pytest.fixture
def noted(monkeypatch):
    monkeypatch.setattr(progress, 'Store', Noting)
    monkeypatch.setattr(Noting, 'read', [])
    monkeypatch.setattr(Noting, 'written', [])
    return Noting


@pytest.fixture
def bags(tmp_path):
    return [str(make_bag(tmp_path / name, trains(2))) for name in ('first', 'a', 'b')]


def kept(tmp_path):
    """List what imports have left in the user's cache, but for their locks."""
    files = [one for one in (tmp_path / 'cache').rglob('*') if one.is_file()]
    return [one for one in files if one.name not in ('lock', 'encoder_costs.json')]


def of_dataset(root):
    """Return what does not depend on the time of an import, by path below the root."""
    names = ('data', 'videos', 'meta/tasks.parquet', 'meta/info.json', 'meta/stats.json')
    files = [one for name in names for one in [root / name, *(root / name).rglob('*')]]
    return {
        one.relative_to(root).as_posix(): one.read_bytes() for one in files if one.is_file()
    }


def texts_of(root):
    return [one.texts['bag'].partition(' ')[0] for one in read_catalog(root).episodes]


def test_a_dataset_grows_at_its_place_as_it_does_here(
    bags, place, params, root, noted, capsys, tmp_path
):
    given = ['--params', params(compact_at_finalize=False)]
    for some in (bags[:1], bags[1:]):
        assert main(['import', *some, *given]) == 0
        here = capsys.readouterr().out
        noted.read.clear()
        noted.written.clear()
        assert main(['import', *some, *given, '--root', place]) == 0
        told = capsys.readouterr()
        assert [line.split('; ')[0] for line in told.out.splitlines()] == [
            line.replace(str(root), place).split('; ')[0] for line in here.splitlines()
        ]
        assert not [one for one in noted.read if one.startswith(('data/', 'videos/'))]
        assert noted.written[-1] == 'meta/info.json'
        assert of_dataset(fetched(place, tmp_path / 'copy')) == of_dataset(root)
        assert main(['check', place]) == 0
        capsys.readouterr()
        assert kept(tmp_path) == []
    # Old videos and rows were not written again.
    assert len([one for one in noted.written if one.startswith(('data/', 'videos/'))]) == 4
    noted.written.clear()
    assert main(['import', *bags, *given, '--root', place]) == 0
    assert capsys.readouterr().out.count(f'{place} has it already') == 3
    assert noted.written == []


@pytest.mark.parametrize('instant', ['saving 2', 'saved 1', 'upload 1', 'upload 9', 'upload 11'])
def test_a_killed_import_goes_on(instant, bags, place, params, root, capsys, tmp_path):
    given = ['--params', params(compact_at_finalize=False)]
    assert main(['import', bags[0], *given, '--root', place]) == 0
    command = ['import', *bags, *given, '--root', place]
    killed = python(dying_imports.__file__, instant.replace('saving', 'save'), *command)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    copy = fetched(place, tmp_path / 'copy')
    assert texts_of(copy) in (['first'], ['first', 'a', 'b'])
    assert main(['check', str(copy)]) == 0
    capsys.readouterr()
    assert main(command) == 0
    told = capsys.readouterr()
    assert 'first: ' in told.out
    assert main(['import', *bags, *given]) == 0
    copy = fetched(place, tmp_path / 'copy')
    assert texts_of(copy) == ['first', 'a', 'b']
    assert of_dataset(copy) == of_dataset(root)
    assert kept(tmp_path) == []


def test_what_another_program_wrote_meanwhile_is_not_overwritten(
    bags, place, params, capsys, tmp_path
):
    given = ['--params', params(compact_at_finalize=False), '--root', place]
    assert main(['import', bags[0], *given]) == 0
    killed = python(dying_imports.__file__, 'saved 1', 'import', bags[1], *given)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    # An episode of another command.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('XDG_CACHE_HOME', str(tmp_path / 'elsewhere'))
        assert main(['import', bags[2], *given]) == 0
    assert main(['import', bags[1], *given]) == 0
    assert texts_of(fetched(place, tmp_path / 'copy')) == ['first', 'b', 'a']
    assert main(['check', place]) == 0


def test_what_cannot_be_imported_there(bags, place, params, capsys, tmp_path, monkeypatch):
    given = ['--params', params(), '--root', place]
    assert main(['import', *bags, *given, '--jobs', '2']) == 1
    assert '--jobs is 2: 1 is allowed' in capsys.readouterr().err
    Store(place).put('notes.txt', [b'mine'])
    assert main(['import', bags[0], *given]) == 1
    told = capsys.readouterr().err
    assert place in told
    assert str(tmp_path / 'cache') not in told
    assert list(Store(place).files()) == ['notes.txt']
    monkeypatch.setenv('XDG_CACHE_HOME', '/proc/none')
    assert main(['import', bags[0], *given]) == 1
    assert 'set XDG_CACHE_HOME' in capsys.readouterr().err
