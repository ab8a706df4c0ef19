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
"""How a process is told to end: signals, and the death of its launcher."""

from __future__ import annotations

from collections.abc import Iterator
import logging
import os
from pathlib import Path
import signal
import threading
from typing import Any

# A process that has ended keeps its number until its parent reads its status.
_ENDED = ('Z', 'X')


class Launcher:
    """
    A process above this one, such as ``ros2 launch``, perhaps with others in between.

    It is known by its number and the instant at which it began, so that another process that gets
    the number later is not taken for it. One that has ended before this is made is none of the
    processes above this one.

    :param pid: its number
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        began = _began(pid)
        self._began = began if pid in _above() else None

    def __str__(self) -> str:
        return f'process {self._pid}'

    def is_gone(self) -> bool:
        """Tell whether it has ended. Never blocks."""
        return self._began is None or _began(self._pid) != self._began


def _above() -> Iterator[int]:
    """Yield the numbers of the processes above this one, the nearest first."""
    pid = os.getppid()
    while pid:
        yield pid
        fields = _fields(pid)
        pid = int(fields[1]) if fields else 0


def _began(pid: int) -> str | None:
    """Return when a process began, in ticks since the system did; None: it has ended."""
    fields = _fields(pid)
    return None if not fields or fields[0] in _ENDED else fields[19]


def _fields(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on; empty if there is no such process."""
    try:
        text = Path(f'/proc/{pid}/stat').read_text('ascii', errors='replace')
    except OSError:
        return []
    # The name before it may hold anything, blanks and brackets too.
    return text.rpartition(')')[2].split()


_log = logging.getLogger(__name__)

# A terminal that is closed, or an ssh connection that breaks, sends SIGHUP.
_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """
    Turns these signals into a flag. Made first of all, in the main thread.

    A launch and a terminal may both send SIGINT, and one may come while modules are still being
    imported: neither must end the process half-way.

    :param launcher: process whose end ends this one as well; None: there is none
    """

    def __init__(self, launcher: Launcher | None = None) -> None:
        self._launcher = launcher
        self._asked = threading.Event()
        for number in _NUMBERS:
            # A process that was started with `nohup` has to outlive the terminal.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._ask)

    def _ask(self, _number: int, _frame: Any) -> None:
        self._asked.set()

    @staticmethod
    def ignore() -> None:
        """Let no signal kill the process while it leaves; Python would restore the defaults."""
        for number in _NUMBERS:
            signal.signal(number, signal.SIG_IGN)

    def wait(self, timeout_s: float) -> bool:
        """Wait for a signal; whether the process should end."""
        if self._asked.wait(timeout_s):
            return True
        if self._launcher is not None and self._launcher.is_gone():
            _log.warning('%s has ended, so this recorder ends too', self._launcher)
            self._asked.set()
        return self._asked.is_set()
