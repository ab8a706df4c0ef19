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
"""One writer per dataset."""

from __future__ import annotations

import json
import os
from pathlib import Path
import socket
import time

from filelock import FileLock, Timeout
from lerobot_streamrec.dataset.format.layout import LOCK, OWNER
from lerobot_streamrec.errors import DatasetLockedError

_LOCKS = Path('/proc/locks')


class DatasetLock:
    """
    Held from opening to closing; the kernel frees it when its process ends, however it ends.

    :param root: the dataset's folder, which exists
    :raise DatasetLockedError: if another process holds it, naming that one
    """

    def __init__(self, root: Path) -> None:
        self._owner_path = root / OWNER
        self._lock = FileLock(root / LOCK, thread_local=False)
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise DatasetLockedError(
                f'{root} is being written by {self._owner()}. End that recorder, '
                'or record to another root.'
            ) from error
        self._owner_path.write_text(json.dumps(_this_process()))

    def release(self) -> None:
        """Let others in. Idempotent."""
        self._lock.release()

    def _owner(self) -> str:
        try:
            owner = json.loads(self._owner_path.read_text())
            return f'process {owner["pid"]} on {owner["host"]}, since {owner["since"]}'
        except (OSError, ValueError, KeyError, TypeError):
            return 'another process'

def lock_holder(root: Path) -> str | None:
    """
    Name the process that holds a dataset's lock, without touching the lock.

    :return: None if there is none, or if the system does not tell
    """
    try:
        found = (root / LOCK).stat()
        locks = _LOCKS.read_text()
    except OSError:
        return None
    place = f'{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}'
    for line in locks.splitlines():
        # Such as "1: FLOCK  ADVISORY  WRITE 474 fe:00:2286470 0 EOF".
        fields = line.split()
        if place in fields:
            return f'process {fields[fields.index(place) - 1]}'
    return None


def _this_process() -> dict[str, object]:
    return {
        'pid': os.getpid(),
        'host': socket.gethostname(),
        'since': time.strftime('%Y-%m-%d %H:%M:%S %Z'),
    }
