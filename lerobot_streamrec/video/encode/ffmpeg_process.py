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
"""A running ffmpeg program: its pipes, its deadline, and what is said when it fails."""

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
from lerobot_streamrec.video.codecs.real_time import renounce_real_time_of_programs

_log = logging.getLogger(__name__)

_TAIL_LINES = 12
_MAX_LINE_BYTES = 300
_POLL_MS = 100
_KILL_TIMEOUT_S = 5.0
_LISTEN_TIMEOUT_S = 1.0

# What one write hands over; the ordinary 64 KiB of a pipe take 8 calls for a 640x480 frame.
_PIPE_BYTES = 1 << 20
_SET_PIPE_SIZE = getattr(fcntl, 'F_SETPIPE_SZ', None)


class ProcessOutput:
    """
    What the program writes, for libav to read. Owned by one thread, except ``stop``.

    :param fd: the pipe's end
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self._is_stopped = threading.Event()
        self.is_at_end = False
        """Whether a read has come upon the end: what was read last may have been cut off there."""

    def read(self, size: int) -> bytes:
        """Return what there is, as soon as there is any; nothing at the end."""
        while not self._is_stopped.is_set():
            if self._poll.poll(_POLL_MS):
                data = os.read(self._fd, size)
                self.is_at_end = not data
                return data
        self.is_at_end = True
        return b''

    def stop(self) -> None:
        """Let the reader see an end, should the program's children hold the pipe open."""
        self._is_stopped.set()


class FfmpegProcess:
    """
    Takes bytes, and is asked how it is. Owned by one thread, except ``progress`` and ``output``.

    It has a session of its own: Ctrl-C at the recorder's terminal does not reach it, and it goes
    on until its input ends. That also ends it when the recorder is killed.

    :param command: the program and its arguments
    :param stall_timeout_s: how long it may take nothing and give nothing
    :param name: names the thread that collects what it says
    :raise EncoderProcessError: if there is no such program
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
            # Users have a quota of pipes' memory; with less it is as good and a little slower.
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
            # Whatever the program says, it takes little memory.
            rest = rest[:_MAX_LINE_BYTES]
        if rest.strip():
            self._tail.append(_text(rest))

    def progress(self) -> None:
        """Take note that it has done something; any thread."""
        self._progress_s = time.monotonic()

    def write(self, data: memoryview) -> None:
        """
        Hand bytes over; waits while the program is at work on what it has.

        :raise EncoderProcessError: if it has ended, or does nothing for too long
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
            raise self.ended() from None

    def end_input(self) -> None:
        """Say that there is no more."""
        self.progress()
        with suppress(OSError):
            self._stdin.close()

    def refuse_stall(self) -> None:
        """
        Look how long it has done nothing.

        :raise EncoderProcessError: if that is too long
        """
        if time.monotonic() - self._progress_s > self._stall_timeout_s:
            raise self.error(
                f'{self._command[0]} took nothing and gave nothing for {self._stall_timeout_s:g} s'
            )

    def ended(self) -> EncoderProcessError:
        """Return what to raise when it has ended before its input did."""
        status = self.wait()
        how = 'has closed its input and runs on' if status is None else _how(status)
        return self.error(f'{self._command[0]} {how}, before its input ended')

    def refuse_failure(self) -> None:
        """
        Wait for the program's end, after that of its output.

        :raise EncoderProcessError: if it fails, or does not end
        """
        status = self.wait()
        if status is None:
            raise self.error(
                f'{self._command[0]} did not end within {self._stall_timeout_s:g} s of its output'
            )
        if status:
            raise self.error(f'{self._command[0]} {_how(status)}')

    def wait(self) -> int | None:
        """Return the exit status, less than 0 for a signal; None if it does not end in time."""
        try:
            return self._process.wait(self._stall_timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def error(self, reason: str) -> EncoderProcessError:
        """Return an error that says what was called and what it said last."""
        if self._process.poll() is not None:
            self._listener.join(_LISTEN_TIMEOUT_S)
        return EncoderProcessError(reason, shlex.join(self._command), '\n'.join(self._tail))

    def kill(self) -> None:
        """End it and whatever it has started; never raises."""
        self.end_input()
        with suppress(OSError):
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
        try:
            self._process.wait(_KILL_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            # Not even SIGKILL ends what waits inside a driver.
            _log.warning('%s does not end: pid %d', self._command[0], self._process.pid)

    def close(self) -> None:
        """Release the pipes, after the reader of the output has ended. Idempotent."""
        self._errors.stop()
        self._listener.join()
        for pipe in (self._stdin, self._stdout, self._stderr):
            with suppress(OSError):
                pipe.close()


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a program that is as nice as the calling thread, and may not be real-time."""
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
        return f'was ended by {signal.Signals(-status).name}'
    except ValueError:
        return f'was ended by signal {-status}'


def _text(line: bytes) -> str:
    return line[:_MAX_LINE_BYTES].decode(errors='replace').strip()
