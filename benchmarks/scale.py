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
Find how many cameras this machine records at once over DDS, and how many LeRobot's recorder does.

Start it with ``make bench-scale``; benchmarks/README.md explains the figures. Exit status: 0 if
everything was measured, 1 if a measurement failed, 2 if something that is needed is missing, 130
if interrupted.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
import sys

import numpy as np

from benchmarks.bench import add_places, Bench, carry_out, write_results
from benchmarks.child import BenchmarkError, Check
from benchmarks.machine import Machine
from benchmarks.peer import LEROBOT
from benchmarks.pictures import make_ring
from benchmarks.publisher import CAMERAS
from benchmarks.record import working_folder
from benchmarks.recording_setup import Scenario

SIZES = ((640, 480), (1920, 1080))
VCODEC = 'h264'
MOST_SAVE_S = 0.5
OURS_OVER_DDS, LEROBOT_ALONE = 'this recorder, over DDS', 'LeRobot, without ROS'


@dataclass(frozen=True, slots=True)
class Try:
    """
    One attempt to record a number of cameras.

    :param who: the recorder
    :param width: width of every picture, in pixels
    :param height: height of every picture, in pixels
    :param num_cameras: number of cameras
    :param seconds: length of the episode
    :param cores: cores that the recorder kept busy
    :param save_s: time from the call of save to its answer, in seconds
    :param trouble: what did not hold; empty if every frame was recorded and the save was quick
    """

    who: str
    width: int
    height: int
    num_cameras: int
    seconds: float
    cores: float
    save_s: float
    trouble: str

    def __str__(self) -> str:
        return (
            f'| {self.who} | {self.width}x{self.height} | {self.num_cameras} | {self.seconds:g} '
            f'| {self.cores:.1f} | {self.save_s:.2f} | {self.trouble or "holds"} |'
        )


HEADINGS = """\
| | pictures | cameras | episode, s | cores | save, s | |
|---|---|---|---|---|---|---|"""


def largest(attempt: Callable[[int], Try], most: int) -> list[Try]:
    """
    Look for the largest number of cameras that holds: double it, then halve the interval.

    :param attempt: function that records a number of cameras
    :param most: largest number to try
    :return: all attempts
    """
    tries: list[Try] = []
    holds, fails = 0, most + 1
    while fails - holds > 1:
        number = min(2 * holds or 1, most) if fails > most else (holds + fails) // 2
        tries.append(attempt(number))
        if tries[-1].trouble:
            fails = number
        else:
            holds = number
    return tries


def record_over_dds(bench: Bench, scenario: Scenario) -> Try:
    """Record one episode over real DDS with default settings."""
    try:
        found = bench.over_dds(scenario, num_episodes=1, has_bare=False)
    except BenchmarkError as error:
        # A publisher or a recorder without any processor time left may not answer in time.
        return _try(OURS_OVER_DDS, scenario, bench.seconds, 0, 0, [str(error).splitlines()[0]])
    (episode,) = found.episodes
    trouble = [f'{episode.repeated} repeated'] if episode.repeated else []
    trouble += episode.remarks
    if trouble and found.left_out:
        trouble.append(f'the publisher left {found.left_out} pictures out')
    cores = episode.recorder_cpu_s / episode.seconds
    return _try(OURS_OVER_DDS, scenario, bench.seconds, cores, episode.save_s, trouble)


def record_with_lerobot(bench: Bench, scenario: Scenario) -> Try:
    """Record one episode with LeRobot's recorder, to which pictures are handed without ROS."""
    (episode,) = bench.peer(LEROBOT, scenario.vcodec, scenario.num_cameras, 1)['episodes']
    trouble = [f'{episode["dropped"]} dropped'] if episode['dropped'] else []
    if episode['late_rows']:
        trouble.append(f'{episode["late_rows"]} late rows')
    cores = episode['cpu_ms_per_frame'] * scenario.num_cameras * 30 / 1000
    seconds, save_s = bench.seconds, episode['save_ms'] / 1000
    return _try(LEROBOT_ALONE, scenario, seconds, cores, save_s, trouble)


def _try(
    who: str,
    scenario: Scenario,
    seconds: float,
    cores: float,
    save_s: float,
    trouble: Sequence[str],
) -> Try:
    slow = [f'save took {save_s:.1f} s'] if save_s > MOST_SAVE_S and who == OURS_OVER_DDS else []
    text = '; '.join([*trouble, *slow]).replace('|', '/')
    size = (scenario.width, scenario.height)
    return Try(who, *size, scenario.num_cameras, seconds, cores, save_s, text)


def parse_options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog='benchmarks/scale.py', description=__doc__)
    parser.add_argument(
        '--seconds', type=float, default=10.0, metavar='S', help='episode length of the search'
    )
    parser.add_argument(
        '--confirm',
        type=float,
        default=60.0,
        metavar='S',
        help='episode length with which the largest number is recorded again; 0: not at all',
    )
    parser.add_argument('--most', type=int, default=32, metavar='N', help='most cameras to try')
    add_places(parser, 'scale')
    options = parser.parse_args()
    if not 1 <= options.most <= len(CAMERAS):
        parser.error(f'--most: must be 1 to {len(CAMERAS)}')
    return options


@dataclass(frozen=True, slots=True)
class Search:
    """
    The search for the largest number of cameras of one recorder and one size.

    :param bench: means of the measurements
    :param record: function that records one episode
    :param width: width of every picture, in pixels
    :param height: height of every picture, in pixels
    """

    bench: Bench
    record: Callable[[Bench, Scenario], Try]
    width: int
    height: int

    def run(self, *, most: int, seconds: float, confirm_s: float) -> list[Try]:
        """
        Search, and record the largest number once more for a longer time.

        :param most: largest number to try
        :param seconds: length of the episodes
        :param confirm_s: length of the last episode; 0: there is none
        """
        tries = largest(lambda number: self._attempt(number, seconds), most)
        number = max((one.num_cameras for one in tries if not one.trouble), default=0)
        while confirm_s and number:
            tries.append(self._attempt(number, confirm_s))
            if not tries[-1].trouble:
                break
            number -= 1
        return tries

    def _attempt(self, number: int, seconds: float) -> Try:
        scenario = Scenario(number, self.width, self.height, VCODEC)
        found = self.record(replace(self.bench, seconds=seconds), scenario)
        print(found, flush=True)
        return found


def run(options: argparse.Namespace, photo: Path, check: Check) -> list[Try]:
    """Search with both recorders and both sizes, and print each attempt as it ends."""
    print(HEADINGS, flush=True)
    tries: list[Try] = []
    with working_folder(options.out) as folder:
        for width, height in SIZES:
            ring_path = folder / f'ring-{width}.npy'
            np.save(ring_path, make_ring(photo, width, height))
            bench = Bench(folder, ring_path, options.lerobot, options.seconds, check)
            for record in (record_over_dds, record_with_lerobot):
                search = Search(bench, record, width, height)
                tries += search.run(
                    most=options.most, seconds=options.seconds, confirm_s=options.confirm
                )
    return tries


def plot(tries: Sequence[Try], path: Path) -> None:
    """Draw the cores that each attempt took, with a cross where something did not hold."""
    import matplotlib as mpl

    mpl.use('Agg')
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(SIZES), figsize=(11, 4), layout='constrained')
    for axis, (width, height) in zip(axes, SIZES, strict=True):
        for who, colour in ((OURS_OVER_DDS, 'tab:blue'), (LEROBOT_ALONE, 'tab:orange')):
            own = [one for one in tries if one.who == who and one.width == width]
            for held, mark in ((True, 'o'), (False, 'x')):
                points = [one for one in own if bool(one.trouble) is not held]
                axis.plot(
                    [one.num_cameras for one in points],
                    [one.cores for one in points],
                    mark,
                    color=colour,
                    label=f'{who}: {"holds" if held else "does not hold"}',
                )
        axis.set_title(f'{width}x{height}, {VCODEC}, 30 Hz')
        axis.set_xlabel('cameras')
        axis.set_ylabel('cores of the recorder')
        sized = [one for one in tries if one.width == width]
        axis.set_xlim(0, max((one.num_cameras for one in sized), default=0) + 1)
        axis.set_ylim(0, 1.1 * max((one.cores for one in sized), default=1.0))
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.legend(fontsize='small')
    figure.savefig(path, dpi=120)


def main() -> int:
    """Run the benchmark and return its exit status."""
    options = parse_options()

    def work(machine: Machine, photo: Path, check: Check) -> None:
        tries = run(options, photo, check)
        plot(tries, options.out / 'scale.png')
        write_results(options.out, 'scale', machine, HEADINGS, tries)

    return carry_out(options, work)


if __name__ == '__main__':
    sys.exit(main())
