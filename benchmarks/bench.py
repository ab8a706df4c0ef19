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
"""The means that goals.py and scale.py share: measurements, options, and the files of results."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
import json
from pathlib import Path
from statistics import median
import sys
import tempfile
import time
from typing import Any

from examples.demo.settings import CHECKOUT

from benchmarks.child import (
    Check,
    exit_status_of,
    EXIT_USAGE,
    ModuleChild,
    running,
    still_running,
)
from benchmarks.machine import cpu_seconds, Machine, this_machine
from benchmarks.measurement import encode_bare, measure, Measurement
from benchmarks.peer import OURS
from benchmarks.pictures import find_photo, PhotoMissingError
from benchmarks.recording_setup import Scenario

NUM_CAMERAS = 3
SETTLE_S = 3.0
"""The time after which a publisher and its listeners have found each other."""
_PEER_SPARE_S = 300.0
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Bench:
    """
    The means of all measurements.

    :param folder: folder for datasets, logs and figures
    :param ring_path: pictures of all cameras
    :param lerobot_python: Python of an environment with LeRobot
    :param seconds: length of an episode
    :param check: function that is called several times a second, and raises to end everything
    """

    folder: Path
    ring_path: Path
    lerobot_python: Path
    seconds: float
    check: Check

    def peer(
        self, who: str, encoder: str, num_cameras: int = NUM_CAMERAS, num_episodes: int = 3
    ) -> dict[str, Any]:
        """Record with a recorder without ROS; return its episodes and memory."""
        own = self._new_folder()
        told = own / 'told.json'
        arguments = [
            *(who, '--ring', self.ring_path, '--root', own / 'dataset', '--json', told),
            *('--cameras', num_cameras, '--encoder', encoder, '--seconds', self.seconds),
            *('--episodes', num_episodes),
        ]
        child = ModuleChild(
            'benchmarks.peer',
            list(map(str, arguments)),
            folder=own,
            environment={'HF_HUB_OFFLINE': '1'},
            python=sys.executable if who == OURS else str(self.lerobot_python),
        )
        with running(child):
            child.wait(self.check, _PEER_SPARE_S + 3 * num_episodes * self.seconds)
        found: dict[str, Any] = json.loads(told.read_text(encoding='utf-8'))
        return found

    def over_dds(
        self, scenario: Scenario, *, num_episodes: int = 2, has_bare: bool = True
    ) -> Measurement:
        """Record over real DDS, and with the bare encoder."""
        return measure(
            scenario,
            self.ring_path,
            self._new_folder(),
            seconds=self.seconds,
            num_episodes=num_episodes,
            check=self.check,
            has_bare=has_bare,
        )

    def _new_folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.folder))

    def bare_ms_per_frame(self, scenario: Scenario) -> float:
        """Return the CPU time per frame of a camera that the encoder alone needs."""
        rows = [round(self.seconds * 30)] * 2
        ring = ['--ring', str(self.ring_path), '--cameras', str(scenario.num_cameras)]
        bare = encode_bare(scenario, ring, self.folder, rows, self.check)
        return median(1000 * one['cpu_s'] / one['rows'] / scenario.num_cameras for one in bare)

    def idle_cpu(self, module: str, arguments: list[str]) -> list[float]:
        """Return how many cores a listener keeps busy, a few times one after the other."""
        listener = ModuleChild(module, arguments, folder=self.folder, environment={})
        with running(listener):
            check = still_running(self.check, listener)
            found: list[float] = []
            wait(SETTLE_S, check)
            for _ in range(3):
                begin_s, before_s = time.monotonic(), cpu_seconds(listener.pid)
                wait(self.seconds / 2, check)
                used_s = cpu_seconds(listener.pid) - before_s
                found.append(used_s / (time.monotonic() - begin_s))
            return found


def wait(seconds: float, check: Check) -> None:
    """Wait, and check several times a second whether everything has to end."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        check()
        time.sleep(_POLL_S)


def add_places(parser: argparse.ArgumentParser, name: str) -> None:
    """
    Add the options for LeRobot's environment and the folder of the results.

    :param parser: the parser
    :param name: name of the files with results
    """
    parser.add_argument(
        '--lerobot',
        type=Path,
        default=CHECKOUT / '.venv-lerobot' / 'bin' / 'python',
        metavar='PYTHON',
        help='Python of an environment with LeRobot (make conformance-env)',
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=CHECKOUT / 'benchmarks' / 'results',
        metavar='FOLDER',
        help=f'folder for {name}.json, {name}.md and {name}.png',
    )


def write_results(
    out: Path, name: str, machine: Machine, headings: str, rows: Sequence[Any]
) -> None:
    """
    Write a table and its figures, and say where they are.

    :param out: folder of the results, which has the plot already
    :param name: name of the files
    :param machine: the machine on which everything was measured
    :param headings: first two lines of the table
    :param rows: dataclasses whose text is a line of the table
    """
    told = {'machine': machine.as_json(), 'rows': [asdict(one) for one in rows]}
    (out / f'{name}.json').write_text(json.dumps(told, indent=2), encoding='utf-8')
    table = '\n'.join([f'{machine}\n', headings, *map(str, rows), ''])
    (out / f'{name}.md').write_text(table, encoding='utf-8')
    print(f'\nwritten to {out}: {name}.json, {name}.md, {name}.png')


def carry_out(
    options: argparse.Namespace, work: Callable[[Machine, Path, Check], None]
) -> int:
    """
    Check that everything is there, do the work of a benchmark, and return its exit status.

    :param options: options of ``add_places``
    :param work: function that measures and reports
    """
    machine = this_machine()
    print(f'{machine}\n{machine.warning}\n')
    try:
        photo = find_photo()
    except PhotoMissingError as error:
        print(f'benchmark: {error}', file=sys.stderr)
        return EXIT_USAGE
    if not options.lerobot.is_file():
        print(f'benchmark: {options.lerobot} is missing: make conformance-env', file=sys.stderr)
        return EXIT_USAGE
    return exit_status_of(lambda check: work(machine, photo, check))
