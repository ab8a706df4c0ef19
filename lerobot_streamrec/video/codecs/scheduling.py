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
"""The cores that this process may use, and thread priorities that codecs may not exceed."""

from __future__ import annotations

from contextlib import suppress
import ctypes
from functools import cache
import math
import os
from pathlib import Path
import sys
import threading

_CAPABILITY_VERSION_3 = 0x20080522
_CAP_SYS_NICE = 23
_PR_CAPBSET_DROP = 24

ENCODER_NICENESS = 5
"""The niceness of encoder threads and of the threads that their codecs start."""

LATE_NICENESS = 15
"""The niceness of threads that encode saved episodes, which yield to the running episode."""

# The quota and its period, in microseconds; "max" instead of a quota is no limit.
_CGROUP_LIMIT = Path('/sys/fs/cgroup/cpu.max')


@cache
def usable_cores(limit_file: Path = _CGROUP_LIMIT) -> int:
    """
    Return how many cores this process may use, which may be fewer than the computer has.

    Processes can be pinned to cores (taskset), and containers can be limited to a share of them.
    The answer is looked up once, since encoders are asked for all the time.

    :param limit_file: the limit of the control group, as in cpu.max of Linux' cgroup v2
    """
    if hasattr(os, 'sched_getaffinity'):
        num_cores = len(os.sched_getaffinity(0))
    else:
        num_cores = os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota_us, period_us = map(float, limit_file.read_text(encoding='ascii').split())
        num_cores = min(num_cores, math.ceil(quota_us / period_us))
    return max(1, num_cores)


def cores_each(num_encoders: int) -> int:
    """Return the number of cores for each of the encoders that run at once, at least 1."""
    return max(1, usable_cores() // max(1, num_encoders))


def renounce_real_time() -> bool:
    """
    Give up the right to real-time priority of the calling thread and the threads it will start.

    SVT-AV1 gives its threads SCHED_FIFO at priority 99 when it runs as root, as in most
    containers, and then starves drivers and controllers. Other threads of the process keep their
    rights. Does nothing on systems other than Linux, and has no effect if the right was never
    there.

    :return: True if capset(2) has removed CAP_SYS_NICE from the thread's effective set
    """
    if not sys.platform.startswith('linux'):
        return False
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        capget, capset = libc.capget, libc.capset
    except (OSError, AttributeError):
        return False
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    # The low and high words of the effective, permitted and inheritable sets; CAP_SYS_NICE is in
    # the low words.
    sets = (ctypes.c_uint32 * 6)()
    if capget(header, sets) != 0:
        return False
    sets[0] &= ~(1 << _CAP_SYS_NICE)
    return bool(capset(header, sets) == 0)


def renounce_real_time_of_programs() -> None:
    """
    Give up the right to real-time priority for all programs that the calling thread will start.

    ``renounce_real_time`` is not enough for them: the kernel returns the right to programs that
    root starts. This cannot be undone, so call it in a thread that ends soon. Does nothing on
    systems other than Linux, nor for users other than root, whose programs lack the right anyway.
    """
    if sys.platform.startswith('linux'):
        with suppress(OSError, AttributeError):
            # PR_CAPBSET_DROP of prctl(2).
            ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, _CAP_SYS_NICE, 0, 0, 0)


def give_way(niceness: int = ENCODER_NICENESS) -> None:
    """
    Lower the priority of the calling thread and of the threads that it will start.

    They also lose the right to real-time priority, as by ``renounce_real_time``.

    On a busy machine, frames that an encoder has no time for wait on disk, but a sample that a
    callback has no time for comes too late for its row. Does nothing on systems other than Linux,
    where threads have no niceness of their own (setpriority(2)), nor if the thread has at least
    this niceness.

    :param niceness: 0 to 19; a higher number means a lower priority
    """
    renounce_real_time()
    if not sys.platform.startswith('linux'):
        return
    thread = threading.get_native_id()
    with suppress(OSError):
        if os.getpriority(os.PRIO_PROCESS, thread) < niceness:
            os.setpriority(os.PRIO_PROCESS, thread, niceness)
