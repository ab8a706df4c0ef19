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
"""Commands that need ROS: listed and explained without it, and only then loaded when they run."""

from __future__ import annotations

from functools import partial

import click
from click.testing import CliRunner
from command_line import python
from lerobot_streamrec.cli.ros_command import RosCommand
import pytest

# None in place of a module is what an import finds where there is none.
WITHOUT_ROS = """
import sys
sys.modules['rclpy'] = None
from lerobot_streamrec.cli.main import run
sys.argv = ['streamrec', *sys.argv[1:]]
run()
"""
streamrec = partial(python, '-c', WITHOUT_ROS)


def test_they_are_listed_without_ros():
    done = streamrec('--help')
    assert done.returncode == 0
    for name in ('init', 'doctor', 'check-config', 'latency', 'layout'):
        assert f'\n  {name} ' in done.stdout


@pytest.mark.parametrize('name', ['init', 'doctor', 'check-config', 'latency', 'layout'])
def test_they_are_explained_without_ros(name):
    done = streamrec(name, '--help')
    assert done.returncode == 0
    assert '[--ros-args ...]' in done.stdout
    assert '--seconds' in done.stdout


@pytest.mark.parametrize(
    'arguments', [('init',), ('doctor', 'robot.yaml'), ('latency', 'robot.yaml')]
)
def test_without_ros_they_say_what_is_missing(arguments):
    done = streamrec(*arguments)
    assert (done.returncode, done.stdout) == (2, '')
    (line,) = done.stderr.splitlines()
    assert 'source your ROS setup' in line


def test_other_commands_do_not_load_it():
    script = (
        'import sys; from lerobot_streamrec.cli.main import main; sys.argv[1:] = ["--help"]; '
        'main(); sys.exit(any(name.startswith(("rclpy", "lerobot_streamrec.nodes")) '
        'for name in sys.modules))'
    )
    done = python('-c', script)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ('arguments', 'ours', 'theirs'),
    [
        (['a', '--loud'], ('a', True), ()),
        (
            ['a', '--ros-args', '-p', 'x:=1', '--loud'],
            ('a', False),
            ('--ros-args', '-p', 'x:=1', '--loud'),
        ),
        (
            ['--ros-args', '-r', 'a:=b', '--', '--loud', 'a'],
            ('a', True),
            ('--ros-args', '-r', 'a:=b'),
        ),
        (['--loud', '--', '--a'], ('--a', True), ()),
    ],
)
def test_arguments_of_ros_are_handed_on(arguments, ours, theirs):
    found = {}

    @click.command(cls=RosCommand)
    @click.argument('word')
    @click.option('--loud', is_flag=True)
    def command(word, loud, ros_arguments):
        found.update(ours=(word, loud), theirs=ros_arguments)

    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0, done.output
    assert found == {'ours': ours, 'theirs': theirs}
