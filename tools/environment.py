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
Make the virtual environment in which this checkout is developed and tested.

Holds ROS 2 from the package index, the run-time and the development requirements, and sees the
checkout itself. Cheap when there is nothing to do: a stamp inside the environment tells what it
was made from, and is written last, so that an interrupted build is made again.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
import fcntl
import hashlib
import json
import os
from pathlib import Path
import shutil
import subprocess
import sys
import time

ROOT = Path(__file__).resolve().parents[1]
_FILES = ('ros.txt', 'runtime.txt', 'console.txt', 'test.txt', 'dev.txt')
REQUIREMENTS = tuple(ROOT / 'requirements' / name for name in _FILES)
VERSIONS = ('3.12', '3.11')
STAMP = 'streamrec-stamp'
MARKER = 'streamrec-environment'
CHECKOUT_PTH = 'lerobot_streamrec_checkout.pth'

# Runs in an interpreter that is looked at, so it must not use more than the standard library.
PROBE = """
import importlib.util, json, os, platform, sys
print(json.dumps({
    # Of an active environment the interpreter underneath: it stays when that is removed.
    'executable': os.path.realpath(getattr(sys, '_base_executable', sys.executable)),
    'version': platform.python_version(),
    'can_make_environments': all(map(importlib.util.find_spec, ('venv', 'ensurepip'))),
}))
"""


class EnvironmentBuildError(Exception):
    """The environment cannot be made; the message says what to do about it."""


@dataclass(frozen=True)
class Interpreter:
    """
    A Python interpreter that was found on this machine.

    :param executable: its absolute path
    :param version: its full version, such as ``3.12.3``
    :param can_make_environments: whether it has venv and ensurepip
    """

    executable: str
    version: str
    can_make_environments: bool


def candidates(versions: Sequence[str] = VERSIONS) -> Iterator[str]:
    """
    Yield commands that may start a fitting interpreter, the preferred ones first.

    :param versions: such as ``3.12``, the preferred ones first
    """
    chosen = os.environ.get('STREAMREC_PYTHON')
    if chosen:
        yield chosen
        return
    pyenv = Path(os.environ.get('PYENV_ROOT') or Path.home() / '.pyenv') / 'versions'
    for version in versions:
        yield f'python{version}'
        yield from map(str, sorted(pyenv.glob(f'{version}.*/bin/python3'), reverse=True))


def probe(command: str, versions: Sequence[str] = VERSIONS) -> Interpreter | None:
    """
    Start a command and ask which Python it is.

    :param command: name on the PATH, or path
    :param versions: such as ``3.12``
    :return: what it said; None if it does not run or is of another version
    """
    try:
        run = subprocess.run(
            [command, '-c', PROBE], capture_output=True, text=True, timeout=60, check=True
        )
        interpreter = Interpreter(**json.loads(run.stdout))
    except (OSError, ValueError, subprocess.SubprocessError):
        # A pyenv shim of a version that is not switched on is such a command.
        return None
    fits = any(interpreter.version.startswith(f'{version}.') for version in versions)
    return interpreter if fits else None


def find_interpreter(versions: Sequence[str] = VERSIONS) -> Interpreter:
    """
    Find the interpreter to make an environment with.

    :param versions: such as ``3.12``, the preferred ones first
    :return: the first candidate that is able to
    :raises EnvironmentBuildError: if there is none
    """
    incomplete: list[Interpreter] = []
    for command in candidates(versions):
        interpreter = probe(command, versions)
        if interpreter is None:
            continue
        if interpreter.can_make_environments:
            return interpreter
        incomplete.append(interpreter)
    raise EnvironmentBuildError(_missing_message(incomplete))


def _missing_message(incomplete: list[Interpreter]) -> str:
    """Say what to install, given the interpreters that lack venv or ensurepip."""
    if incomplete:
        found = incomplete[0]
        short = '.'.join(found.version.split('.')[:2])
        return (
            f'{found.executable} cannot make virtual environments: it lacks venv or ensurepip.\n'
            f'Install its Debian package:  apt-get install python{short}-venv'
        )
    if os.environ.get('STREAMREC_PYTHON'):
        return (
            f'STREAMREC_PYTHON={os.environ["STREAMREC_PYTHON"]} does not start a Python of '
            f'version {" or ".join(VERSIONS)}.'
        )
    return (
        f'Found no Python {" or ".join(VERSIONS)}, on the PATH or among the versions of pyenv.\n'
        'Install one (Ubuntu 24.04: apt-get install python3.12-venv, Debian 12: apt-get install '
        'python3.11-venv,\nelsewhere: pyenv install 3.12), or name one in STREAMREC_PYTHON.'
    )


def fingerprint(interpreter: Interpreter, target: Path, requirements: Sequence[Path]) -> str:
    """
    Describe all that an environment is made from.

    :param interpreter: interpreter it is made with
    :param target: its folder; environments cannot be moved
    :param requirements: files of what it holds
    :return: a hexadecimal digest that changes whenever the environment has to be made anew
    """
    digest = hashlib.sha256()
    parts = [interpreter.executable, interpreter.version, str(target), str(ROOT)]
    digest.update('\0'.join(parts).encode())
    for path in (*requirements, Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_current(target: Path, wanted: str) -> bool:
    """
    Tell whether an environment is complete and made from what is wanted.

    :param target: folder of the environment
    :param wanted: fingerprint it should have
    :return: True if nothing has to be done
    """
    stamp = target / STAMP
    if not (target / 'bin' / 'python').exists() or not stamp.is_file():
        return False
    return stamp.read_text().strip() == wanted


def remove(target: Path) -> None:
    """
    Remove an environment, or what an interrupted build left of one.

    :param target: folder of the environment
    :raises EnvironmentBuildError: if the folder holds something else
    """
    # Moved aside first: an interrupted removal must not leave a folder that looks foreign.
    for leftover in target.parent.glob(f'{target.name}.old-*'):
        shutil.rmtree(leftover)
    if not target.exists():
        return
    known = (target / MARKER, target / 'pyvenv.cfg')
    if any(target.iterdir()) and not any(path.exists() for path in known):
        raise EnvironmentBuildError(f'{target} is not a virtual environment: left as it is.')
    aside = target.with_name(f'{target.name}.old-{os.getpid()}')
    target.rename(aside)
    shutil.rmtree(aside)


def call(*command: str | Path) -> None:
    """
    Run one step, its output left to the terminal.

    :param command: program and arguments
    :raises EnvironmentBuildError: if it fails
    """
    status = subprocess.run([str(part) for part in command], check=False).returncode
    if status != 0:
        line = ' '.join(map(str, command))
        raise EnvironmentBuildError(
            f'A step failed with status {status}, its own messages stand above:\n  {line}'
        )


def build(target: Path, interpreter: Interpreter, requirements: Sequence[Path]) -> None:
    """
    Make an environment from nothing.

    :param target: folder of the environment, which must not exist
    :param interpreter: interpreter to make it with
    :param requirements: files of what to install, all of it at once
    :raises EnvironmentBuildError: if a step fails
    """
    target.mkdir(parents=True)
    (target / MARKER).write_text('Made by tools/environment.py; make env makes it again.\n')
    call(interpreter.executable, '-m', 'venv', target)
    python = target / 'bin' / 'python'
    wanted = [word for path in requirements for word in ('--requirement', path)]
    call(
        python, '-m', 'pip', 'install', '-qq', '--no-input', '--disable-pip-version-check',
        *wanted,
    )  # fmt: skip
    link_checkout(target)


def link_checkout(target: Path) -> None:
    """
    Make the checkout importable in the environment, wherever a process is started.

    A path file rather than an editable install: it needs no build and leaves nothing here.

    :param target: folder of the environment
    """
    (site_packages,) = target.glob('lib/python3*/site-packages')
    (site_packages / CHECKOUT_PTH).write_text(f'{ROOT}\n')


@contextmanager
def exclusive(target: Path) -> Iterator[None]:
    """
    Keep a second build of the same environment waiting.

    :param target: folder of the environment
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f'{target.name}.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def ensure(
    target: Path, interpreter: Interpreter, requirements: Sequence[Path] = REQUIREMENTS
) -> None:
    """
    Make the environment if it is missing, incomplete or out of date.

    :param target: folder of the environment
    :param interpreter: interpreter to make it with
    :param requirements: files of what it holds
    :raises EnvironmentBuildError: if it cannot be made
    """
    wanted = fingerprint(interpreter, target, requirements)
    with exclusive(target):
        if is_current(target, wanted):
            return
        remove(target)
        print(f'Making {target} with Python {interpreter.version}, up to 1.8 GB.', flush=True)
        started = time.monotonic()
        build(target, interpreter, requirements)
        (target / STAMP).write_text(f'{wanted}\n')
        print(f'{target} is ready after {time.monotonic() - started:.0f} s.', flush=True)


def main() -> int:
    """
    Do what the command line says.

    :return: exit status
    """
    parser = argparse.ArgumentParser(description='Make the development environment.')
    parser.add_argument(
        'target', nargs='?', type=Path, default=ROOT / '.venv', help='its folder (%(default)s)'
    )
    try:
        target = Path(os.path.abspath(parser.parse_args().target))  # noqa: PTH100 (keeps links)
        ensure(target, find_interpreter())
    except EnvironmentBuildError as error:
        print(f'make env: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('make env: interrupted; the next one begins anew.', file=sys.stderr)
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
