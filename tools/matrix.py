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
Run the tests on every platform that this machine can provide, and print a table of the results.

    python tools/matrix.py [--list] [NAME ...]

The core runs on each Python from 3.10 that is found, with the newest packages that setup.py
allows and with the oldest ones. The nodes run on ROS 2 Jazzy and Kilted, and on a fake of Humble's
interface, because the package index has no Humble. Environments stay in ``.venv-matrix-*``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
import os
from pathlib import Path
import subprocess
import sys
import time
from xml.etree import ElementTree

from environment import (
    ensure,
    EnvironmentBuildError,
    find_interpreter,
    Interpreter,
    ROOT,
    VERSIONS,
)
from run_tests import NO_TESTS, PARTS

REQUIREMENTS = ROOT / 'requirements'
OLDEST_MINOR = 10
# Future versions are included, and count as missing until they exist.
NEWEST_MINOR = 19
# See test/nodes/recorder_rig/fake_humble.py.
FAKE_HUMBLE = (('STREAMREC_FAKE_HUMBLE', '1'),)
_CORE = PARTS[:1]
_NODES = PARTS[1:3]
_ON_THE_FAKE = tuple((name, [*options, 'test/nodes']) for name, options in PARTS[1:2])
_SHOWN = ('av', 'numpy', 'pyarrow', 'click', 'rich', 'rclpy')
_VERSIONS_OF = """
from importlib.metadata import PackageNotFoundError, version
import sys
for name in sys.argv[1:]:
    try:
        print(name, version(name), end=' ')
    except PackageNotFoundError:
        pass
"""


@dataclass(frozen=True)
class Platform:
    """
    One row of the matrix.

    :param name: name for the command line
    :param interpreter: interpreter that makes the environment
    :param requirements: names of files in ``requirements/``
    :param parts: parts to run, from ``run_tests.PARTS``
    :param variables: environment variables for the tests
    """

    name: str
    interpreter: Interpreter
    requirements: tuple[str, ...]
    parts: tuple[tuple[str, list[str]], ...]
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def environment(self) -> Path:
        """The folder of its environment, which platforms with the same packages share."""
        packages = '-'.join(Path(name).stem for name in self.requirements)
        version = '.'.join(self.interpreter.version.split('.')[:2])
        return ROOT / f'.venv-matrix-{version}-{packages}'


@dataclass
class Result:
    """
    The result of a platform.

    :param platform: the platform
    :param packages: versions of the important packages
    :param passed: number of tests that passed
    :param failed: number of tests that failed, and of files that could not be read
    :param skipped: number of tests that were skipped
    :param seconds: duration of the tests, in seconds
    :param problem: why the platform failed; empty if it passed
    """

    platform: Platform
    packages: str = ''
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    problem: str = ''


def interpreters() -> Iterator[Interpreter]:
    """Yield one interpreter of each version from 3.10, those on the PATH before those of pyenv."""
    for minor in range(OLDEST_MINOR, NEWEST_MINOR + 1):
        one = _interpreter(f'3.{minor}')
        if one is not None:
            yield one


def _interpreter(version: str) -> Interpreter | None:
    try:
        return find_interpreter([version])
    except EnvironmentBuildError:
        return None


def platforms(found: Sequence[Interpreter]) -> list[Platform]:
    """
    Return all rows that can be run.

    :param found: interpreters, one of each version
    """
    rows = []
    for one in found:
        version = '.'.join(one.version.split('.')[:2])
        for age, packages in (('newest', 'runtime.txt'), ('oldest', 'oldest.txt')):
            rows.append(Platform(f'python{version}-{age}', one, (packages, 'test.txt'), _CORE))
    for_ros = [
        one
        for version in VERSIONS
        for one in found
        if one.version.startswith(f'{version}.')
    ]
    for one in for_ros[:1]:
        packages = ('runtime.txt', 'test.txt', 'dev.txt')
        jazzy = ('ros.txt', *packages)
        rows.append(Platform('jazzy', one, jazzy, _NODES))
        rows.append(Platform('kilted', one, ('ros-kilted.txt', *packages), _NODES))
        rows.append(Platform('humble-fake', one, jazzy, _ON_THE_FAKE, FAKE_HUMBLE))
    return rows


def run(platform: Platform) -> Result:
    """
    Make a platform's environment, and run its tests there.

    :param platform: the platform
    """
    result = Result(platform)
    target = platform.environment
    try:
        ensure(target, platform.interpreter, [REQUIREMENTS / one for one in platform.requirements])
    except EnvironmentBuildError as error:
        result.problem = 'its environment cannot be made'
        print(error, file=sys.stderr)
        return result
    python = target / 'bin' / 'python'
    shown = subprocess.run(
        [python, '-c', _VERSIONS_OF, *_SHOWN], capture_output=True, text=True, check=False
    )
    result.packages = shown.stdout.strip()
    started = time.monotonic()
    for number, (_, options) in enumerate(platform.parts):
        report = target / f'junit-{platform.name}-{number}.xml'
        report.unlink(missing_ok=True)
        command = [python, '-m', 'pytest', *options, f'--junit-xml={report}']
        variables = {**_variables(), **dict(platform.variables)}
        status = subprocess.run(command, cwd=ROOT, env=variables, check=False).returncode
        if status not in (0, NO_TESTS):
            result.problem = f'pytest ended with status {status}'
        if report.is_file():
            count(report, result)
    result.seconds = time.monotonic() - started
    if not result.problem and not result.passed:
        result.problem = 'no test has run'
    return result


def _variables() -> dict[str, str]:
    """Return the environment variables of the tests, without those that ``make test`` sets."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(('PYTEST_', 'STREAMREC_'))
    }


def count(report: Path, result: Result) -> None:
    """
    Add the numbers in a report of pytest to a result.

    :param report: report in JUnit's format
    :param result: result to add to
    """
    for suite in ElementTree.parse(report).getroot().iter('testsuite'):
        numbers = {
            name: int(suite.get(name, 0)) for name in ('tests', 'failures', 'errors', 'skipped')
        }
        failed = numbers['failures'] + numbers['errors']
        result.failed += failed
        result.skipped += numbers['skipped']
        result.passed += numbers['tests'] - failed - numbers['skipped']


def table(results: Sequence[Result]) -> Iterator[str]:
    """
    Yield the lines of the table.

    :param results: a result for each row
    """
    yield f'{"platform":18} {"Python":8} passed failed skipped seconds  verdict'
    for one in results:
        yield (
            f'{one.platform.name:18} {one.platform.interpreter.version:8} {one.passed:6} '
            f'{one.failed:6} {one.skipped:7} {one.seconds:7.0f}  {one.problem or "all right"}'
        )
        if one.packages:
            yield f'{"":18} {one.packages}'


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the selected platforms; return 1 if one of them has failed.

    :param arguments: command line; None for that of the process
    """
    parser = argparse.ArgumentParser(description=(__doc__ or '').strip().splitlines()[0])
    parser.add_argument('--list', action='store_true', help='list the platforms, run nothing')
    parser.add_argument(
        'names', nargs='*', metavar='NAME', help='platforms to run (default: all), * and ? allowed'
    )
    options = parser.parse_args(arguments)
    all_rows = platforms(list(interpreters()))
    names = [one.name for one in all_rows]
    for name in options.names:
        if not any(fnmatch(one, name) for one in names):
            parser.error(f'no platform is called {name}; there are: {" ".join(names)}')
    rows = [
        one
        for one in all_rows
        if not options.names or any(fnmatch(one.name, name) for name in options.names)
    ]
    if not rows:
        parser.error('found no Python from 3.10 on the PATH or among the versions of pyenv')
    if options.list:
        print('\n'.join(one.name for one in rows))
        return 0
    results = []
    for row in rows:
        print(f'== {row.name} ==', flush=True)
        results.append(run(row))
    print('\n'.join(['', *table(results)]))
    return int(any(one.problem for one in results))


if __name__ == '__main__':
    sys.exit(main())
