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
A dataset on the Hugging Face Hub: what is uploaded, what readers see, and what is refused.

A FAKE takes the place of the Hub (test/helpers/hub_server.py), with the endpoints that the real
client asks, on loopback. Guards against a half dataset under the tag that LeRobot reads.
"""

from __future__ import annotations

import shutil

import pytest

pytest.importorskip('huggingface_hub', reason='push needs huggingface_hub')
pytest.importorskip('flask', reason='the fake Hub needs flask')

from cell import Cell
from hub_server import HubServer, TOKEN
from huggingface_hub import constants
from lerobot_streamrec.cli.main import main
from lerobot_streamrec.dataset.format.files import DatasetLock
from lerobot_streamrec.dataset.rebuild.compact import compact_dataset

# The client itself uses what its own HTTP library deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

REPO = 'lab/cubes'


@pytest.fixture
def hub(monkeypatch, tmp_path):
    server = HubServer()
    monkeypatch.setattr(constants, 'ENDPOINT', server.url)
    monkeypatch.setattr(constants, 'HF_HUB_DISABLE_XET', True)
    monkeypatch.setattr(constants, 'HF_TOKEN_PATH', str(tmp_path / 'token'))
    monkeypatch.setenv('HF_TOKEN', TOKEN)
    yield server
    server.close()


def uploads(hub):
    return sum(method == 'PUT' for method, _ in hub.log)


@pytest.fixture
def root(tmp_path):
    cell = Cell(tmp_path / 'cubes')
    for _ in range(3):
        cell.save()
    cell.close()
    return tmp_path / 'cubes'


def add_episode(root):
    cell = Cell(root, first_number=10)
    cell.save()
    cell.close()


def assert_pushed(hub, root, revision='v3.0', repo=REPO):
    """The Hub has all files of the dataset and nothing else; what only a recorder needs stays."""
    there = hub.files(repo, revision)
    for name in ('meta/info.json', 'meta/stats.json', 'README.md'):
        assert name in there
    for path, content in there.items():
        assert (root / path).read_bytes() == content, path
    folders = ('data', 'videos', 'meta')
    local = {
        one.relative_to(root).as_posix()
        for name in folders
        for one in (root / name).rglob('*')
        if one.is_file()
    }
    assert local == {path for path in there if path.startswith(folders)}
    assert not [path for path in there if 'staging' in path or 'lock' in path]


def test_the_tag_has_the_dataset_and_only_new_files_are_uploaded(hub, root, capsys):
    assert main(['push', str(root), '--repo-id', REPO, '--private']) == 0
    assert f'{hub.url}/datasets/{REPO} has the dataset' in capsys.readouterr().out
    assert_pushed(hub, root)
    assert hub.repos[REPO]['private'] is True
    hub.log.clear()
    assert main(['push', str(root), '--repo-id', REPO]) == 0
    assert uploads(hub) == 0
    add_episode(root)
    assert main(['push', str(root), '--repo-id', REPO]) == 0
    assert 0 < uploads(hub) < 6
    assert_pushed(hub, root)


def test_files_of_an_earlier_state_are_removed(hub, root):
    assert main(['push', str(root), '--repo-id', REPO]) == 0
    before = set(hub.files(REPO))
    compact_dataset(root)
    assert main(['push', str(root), '--repo-id', REPO]) == 0
    assert before - set(hub.files(REPO))
    assert_pushed(hub, root)


def test_readers_keep_the_last_whole_push_until_the_next_is_complete(hub, root, capsys):
    assert main(['push', str(root), '--repo-id', REPO]) == 0
    old = dict(hub.files(REPO, 'v3.0'))
    add_episode(root)
    for part in ('/objects/', '/commit/'):
        hub.fail = lambda method, path, part=part: 403 if part in path else None
        assert main(['push', str(root), '--repo-id', REPO]) == 1
        told = capsys.readouterr().err
        assert 'told to fail' in told or 'interrupted' in told
        assert hub.files(REPO, 'v3.0') == old
    hub.fail = lambda *_: None
    assert main(['push', str(root), '--repo-id', REPO]) == 0
    assert_pushed(hub, root)


def test_without_a_name_it_is_that_of_the_user_and_the_folder(hub, root):
    assert main(['push', str(root), '--branch', 'second']) == 0
    assert_pushed(hub, root, 'second')
    assert hub.files(REPO, 'main') == {}
    assert_pushed(hub, root)


def test_a_broken_dataset_is_refused_unless_it_is_forced(hub, root, capsys):
    (video,) = sorted(root.glob('videos/*/*/*.mp4'))[:1]
    video.write_bytes(video.read_bytes()[:100])
    assert main(['push', str(root), '--repo-id', REPO]) == 1
    told = capsys.readouterr().err
    assert video.name in told
    assert '--force uploads it nevertheless' in told
    assert not hub.log
    assert main(['push', str(root), '--repo-id', REPO, '--force']) == 0
    assert 'README.md' in hub.files(REPO, 'v3.0')


def test_what_cannot_be_pushed_is_told(hub, root, tmp_path, monkeypatch, capsys):
    def told(*arguments):
        assert main(['push', *map(str, arguments)]) == 1
        return capsys.readouterr().err

    assert '--repo-id' in told(root, '--repo-id', 'a/b/c')
    lock = DatasetLock(root)
    assert 'is being written by process' in told(root, '--repo-id', REPO)
    lock.release()
    (tmp_path / 'empty').mkdir()
    assert 'holds no LeRobot dataset' in told(tmp_path / 'empty')
    monkeypatch.setenv('HF_TOKEN', 'hf_wrong')
    assert 'hf auth login' in told(root, '--repo-id', REPO)
    monkeypatch.delenv('HF_TOKEN')
    assert 'hf auth login' in told(root)
    assert hub.repos == {}
    shutil.rmtree(root / 'meta')
    assert told(root, '--repo-id', REPO)
