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
"""Keep a codec from going before the robot's own threads, and before our callbacks."""

from __future__ import annotations

from contextlib import suppress
import ctypes
import os
import sys
import threading

_CAPABILITY_VERSION_3 = 0x20080522
_CAP_SYS_NICE = 23
_PR_CAPBSET_DROP = 24

ENCODER_NICENESS = 5
"""Of encoder threads, and of those that their codecs make."""

LATE_NICENESS = 15
"""Of who encodes episodes that are saved already: the running one goes before."""


def renounce_real_time() -> bool:
    """
    Give up the calling thread's right to real-time priority, and that of threads it will make.

    SVT-AV1 gives its threads SCHED_FIFO at priority 99 whenever it runs as root, as in most
    containers, and starves drivers and controllers then. Other threads of the process keep what
    they may. Linux only; does nothing elsewhere, and nothing where the right was never there.

    :return: whether it was done (capset(2), of CAP_SYS_NICE, effective set)
    """
    if not sys.platform.startswith('linux'):
        return False
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        capget, capset = libc.capget, libc.capset
    except (OSError, AttributeError):
        return False
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    # Effective, permitted and inheritable, twice; the right is in the first three.
    sets = (ctypes.c_uint32 * 6)()
    if capget(header, sets) != 0:
        return False
    sets[0] &= ~(1 << _CAP_SYS_NICE)
    return bool(capset(header, sets) == 0)


def renounce_real_time_of_programs() -> None:
    """
    Give up the right to real-time priority for all programs that the calling thread will start.

    To those of root, the kernel gives back what the thread has given up for itself. This cannot be
    undone, so let a thread that ends soon do it. Linux only; does nothing elsewhere, and nothing
    for those who are not root, whose programs have no such right.
    """
    if sys.platform.startswith('linux'):
        with suppress(OSError, AttributeError):
            # PR_CAPBSET_DROP of prctl(2).
            ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, _CAP_SYS_NICE, 0, 0, 0)


def give_way(niceness: int = ENCODER_NICENESS) -> None:
    """
    Let threads of ordinary priority go before the calling one and those that it will make.

    On a busy machine, what an encoder has no time for waits on the disk, but what a callback has
    no time for comes too late for its row. Linux only, where each thread has a niceness
    (setpriority(2)); does nothing elsewhere, and leaves a process alone that is nicer already.

    :param niceness: 0 to 19; the more, the more it gives way
    """
    if not sys.platform.startswith('linux'):
        return
    thread = threading.get_native_id()
    with suppress(OSError):
        if os.getpriority(os.PRIO_PROCESS, thread) < niceness:
            os.setpriority(os.PRIO_PROCESS, thread, niceness)
