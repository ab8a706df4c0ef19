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
"""Shared memory of Fast DDS that processes have left behind."""

from __future__ import annotations

from dataclasses import dataclass
import fcntl
from pathlib import Path
import re

SHARED_MEMORY = Path('/dev/shm')

# Segments hold messages and have random names. Ports are small and not among them: their names
# are used again, and Fast DDS mends them itself.
_SEGMENT = re.compile(r'fast(rtps|dds)_[0-9a-f]{16}')


@dataclass(frozen=True, slots=True)
class LeftOver:
    """
    Segments whose processes are gone.

    :param num_segments: how many
    :param size_bytes: memory that they take together
    """

    num_segments: int
    size_bytes: int


def left_over(folder: Path = SHARED_MEMORY) -> LeftOver:
    """Count segments that no process owns any more; changes nothing."""
    num_segments = size_bytes = 0
    try:
        found = sorted(folder.iterdir())
    except OSError:
        # Another system keeps it elsewhere.
        found = []
    for segment in found:
        if not _SEGMENT.fullmatch(segment.name) or _is_owned(segment):
            continue
        try:
            # What was never written to takes no memory.
            size_bytes += segment.stat().st_blocks * 512
        except OSError:
            continue
        num_segments += 1
    return LeftOver(num_segments, size_bytes)


def _is_owned(segment: Path) -> bool:
    """Whether the owner lives, who holds a lock on the file beside; other users' count as so."""
    try:
        with segment.with_name(f'{segment.name}_el').open('rb') as file:
            # Given back when the file is closed.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
