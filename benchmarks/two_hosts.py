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
Two hosts on one machine: namespaces with a cable between them that delays, loses and goes away.

Each host has its own network, shared memory and host name. The cable is a process that copies
Ethernet frames between two TAP devices, since many kernels have no netem. It needs root and
/dev/net/tun. Nothing reaches the machine's own network, and all ends with the processes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
import fcntl
import os
from pathlib import Path
import random
import select
import shutil
import struct
import subprocess
import sys
import time
from typing import Any

from examples.demo.settings import CHECKOUT

CAMERA, RECORDER = 'camera', 'recorder'
ADDRESSES = {CAMERA: '10.77.0.1', RECORDER: '10.77.0.2'}
_TUN = Path('/dev/net/tun')
_TUNSETIFF = 0x400454CA
_IFF_TAP, _IFF_NO_PI = 0x0002, 0x1000
_FRAME_BYTES = 2048
# A switch's port has about this much memory; what comes beyond it is lost.
_PORT_BYTES = 2_000_000
_LONGEST_S = 900
_UP_TIMEOUT_S = 20.0
_HOST = (
    'mount --make-rprivate / && mount -t tmpfs tmpfs /dev/shm && hostname {name} && '
    'ip link set lo up && echo up && exec sleep {seconds}'
)


def why_not() -> str:
    """Return why there can be no two hosts here; empty if there can."""
    if os.geteuid() != 0:
        return 'namespaces need root'
    if not os.access(_TUN, os.R_OK | os.W_OK):
        return f'there is no {_TUN}'
    missing = [one for one in ('ip', 'unshare', 'nsenter') if shutil.which(one) is None]
    if missing:
        return f'{", ".join(missing)} is not installed (iproute2, util-linux)'
    probe = ['unshare', '--mount', '--uts', '--net', '--ipc', 'true']
    tried = subprocess.run(probe, capture_output=True, text=True, check=False, timeout=10)
    return '' if tried.returncode == 0 else f'namespaces cannot be made: {tried.stderr.strip()}'


class TwoHosts:
    """
    The hosts ``CAMERA`` and ``RECORDER``. Its owner uses it as a context, which ends all of them.

    :param delay_s: delay of each frame in either direction, in seconds
    :param loss: share of the frames that are lost in either direction
    :param bits_per_s: speed of the cable
    """

    def __init__(
        self, *, delay_s: float = 0.02, loss: float = 0.01, bits_per_s: float = 1e9
    ) -> None:
        self._cable = [str(one) for one in (delay_s, loss, bits_per_s)]
        self._hosts: dict[str, subprocess.Popen[str]] = {}
        self._processes: list[subprocess.Popen[Any]] = []

    def __enter__(self) -> TwoHosts:
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _make(self) -> None:
        spaces = ['unshare', '--mount', '--uts', '--net', '--ipc', '--kill-child', '--fork']
        for name in ADDRESSES:
            script = _HOST.format(name=name, seconds=_LONGEST_S)
            host = subprocess.Popen(
                [*spaces, 'sh', '-c', script], stdout=subprocess.PIPE, text=True
            )
            self._hosts[name] = host
            assert host.stdout is not None
            assert host.stdout.readline() == 'up\n', f'the host {name} could not be made'
        pids = [str(self._pid(name)) for name in ADDRESSES]
        command = [sys.executable, '-m', 'benchmarks.two_hosts', *self._cable, *pids]
        cable = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
        self._processes.append(cable)
        assert cable.stdout is not None
        assert cable.stdout.readline() == 'up\n', 'the cable could not be made'

    def _pid(self, name: str) -> int:
        """Return the process inside of the namespaces, the only child of ``unshare``."""
        pid = self._hosts[name].pid
        children = Path(f'/proc/{pid}/task/{pid}/children').read_text('ascii')
        return int(children.split()[0])

    def command(self, host: str, command: Sequence[str]) -> list[str]:
        """Return the command line that runs a command on a host."""
        return [
            *('nsenter', '-t', str(self._pid(host)), '--mount', '--uts', '--net', '--ipc'),
            f'--wdns={CHECKOUT}',
            *command,
        ]

    def start(
        self, host: str, command: Sequence[str], environment: Mapping[str, str], **options: Any
    ) -> subprocess.Popen[Any]:
        """Start a command on a host; it ends with the hosts at the latest."""
        process = subprocess.Popen(
            self.command(host, command), env=dict(environment), start_new_session=True, **options
        )
        self._processes.append(process)
        return process

    def set_link(self, host: str, *, is_up: bool) -> None:
        """Pull a host's cable out, or plug it in."""
        link = ['ip', 'link', 'set', 'eth0', 'up' if is_up else 'down']
        subprocess.run(self.command(host, link), check=True, timeout=10)

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    process.terminate()
        for process in reversed(self._processes):
            with suppress(subprocess.TimeoutExpired):
                process.wait(5.0)
        for process in (*reversed(self._processes), *self._hosts.values()):
            process.kill()
            # Closes the pipes too.
            process.communicate()


# --- the cable: a process of its own -------------------------------------------------------------


def _tap(name: str, pid: int, address: str) -> int:
    """Make the device ``eth0`` of a host, and return the descriptor of its other end."""
    end = os.open(_TUN, os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(end, _TUNSETIFF, struct.pack('16sH', name.encode(), _IFF_TAP | _IFF_NO_PI))
    inside = ['nsenter', '-t', str(pid), '--net', 'ip']
    for command in (
        ['ip', 'link', 'set', name, 'netns', str(pid)],
        [*inside, 'link', 'set', name, 'name', 'eth0', 'txqueuelen', '10000'],
        [*inside, 'address', 'add', f'{address}/24', 'dev', 'eth0'],
        [*inside, 'link', 'set', 'eth0', 'up'],
    ):
        subprocess.run(command, check=True, timeout=10)
    return end


class _Direction:
    """One direction of the cable."""

    def __init__(
        self, source: int, target: int, delay_s: float, loss: float, bits_per_s: float
    ) -> None:
        self.source = source
        self._target = target
        self._delay_s, self._loss, self._bytes_per_s = delay_s, loss, bits_per_s / 8
        self._random = random.Random(source)
        self._free_s = 0.0
        self._waiting: deque[tuple[float, bytes]] = deque()

    def take(self) -> None:
        """Take in the frames that the sender has sent."""
        for _ in range(256):
            try:
                frame = os.read(self.source, _FRAME_BYTES)
            # While the link is down there is nothing to read.
            except OSError:
                return
            now_s = time.monotonic()
            begin_s = max(now_s, self._free_s)
            if (begin_s - now_s) * self._bytes_per_s > _PORT_BYTES:
                continue
            self._free_s = begin_s + len(frame) / self._bytes_per_s
            if self._random.random() >= self._loss:
                self._waiting.append((self._free_s + self._delay_s, frame))

    def deliver(self) -> float:
        """Deliver the frames that are due, and return the time until the next one, in seconds."""
        now_s = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now_s:
            with suppress(OSError):
                os.write(self._target, self._waiting.popleft()[1])
        return self._waiting[0][0] - now_s if self._waiting else 1.0


def _cable(delay_s: float, loss: float, bits_per_s: float, pids: Sequence[int]) -> None:
    # A busy machine must not make the cable worse than it is.
    os.nice(-10)
    ends = [
        _tap(f'streamrec{number}x{os.getpid() % 10000}', pid, address)
        for number, (pid, address) in enumerate(zip(pids, ADDRESSES.values(), strict=True))
    ]
    ways = [_Direction(*pair, delay_s, loss, bits_per_s) for pair in (ends, ends[::-1])]
    print('up', flush=True)
    until_s = time.monotonic() + _LONGEST_S
    wait_s = 1.0
    while time.monotonic() < until_s:
        select.select(ends, [], [], max(0.0, wait_s))
        for one in ways:
            one.take()
        wait_s = min(one.deliver() for one in ways)


if __name__ == '__main__':
    delay, lost, speed, *processes = sys.argv[1:]
    _cable(float(delay), float(lost), float(speed), list(map(int, processes)))
