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
`ros2 lerobot` as ros2cli runs it, in processes of their own.

ros2cli is not on the package index: `test/helpers/fake_ros2cli` is a FAKE of its plug-in
interface. The entry points are those of setup.py, found by importlib as an installed package's.
"""

from __future__ import annotations

import os
from pathlib import Path
import runpy
import subprocess
import sys

import pytest
import setuptools

ROOT = Path(__file__).resolve().parents[2]
FAKE = ROOT / 'test' / 'helpers' / 'fake_ros2cli'
TIMEOUT_S = 200
# Packages that a command or node needs, and that `ros2 --help` need not wait for.
SLOW = ('click', 'rich', 'numpy', 'av', 'pyarrow', 'rclpy', 'lerobot_streamrec.nodes')


def entry_points_of_setup():
    """Return what setup.py declares."""
    told = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setuptools, 'setup', told.update)
        patch.chdir(ROOT)
        runpy.run_path(str(ROOT / 'setup.py'))
    return told['entry_points']


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    """Make a folder in which importlib finds this package's entry points."""
    folder = tmp_path_factory.mktemp('installed')
    info = folder / 'lerobot_streamrec-0.1.0.dist-info'
    info.mkdir()
    name = 'Name: lerobot_streamrec\nVersion: 0.1.0\n'
    (info / 'METADATA').write_text(f'Metadata-Version: 2.1\n{name}')
    groups = entry_points_of_setup()
    lines = [
        line
        for group, entries in groups.items()
        for line in (f'[{group}]', *entries, '')
    ]
    (info / 'entry_points.txt').write_text('\n'.join(lines))
    return folder


def python(installed, *arguments):
    path = os.pathsep.join([str(FAKE), str(installed), str(ROOT)])
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=os.environ | {'PYTHONPATH': path},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def ros2(installed, *arguments):
    return python(installed, '-m', 'ros2cli.cli', *arguments)


def test_ros2_lists_it_and_waits_for_nothing(installed):
    script = (
        'import sys; from ros2cli.cli import main; '
        'assert main(argv=[]) == 0; '
        f'print([name for name in sys.modules if name.startswith({SLOW})], file=sys.stderr)'
    )
    done = python(installed, '-c', script)
    assert done.returncode == 0, done.stderr
    assert '\n  lerobot  Record LeRobot datasets from a robot' in done.stdout
    assert done.stderr == '[]\n'


@pytest.mark.parametrize('arguments', [(), ('--help',)])
def test_help_lists_commands_and_nodes(installed, arguments):
    done = ros2(installed, 'lerobot', *arguments)
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout.startswith('Usage: ros2 lerobot [OPTIONS] COMMAND')
    for name in ('init', 'doctor', 'check'):
        assert f'\n  {name} ' in done.stdout
    nodes = [
        name
        for entry in entry_points_of_setup()['console_scripts']
        if (name := entry.partition(' =')[0]) != 'streamrec'
    ]
    assert 'record' in nodes
    assert ', '.join(sorted(nodes)) in ' '.join(done.stdout.split())


def test_help_of_a_command_is_the_command_s_own(installed):
    done = ros2(installed, 'lerobot', 'init', '--help')
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout.startswith('Usage: ros2 lerobot init [OPTIONS] [OUTPUT] [--ros-args ...]')


@pytest.mark.parametrize(
    ('arguments', 'status', 'words'),
    [
        (('check', 'nowhere'), 2, "ROOT is 'nowhere'"),
        (('embellish',), 2, "No such command 'embellish'"),
        (
            ('doctor', 'a.yaml', '--ros-args', '-r', '__ns:=/left', '--', '--seconds', 'few'),
            2,
            "'few' is not a valid float",
        ),
    ],
)
def test_the_exit_status_is_the_command_s_own(installed, arguments, status, words):
    done = ros2(installed, 'lerobot', *arguments)
    assert (done.returncode, done.stdout) == (status, '')
    assert words in done.stderr
    assert 'Traceback' not in done.stderr


def test_help_of_a_node_is_the_node_s_own(installed):
    done = ros2(installed, 'lerobot', 'record', '--help')
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout.startswith('usage: record [--end-with PID] [--ros-args')


@pytest.mark.ros
def test_the_recorder_gets_its_arguments_and_its_status_is_handed_on(installed):
    done = ros2(installed, 'lerobot', 'record', '--ros-args', '-p', 'fps:=0', '-r', '__ns:=/left')
    assert done.returncode == 2
    assert 'fps is 0' in done.stderr
