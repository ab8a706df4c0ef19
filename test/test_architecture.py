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
The floors of docs/architecture.md: what may import what, and how large a piece may grow.

Reads source, imports nothing. Each checker takes source text, so that the checkers themselves
are tested on small snippets at the end of this file.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
import re
import sys
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = 'lerobot_streamrec'

_BELOW_ALL = {
    'errors',
    'option',
    'frame',
    'durable',
    'installed',
    'remote_files',
    'workers',
}
_BELOW_RECORDING = _BELOW_ALL | {'sync', 'stats', 'video', 'dataset'}
_BELOW_SETTINGS = _BELOW_RECORDING | {'conversions', 'recording'}
_BELOW_SHELLS = _BELOW_SETTINGS | {'settings'}

# The units directly below the package, and which others each of them may import.
FLOORS: dict[str, set[str]] = {
    'errors': {'installed'},
    'option': {'errors'},
    'frame': {'errors'},
    'durable': {'errors'},
    'workers': {'errors', 'remote_files'},
    'installed': set(),
    'remote_files': set(),
    'sync': _BELOW_ALL,
    'stats': _BELOW_ALL,
    'video': _BELOW_ALL,
    'conversions': _BELOW_ALL,
    'dataset': _BELOW_ALL | {'stats', 'video'},
    'recording': _BELOW_RECORDING,
    'report': _BELOW_ALL | {'video', 'dataset'},
    'settings': _BELOW_SETTINGS,
    'inspection': _BELOW_SHELLS,
    'playback': _BELOW_SHELLS,
    'fleet': _BELOW_SHELLS | {'inspection', 'playback'},
    'nodes': _BELOW_SHELLS | {'playback'},
    'live': _BELOW_SHELLS | {'inspection', 'nodes'},
    'cli': _BELOW_SHELLS | {'inspection', 'report', 'fleet'},
    'console': _BELOW_SHELLS | {'inspection', 'nodes', 'live', 'report'},
    # The package's own __init__, which every import of a part of it executes.
    '__init__': set(),
}

# Distributions that one unit hides from all others.
# The rooms of a unit, the lowest first: folders, single files, and '' for all other files of the
# unit's own folder. An import may run down only.
ROOMS: dict[str, tuple[str, ...]] = {
    'video': ('', 'codecs', 'mp4', 'encode', 'trials', 'tools'),
    'dataset': ('', 'format', 'about', 'rebuild', 'commit', 'takes', 'check', 'repair'),
    'recording': ('stream_config', 'config', 'streams', 'episode', 'saving', '', 'operating'),
    'nodes': ('graph', 'topics', 'teleop', '', 'replay', 'packets', 'clients'),
    'live': ('', 'latency'),
    'fleet': ('reading', 'planning', 'exporting', '', 'sync'),
}

OWNERS = (
    (re.compile(r'av'), ('video',)),
    # Of two entries for a module, the first one counts.
    (re.compile(r'pyarrow\.fs'), ('dataset', 'fleet')),
    (re.compile(r'pyarrow'), ('dataset',)),
    (re.compile(r'ray'), ('fleet',)),
    (re.compile(r'jinja2|rerun'), ('report',)),
    # Rosbags, and what comes with it.
    (re.compile(r'rosbags|ruamel|backports|compression|lz4|sqlite3'), ('fleet',)),
    (
        re.compile(
            r'rclpy|rosidl\w*|launch\w*|ament_index_python|cv_bridge|sensor_msgs_py'
            r'|\w+_(msgs|srvs|interfaces)'
        ),
        ('nodes', 'live'),
    ),
    # The recorder never loads a web server.
    (re.compile(r'segno|starlette|uvicorn|websockets'), ('console',)),
    # A plug-in of `ros2`, which brings its own Python: no node needs it.
    (re.compile(r'ros2cli'), ('cli',)),
)

# Units that get along with the standard library and these.
PURE: dict[str, set[str]] = {
    '__init__': set(),
    'errors': set(),
    'installed': set(),
    'option': set(),
    'remote_files': set(),
    'sync': {'numpy'},
    'stats': {'numpy'},
}

# Composition roots choose what a process loads, after it has read its command line: these files
# import the package inside of functions, and so reach these units beside those of their floor.
LATE_IMPORTS: dict[PurePosixPath, set[str]] = {
    PurePosixPath(PACKAGE, 'nodes', 'record_main.py'): set(),
    PurePosixPath(PACKAGE, 'nodes', 'clients', 'keyboard_main.py'): set(),
    PurePosixPath(PACKAGE, 'nodes', 'clients', 'pedal_main.py'): set(),
    PurePosixPath(PACKAGE, 'nodes', 'clients', 'record_bag_main.py'): set(),
    PurePosixPath(PACKAGE, 'nodes', 'packets', 'camera_packets_main.py'): set(),
    PurePosixPath(PACKAGE, 'nodes', 'replay', 'replay_main.py'): set(),
    PurePosixPath(PACKAGE, 'console', 'console_main.py'): set(),
    PurePosixPath(PACKAGE, 'live', 'set_up_main.py'): set(),
    # A package that is missing is told in a sentence, wherever it is imported.
    PurePosixPath(PACKAGE, 'cli', '__main__.py'): set(),
    # A recording starts earlier without the tools that rebuild datasets: finalize loads them.
    PurePosixPath(PACKAGE, 'dataset', 'commit', 'writer.py'): set(),
    # Tools for datasets run without ROS; those that look at the graph load it when they run, or
    # rosbags for a bag in its place.
    PurePosixPath(PACKAGE, 'cli', 'ros_command.py'): {'live', 'nodes'},
    # Jinja, Ray, rosbags, Rerun and the Hub's client are optional; only these commands need them.
    PurePosixPath(PACKAGE, 'cli', 'progress.py'): set(),
    PurePosixPath(PACKAGE, 'cli', 'report.py'): set(),
    PurePosixPath(PACKAGE, 'cli', 'bags.py'): set(),
    # With --root it looks at a dataset, and needs no ROS.
    PurePosixPath(PACKAGE, 'cli', 'latency.py'): {'live', 'nodes'},
    PurePosixPath(PACKAGE, 'cli', 'sync.py'): set(),
    PurePosixPath(PACKAGE, 'cli', 'view.py'): set(),
}

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

LICENCE = """\
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
HEADER = re.compile(
    r'(#!.*\n)?# Copyright 20\d\d(-20\d\d)? lerobot_streamrec contributors\n' + re.escape(LICENCE)
)

NOT_SOURCE = {'build', 'install', 'log', 'dist', '__pycache__'}


class Import(NamedTuple):
    """One imported module, by its full name, and where it is imported."""

    module: str
    line: int
    in_function: bool
    level: int


def imports_of(tree: ast.Module) -> Iterator[Import]:
    """Yield every import of a file, those by importlib with a literal name included."""
    pending: list[tuple[ast.AST, bool]] = [(tree, False)]
    while pending:
        node, inside = pending.pop()
        deeper = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        pending.extend((child, deeper) for child in ast.iter_child_nodes(node))
        for module, level in _imported_by(node):
            yield Import(module, node.lineno, inside, level)


def _imported_by(node: ast.AST) -> Iterator[tuple[str, int]]:
    match node:
        case ast.Import(names=names):
            yield from ((name.name, 0) for name in names)
        case ast.ImportFrom(module=str(module), names=names, level=0) if module == PACKAGE:
            yield from ((f'{module}.{name.name}', 0) for name in names)
        case ast.ImportFrom(module=module, level=level):
            yield module or '', level
        case ast.Call(
            func=ast.Attribute(attr='import_module') | ast.Name(id='import_module' | '__import__'),
            args=[ast.Constant(value=str(module)), *_],
        ):
            yield module, 0


def unit_of(path: PurePosixPath) -> str:
    """Name the unit below the package that a file belongs to."""
    return PurePosixPath(path.parts[1]).stem


def check_imports(path: PurePosixPath, source: str) -> Iterator[str]:
    """Yield what is wrong with the imports of a file of the package."""
    unit = unit_of(path)
    if unit not in FLOORS:
        yield f'{path}:1: {unit} stands on no floor: add it to FLOORS in {Path(__file__).name}'
        return
    for item in imports_of(ast.parse(source)):
        for problem in _import_problems(path, unit, item):
            yield f'{path}:{item.line}: {problem}'


def _import_problems(path: PurePosixPath, unit: str, item: Import) -> Iterator[str]:
    top, _, rest = item.module.partition('.')
    if item.level:
        yield 'relative import: write the whole name'
    elif top == PACKAGE:
        target = rest.partition('.')[0]
        if item.in_function and path not in LATE_IMPORTS:
            yield f'imports {item.module} inside a function: a cycle to resolve, not to dodge'
        late = LATE_IMPORTS.get(path, set()) if item.in_function else set()
        if target not in ('', '__version__', unit) and target not in FLOORS[unit] | late:
            allowed = ', '.join(sorted(FLOORS[unit])) or 'nothing of the package'
            yield f'{unit} imports {target}, but may import only {allowed}'
    else:
        owners = next((o for pattern, o in OWNERS if pattern.fullmatch(item.module)), None)
        owners = owners or next((o for pattern, o in OWNERS if pattern.fullmatch(top)), (unit,))
        if unit not in owners:
            yield f'{unit} imports {top}, which only {" or ".join(owners)} may'
        if unit in PURE and top not in sys.stdlib_module_names | PURE[unit]:
            allowed = ' and '.join(['the standard library', *sorted(PURE[unit])])
            yield f'{unit} imports {top}, but has to get along with {allowed}'


def room_of(path: PurePosixPath) -> str:
    """Name the room of a file of the package within its unit."""
    parts = path.with_suffix('').parts[2:]
    is_room = len(parts) == 1 and parts[0] in ROOMS.get(unit_of(path), ())
    return parts[0] if is_room else '.'.join(parts[:-1])


def check_rooms(path: PurePosixPath, source: str) -> Iterator[str]:
    """Yield what is wrong with the room of a file, and its imports from higher rooms."""
    unit, room = unit_of(path), room_of(path)
    rooms = ROOMS.get(unit, ('',))
    if room not in rooms:
        yield f'{path}:1: {room} is no room of {unit}: add it to ROOMS in {Path(__file__).name}'
        return
    for item in imports_of(ast.parse(source)):
        parts = item.module.split('.')
        if parts[:2] == [PACKAGE, unit]:
            target = parts[2] if len(parts) > 2 and parts[2] in rooms else ''
            if rooms.index(target) > rooms.index(room):
                yield f'{path}:{item.line}: imports {item.module}, which stands above it'


def check_size(path: PurePosixPath, source: str) -> Iterator[str]:
    """Yield what of a file is larger than the budget."""
    num_lines = len(source.splitlines())
    if num_lines > MAX_FILE_LINES:
        yield f'{path}:{MAX_FILE_LINES}: {num_lines} lines, the budget is {MAX_FILE_LINES}'
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            num_lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if num_lines > MAX_FUNCTION_LINES:
                yield (
                    f'{path}:{node.lineno}: {node.name} has {num_lines} lines, '
                    f'the budget is {MAX_FUNCTION_LINES}'
                )


def check_header(path: PurePosixPath, source: str) -> Iterator[str]:
    """Yield a complaint if a file does not begin with the licence header."""
    if not HEADER.match(source):
        yield f'{path}:1: does not begin with the licence header, see {PACKAGE}/__init__.py'


def source_files() -> dict[PurePosixPath, str]:
    """Read every Python file of the checkout, by its path below the root."""
    found: list[Path] = []
    for entry in ROOT.iterdir():
        if entry.is_dir() and not entry.name.startswith('.') and entry.name not in NOT_SOURCE:
            found.extend(entry.rglob('*.py'))
        elif entry.suffix == '.py':
            found.append(entry)
    return {
        PurePosixPath(path.relative_to(ROOT).as_posix()): path.read_text(encoding='utf-8')
        for path in sorted(found)
    }


FILES = source_files()
OF_PACKAGE = {path: source for path, source in FILES.items() if path.parts[0] == PACKAGE}
# Tables of cases make a test long without making it hard to read.
OF_BUDGET = {path: source for path, source in FILES.items() if path.parts[0] != 'test'}


def same_names(paths):
    """Yield each test file whose name another one has, for plugins that import by the name."""
    of_name = {}
    for path in paths:
        if path.name.startswith('test_'):
            of_name.setdefault(path.name, []).append(path)
    for same in of_name.values():
        if len(same) > 1:
            yield f'{" and ".join(map(str, sorted(same)))} have one name'


def offenders(checker, files):
    return [problem for path, source in files.items() for problem in checker(path, source)]


def test_the_checkers_see_the_package():
    assert len(OF_PACKAGE) > 10, 'the rules below would hold of nothing'
    missing = {'errors', 'sync', 'stats', 'video', 'dataset'} - set(map(unit_of, OF_PACKAGE))
    assert not missing


@pytest.mark.parametrize(
    ('checker', 'files'),
    [
        (check_imports, OF_PACKAGE),
        (check_rooms, OF_PACKAGE),
        (check_size, OF_BUDGET),
        (check_header, FILES),
    ],
    ids=['imports', 'rooms', 'size', 'header'],
)
def test_the_checkout_keeps_the_rules(checker, files):
    found = offenders(checker, files)
    assert not found, '\n'.join(['', *found])


@pytest.mark.parametrize(
    ('path', 'source', 'complaint'),
    [
        ('errors.py', f'from {PACKAGE}.frame import Frame', 'errors imports frame'),
        ('frame.py', f'import {PACKAGE}.sync', 'frame imports sync'),
        ('sync/row_clock.py', f'from {PACKAGE}.stats import X', 'sync imports stats'),
        ('sync/row_clock.py', f'from {PACKAGE} import video', 'sync imports video'),
        ('sync/row_clock.py', 'import scipy', 'sync imports scipy, but has to get along'),
        ('stats/a.py', 'import pandas.core', 'with the standard library and numpy'),
        ('conversions/a.py', f'from {PACKAGE}.video.a import X', 'conversions imports video'),
        ('dataset/a.py', f'from {PACKAGE}.recording import X', 'dataset imports recording'),
        ('dataset/a.py', f'from {PACKAGE}.sync import X', 'dataset imports sync'),
        ('recording/a.py', f'from {PACKAGE}.conversions import X', 'recording imports conv'),
        ('recording/a.py', f'from {PACKAGE}.nodes import X', 'recording imports nodes'),
        ('settings/a.py', f'from {PACKAGE}.nodes import X', 'settings imports nodes'),
        ('settings/a.py', 'from rclpy.node import Node', 'which only nodes or live may'),
        ('nodes/a.py', f'from {PACKAGE}.live import X', 'nodes imports live'),
        ('inspection/a.py', f'from {PACKAGE}.live import X', 'inspection imports live'),
        ('cli/main.py', f'from {PACKAGE}.nodes import X', 'cli imports nodes'),
        # What is loaded late must not be loaded with the module, and by nobody else.
        ('cli/ros_command.py', f'from {PACKAGE}.nodes import X', 'cli imports nodes'),
        ('cli/ros_command.py', f'def f():\n    import {PACKAGE}.console', 'cli imports console'),
        ('cli/ros_command.py', 'def f():\n    import rclpy', 'which only nodes or live may'),
        ('nodes/a.py', f'from {PACKAGE}.console import X', 'nodes imports console'),
        ('nodes/a.py', 'from starlette.routing import Route', 'which only console may'),
        ('console/a.py', 'import rclpy', 'which only nodes or live may'),
        ('dataset/a.py', 'import av.container', 'dataset imports av, which only video may'),
        ('recording/a.py', 'from pyarrow import parquet', 'which only dataset may'),
        ('recording/a.py', 'from pyarrow.fs import X', 'which only dataset or fleet may'),
        ('fleet/a.py', 'import pyarrow.parquet as pq', 'which only dataset may'),
        ('recording/a.py', 'from rclpy.node import Node', 'which only nodes or live may'),
        ('conversions/a.py', 'from sensor_msgs.msg import Image', 'which only nodes or live may'),
        ('nodes/a.py', 'from ros2cli.command import X', 'which only cli may'),
        ('cli/a.py', 'import importlib\nimportlib.import_module("std_srvs.srv")', 'a.py:2: '),
        ('video/a.py', 'if True:\n    from . import codec', 'a.py:2: relative import'),
        ('video/a.py', 'from ..errors import X', 'relative import'),
        ('video/a.py', f'def f():\n    import {PACKAGE}.errors', 'a.py:2: imports lerobot'),
        ('__init__.py', f'from {PACKAGE}.errors import X', '__init__ imports errors'),
        ('helpers.py', '', 'helpers stands on no floor'),
    ],
)
def test_a_wrong_import_is_found(path, source, complaint):
    (found,) = check_imports(PurePosixPath(PACKAGE, path), source)
    assert complaint in found
    assert found.startswith(f'{PACKAGE}/{path}:')


@pytest.mark.parametrize(
    ('path', 'source', 'complaint'),
    [
        ('dataset/a.py', 'dataset.check.rows', 'check.rows, which stands above it'),
        ('dataset/takes/a.py', 'dataset.repair.plan', 'dataset.repair.plan, which'),
        ('nodes/topics/a.py', 'nodes.replay.schedule', 'nodes.replay.schedule, which'),
        ('dataset/cellar/a.py', 'errors', 'cellar is no room of dataset'),
        ('sync/deep/a.py', 'errors', 'deep is no room of sync'),
    ],
)
def test_a_way_up_is_found(path, source, complaint):
    (found,) = check_rooms(PurePosixPath(PACKAGE, path), f'from {PACKAGE}.{source} import X')
    assert complaint in found


@pytest.mark.parametrize(
    ('path', 'source'),
    [
        ('dataset/repair/a.py', 'dataset.check.rows'),
        ('dataset/takes/a.py', 'dataset.info'),
        ('dataset/takes/a.py', 'dataset.takes.journal'),
        ('nodes/topics/a.py', 'recording.operating.machine'),
    ],
)
def test_a_way_down_is_left_alone(path, source):
    text = f'from {PACKAGE}.{source} import X'
    assert list(check_rooms(PurePosixPath(PACKAGE, path), text)) == []


def test_only_composition_roots_reach_another_floor_from_inside_a_function():
    source = f'def f():\n    from {PACKAGE}.nodes import X'
    found = list(check_imports(PurePosixPath(PACKAGE, 'cli/main.py'), source))
    assert any('inside a function' in problem for problem in found)
    assert any('cli imports nodes' in problem for problem in found)


@pytest.mark.parametrize(
    ('path', 'source'),
    [
        ('sync/row_clock.py', f'import math\nfrom {PACKAGE}.errors import X'),
        ('sync/row_clock.py', f'import {PACKAGE}.sync.buffer\nfrom {PACKAGE} import __version__'),
        ('stats/a.py', 'import numpy.typing as npt'),
        ('video/a.py', f'import av\nfrom {PACKAGE} import errors, frame'),
        ('dataset/a.py', f'import pyarrow as pa\nfrom {PACKAGE}.video import probe'),
        ('recording/a.py', f'from {PACKAGE}.dataset import X\nimport {PACKAGE}.sync.grid'),
        ('fleet/sync/a.py', 'from pyarrow.fs import FileSystem'),
        ('nodes/record_main.py', f'def main():\n    from {PACKAGE}.nodes import run'),
        ('cli/ros_command.py', f'def f():\n    from {PACKAGE}.nodes import live'),
        ('nodes/a.py', f'import rclpy, std_srvs.srv\nfrom {PACKAGE}.conversions import X'),
        ('video/a.py', 'def f():\n    import statistics'),
    ],
)
def test_a_right_import_is_left_alone(path, source):
    assert list(check_imports(PurePosixPath(PACKAGE, path), source)) == []


def test_what_is_too_large_is_found():
    path = PurePosixPath(PACKAGE, 'errors.py')
    body = '    pass\n' * MAX_FUNCTION_LINES
    (found,) = check_size(path, f'x = 1\nasync def long():\n{body}')
    assert found == f'{path}:2: long has 61 lines, the budget is 60'
    (found,) = check_size(path, 'x = 1\n' * (MAX_FILE_LINES + 1))
    assert found == f'{path}:400: 401 lines, the budget is 400'
    fits = body.removesuffix('    pass\n')
    assert list(check_size(path, f'def f():\n{fits}' + 'x = 1\n' * 340)) == []


def test_a_missing_header_is_found():
    path = PurePosixPath('tools', 'a.py')
    header = '\n'.join(Path(__file__).read_text(encoding='utf-8').splitlines()[:13])
    assert list(check_header(path, f'{header}\n"""Words."""\n')) == []
    assert list(check_header(path, f'#!/usr/bin/env python3\n{header}\n')) == []
    for wrong in ('', '"""Words."""\n', f'\n{header}\n', header.replace('express', 'explicit')):
        (found,) = check_header(path, f'{wrong}\n')
        assert found.startswith('tools/a.py:1: does not begin with the licence header')


def test_no_two_test_files_have_one_name():
    found = list(same_names(FILES))
    assert not found, '\n'.join(['', *found])


def test_two_test_files_with_one_name_are_found():
    paths = [PurePosixPath('test', folder, 'test_rows.py') for folder in ('b', 'a')]
    assert list(same_names([*paths, PurePosixPath('test/conftest.py')])) == [
        'test/a/test_rows.py and test/b/test_rows.py have one name'
    ]
