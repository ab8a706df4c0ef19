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
"""Keep a codec from going before the robot's own threads."""

from __future__ import annotations

import ctypes
import sys

_CAPABILITY_VERSION_3 = 0x20080522
_CAP_SYS_NICE = 1 << 23


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
    sets[0] &= ~_CAP_SYS_NICE
    return bool(capset(header, sets) == 0)
