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
Run a module like ``python -m``, in a process that ends with its parent and has no root priority.

Usage: ``python -m benchmarks.tethered PARENT_PID MODULE [ARGUMENT ...]``. However the parent ends,
the kernel sends SIGTERM to this process, so that a killed benchmark leaves no recorder behind. As
root, the process gives up the right to real-time threads: SVT-AV1 would use it unasked
(SCHED_FIFO, priority 99) and run before all other programs, unlike for a user. Linux only.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_SYS_NICE = 1 << 23


def tie_to(parent: int) -> None:
    """End with the parent, or at once if it has ended already."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)


def renounce_real_time() -> None:
    """Give up CAP_SYS_NICE; changes nothing for a user who does not have it."""
    libc = ctypes.CDLL(None)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    # The sets are effective, permitted, inheritable, twice; the capability is in the first three.
    sets = (ctypes.c_uint32 * 6)()
    if libc.capget(header, sets) != 0:
        return
    for place in range(3):
        sets[place] &= ~_CAP_SYS_NICE
    libc.capset(header, sets)


def main() -> None:
    """Tie the process to its parent, then become the module."""
    parent, module, *arguments = sys.argv[1:]
    tie_to(int(parent))
    renounce_real_time()
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name='__main__', alter_sys=True)


if __name__ == '__main__':
    main()
