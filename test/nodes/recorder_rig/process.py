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
"""The recorder as its users start it: a process of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import fcntl
import json
import os
from pathlib import Path
import re
import signal
import subprocess
from typing import Any

from examples.demo.child import Child

from recorder_rig.fake_humble import python_module
from recorder_rig.nursery import MODULE, Nursery
from recorder_rig.surroundings import wait_until

UP_TIMEOUT_S = 90.0
END_TIMEOUT_S = 90.0
_CLOSE_TIMEOUT_S = 60.0

_SEGMENT = re.compile(r'/dev/shm/fast(?:rtps|dds)_[0-9a-f]{16}\b')

# Standard error and output of the recorder must never hold one of these.
_FORBIDDEN = ('Traceback (most recent call last)', 'Exception ignored', 'terminate called')


def ros_arguments(parameters: Mapping[str, object]) -> list[str]:
    """Write parameters as for a command line; JSON is YAML."""
    pairs = [('-p', f'{name}:={json.dumps(value)}') for name, value in parameters.items()]
    return ['--ros-args', *(word for pair in pairs for word in pair)]


class RecorderProcess(Child):
    """A running recorder. Whoever makes one calls ``close``."""

    def __init__(
        self,
        arguments: list[str],
        log_path: Path,
        folder: Path,
        nursery: Nursery | None,
        module: str = MODULE,
    ) -> None:
        """
        Start the process.

        :param arguments: of its command line
        :param log_path: file for its output
        :param folder: its working directory
        :param nursery: starts it; None: it is a Python of its own
        :param module: module that a Python of its own runs: the recorder, or another executable
        """
        self._nursery = nursery
        super().__init__(
            'recorder',
            arguments if nursery else [*python_module(module), *arguments],
            log_path=log_path,
            folder=folder,
            environment=os.environ,
        )
        self._segments: set[Path] = set()

    def _start(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> Any:
        if self._nursery is None:
            return super()._start(command, folder, environment)
        return self._nursery.start(
            command, log_path=self.log_path, folder=folder, environment=environment
        )

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def log(self) -> str:
        """Everything that it has written so far."""
        return self.log_path.read_text('utf-8', errors='replace')

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process alone."""
        self._segments |= self.segments()
        self._process.send_signal(number)

    def wait(self, timeout_s: float = END_TIMEOUT_S) -> int:
        """Wait for it to end by itself, and return its exit status."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            # Whoever did not end by itself would not do so for the fixtures either.
            self._kill()
            raise AssertionError(
                f'the recorder has not ended within {timeout_s:g} s; its log:\n{self.log}'
            ) from None

    def wait_until_ready(self, timeout_s: float = UP_TIMEOUT_S) -> None:
        """Wait until it listens to its topics; nobody may publish them yet."""
        wait_until(
            lambda: 'listening to ' in self.log or not self.is_running,
            timeout_s,
            lambda: f'the recorder is up; its log:\n{self.log}',
        )
        assert self.is_running, f'ended with status {self.exit_status}:\n{self.log}'

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ask it to end, wait for it, and return its exit status."""
        self.send(number)
        return self.wait()

    def catches(self, number: signal.Signals) -> bool:
        """Tell whether it has a handler for a signal by now."""
        status = Path(f'/proc/{self.pid}/status').read_text('ascii', errors='replace')
        lines = dict(line.split(':', 1) for line in status.splitlines() if ':' in line)
        return bool(int(lines.get('SigCgt', '0').strip(), 16) >> (number - 1) & 1)

    def segments(self) -> set[Path]:
        """
        Return the shared memory of Fast DDS that it has mapped, its own and others'.

        Segments hold the messages and have random names. Ports are small and not among them: their
        names are used again, Fast DDS mends them itself, and removed by hand they make it deaf.
        """
        try:
            maps = Path(f'/proc/{self.pid}/maps').read_text('utf-8', errors='replace')
        except OSError:
            # It has ended meanwhile.
            return set()
        return set(map(Path, _SEGMENT.findall(maps)))

    def complaints(self) -> list[str]:
        """Return the lines that no user should ever see."""
        return [line for line in self.log.splitlines() if any(bad in line for bad in _FORBIDDEN)]

    def close(self) -> None:
        """End it in any case; what is left of it in shared memory is removed."""
        if self.is_running:
            self.send(signal.SIGINT)
            try:
                self._process.wait(_CLOSE_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._kill()
        for segment in self._segments:
            _remove_if_orphaned(segment)

    def _kill(self) -> None:
        self._segments |= self.segments()
        os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


def _remove_if_orphaned(segment: Path) -> None:
    """Remove a segment of Fast DDS unless its owner lives, who holds a lock on the file beside."""
    lock = segment.with_name(f'{segment.name}_el')
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            segment.unlink(missing_ok=True)
            lock.unlink(missing_ok=True)
    except (BlockingIOError, FileNotFoundError):
        return
