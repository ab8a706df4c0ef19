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
Measure what recording costs beside LeRobot's recorder, a bare encoder and a bare subscriber.

Start it with ``make bench``; benchmarks/README.md explains each line. All figures are ratios of
one run. Exit status: 0 if everything was measured, 1 if a measurement failed, 2 if something that
is needed is missing, 130 if interrupted.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
import sys
from typing import Any

import numpy as np

from benchmarks.bags import import_seconds, write_bag
from benchmarks.bench import (
    add_places,
    Bench,
    carry_out,
    NUM_CAMERAS,
    SETTLE_S,
    wait,
    write_results,
)
from benchmarks.child import Check, ModuleChild, running
from benchmarks.machine import Machine
from benchmarks.peer import LEROBOT, OURS
from benchmarks.pictures import make_ring, Ring
from benchmarks.record import working_folder
from benchmarks.recording_setup import Scenario

WIDTH, HEIGHT = 640, 480
PARTS = ('without-ros', 'with-ros', 'bags')


@dataclass(frozen=True, slots=True)
class Line:
    """
    One line of the table.

    :param what: what is compared
    :param ours: the figure of this recorder
    :param other: the figure that it is compared with
    :param unit: unit of both
    :param goal: largest ratio that is wanted
    :param spread: smallest and largest figure of this recorder in the run's episodes
    """

    what: str
    ours: float
    other: float
    unit: str
    goal: float
    spread: tuple[float, float]

    @property
    def ratio(self) -> float:
        """The one figure by the other."""
        return self.ours / self.other if self.other else float('inf')

    def __str__(self) -> str:
        low, high = self.spread
        is_met = 'yes' if self.ratio <= self.goal else 'NO'
        return (
            f'| {self.what} | {self.ours:.3g} ({low:.3g} to {high:.3g}) | {self.other:.3g} '
            f'| {self.unit} | {self.ratio:.2f} | {self.goal:g} | {is_met} |'
        )


HEADINGS = """\
| | this recorder (spread) | the other | unit | ratio | goal | met |
|---|---|---|---|---|---|---|"""


def _figures(peer: dict[str, Any], name: str) -> list[float]:
    return [one[name] for one in peer['episodes']]


def _line(
    what: str, ours: Sequence[float], other: Sequence[float], unit: str, goal: float
) -> Line:
    return Line(what, median(ours), median(other), unit, goal, (min(ours), max(ours)))


def without_ros(bench: Bench) -> Iterator[Line]:
    """Compare with LeRobot's recorder on the same pictures, and with the encoder alone."""
    default, h264 = bench.peer(LEROBOT, LEROBOT), bench.peer(LEROBOT, 'h264')
    auto, ours = bench.peer(OURS, 'auto'), bench.peer(OURS, 'h264')
    bare_ms = bench.bare_ms_per_frame(Scenario(NUM_CAMERAS, WIDTH, HEIGHT, 'h264'))
    cpu = 'cpu_ms_per_frame'
    yield _line(
        'CPU, h264, 3 cameras, to the bare encoder', _figures(ours, cpu), [bare_ms], 'ms', 1.08
    )
    yield _line(
        "CPU, auto, 3 cameras, to LeRobot's default",
        _figures(auto, cpu),
        _figures(default, cpu),
        'ms per frame',
        0.2,
    )
    yield _line(
        'save, h264, 3 cameras, to LeRobot',
        _figures(ours, 'save_ms'),
        _figures(h264, 'save_ms'),
        'ms',
        0.2,
    )
    yield _line(
        "save, auto, 3 cameras, to LeRobot's default",
        _figures(auto, 'save_ms'),
        _figures(default, 'save_ms'),
        'ms',
        0.2,
    )
    yield from _held('3 cameras', ours, h264)
    yield Line(
        'memory, h264, 3 cameras, to LeRobot',
        ours['peak_rss_mib'],
        h264['peak_rss_mib'],
        'MiB',
        0.5,
        (ours['peak_rss_mib'],) * 2,
    )
    yield from _held('1 camera', bench.peer(OURS, 'h264', 1), bench.peer(LEROBOT, 'h264', 1))


def _held(cameras: str, ours: dict[str, Any], other: dict[str, Any]) -> Iterator[Line]:
    for name, share in (('median', 50), ('p99', 99)):
        both = [
            [float(np.percentile(one, share)) for one in _figures(peer, 'held_ms')]
            for peer in (ours, other)
        ]
        yield _line(f'caller held, {name}, {cameras}, to LeRobot', *both, 'ms', 0.1)
    whole = [median(map(median, _figures(peer, 'row_ms'))) for peer in (ours, other)]
    text = f'{cameras}: push and close_rows {whole[0]:.2f} ms, add_frame {whole[1]:.2f} ms'
    print(f'  {text} (medians)', file=sys.stderr)


def with_ros(bench: Bench) -> Iterator[Line]:
    """Compare over real DDS."""
    plain = Scenario(NUM_CAMERAS, WIDTH, HEIGHT, 'h264')
    fast = Scenario(NUM_CAMERAS, WIDTH, HEIGHT, 'h264', is_fast=True)
    quiet = bench.over_dds(plain)
    bare = [one['cpu_s'] * 30 / one['rows'] for one in quiet.bare]
    used = [one.recorder_cpu_s / one.seconds for one in quiet.episodes]
    yield _line('CPU with DDS, h264, 3 cameras, to the bare encoder', used, bare, 's/s', 1.2)
    with running(_child(bench, 'receipt', ['publish'])):
        wait(SETTLE_S, bench.check)
        idle = Scenario(0, WIDTH, HEIGHT, 'h264', is_fast=True)
        arguments = idle.ros_arguments(bench.folder / 'idle')
        ours = bench.idle_cpu('lerobot_streamrec.nodes.record_main', arguments)
        other = bench.idle_cpu('benchmarks.receipt', ['listen'])
    yield _line(
        'receipt of 4 x 1 kHz joint states, to a bare rclpy subscriber', ours, other, 's/s', 0.25
    )
    yield from _previews(bench, plain)
    busy = bench.over_dds(fast)
    yield _line(
        'save with 4 x 1 kHz joint states, to the save without',
        [one.save_s * 1000 for one in busy.episodes],
        [one.save_s * 1000 for one in quiet.episodes],
        'ms',
        2.0,
    )
    for name, one in (('without', quiet), ('with', busy)):
        num_repeated = one.summary()['repeated']
        print(f'  {name} 4 x 1 kHz: {num_repeated:.0f} repeated frames', file=sys.stderr)
        for remark in one.remarks():
            print(f'  {name} 4 x 1 kHz: {remark}', file=sys.stderr)


def of_bags(bench: Bench) -> Iterator[Line]:
    """Compare the import of a bag with the time that its recording took."""
    bag, seconds = bench.folder / 'bag', 2 * bench.seconds
    write_bag(bag, np.load(bench.ring_path), Scenario(NUM_CAMERAS, WIDTH, HEIGHT, ''), seconds)
    for vcodec in ('h264', 'auto'):
        scenario = Scenario(NUM_CAMERAS, WIDTH, HEIGHT, vcodec)
        used = [
            import_seconds(bag, scenario, bench.folder / f'{vcodec}_{number}', bench.check)
            for number in range(2)
        ]
        yield _line(
            f'import of a bag, {vcodec}, 3 cameras, to real time', used, [seconds], 's', 0.125
        )


def _child(bench: Bench, name: str, arguments: list[str]) -> ModuleChild:
    return ModuleChild(f'benchmarks.{name}', arguments, folder=bench.folder, environment={})


def _previews(bench: Bench, scenario: Scenario) -> Iterator[Line]:
    """Compare a recorder whose previews somebody watches with one that nobody watches."""
    ring = ['--ring', str(bench.ring_path), '--cameras', str(NUM_CAMERAS)]
    for kind, option in (('pixels', []), ('JPEG', ['--jpeg'])):
        arguments = scenario.ros_arguments(bench.folder / f'previews_{kind}')
        with running(_child(bench, 'publisher', [*ring, *option])):
            wait(SETTLE_S, bench.check)
            found = [bench.idle_cpu('lerobot_streamrec.nodes.record_main', arguments)]
            with running(_child(bench, 'receipt', ['watch'])):
                found.append(bench.idle_cpu('lerobot_streamrec.nodes.record_main', arguments))
        cost = [one - median(found[0]) for one in found[1]]
        yield _line(f'previews of {kind}, 3 cameras, to one core', cost, [1.0], 's/s', 0.02)


def plot(lines: Sequence[Line], path: Path) -> None:
    """Draw the ratios beside their goals."""
    import matplotlib as mpl

    mpl.use('Agg')
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(10, 0.5 * len(lines) + 1.5), layout='constrained')
    shares = [one.ratio / one.goal for one in lines]
    colours = ['tab:green' if share <= 1 else 'tab:red' for share in shares]
    bars = axes.barh([one.what for one in lines], shares, color=colours)
    axes.bar_label(bars, [f' {one.ratio:.2f} (goal {one.goal:g})' for one in lines])
    axes.axvline(1, color='black', linewidth=1)
    axes.set_xlabel('ratio by goal: left of the line, the goal is met')
    axes.set_xlim(0, max(2.0, 1.35 * max(shares)))
    axes.invert_yaxis()
    figure.savefig(path, dpi=120)


def parse_options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog='benchmarks/goals.py', description=__doc__)
    parser.add_argument('--seconds', type=float, default=8.0, metavar='S', help='episode length')
    parser.add_argument('--only', choices=PARTS, help='one part of the table')
    add_places(parser, 'goals')
    return parser.parse_args()


def run(options: argparse.Namespace, ring: Ring, check: Check) -> list[Line]:
    """Measure everything, and print each line as soon as it is known."""
    print(HEADINGS, flush=True)
    lines = []
    with working_folder(options.out) as folder:
        ring_path = folder / 'ring.npy'
        np.save(ring_path, ring)
        bench = Bench(folder, ring_path, options.lerobot, options.seconds, check)
        parts = dict(zip(PARTS, (without_ros, with_ros, of_bags), strict=True))
        for part in [parts[options.only]] if options.only else parts.values():
            for line in part(bench):
                lines.append(line)
                print(line, flush=True)
    return lines


def main() -> int:
    """Run the benchmark and return its exit status."""
    options = parse_options()

    def work(machine: Machine, photo: Path, check: Check) -> None:
        lines = run(options, make_ring(photo, WIDTH, HEIGHT), check)
        plot(lines, options.out / 'goals.png')
        write_results(options.out, 'goals', machine, HEADINGS, lines)

    return carry_out(options, work)


if __name__ == '__main__':
    sys.exit(main())
