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
Run all tests: on all cores, then those that need the whole machine, and those with LeRobot last.

Each part has its own process, or several. Each process with tests on DDS has its own domain, since
their recorders and robots run in real time. LeRobot checks the datasets that all other tests have
kept.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

# pytest's exit status if a part has no tests.
NO_TESTS = 5
# Tests wait for threads and processes about a third of their time. Those on DDS run in real time,
# so the machine must not become much busier.
NUM_CORES = os.cpu_count() or 1
# test/conftest.py puts the files with slow tests first; pytest-xdist must not sort them again.
BY_FILE = ['--dist', 'loadfile', '--no-loadscope-reorder']
PARTS = (
    ('the core', ['-m', 'not ros and not conformance', '-n', str(NUM_CORES + 2), *BY_FILE]),
    ('nodes on DDS', ['-m', 'ros and not alone', '-n', str(NUM_CORES + 1), *BY_FILE]),
    ('whole jobs', ['-m', 'alone']),
    # These tests keep no dataset, so the test that reads all kept ones need not come last.
    ('the real LeRobot', ['-m', 'conformance', '-n', '2', '--dist', 'loadfile']),
)


def main() -> int:
    """Run every part, even after a failed one; return pytest's first bad status."""
    statuses = []
    with tempfile.TemporaryDirectory(prefix='streamrec-kept-') as folder:
        environment = {**os.environ, 'STREAMREC_KEPT_DATASETS': folder}
        # Otherwise each of the many processes that tests start would compile this package again.
        environment.pop('PYTHONDONTWRITEBYTECODE', None)
        for name, options in PARTS:
            begin_s = time.monotonic()
            print(f'== {name} ==', flush=True)
            run = subprocess.run(
                [sys.executable, '-m', 'pytest', *options], env=environment, check=False
            )
            print(f'== {name}: {time.monotonic() - begin_s:.0f} s ==\n', flush=True)
            statuses.append(run.returncode)
    return next((status for status in statuses if status not in (0, NO_TESTS)), 0)


if __name__ == '__main__':
    sys.exit(main())
