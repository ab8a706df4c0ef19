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
Measure how long a push into the recorder holds its caller's thread.

``python benchmarks/push_latency.py`` pushes three cameras 640x480 at 30 Hz, a state at 100 Hz and
an action at 50 Hz when they are due, without ROS, while the encoders run. ``--encoder-fps 10``
limits each encoder to 10 frames per second; with ``--encode deferred`` no encoder runs. The exit
status is that of benchmarks/record.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field, replace
import json
from pathlib import Path
import resource
import sys
import tempfile
import time
from typing import Any

from examples.demo.motion import JOINT_NAMES
from examples.demo.simulated_arm import JOINT_STATE_HZ, LEADER_HZ, run, Ticker
from examples.demo.stop_flag import StopFlag
from lerobot_streamrec.errors import StreamrecError
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.recording.config import ENCODE, MIB, RecorderConfig, STREAMING
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.recording.saving.summary import EpisodeSummary
from lerobot_streamrec.video.codecs.config import BUNDLED_VCODECS
from lerobot_streamrec.video.encode import fallback_encoder
from lerobot_streamrec.video.encode.mp4_encoder import FileEncoder
import numpy as np

from benchmarks.machine import Machine, this_machine
from benchmarks.pictures import find_photo, make_ring, PhotoMissingError, Ring
from benchmarks.recording_setup import FPS, Scenario
from benchmarks.tethered import renounce_real_time

WIDTH, HEIGHT, NUM_CAMERAS = 640, 480, 3

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

_SECOND_NS = 10**9
_SETTLE_S = 0.5
# As often as the reader of the nodes.
_CLOSE_RATE_HZ = 100
_SAVE_TIMEOUT_S = 120.0
_CLOSE_TIMEOUT_S = 30.0


@dataclass
class Pushes:
    """
    The calls of one function, and the time that each took.

    :param name: name of the function
    :param took_ns: times of the calls, in nanoseconds
    """

    name: str
    took_ns: list[int] = field(default_factory=list)

    def tick(self, push: Callable[[int], None]) -> Callable[[int], None]:
        """Return a function for a ticker: one timed call, stamped with the present time."""

        def act(_due_ns: int) -> None:
            stamp_ns = time.time_ns()
            begin_ns = time.perf_counter_ns()
            push(stamp_ns)
            self.took_ns.append(time.perf_counter_ns() - begin_ns)

        return act

    def summary(self) -> dict[str, float]:
        """Return the figures in microseconds."""
        took_us = np.array(self.took_ns) / 1000.0
        return {
            'pushes': len(took_us),
            'median_us': float(np.median(took_us)),
            'p99_us': float(np.percentile(took_us, 99)),
            'max_us': float(took_us.max()),
        }


def make_tickers(
    recorder: Recorder, scenario: Scenario, ring: Ring
) -> list[tuple[Pushes, Ticker]]:
    """Return the tickers of all pushes at the instants of the simulated arm, and of the rows."""
    images, vectors = Pushes('push_image'), Pushes('push_vector')
    rows = Pushes('close_rows')
    start_ns = time.monotonic_ns() + _SECOND_NS // 20
    tickers = []
    for number, name in enumerate(scenario.cameras):
        first_ns = start_ns + 1_000_000 + number * _SECOND_NS // (FPS * NUM_CAMERAS)
        push = _image_pusher(recorder, f'observation.images.{name}', ring, 25 * number)
        tickers.append((images, Ticker(FPS, first_ns, images.tick(push))))
    for key, rate_hz, offset_ns in (
        ('observation.state', JOINT_STATE_HZ, 0),
        ('action', LEADER_HZ, 5_000_000),
    ):
        push = _vector_pusher(recorder, key)
        tickers.append((vectors, Ticker(rate_hz, start_ns + offset_ns, vectors.tick(push))))
    close = rows.tick(lambda _stamp_ns: recorder.close_rows())
    tickers.append((rows, Ticker(_CLOSE_RATE_HZ, start_ns, close)))
    return tickers


def _image_pusher(recorder: Recorder, key: str, ring: Ring, place: int) -> Callable[[int], None]:
    frames = [Frame(picture, 'rgb24') for picture in ring]
    number = place

    def push(stamp_ns: int) -> None:
        nonlocal number
        number += 1
        recorder.push_image(key, stamp_ns, frames[number % len(frames)])

    return push


def _vector_pusher(recorder: Recorder, key: str) -> Callable[[int], None]:
    def push(stamp_ns: int) -> None:
        recorder.push_vector(key, stamp_ns, np.full(len(JOINT_NAMES), stamp_ns % 1000 / 1000.0))

    return push


@dataclass(frozen=True, slots=True)
class Episode:
    """
    The results of the episode.

    :param kinds: pushes, by kind
    :param summary: answer of the save
    :param save_s: time that the save took, in seconds
    :param backlog: number of frames of all cameras that waited when the episode was saved
    :param spilled_mib: space that waiting frames took on the disk, in MiB
    :param peak_queue_mib: largest memory for waiting frames of one camera, in MiB
    :param peak_rss_mib: peak resident memory of this process, in MiB
    """

    kinds: list[Pushes]
    summary: EpisodeSummary
    save_s: float
    backlog: int
    spilled_mib: float
    peak_queue_mib: float
    peak_rss_mib: float

    def figures(self) -> dict[str, float]:
        """Return all figures except the pushes, by name."""
        return {
            'rows': self.summary.episode.num_rows,
            'repeated frames': self.summary.num_repeated,
            'frames waiting at the save': self.backlog,
            'on the disk MiB': round(self.spilled_mib),
            'peak queue of a camera MiB': round(self.peak_queue_mib),
            'peak RSS MiB': round(self.peak_rss_mib),
            'save s': round(self.save_s, 2),
        }


def slow_down(encoder_fps: float) -> None:
    """Limit every encoder opened from now on to a number of frames per second."""
    real = fallback_encoder.open_file_encoder

    def open_slow(*arguments: Any, **settings: Any) -> FileEncoder:
        encoder = real(*arguments, **settings)
        encode = encoder.encode

        def encode_slowly(picture: Any) -> None:
            time.sleep(1 / encoder_fps)
            encode(picture)

        encoder.encode = encode_slowly  # type: ignore[method-assign]
        return encoder

    fallback_encoder.open_file_encoder = open_slow


def record(
    config: RecorderConfig, scenario: Scenario, ring: Ring, seconds: float, stop: StopFlag
) -> Episode:
    """Record one episode."""
    recorder = Recorder(config)
    try:
        pairs = make_tickers(recorder, scenario, ring)
        kinds = list({id(pushes): pushes for pushes, _ in pairs}.values())
        tickers = [ticker for _, ticker in pairs]
        run(tickers, stop, _SETTLE_S, leaves_out=True)
        recorder.start()
        for pushes in kinds:
            pushes.took_ns.clear()
        run(tickers, stop, seconds, leaves_out=True)
        if stop.is_raised:
            raise KeyboardInterrupt
        queues = [one.queue for one in recorder.status().streams]
        begin_s = time.monotonic()
        summary = recorder.save().result(_SAVE_TIMEOUT_S + 3 * seconds)
        return Episode(
            kinds,
            summary,
            time.monotonic() - begin_s,
            sum(one.num_queued for one in queues),
            sum(one.spilled_bytes for one in queues) / MIB,
            max(one.peak_bytes for one in queues) / MIB,
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        )
    finally:
        recorder.close(_CLOSE_TIMEOUT_S)


def parse_options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='benchmarks/push_latency.py', description='Measure how long a push takes.'
    )
    parser.add_argument('--seconds', type=float, default=10.0, metavar='S', help='episode length')
    parser.add_argument('--codec', choices=BUNDLED_VCODECS, default='libsvtav1')
    parser.add_argument(
        '--encoder-fps', type=float, metavar='N', help='limit of each encoder, frames per second'
    )
    parser.add_argument('--encode', choices=ENCODE, default=STREAMING, help='when to encode')
    parser.add_argument('--json', type=Path, metavar='FILE', help='also write all results there')
    parser.add_argument('--quick', action='store_true', help='a trial run of 2 s')
    options = parser.parse_args()
    if options.quick:
        options.seconds = 2.0
    if not 1.0 <= options.seconds <= 3600.0:
        parser.error('--seconds: must be 1 to 3600')
    return options


def report(options: argparse.Namespace, machine: Machine, episode: Episode) -> None:
    """Print the table, and write the JSON file."""
    print(f'{options.codec}, {NUM_CAMERAS} cameras {WIDTH}x{HEIGHT}; {episode.summary}\n')
    for name, value in episode.figures().items():
        print(f'{name}: {value}')
    print()
    print('|     function | pushes | median us |  p99 us |  max us |')
    print('| -----------: | -----: | --------: | ------: | ------: |')
    figures = {pushes.name: pushes.summary() for pushes in episode.kinds}
    for name, one in figures.items():
        print(
            f'| {name:>12} | {one["pushes"]:6} | {one["median_us"]:9.1f} '
            f'| {one["p99_us"]:7.1f} | {one["max_us"]:7.1f} |'
        )
    if options.json is not None:
        content = {
            'machine': machine.as_json(),
            'warning': machine.warning,
            'options': {
                'seconds': options.seconds,
                'codec': options.codec,
                'encoder_fps': options.encoder_fps,
                'encode': options.encode,
            },
            'episode': {'summary': str(episode.summary), **episode.figures()},
            'functions': figures,
        }
        options.json.parent.mkdir(parents=True, exist_ok=True)
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
    renounce_real_time()
    ring = make_ring(photo_path, WIDTH, HEIGHT)
    scenario = Scenario(NUM_CAMERAS, WIDTH, HEIGHT, options.codec)
    stop = StopFlag()
    with tempfile.TemporaryDirectory(prefix='push_latency-') as folder:
        config = scenario.recorder_config(Path(folder) / 'dataset')
        config = replace(config, encode=options.encode, encode_batch_size=0)
        if options.encoder_fps:
            slow_down(options.encoder_fps)
        try:
            episode = record(config, scenario, ring, options.seconds, stop)
        except FutureTimeoutError:
            print(f'benchmark: not saved within {_SAVE_TIMEOUT_S:.0f} s', file=sys.stderr)
            return EXIT_FAILED
        except StreamrecError as error:
            print(f'benchmark: {error}', file=sys.stderr)
            return EXIT_FAILED
        except KeyboardInterrupt:
            print('benchmark: interrupted', file=sys.stderr)
            return EXIT_INTERRUPTED
    report(options, machine, episode)
    return EXIT_OK


if __name__ == '__main__':
    sys.exit(main())
