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
Tasks for other processes, some of which die, and a merge that is slow enough to be killed.

``distant_tasks.py ENGINE OUT ROOT...`` merges datasets and takes a second for each file.
"""

from __future__ import annotations

import os
from pathlib import Path
import signal
import sys
import time

from lerobot_streamrec.dataset.rebuild.merge import merge_datasets
from lerobot_streamrec.dataset.rebuild.new_tree import Disk
from lerobot_streamrec.errors import ConfigError
from lerobot_streamrec.workers import Processes


class SlowDisk(Disk):
    """A disk on which files take a second, in the processes of workers alone."""

    def settle(self, path):
        super().settle(path)
        if path.parent.name.startswith('work-'):
            time.sleep(1.0)


def die(marker, times):
    """Kill this process, so many times; then return the number of lives."""
    with marker.open('a') as file:
        file.write('x')
    lives = marker.stat().st_size
    if lives <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return lives


def square(number):
    time.sleep(0.01 * (number % 3))
    return os.getpid(), number * number


def refuse():
    raise ConfigError('colour', 'mauve', 'only red is allowed')


class _OddError(Exception):
    def __init__(self, one, other):
        super().__init__(f'{one} {other}')


def fail_oddly():
    raise _OddError('an', 'oddity')


def workers_of(engine):
    if engine == 'processes':
        return Processes(2, here_s=0.0)
    from lerobot_streamrec.fleet.ray_workers import RayWorkers

    return RayWorkers('', 2)


if __name__ == '__main__':
    engine, out, *roots = sys.argv[1:]
    with workers_of(engine) as workers:
        merge_datasets(Path(out), list(map(Path, roots)), disk=SlowDisk(), workers=workers)
