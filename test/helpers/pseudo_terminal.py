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
"""A program in a real pseudo-terminal, and an emulator of its screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import termios

import pyte

_END_TIMEOUT_S = 60.0
_READ_BYTES = 65536
# Only the controlling terminal of a program sends it signals.
_LAUNCH = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class PseudoTerminal:
    """
    Runs a program in a terminal. Its owner calls ``close``.

    :param command: path of the program, and its arguments
    :param environment: complete environment of the program
    :param size: number of columns and rows
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        size: tuple[int, int] = (80, 24),
    ) -> None:
        self._ours, self._theirs = os.openpty()
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self.written = b''
        """Everything that the program has written."""
        self.resize(*size)
        self.before = self.attributes
        """The initial settings of the terminal, from termios."""
        self.process = subprocess.Popen(
            [sys.executable, '-c', _LAUNCH, *command],
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            env=environment,
            start_new_session=True,
        )

    @property
    def attributes(self) -> list[object]:
        """The present settings of the terminal."""
        return termios.tcgetattr(self._theirs)

    @property
    def text(self) -> str:
        """The text on the screen."""
        return '\n'.join(line.rstrip() for line in self._screen.display)

    def resize(self, columns: int, rows: int) -> None:
        """Change the size of the window; the program gets SIGWINCH."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
        self._screen.resize(rows, columns)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._ours, keys.encode())

    def read(self, timeout_s: float) -> None:
        """Wait for output of the program, and draw it on the screen."""
        while select.select([self._ours], [], [], timeout_s)[0]:
            data = os.read(self._ours, _READ_BYTES)
            self.written += data
            self._stream.feed(data)
            timeout_s = 0.0

    def wait(self) -> int:
        """Wait for the program's end, and return its exit status."""
        status = self.process.wait(_END_TIMEOUT_S)
        self.read(0.0)
        return status

    def hang_up(self) -> None:
        """Close the terminal's window."""
        os.close(self._ours)
        self._ours = -1

    def close(self) -> None:
        """End the program, with SIGKILL if it still runs."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(_END_TIMEOUT_S)
        for one in (self._ours, self._theirs):
            if one >= 0:
                os.close(one)
