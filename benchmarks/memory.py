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
Record over DDS for half an hour, and check that the recorder's memory does not grow.

``make soak`` starts it. It prints the resident memory after each episode. Exit status: 0 if the
memory is level, 1 if not or if the measurement failed, 2 if something
that is needed is missing, 130 if interrupted.

The machine has to be idle otherwise. The middleware keeps a buffer for each picture that ever had
to wait for the recorder at the same time, so the memory rises once, by at most the history of each
camera, on a machine that keeps the recorder from reading.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median
import sys

from examples.demo.settings import CHECKOUT
import numpy as np

from benchmarks.child import BenchmarkError, Check, exit_status_of, EXIT_USAGE
from benchmarks.measurement import measure
from benchmarks.pictures import find_photo, make_ring, PhotoMissingError
from benchmarks.record import working_folder
from benchmarks.recording_setup import Scenario

WIDTH, HEIGHT, NUM_CAMERAS = 640, 480, 3
EPISODE_S = 20.0
MOST_GROWTH = 1.05


def growth_of(rss_mib: list[float]) -> float:
    """
    Return the memory in the last third of the episodes by that in the first third.

    :param rss_mib: memory after each episode; the first one is left out, because it loads code
    """
    later = rss_mib[1:]
    third = max(1, len(later) // 3)
    return median(later[-third:]) / median(later[:third])


def run(minutes: float, photo: Path, check: Check) -> None:
    """
    Record, and print what was measured.

    :raise BenchmarkError: if the memory grows or the measurement fails
    """
    num_episodes = max(4, round(60 * minutes / EPISODE_S))
    with working_folder(CHECKOUT / 'benchmarks' / 'results') as folder:
        ring_path = folder / 'ring.npy'
        np.save(ring_path, make_ring(photo, WIDTH, HEIGHT))
        (own := folder / 'run').mkdir()
        found = measure(
            Scenario(NUM_CAMERAS, WIDTH, HEIGHT, 'h264'),
            ring_path,
            own,
            seconds=EPISODE_S,
            num_episodes=num_episodes,
            check=check,
            has_bare=False,
        )
    rss_mib = [one.rss_mib for one in found.episodes]
    num_repeated = sum(one.repeated for one in found.episodes)
    print('MiB after each episode:', ' '.join(f'{one:.0f}' for one in rss_mib))
    growth = growth_of(rss_mib)
    print(f'{num_episodes} episodes, {num_repeated} repeated frames, growth {growth:.3f}')
    if growth > MOST_GROWTH:
        raise BenchmarkError(
            f'the memory grew by more than {MOST_GROWTH:g} times' + _excuse(num_repeated)
        )


def _excuse(num_repeated: int) -> str:
    """Return the part of the error that tells a busy machine from a leak."""
    if not num_repeated:
        return ''
    return (
        f'. The machine was too busy to judge that: {num_repeated} frames were repeated, and '
        'pictures that wait take buffers that the middleware keeps. Repeat the check on an idle '
        'machine: python benchmarks/memory.py'
    )


def main() -> int:
    """Run the check and return its exit status."""
    parser = argparse.ArgumentParser(prog='benchmarks/memory.py', description=__doc__)
    parser.add_argument('--minutes', type=float, default=30.0, help='how long to record')
    options = parser.parse_args()
    try:
        photo = find_photo()
    except PhotoMissingError as error:
        print(f'benchmark: {error}', file=sys.stderr)
        return EXIT_USAGE
    return exit_status_of(lambda check: run(options.minutes, photo, check))


if __name__ == '__main__':
    sys.exit(main())
