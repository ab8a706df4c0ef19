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
"""The parameter file and the root of imports; a dataset that syncs, and places for its copy."""

from __future__ import annotations

import itertools

from cell import Cell
from gcs_server import GcsServer, write_key
import pytest
from s3_server import CREDENTIALS, S3Server
import yaml

PARAMETERS = {
    'fps': 10,
    'task': 'push the cube',
    'robot_type': 'arm',
    'cameras': ['front'],
    'camera': {'front': {'topic': '/front/image_raw'}},
    'state': {'topic': '/joint_states', 'names': ['a', 'b']},
    'encoder': {'vcodec': 'h264', 'preset': 'ultrafast', 'crf': 10.0},
}


@pytest.fixture
def params(tmp_path):
    path = tmp_path / 'robot.yaml'

    def write(**changes):
        values = {**PARAMETERS, 'root': str(tmp_path / 'dataset'), **changes}
        path.write_text(yaml.safe_dump({'/**/episode': {'ros__parameters': values}}))
        return str(path)

    return write


@pytest.fixture
def root(tmp_path):
    return tmp_path / 'dataset'


@pytest.fixture(scope='module')
def server():
    pytest.importorskip('moto', reason='the tests of sync need requirements/test.txt')
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        server = S3Server()
        yield server
        server.close()


@pytest.fixture(scope='module')
def google(tmp_path_factory):
    pytest.importorskip('gcp_storage_emulator', reason='GCS needs requirements/test.txt')
    with pytest.MonkeyPatch.context() as patch:
        key = tmp_path_factory.mktemp('google') / 'key.json'
        write_key(key)
        patch.setenv('GOOGLE_APPLICATION_CREDENTIALS', str(key))
        server = GcsServer()
        yield server
        server.close()


@pytest.fixture
def cell(tmp_path):
    cell = Cell(tmp_path / 'cell-07')
    yield cell
    cell.close()


@pytest.fixture
def place(tmp_path):
    (tmp_path / 'nas').mkdir()
    return tmp_path / 'nas' / 'cell-07'


_names = itertools.count()


@pytest.fixture(params=['folder', 's3', 'gcs'])
def url(request):
    """Return the URL of an empty place."""
    if request.param == 'folder':
        return str(request.getfixturevalue('place'))
    server = 'server' if request.param == 's3' else 'google'
    return request.getfixturevalue(server).url(f'lab/cell-{next(_names):03d}')
