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
"""A running ffmpeg program: its pipes, its stall timeout and the errors of its failures."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
import fcntl
import logging
import os
import select
import shlex
import signal
import subprocess
import threading
import time

from lerobot_streamrec.errors import EncoderProcessError
from lerobot_streamrec.video.codecs.scheduling import renounce_real_time_of_programs

_log = logging.getLogger(__name__)

_TAIL_LINES = 12
_MAX_LINE_BYTES = 300
_POLL_MS = 100
_KILL_TIMEOUT_S = 5.0
_LISTEN_TIMEOUT_S = 1.0

# Size of the input pipe. With the default of 64 KiB, a 640x480 frame takes 8 writes.
_PIPE_BYTES = 1 << 20
_SET_PIPE_SIZE = getattr(fcntl, 'F_SETPIPE_SZ', None)


class ProcessOutput:
    """
    The program's output, as a file that libav reads. Owned by one thread, except ``stop``.

    :param fd: file descriptor of the pipe's reading end
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self._is_stopped = threading.Event()
        self.is_at_end = False
        """True once a read has met the end; the packet read last may be cut off there."""

    def read(self, size: int) -> bytes:
        """Wait for data and return it; return no bytes at the end."""
        while not self._is_stopped.is_set():
            if self._poll.poll(_POLL_MS):
                data = os.read(self._fd, size)
                self.is_at_end = not data
                return data
        self.is_at_end = True
        return b''

    def stop(self) -> None:
        """End the reading, even if children of the program still hold the pipe open."""
        self._is_stopped.set()


class FfmpegProcess:
    """
    Feeds a program and detects its failures. Owned by one thread, except ``progress``, ``output``.

    The program has a session of its own, so Ctrl-C at the recorder's terminal does not reach it.
    It runs until its input ends, which also happens when the recorder is killed.

    :param command: the program and its arguments
    :param stall_timeout_s: longest time without any input or output, in seconds
    :param name: names the thread that collects the program's error messages
    :raise EncoderProcessError: if the program cannot be started
    """

    def __init__(self, command: Sequence[str], *, stall_timeout_s: float, name: str) -> None:
        self._command = command
        self._stall_timeout_s = stall_timeout_s
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        try:
            self._process = _start(command)
        except OSError as error:
            reason = f'{command[0]} cannot be started ({error.strerror})'
            raise EncoderProcessError(reason, shlex.join(command), '') from error
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        assert stdin is not None
        assert stdout is not None
        assert stderr is not None
        self._stdin, self._stdout, self._stderr = stdin, stdout, stderr
        self.output = ProcessOutput(stdout.fileno())
        self._errors = ProcessOutput(stderr.fileno())
        os.set_blocking(stdin.fileno(), False)
        if _SET_PIPE_SIZE is not None:
            # The memory for a user's pipes is limited; a smaller pipe is only a little slower.
            with suppress(OSError):
                fcntl.fcntl(stdin.fileno(), _SET_PIPE_SIZE, _PIPE_BYTES)
        self._room = select.poll()
        self._room.register(stdin.fileno(), select.POLLOUT)
        self._progress_s = time.monotonic()
        self._listener = threading.Thread(target=self._listen, name=f'ffmpeg-errors:{name}')
        self._listener.start()

    def _listen(self) -> None:
        rest = b''
        while data := self._errors.read(4096):
            *lines, rest = (rest + data).split(b'\n')
            self._tail.extend(_text(line) for line in lines if line.strip())
            # A line without an end must not fill the memory.
            rest = rest[:_MAX_LINE_BYTES]
        if rest.strip():
            self._tail.append(_text(rest))

    def progress(self) -> None:
        """Restart the stall timeout, because the program has done something; any thread."""
        self._progress_s = time.monotonic()

    def write(self, data: memoryview) -> None:
        """
        Write bytes to the program's input; wait while the program is busy.

        :raise EncoderProcessError: if the program has ended, or stalls
        """
        self.progress()
        try:
            while data:
                if self._room.poll(_POLL_MS):
                    data = data[os.write(self._stdin.fileno(), data) :]
                    self.progress()
                else:
                    self.refuse_stall()
        except BrokenPipeError:
            status = self.wait()
            how = 'closed its input' if status is None else _how(status)
            raise self.error(
                f'{self._command[0]} {how} before all frames were written to it'
            ) from None

    def end_input(self) -> None:
        """Close the program's input."""
        self.progress()
        with suppress(OSError):
            self._stdin.close()

    def refuse_stall(self) -> None:
        """
        Check that the program is still at work.

        :raise EncoderProcessError: if it has done nothing for longer than the stall timeout
        """
        if time.monotonic() - self._progress_s > self._stall_timeout_s:
            raise self.error(
                f'{self._command[0]} read no input and wrote no output for '
                f'{self._stall_timeout_s:g} s'
            )

    def refuse_failure(self) -> None:
        """
        Wait for the program to exit, after it has closed its output.

        :raise EncoderProcessError: if it fails, or does not exit in time
        """
        status = self.wait()
        if status is None:
            raise self.error(
                f'{self._command[0]} closed its output, but did not exit within '
                f'{self._stall_timeout_s:g} s'
            )
        if status:
            raise self.error(f'{self._command[0]} {_how(status)}')

    def wait(self) -> int | None:
        """Return the exit status, negative for a signal; None if it does not exit in time."""
        try:
            return self._process.wait(self._stall_timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def error(self, reason: str) -> EncoderProcessError:
        """Return an error with the reason, the command line and the program's last messages."""
        if self._process.poll() is not None:
            self._listener.join(_LISTEN_TIMEOUT_S)
        return EncoderProcessError(reason, shlex.join(self._command), '\n'.join(self._tail))

    def kill(self) -> None:
        """Kill the program and its children. Never raises."""
        self.end_input()
        with suppress(OSError):
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
        try:
            self._process.wait(_KILL_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            # Not even SIGKILL ends a process that waits inside a driver.
            _log.warning(
                '%s (pid %d) does not exit after SIGKILL', self._command[0], self._process.pid
            )

    def close(self) -> None:
        """Close the pipes, after the reader of the output has ended. Idempotent."""
        self._errors.stop()
        self._listener.join()
        for pipe in (self._stdin, self._stdout, self._stderr):
            with suppress(OSError):
                pipe.close()


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a program as nice as the calling thread, with no right to real-time priority."""
    with ThreadPoolExecutor(1, initializer=renounce_real_time_of_programs) as pool:
        return pool.submit(
            subprocess.Popen,
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ).result()


def _how(status: int) -> str:
    if status >= 0:
        return f'ended with exit status {status}'
    try:
        return f'was killed by {signal.Signals(-status).name}'
    except ValueError:
        return f'was killed by signal {-status}'


def _text(line: bytes) -> str:
    return line[:_MAX_LINE_BYTES].decode(errors='replace').strip()
