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
"""This machine in a line, and what a process on it has used."""

from __future__ import annotations

from dataclasses import asdict, dataclass
import os
from pathlib import Path
import platform

import av
import lerobot_streamrec
import psutil

QUIET_LOAD = 0.5
"""A load average above this means that others are at work."""

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Machine:
    """
    Where and with what the figures were measured.

    :param cores: that this process may use
    :param load: average of the last minute, before the benchmark began
    """

    cores: int
    cpu: str
    python: str
    pyav: str
    lerobot_streamrec: str
    load: float

    def __str__(self) -> str:
        return (
            f'{self.cores} cores, {self.cpu}; Python {self.python}, PyAV {self.pyav}, '
            f'lerobot_streamrec {self.lerobot_streamrec}; load average {self.load:.2f}'
        )

    @property
    def warning(self) -> str:
        """What the reader of the figures should know; empty if the machine was quiet."""
        if self.load <= QUIET_LOAD:
            return ''
        return (
            f'WARNING: the load average is above {QUIET_LOAD}: others are at work on this '
            'machine, and the figures are not to be relied on'
        )

    def as_json(self) -> dict[str, object]:
        """Return everything for a JSON file."""
        return asdict(self)


def this_machine() -> Machine:
    """Look around."""
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        cpu=_cpu_model(),
        python=platform.python_version(),
        pyav=av.__version__,
        lerobot_streamrec=lerobot_streamrec.__version__,
        load=os.getloadavg()[0],
    )


def _cpu_model() -> str:
    for line in Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines():
        name, _, value = line.partition(':')
        if name.strip() in ('model name', 'Model'):
            return value.strip()
    return platform.machine()


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process so far, all threads, user and system."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def peak_rss_mib(pid: int) -> float:
    """Return the most memory that a process ever had resident, shared memory included."""
    for line in Path(f'/proc/{pid}/status').read_text(encoding='utf-8').splitlines():
        if line.startswith('VmHWM:'):
            return int(line.split()[1]) * 1024 / _MIB
    raise LookupError(f'the kernel does not tell the peak memory of process {pid}')
