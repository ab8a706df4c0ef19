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
"""`streamrec check`: what it prints, and its exit status."""

from __future__ import annotations

from io import StringIO
import json

from click.testing import CliRunner
from command_line import streamrec
from lerobot_streamrec.cli.check import check, render
from lerobot_streamrec.dataset.check.finding_codes import FRAME_COUNT, ORPHAN_FILE
from lerobot_streamrec.dataset.check.findings import CheckReport, Finding
from lerobot_streamrec.dataset.format.features import vector_feature
from lerobot_streamrec.dataset.format.info import DatasetInfo, with_defaults
import pytest
from rich.console import Console


@pytest.fixture
def root(tmp_path):
    """A dataset in which nothing was recorded yet."""
    info = DatasetInfo(20, 'so101', with_defaults({'action': vector_feature(('a', 'b'))}))
    (tmp_path / 'set/meta').mkdir(parents=True)
    (tmp_path / 'set/meta/info.json').write_bytes(info.as_bytes())
    return tmp_path / 'set'


def test_a_whole_dataset_ends_with_0(root):
    done = streamrec('check', root)
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout == 'whole: 0 episodes, 0 rows, 0 cameras\n'


def test_errors_end_with_1(root):
    (root / 'meta/info.json').write_text('{')
    done = streamrec('check', '--fast', root)
    assert done.returncode == 1
    assert done.stderr == ''
    assert 'unreadable-file' in done.stdout
    assert done.stdout.endswith(
        f'1 error, 0 warnings in {root}: 0 of 0 episodes sound (pictures were not decoded)\n'
    )


def test_json_is_all_that_stands_on_stdout(root):
    (root / 'tmp123').mkdir()
    done = streamrec('check', root, '--json')
    assert (done.returncode, done.stderr) == (0, '')
    report = json.loads(done.stdout)
    assert report['whole'] is True
    assert report['sound_episodes'] == []
    (finding,) = report['findings']
    assert finding == {
        'severity': 'warning',
        'code': 'orphan-file',
        'path': 'tmp123',
        'episode_index': None,
        'feature': None,
        'message': (
            'A temporary folder or file was left behind. It only takes up disk space. '
            'Move it out of the dataset.'
        ),
        'found': None,
        'expected': None,
    }


@pytest.mark.parametrize('name', ['nothing', 'set/meta', 'set/meta/info.json'])
def test_what_is_no_dataset_is_wrong_usage(root, name):
    done = streamrec('check', root.parent / name)
    assert (done.returncode, done.stdout) == (2, '')
    assert 'Error: ROOT is' in done.stderr


def test_no_root_is_wrong_usage():
    assert CliRunner().invoke(check, []).exit_code == 2


def report_of(*findings):
    return CheckReport(root='somewhere', decoded=True, findings=findings)


def printed(report):
    console = Console(width=100, record=True, file=StringIO())
    render(report, console)
    return console.export_text()


def test_many_equal_findings_do_not_flood():
    findings = [
        Finding(FRAME_COUNT, 'a.mp4', 'It has others', '1', '2', number, 'front')
        for number in range(1000)
    ]
    other = Finding(FRAME_COUNT, 'b.mp4', 'It has others', '1', '2', 0, 'top')
    text = printed(report_of(*findings, other))
    assert text.count('a.mp4') == 3
    assert text.count('b.mp4') == 1
    assert 'and 997 more like this' in text
    # What to do is said once for those that are alike.
    assert text.count('Remove the episode from') == 2
    assert '1001 errors, 0 warnings in somewhere' in text


def test_what_files_hold_is_not_taken_for_markup():
    text = printed(report_of(Finding(ORPHAN_FILE, '[bold]x[/nothing].mp4', 'It is [red]')))
    assert '[bold]x[/nothing].mp4' in text
    assert 'It is [red].' in text
    assert text.splitlines()[-1] == 'whole: 0 episodes, 0 rows, 0 cameras, 1 warning'
