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
"""Commands that are printed exist as printed, and what is missing is named with what brings it."""

from __future__ import annotations

import ast
from pathlib import Path
import re
import sys

from lerobot_streamrec import installed
from lerobot_streamrec.cli.main import streamrec
from lerobot_streamrec.installed import (
    images_profile,
    missing_package,
    record_command,
    streamrec_command,
)
import pytest

PACKAGE = Path(installed.__file__).parent
PIP = f'{sys.executable} -m pip install'
BY_HAND = re.compile(rf'\bstreamrec ({"|".join(streamrec.commands)})\b')


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine whose PATH and workspaces hold what is put there."""
    monkeypatch.setenv('PATH', str(tmp_path / 'bin'))
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'{tmp_path / "other"}:{tmp_path / "install"}')

    def put(name):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o755)

    return put


def test_in_a_workspace_ros2_runs_the_commands(machine):
    for name in ('bin/ros2', 'bin/streamrec', 'install/lib/lerobot_streamrec/streamrec'):
        machine(name)
    assert streamrec_command('check', '/a b') == (
        "ros2 run lerobot_streamrec streamrec check '/a b'"
    )
    machine('install/lib/lerobot_streamrec/record')
    assert record_command('my.yaml') == (
        'ros2 launch lerobot_streamrec record.launch.py params_file:=my.yaml'
    )


def test_where_pip_has_installed_it_scripts_are_on_the_path(machine):
    machine('bin/streamrec')
    machine('bin/record')
    machine('bin/ros2')
    assert streamrec_command('doctor', 'my.yaml') == 'streamrec doctor my.yaml'
    assert record_command('my.yaml') == 'record --ros-args --params-file my.yaml'


def test_elsewhere_the_modules_can_be_run(machine):
    machine('install/lib/lerobot_streamrec/streamrec')
    assert streamrec_command('codecs') == f'{sys.executable} -m lerobot_streamrec.cli codecs'


def test_the_profile_for_pictures_is_a_file_by_its_whole_path():
    assert images_profile().is_file()
    assert images_profile().is_absolute()


def texts(path):
    """Yield the texts of a module that are shown to somebody, with their lines."""
    tree = ast.parse(path.read_text('utf-8'))
    scopes = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    documented = [one.body[0] for one in ast.walk(tree) if isinstance(one, scopes) and one.body]
    docstrings = {id(one.value) for one in documented if isinstance(one, ast.Expr)}
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in docstrings:
            yield node.lineno, node.value


def test_no_message_writes_a_command_by_hand():
    found = [
        f'{path.relative_to(PACKAGE)}:{line}: {text}'
        for path in sorted(PACKAGE.rglob('*.py'))
        for line, text in texts(path)
        if BY_HAND.search(text) and 'Proposed by' not in text
    ]
    assert not found


@pytest.mark.parametrize(
    ('is_venv', 'is_managed', 'name', 'command'),
    [
        (True, True, 'pyarrow', f'{PIP} av pyarrow'),
        (False, False, 'click', f'{PIP} click'),
        (False, True, 'av', f'{PIP} --user --break-system-packages av '),
        (True, True, 'segno', f'{PIP} starlette uvicorn websockets segno'),
        (False, True, 'filelock', 'sudo apt install python3-filelock'),
        (False, False, 'yaml', f'{PIP} PyYAML'),
        (True, True, 'rosbags', f'{PIP} rosbags'),
    ],
)
def test_the_command_is_one_that_this_python_accepts(
    is_venv, is_managed, name, command, monkeypatch, tmp_path
):
    monkeypatch.setattr(sys, 'base_prefix', '/usr' if is_venv else sys.prefix)
    monkeypatch.setattr('sysconfig.get_path', lambda _: str(tmp_path))
    if is_managed:
        (tmp_path / 'EXTERNALLY-MANAGED').touch()
    said = missing_package(ModuleNotFoundError('no', name=f'{name}.part'))
    assert f'is not installed for {sys.executable}; install it with: {command}' in said


def test_a_package_that_is_not_whole_is_told_with_its_error():
    said = missing_package(ImportError('libx.so: no such file', name='pyarrow.lib'))
    assert 'pyarrow cannot be loaded (libx.so: no such file)' in said


def test_packages_of_ros_are_not_for_pip():
    said = missing_package(ModuleNotFoundError('no', name='rclpy'))
    assert 'source your ROS setup' in said
    assert 'pip' not in said
