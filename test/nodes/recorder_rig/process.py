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
"""The recorder as its users start it: a separate process."""

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

# The recorder's output must never contain one of these.
_FORBIDDEN = ('Traceback (most recent call last)', 'Exception ignored', 'terminate called')


def ros_arguments(parameters: Mapping[str, object]) -> list[str]:
    """Return the command line for parameters, whose values are JSON because that is YAML."""
    pairs = [('-p', f'{name}:={json.dumps(value)}') for name, value in parameters.items()]
    return ['--ros-args', *(word for pair in pairs for word in pair)]


class RecorderProcess(Child):
    """A running recorder. Its owner calls ``close``."""

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

        :param arguments: arguments of its command line
        :param log_path: file for its output
        :param folder: its working directory
        :param nursery: nursery that forks it; None for a separate Python
        :param module: module that a separate Python runs: the recorder, or another executable
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
        """The process number."""
        return self._process.pid

    @property
    def log(self) -> str:
        """The output so far."""
        return self.log_path.read_text('utf-8', errors='replace')

    def send(self, number: signal.Signals) -> None:
        """Send a signal only to this process."""
        self._segments |= self.segments()
        self._process.send_signal(number)

    def wait(self, timeout_s: float = END_TIMEOUT_S) -> int:
        """Wait until the process ends by itself, and return its exit status."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            # A hanging process would not end for the fixtures either.
            self._kill()
            raise AssertionError(
                f'the recorder has not ended within {timeout_s:g} s; its log:\n{self.log}'
            ) from None

    def wait_until_ready(self, timeout_s: float = UP_TIMEOUT_S) -> None:
        """Wait until the recorder has subscribed to its topics, which may have no publishers."""
        wait_until(
            lambda: 'listening to ' in self.log or not self.is_running,
            timeout_s,
            lambda: f'the recorder is up; its log:\n{self.log}',
        )
        assert self.is_running, f'ended with status {self.exit_status}:\n{self.log}'

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal, wait for the end, and return the exit status."""
        self.send(number)
        return self.wait()

    def catches(self, number: signal.Signals) -> bool:
        """Return True if the process has a handler for a signal now."""
        status = Path(f'/proc/{self.pid}/status').read_text('ascii', errors='replace')
        lines = dict(line.split(':', 1) for line in status.splitlines() if ':' in line)
        return bool(int(lines.get('SigCgt', '0').strip(), 16) >> (number - 1) & 1)

    def segments(self) -> set[Path]:
        """
        Return the segments of Fast DDS that the process has mapped, its own and others'.

        Segments hold messages and have random names. The small ports are not included: Fast DDS
        reuses their names and repairs them itself, and is deaf after they are removed by hand.
        """
        try:
            maps = Path(f'/proc/{self.pid}/maps').read_text('utf-8', errors='replace')
        except OSError:
            # The process has ended meanwhile.
            return set()
        return set(map(Path, _SEGMENT.findall(maps)))

    def complaints(self) -> list[str]:
        """Return the output lines that no user should ever see."""
        return [line for line in self.log.splitlines() if any(bad in line for bad in _FORBIDDEN)]

    def close(self) -> None:
        """End the process in any case, and remove the shared memory that it has left."""
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
    """Remove a segment of Fast DDS unless its running owner locks the file beside it."""
    lock = segment.with_name(f'{segment.name}_el')
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            segment.unlink(missing_ok=True)
            lock.unlink(missing_ok=True)
    except (BlockingIOError, FileNotFoundError):
        return
