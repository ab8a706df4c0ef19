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
A quick start of recorders: one process loads the recorder's modules once and forks each recorder.

Loading the modules takes a second of a core, which is most of the cost of a short test. A fork is
a normal process: it has its own session, arguments, folder, environment and log, and it ends as
the program does, by leaving its main module. The loading process is called the nursery and ends
with the tests. Two kinds of tests need a recorder without it: those of the start of Python itself,
such as a signal during the imports, and those of recorders that hear others with their name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import contextlib
import json
import os
from pathlib import Path
import signal
import socket
import subprocess
import sys
import time

from recorder_rig.fake_humble import python_module

MODULE = 'lerobot_streamrec.nodes.record_main'
_FOLDER = Path(__file__).resolve().parents[1]
_MAX_BYTES = 2**20
_END_TIMEOUT_S = 60.0
_TELL_TIMEOUT_S = 90.0
_POLL_S = 0.005
_LOCAL_DISCOVERY_S = 1.0


class Nursery:
    """The side of the tests. Its owner calls ``close``."""

    def __init__(self) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                python_module('recorder_rig.nursery'),
                cwd=_FOLDER,
                stdin=theirs,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )

    def start(
        self,
        arguments: Sequence[str],
        *,
        log_path: Path,
        folder: Path,
        environment: Mapping[str, str],
    ) -> Forked:
        """
        Start a recorder.

        :param arguments: arguments of its command line
        :param log_path: file for its standard output and error
        :param folder: its working directory
        :param environment: its complete environment
        """
        wanted = json.dumps([list(arguments), str(folder), dict(environment)]).encode()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, log_path.open('wb') as log:
            socket.send_fds(self._requests, [wanted], [theirs.fileno(), log.fileno()])
        return Forked(ours, arguments)

    def close(self) -> None:
        """End the nursery; recorders that it has started keep running."""
        self._requests.close()
        self._process.wait(_END_TIMEOUT_S)


class Forked:
    """
    A forked recorder, with the methods of ``subprocess.Popen`` that ``Child`` uses.

    :param told: socket that receives the recorder's process number, then its exit status
    :param arguments: arguments of the recorder, for error messages
    """

    def __init__(self, told: socket.socket, arguments: Sequence[str]) -> None:
        self._told = told
        self._arguments = list(arguments)
        self._returncode: int | None = None
        told.settimeout(_TELL_TIMEOUT_S)
        self.pid = int(told.recv(_MAX_BYTES))
        told.setblocking(False)

    def poll(self) -> int | None:
        """Return the exit status, or None while the recorder runs."""
        if self._returncode is None:
            with contextlib.suppress(BlockingIOError):
                self._returncode = int(self._told.recv(_MAX_BYTES))
                self._told.close()
        return self._returncode

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for the end; return the exit status or raise ``subprocess.TimeoutExpired``."""
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        while (status := self.poll()) is None:
            if deadline_s is not None and time.monotonic() > deadline_s:
                raise subprocess.TimeoutExpired(self._arguments, timeout_s or 0.0)
            time.sleep(_POLL_S)
        return status

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal unless the recorder has ended."""
        if self.poll() is None:
            # The nursery may collect the process between the poll and the signal.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def _serve() -> list[str]:
    """Fork at each request; return only in a recorder process, with its command line."""
    requests = socket.socket(fileno=os.dup(0))
    # The kernel collects the processes that wait for recorders.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        wanted, descriptors, _, _ = socket.recv_fds(requests, _MAX_BYTES, 2)
        if not wanted:
            sys.exit(0)
        if os.fork() == 0:
            break
        for one in descriptors:
            os.close(one)
    requests.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    told, log = descriptors
    recorder = os.fork()
    if recorder:
        _, status = os.waitpid(recorder, 0)
        os.write(told, b'%d' % os.waitstatus_to_exitcode(status))
        os._exit(0)
    os.setsid()
    os.write(told, b'%d' % os.getpid())
    os.close(told)
    arguments, folder, environment = json.loads(wanted)
    _become(folder, environment, log)
    return arguments


def _become(folder: str, environment: dict[str, str], log: int) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0] = folder
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)


if __name__ == '__main__':
    from lerobot_streamrec.nodes import application, record_main  # noqa: F401
    from lerobot_streamrec.nodes.graph import namesakes

    # Before its first episode a recorder waits to discover others of its name, which may run on
    # another computer. In the tests all run on this computer, where discovery is quick.
    namesakes._DISCOVERY_S = _LOCAL_DISCOVERY_S
    sys.argv = [record_main.__file__, *_serve()]
    sys.exit(record_main.main())
