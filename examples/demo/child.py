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
"""A child process in a session of its own, with its output in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import os
from pathlib import Path
import signal
import subprocess

_TAIL_LINES = 25
_KILL_TIMEOUT_S = 5.0


class Child:
    """A process that is ended in every case: politely, then firmly, then at once."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log_path: Path,
        folder: Path,
        environment: Mapping[str, str],
    ) -> None:
        """
        Start the process.

        :param name: what people call it
        :param command: program and arguments
        :param log_path: file for its standard output and error
        :param folder: its working directory
        :param environment: all of its environment
        """
        self.name = name
        self.log_path = log_path
        self._process = self._start(command, folder, environment)

    def _start(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        with self.log_path.open('wb') as log:
            # In a session of its own, Ctrl-C in the terminal reaches only the demo, which then
            # ends the children in the right order.
            return subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=dict(environment),
                start_new_session=True,
            )

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended yet."""
        return self._process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """What it ended with (negative: a signal), or None while it runs."""
        return self._process.poll()

    def interrupt(self) -> None:
        """Ask the process to end."""
        if self.is_running:
            self._signal(signal.SIGINT)

    def stop(self, timeout_s: float) -> int:
        """
        End the process and what it started, by force after the timeout.

        :param timeout_s: how long it may take to end orderly
        :return: its exit status, negative if it was a signal
        """
        self.interrupt()
        for number, patience_s in (
            (signal.SIGTERM, timeout_s),
            (signal.SIGKILL, _KILL_TIMEOUT_S),
        ):
            try:
                self._process.wait(patience_s)
                break
            except subprocess.TimeoutExpired:
                self._signal(number)
        return self._process.wait(_KILL_TIMEOUT_S)

    def log_tail(self) -> str:
        """Return the last lines of its output."""
        lines = self.log_path.read_text('utf-8', errors='replace').splitlines()
        return '\n'.join(lines[-_TAIL_LINES:])

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return
