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
"""A description of this machine, and the resources that a process has used."""

from __future__ import annotations

from dataclasses import asdict, dataclass
import os
from pathlib import Path
import platform

import av
import lerobot_streamrec
from lerobot_streamrec.video.codecs.scheduling import usable_cores
import psutil

QUIET_LOAD = 0.5
"""The load average above which other programs must be busy."""

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Machine:
    """
    The machine and the versions with which the figures were measured.

    :param cores: number of cores that this process may use
    :param cpu: model of the processor
    :param load: load average of the last minute before the benchmark
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
        """A warning for readers of the figures; empty if the machine was quiet."""
        if self.load <= QUIET_LOAD:
            return ''
        return (
            f'WARNING: the load average is above {QUIET_LOAD}: other programs are busy on this '
            'machine, and the figures are not reliable'
        )

    def as_json(self) -> dict[str, object]:
        """Return everything for a JSON file."""
        return asdict(self)


def this_machine() -> Machine:
    """Return the description of this machine."""
    return Machine(
        cores=usable_cores(),
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
    """Return the processor time of a process so far, in seconds: all threads, user and system."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def rss_mib(pid: int) -> float:
    """Return the resident memory of a process in MiB, including shared memory."""
    return float(psutil.Process(pid).memory_info().rss) / _MIB


def peak_rss_mib(pid: int) -> float:
    """Return the peak resident memory of a process in MiB, including shared memory."""
    for line in Path(f'/proc/{pid}/status').read_text(encoding='utf-8').splitlines():
        if line.startswith('VmHWM:'):
            return int(line.split()[1]) * 1024 / _MIB
    raise LookupError(f'the kernel does not report the peak memory of process {pid}')
