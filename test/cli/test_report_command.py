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
"""`streamrec report` and `streamrec info` as a user types them."""

from __future__ import annotations

import json

from arm_dataset import FRONT, Plan, write_dataset
from command_line import python, streamrec
import pytest


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return write_dataset(
        tmp_path_factory.mktemp('report') / 'pick_cube', [Plan(), Plan(), Plan(task='Wipe')]
    )


def test_report_writes_a_page_in_the_current_folder(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(root.rglob('*'))
    done = streamrec('report', root)
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout.startswith('pick_cube-report.html: 3 episodes, 0 findings, ')
    assert sorted(root.rglob('*')) == before
    page = tmp_path / 'pick_cube-report.html'
    assert page.read_text(encoding='utf-8').count('<article') == 3
    assert [path.name for path in tmp_path.iterdir()] == [page.name]
    # An older report is replaced, any other file is not.
    done = streamrec('report', root, '--episodes', '0,2')
    assert done.stdout.startswith('pick_cube-report.html: 2 episodes, ')
    page.write_text('a text of mine', encoding='utf-8')
    done = streamrec('report', root)
    assert done.returncode == 1
    assert 'pick_cube-report.html already exists' in done.stderr
    assert page.read_text(encoding='utf-8') == 'a text of mine'
    assert streamrec('report', root, '--overwrite').returncode == 0


@pytest.mark.parametrize(
    ('arguments', 'status', 'said'),
    [
        (('--output', '{root}/report.html'), 1, "--output is '{root}/report.html': it must not"),
        (('--episodes', '7'), 1, 'episodes is 7: {root} has the episodes 0 to 2'),
        (('--episodes', '7-3'), 2, "'7-3' is neither a number nor a range"),
        (('--output', '/no/such/folder/a.html'), 1, 'the folder /no/such/folder does not exist'),
    ],
)
def test_report_refuses(root, tmp_path, monkeypatch, arguments, status, said):
    monkeypatch.chdir(tmp_path)
    done = streamrec('report', root, *(one.format(root=root) for one in arguments))
    assert done.returncode == status
    assert said.format(root=root) in ' '.join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_report_needs_jinja(root, tmp_path):
    run = 'from lerobot_streamrec.cli.__main__ import run; run()'
    code = f'import sys; sys.modules["jinja2"] = None; {run}'
    done = python('-c', code, 'report', root, '--output', tmp_path / 'a.html')
    assert done.returncode == 2
    assert 'report needs Jinja: the Python package Jinja2 is not installed' in done.stderr
    assert 'pip install Jinja2' in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_report_needs_a_dataset(tmp_path):
    done = streamrec('report', tmp_path, '--output', tmp_path.parent / 'a.html')
    assert done.returncode == 1
    assert 'holds no LeRobot dataset' in done.stderr


def test_info_prints_the_figures(root):
    done = streamrec('info', root)
    assert (done.returncode, done.stderr) == (0, '')
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    figures = dict(line for line in lines if len(line) == 2)
    assert figures['episodes'].strip() == '3'
    assert figures['recorded'].strip() == '18.0 s, 6.0 s each'
    assert figures['rows'].strip() == '180 at 10 per second'
    assert figures['robot'].strip() == 'so101'
    assert figures[FRONT].startswith('96 x 72, h264, ')
    assert figures['tasks'].strip() == '2 x Follow the leader arm'
    assert '1 x Wipe' in done.stdout


def test_info_prints_json(root):
    figures = json.loads(streamrec('info', root, '--json').stdout)
    assert figures['root'] == str(root)
    assert (figures['num_episodes'], figures['num_rows'], figures['fps']) == (3, 180, 10)
    assert figures['hours'] == pytest.approx(18 / 3600, abs=1e-4)
    assert figures['tasks'] == {'Follow the leader arm': 2, 'Wipe': 1}
    assert next(one['key'] for one in figures['cameras']) == FRONT
    sizes = [one['size_bytes'] for one in figures['cameras']]
    assert sum(sizes) == sum(path.stat().st_size for path in root.glob('videos/**/*.mp4'))
