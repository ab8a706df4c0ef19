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
The figures of the house: the size of the package, and how hard it is to find the way in it.

``python3 tools/house.py`` prints them beside their limits and ends with status 1 if a limit is
exceeded. Limits may only shrink; ``test/test_house.py`` makes the same check in the suite.
``python3 tools/house.py --rooms`` also lists every folder with its files.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
import graphlib
import io
from pathlib import Path
import re
import statistics
import subprocess
import sys
import tokenize

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = 'lerobot_streamrec'
SMALL_LINES = 40
NOT_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
# A `:param` text must not begin with one of these words, which start a fragment.
FRAGMENT = re.compile(r':param \w+: (?:of|what|which|whether|who)\b', re.IGNORECASE)
PARAM = re.compile(r':param \w+: ')
COUNT_LOADED = f"""
import sys
from {PACKAGE}.nodes import application, record_main
print(sum(name.split('.')[0] == '{PACKAGE}' for name in sys.modules))
"""


@dataclass(frozen=True)
class Module:
    """
    One file of the package.

    :param path: path of the file below the checkout
    :param num_code_lines: number of lines without headers, blanks, docstrings and comments
    :param num_raw_lines: number of all lines
    :param imported: names of the package's modules that it imports
    """

    path: Path
    num_code_lines: int
    num_raw_lines: int
    imported: frozenset[str]


@dataclass(frozen=True)
class Figure:
    """
    One figure and its limit.

    :param name: name of the figure
    :param value: present value
    :param limit: worst value that is allowed, which is the best so far
    :param goal: value that the renovation aims at: that of the review of 2026-11, plus the
        files and lines that features have added since the review
    :param is_minimum: True if the value must not fall below the limit
    """

    name: str
    value: float
    limit: float
    goal: float
    is_minimum: bool = False

    @property
    def is_kept(self) -> bool:
        """True if the value keeps the limit."""
        return self.value >= self.limit if self.is_minimum else self.value <= self.limit

    def __str__(self) -> str:
        mark = 'ok     ' if self.is_kept else 'EXCEEDS'
        word = 'at least' if self.is_minimum else 'at most'
        return f'{mark} {self.name:50} {self.value:8g}   {word} {self.limit:g}, goal {self.goal:g}'


def num_code_lines(source: str) -> int:
    """Count the lines that hold code: no header, blank, docstring or comment."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NOT_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(value=ast.Constant(value=str()), end_lineno=int(end)):
                lines.difference_update(range(node.lineno, end + 1))
    return len(lines)


def imported_by(source: str, names: set[str]) -> Iterator[str]:
    """Yield the modules of the package that a file imports."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=aliases):
                yield from (alias.name for alias in aliases if alias.name in names)
            case ast.ImportFrom(module=str(module), names=aliases, level=0):
                found = {f'{module}.{alias.name}' for alias in aliases} & names
                yield from found or {module} & names


def modules() -> dict[str, Module]:
    """Read every file of the package, by the name of its module."""
    sources = {}
    for path in sorted((ROOT / PACKAGE).rglob('*.py')):
        name = '.'.join(path.relative_to(ROOT).with_suffix('').parts)
        sources[name.removesuffix('.__init__')] = path, path.read_text(encoding='utf-8')
    names = set(sources)
    return {
        name: Module(
            path.relative_to(ROOT),
            num_code_lines(source),
            source.count('\n'),
            frozenset(imported_by(source, names)) - {name},
        )
        for name, (path, source) in sources.items()
    }


def folders(house: dict[str, Module]) -> dict[str, list[str]]:
    """List the modules of each folder; a folder's own ``__init__`` does not count."""
    found = defaultdict(list)
    for name, module in house.items():
        if module.path.name != '__init__.py':
            found[str(module.path.parent)].append(name)
    return found


def importers(house: dict[str, Module]) -> dict[str, list[str]]:
    """List the importers of each module."""
    found: dict[str, list[str]] = {name: [] for name in house}
    for name, module in house.items():
        for other in module.imported:
            found[other].append(name)
    return found


def cycle(imported: dict[str, frozenset[str]]) -> list[str]:
    """Return modules that import each other in a circle; none if there is no circle."""
    try:
        graphlib.TopologicalSorter(imported).prepare()
    except graphlib.CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def fragments_percent() -> float:
    """Return how many of the package's `:param` texts begin with a fragment, in percent."""
    text = '\n'.join(path.read_text('utf-8') for path in (ROOT / PACKAGE).rglob('*.py'))
    return round(100 * len(FRAGMENT.findall(text)) / max(1, len(PARAM.findall(text))), 1)


def num_loaded() -> int | None:
    """Return how many files of the package a recording loads; None without ROS."""
    command = [sys.executable, '-c', COUNT_LOADED]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    return int(run.stdout) if run.returncode == 0 else None


def num_passed() -> int:
    """Return how many files a picture passes in the core; the nodes add four before these."""
    command = [sys.executable, str(ROOT / 'tools' / 'one_picture.py')]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    return len(run.stdout.splitlines())


def figures(house: dict[str, Module]) -> list[Figure]:
    """Return all figures."""
    code = [one.num_code_lines for one in house.values()]
    files = [one.num_code_lines for one in house.values() if one.path.name != '__init__.py']
    alone = importers(house)
    circle = cycle({name: one.imported for name, one in house.items()})
    small = [
        name
        for name, one in house.items()
        if len(alone[name]) == 1 and one.num_code_lines < SMALL_LINES
    ]
    found = [
        Figure('files', len(house), 388, 384),
        Figure('lines of code', sum(code), 45_300, 42_000),
        Figure('raw lines', sum(one.num_raw_lines for one in house.values()), 74_950, 70_500),
        Figure('lines of code of the median file', statistics.median(files), 116, 85, True),
        Figure('files of the largest folder', max(map(len, folders(house).values())), 16, 16),
        Figure(f'files under {SMALL_LINES} lines with one importer', len(small), 8, 25),
        Figure('modules that import each other in a circle', len(circle), 0, 0),
        Figure('`:param` texts that are fragments, percent', fragments_percent(), 0.5, 3),
    ]
    found.append(Figure('files that a picture passes in the core', num_passed(), 15, 16))
    if (loaded := num_loaded()) is not None:
        found.append(Figure('files that a recording loads', loaded, 196, 202))
    return found


def main() -> int:
    """Print the figures; return 1 if a limit is exceeded."""
    house = modules()
    found = figures(house)
    print('\n'.join(map(str, found)))
    if '--rooms' in sys.argv[1:]:
        for folder, names in sorted(folders(house).items()):
            print(f'\n{folder}: {len(names)} files')
            for name in names:
                print(f'  {house[name].num_code_lines:4} {name.rpartition(".")[2]}')
    return 0 if all(one.is_kept for one in found) else 1


if __name__ == '__main__':
    sys.exit(main())
