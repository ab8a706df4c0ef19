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
"""Platforms that are named are platforms that are tested: bounds, rows of the matrix, a table."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
import sys

from packaging.requirements import Requirement
from packaging.version import Version
import pytest

ROOT = Path(__file__).resolve().parents[1]
LOWEST = {'python_version': '3.10'}


@pytest.fixture(scope='module')
def matrix():
    """Import the tool, which stands in no package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / 'tools'))
        spec = importlib.util.spec_from_file_location('matrix', ROOT / 'tools' / 'matrix.py')
        module = importlib.util.module_from_spec(spec)
        patch.setitem(sys.modules, 'matrix', module)
        spec.loader.exec_module(module)
        yield module


def setup_keyword(name):
    tree = ast.parse((ROOT / 'setup.py').read_text('utf-8'))
    (value,) = [
        one.value for one in ast.walk(tree) if isinstance(one, ast.keyword) and one.arg == name
    ]
    return ast.literal_eval(value)


def lower_bounds(lines):
    found = {}
    for line in lines:
        one = Requirement(line)
        if one.marker is None or one.marker.evaluate(LOWEST):
            for bound in one.specifier:
                if bound.operator in ('>=', '=='):
                    found[one.name] = Version(bound.version)
    return found


def requirements(name):
    lines = (ROOT / 'requirements' / name).read_text('utf-8').splitlines()
    return [line for line in lines if line and not line.startswith(('#', '-'))]


@pytest.mark.parametrize('name', ['oldest.txt', 'runtime.txt'])
def test_lower_bounds_are_those_of_setup_py(name):
    declared = lower_bounds(setup_keyword('install_requires'))
    assert lower_bounds(requirements(name)) == declared
    assert len(declared) > 5


def test_lower_bounds_of_the_console_are_those_of_setup_py():
    declared = lower_bounds(setup_keyword('extras_require')['console'])
    assert lower_bounds(requirements('console.txt')) == declared
    assert len(declared) == 4


def test_oldest_packages_are_exact_for_every_python():
    for minor in range(10, 16):
        python = {'python_version': f'3.{minor}'}
        chosen = [
            one
            for one in map(Requirement, requirements('oldest.txt'))
            if one.marker is None or one.marker.evaluate(python)
        ]
        names = sorted(one.name for one in chosen)
        assert names == sorted(lower_bounds(requirements('runtime.txt')))
        assert all(str(one.specifier).startswith('==') for one in chosen)


def test_the_matrix_begins_with_the_python_that_setup_py_declares(matrix):
    assert setup_keyword('python_requires') == f'>=3.{matrix.OLDEST_MINOR}'


def test_every_python_runs_the_core_twice_and_one_of_them_the_nodes(matrix):
    found = [matrix.Interpreter(f'/py{v}', v, True) for v in ('3.10.13', '3.12.1', '3.13.0')]
    rows = matrix.platforms(found)
    assert [one.name for one in rows] == [
        'python3.10-newest', 'python3.10-oldest',
        'python3.12-newest', 'python3.12-oldest',
        'python3.13-newest', 'python3.13-oldest',
        'jazzy', 'kilted', 'humble-fake',
    ]  # fmt: skip
    core = {name for one in rows[:6] for name, _ in one.parts}
    assert core == {'the core'}
    assert {one.interpreter.version for one in rows[6:]} == {'3.12.1'}
    assert [one.requirements[0] for one in rows[6:]] == ['ros.txt', 'ros-kilted.txt', 'ros.txt']
    for one in rows:
        assert all((ROOT / 'requirements' / name).is_file() for name in one.requirements)
    # Two rows may share an environment only if the same is in it.
    assert len({one.environment for one in rows}) == 8


def test_without_a_python_for_ros_there_is_only_the_core(matrix):
    rows = matrix.platforms([matrix.Interpreter('/py', '3.13.0', True)])
    assert [one.name for one in rows] == ['python3.13-newest', 'python3.13-oldest']


def test_the_table_says_what_failed(matrix, tmp_path):
    report = tmp_path / 'junit.xml'
    report.write_text(
        '<testsuites><testsuite tests="10" failures="2" errors="1" skipped="3"/></testsuites>'
    )
    (row, *_) = matrix.platforms([matrix.Interpreter('/py', '3.13.0', True)])
    result = matrix.Result(row, 'av 15.0.0 ', problem='pytest ended with status 1')
    matrix.count(report, result)
    matrix.count(report, result)
    _, line, packages = matrix.table([result])
    assert line.split()[:5] == ['python3.13-newest', '3.13.0', '8', '6', '6']
    assert line.endswith('pytest ended with status 1')
    assert packages.strip() == 'av 15.0.0'
