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
Measure the cost of recording on this machine, and print a table.

Start it with ``python benchmarks/record.py``; benchmarks/README.md explains each
figure. Exit status: 0 if everything was measured, 1 if a measurement failed, 2 if the photograph
is missing or an option is wrong, 130 if interrupted.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
import json
from pathlib import Path
import shutil
import sys
import tempfile

from examples.demo.settings import CHECKOUT
from lerobot_streamrec.video.codecs.config import BUNDLED_VCODECS
import numpy as np

from benchmarks.child import Check, exit_status_of, EXIT_USAGE
from benchmarks.machine import Machine, this_machine
from benchmarks.measurement import measure, Measurement
from benchmarks.pictures import find_photo, make_ring, PhotoMissingError
from benchmarks.recording_setup import Scenario
from benchmarks.table import format_row, HEADINGS

SIZES = ((640, 480), (1280, 720))
NUMS_CAMERAS = (1, 3)


def parse_options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='benchmarks/record.py', description='Measure the cost of recording on this machine.'
    )
    parser.add_argument('--seconds', type=float, default=10.0, metavar='S', help='episode length')
    parser.add_argument('--episodes', type=int, default=3, metavar='N', help='episodes per line')
    parser.add_argument(
        '--codec', choices=BUNDLED_VCODECS, default='libsvtav1', help='of all cameras'
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help='also write all results there')
    parser.add_argument(
        '--folder',
        type=Path,
        default=CHECKOUT / 'benchmarks' / 'results',
        help='folder on the disk to record to (default: %(default)s)',
    )
    parser.add_argument(
        '--quick',
        action='store_true',
        help='a trial run with one camera 640x480 and one episode of 2 s, without useful figures',
    )
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.episodes = 2.0, 1
    if not 1.0 <= options.seconds <= 3600.0:
        parser.error('--seconds: must be 1 to 3600')
    if not 1 <= options.episodes <= 100:
        parser.error('--episodes: must be 1 to 100')
    return options


def scenarios(options: argparse.Namespace) -> Iterator[Scenario]:
    """Yield the scenarios to measure; equal sizes follow each other."""
    for width, height in SIZES[:1] if options.quick else SIZES:
        for num_cameras in NUMS_CAMERAS[:1] if options.quick else NUMS_CAMERAS:
            yield Scenario(num_cameras, width, height, options.codec)


def run(options: argparse.Namespace, photo_path: Path, check: Check) -> list[Measurement]:
    """Measure all scenarios, and print each line of the table as soon as it is known."""
    measurements: list[Measurement] = []
    print(HEADINGS, flush=True)
    with working_folder(options.folder) as folder:
        ring_path, ring_size = folder / 'ring.npy', (0, 0)
        for number, scenario in enumerate(scenarios(options)):
            check()
            if ring_size != (scenario.width, scenario.height):
                ring_size = (scenario.width, scenario.height)
                np.save(ring_path, make_ring(photo_path, *ring_size))
            own = folder / f'scenario_{number}'
            own.mkdir()
            measurement = measure(
                scenario,
                ring_path,
                own,
                seconds=options.seconds,
                num_episodes=options.episodes,
                check=check,
            )
            measurements.append(measurement)
            print(format_row(scenario, measurement.summary()), flush=True)
    return measurements


@contextmanager
def working_folder(parent: Path) -> Iterator[Path]:
    """Make a folder, and remove it at the end of the block."""
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix='run-', dir=parent)).absolute()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def report(
    options: argparse.Namespace, machine: Machine, measurements: list[Measurement]
) -> None:
    """Print the remarks below the table, and write the JSON file."""
    for measurement in measurements:
        one = measurement.scenario
        for remark in measurement.remarks():
            print(f'{one.num_cameras} x {one.width}x{one.height}: {remark}')
    if options.json is None:
        return
    options.json.parent.mkdir(parents=True, exist_ok=True)
    content = {
        'machine': machine.as_json(),
        'warning': machine.warning,
        'options': {
            'seconds': options.seconds,
            'episodes': options.episodes,
            'codec': options.codec,
            'quick': options.quick,
        },
        'measurements': [measurement.as_json() for measurement in measurements],
    }
    options.json.write_text(json.dumps(content, indent=2) + '\n', encoding='utf-8')


def main() -> int:
    """Run the benchmark and return its exit status."""
    options = parse_options()
    try:
        photo_path = find_photo()
    except PhotoMissingError as error:
        print(f'benchmark: {error}', file=sys.stderr)
        return EXIT_USAGE
    machine = this_machine()
    print(machine)
    if machine.warning:
        print(machine.warning)
    print(f'{options.codec}; episodes: {options.episodes} of {options.seconds:g} s', end='\n\n')
    return exit_status_of(
        lambda check: report(options, machine, run(options, photo_path, check))
    )


if __name__ == '__main__':
    sys.exit(main())
