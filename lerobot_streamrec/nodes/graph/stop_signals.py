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
"""The start of a program, and the requests to end it: signals, and the end of its launcher."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import logging
import os
from pathlib import Path
import signal
import sys
import threading
from typing import Any

from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.installed import EXIT_CONFIG, missing_package

# States of a process that has ended, which keeps its id until its parent reads its exit status.
_ENDED = ('Z', 'X')


class Launcher:
    """
    An ancestor of this process, such as ``ros2 launch``, perhaps not the direct parent.

    It is identified by its process id and its start time, so that a later process with the same
    id is not mistaken for it. A process that is not an ancestor when this object is made, such as
    a launcher that has ended by then, counts as gone.

    :param pid: process id
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        began = _began(pid)
        self._began = began if pid in _above() else None

    def __str__(self) -> str:
        return f'process {self._pid}'

    def is_gone(self) -> bool:
        """Return True if the process has ended. Never blocks."""
        return self._began is None or _began(self._pid) != self._began


def _above() -> Iterator[int]:
    """Yield the process ids of the ancestors of this process, the parent first."""
    pid = os.getppid()
    while pid:
        yield pid
        fields = _fields(pid)
        pid = int(fields[1]) if fields else 0


def _began(pid: int) -> str | None:
    """Return the start time of a process in clock ticks since boot; None if it has ended."""
    fields = _fields(pid)
    return None if not fields or fields[0] in _ENDED else fields[19]


def _fields(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on; empty if there is no process."""
    try:
        text = Path(f'/proc/{pid}/stat').read_text('ascii', errors='replace')
    except OSError:
        return []
    # The program name before the state may contain blanks and brackets.
    return text.rpartition(')')[2].split()


END_WITH = '--end-with'
"""The option with the process whose end also ends this one; it stands before all others."""


def launcher_of(arguments: list[str]) -> tuple[Launcher | None, list[str]]:
    """
    Return the launcher that a command line names, and the other arguments.

    :param arguments: command line without the program's name
    :raise ConfigError: if the option lacks a process id
    """
    if not arguments or arguments[0] != END_WITH:
        return None, arguments
    number = arguments[1] if len(arguments) > 1 else ''
    if not number.isascii() or not number.isdigit():
        raise ConfigError(END_WITH, number, 'a process id is needed, a whole number')
    return Launcher(int(number)), arguments[2:]


_log = logging.getLogger(__name__)

# SIGHUP arrives when a terminal is closed or an ssh connection breaks.
_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """
    A flag that SIGINT, SIGTERM and SIGHUP set. The main thread makes it before anything else.

    Launch and the terminal may both send SIGINT, and a signal may arrive while modules are still
    being imported. None of them may kill the process in the middle of its work.

    :param launcher: process whose end also ends this process; None: there is no such process
    """

    def __init__(self, launcher: Launcher | None = None) -> None:
        self._launcher = launcher
        self._asked = threading.Event()
        for number in _NUMBERS:
            # nohup ignores SIGHUP, and a process under nohup has to outlive its terminal.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._ask)

    def _ask(self, _number: int, _frame: Any) -> None:
        self._asked.set()

    @staticmethod
    def ignore() -> None:
        """Ignore the signals while the process exits, when Python would restore their defaults."""
        for number in _NUMBERS:
            signal.signal(number, signal.SIG_IGN)

    def wait(self, timeout_s: float) -> bool:
        """Wait for a signal or the end of the launcher; return True if the process should end."""
        if self._asked.wait(timeout_s):
            return True
        if self._launcher is not None and self._launcher.is_gone():
            _log.warning('%s has ended, so this program ends too', self._launcher)
            self._asked.set()
        return self._asked.is_set()


Run = Callable[[list[str], StopSignals], int]
"""A function that runs a program until a signal ends it, and returns the exit status."""


def run_program(
    name: str,
    help_text: str,
    load: Callable[[list[str]], Run],
    arguments: list[str] | None = None,
) -> int:
    """
    Run a program, or print its help.

    :param name: name of the program, for error messages
    :param help_text: text for ``--help``
    :param load: function that imports the program; it takes the arguments
    :param arguments: command line without the program's name; None: the process's own. It may
        begin with ``END_WITH`` and a process id
    :return: exit status; ``EXIT_CONFIG`` if a package is missing, or for a wrong configuration
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and arguments[0] in ('-h', '--help'):
        print(help_text, end='')
        return 0
    try:
        launcher, arguments = launcher_of(arguments)
    except ConfigError as error:
        print(f'{name}: {error}', file=sys.stderr)
        return EXIT_CONFIG
    stop = StopSignals(launcher)
    try:
        # The imports are slow, so the signal handlers are installed first.
        run = load(arguments)
    except ImportError as error:
        print(f'{name}: cannot start: {missing_package(error)}', file=sys.stderr)
        return EXIT_CONFIG
    try:
        status = run(arguments, stop)
    except ConfigError as error:
        print(f'{name}: {error}', file=sys.stderr)
        status = EXIT_CONFIG
    stop.ignore()
    return status
