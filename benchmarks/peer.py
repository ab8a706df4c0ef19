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
One recorder without ROS in a process of its own: this one, or LeRobot's.

Both get the same pictures at the same instants, 30 rows a second, and report what they cost. This
file runs in LeRobot's environment too, so it imports one of the two packages only where it uses
it, and nothing else of this project.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
import json
import logging
from pathlib import Path
import re
import resource
import sys
import time
from typing import Any, Protocol

import numpy as np

FPS = 30
NUM_JOINTS = 7
TASK = 'Look around'
OURS, LEROBOT = 'ours', 'lerobot'
_SECOND_NS = 10**9
_SETTLE_ROWS = 15
_TIMEOUT_S = 300.0


class Peer(Protocol):
    """A recorder. ``push`` takes all data of a row; only ours does something in ``tick``."""

    def push(self, number: int, pictures: list[Any], numbers: Any) -> None:
        """Take in a row."""

    def tick(self) -> None:
        """Take in what was pushed, and close rows; the reader of the nodes does so every 10 ms."""

    def start(self) -> None:
        """Begin an episode."""

    def save(self) -> None:
        """End the episode, and wait until it is saved."""

    def close(self) -> None:
        """End the recorder."""

    @property
    def num_dropped(self) -> int:
        """The number of frames so far that are missing from the videos, or repeat another."""


class Ours:
    """
    This project's recorder.

    :param root: the dataset's folder
    :param num_cameras: number of cameras
    :param encoder: ``auto``, ``lerobot`` or ``light``, or a name of a codec
    """

    def __init__(self, root: Path, num_cameras: int, encoder: str) -> None:
        from lerobot_streamrec.frame import Frame
        from lerobot_streamrec.recording.config import RecorderConfig
        from lerobot_streamrec.recording.recorder import Recorder
        from lerobot_streamrec.recording.stream_config import StreamConfig
        from lerobot_streamrec.video.codecs.config import EncoderConfig, PROFILES

        names = tuple(map(str, range(NUM_JOINTS)))
        self._keys = [f'observation.images.camera{number}' for number in range(num_cameras)]
        cameras = tuple(StreamConfig(key, f'/{key}') for key in self._keys)
        vectors = tuple(StreamConfig(key, f'/{key}', names) for key in _VECTORS)
        is_profile = encoder in PROFILES
        config = EncoderConfig(profile=encoder) if is_profile else EncoderConfig(encoder)
        self._recorder = Recorder(
            RecorderConfig(root, (*cameras, *vectors), fps=FPS, task=TASK, encoder=config)
        )
        self._frame = Frame
        self.num_dropped = 0

    def push(self, number: int, pictures: list[Any], numbers: Any) -> None:
        """Take in a row."""
        stamp_ns = time.time_ns()
        for key, picture in zip(self._keys, pictures, strict=True):
            self._recorder.push_image(key, stamp_ns, self._frame(picture, 'rgb24'))
        for key in _VECTORS:
            self._recorder.push_vector(key, stamp_ns, numbers)

    def tick(self) -> None:
        """Take in what was pushed, and close the rows that are complete."""
        self._recorder.close_rows()

    def start(self) -> None:
        """Begin an episode."""
        self._recorder.start()

    def save(self) -> None:
        """End the episode, and wait until it is saved."""
        self.num_dropped += self._recorder.save().result(_TIMEOUT_S).num_repeated

    def close(self) -> None:
        """End the recorder."""
        print(self._recorder.status().encoders, file=sys.stderr)
        self._recorder.close(_TIMEOUT_S)


class Lerobots:
    """
    LeRobot's dataset, which encodes while it records.

    :param root: the dataset's folder
    :param num_cameras: number of cameras
    :param encoder: ``lerobot`` for its default, or a name of a codec
    :param size: height and width of the pictures
    """

    def __init__(
        self, root: Path, num_cameras: int, encoder: str, size: tuple[int, int]
    ) -> None:
        from lerobot.configs.video import RGBEncoderConfig
        from lerobot.datasets.lerobot_dataset import LeRobotDataset

        names = list(map(str, range(NUM_JOINTS)))
        self._keys = [f'observation.images.camera{number}' for number in range(num_cameras)]
        features = {
            **{
                key: {
                    'dtype': 'video',
                    'shape': (*size, 3),
                    'names': ['height', 'width', 'channels'],
                }
                for key in self._keys
            },
            **{
                key: {'dtype': 'float32', 'shape': (NUM_JOINTS,), 'names': names}
                for key in _VECTORS
            },
        }
        config = RGBEncoderConfig() if encoder == LEROBOT else RGBEncoderConfig(vcodec=encoder)
        self._dataset = LeRobotDataset.create(
            'bench/peer',
            fps=FPS,
            features=features,
            root=root,
            streaming_encoding=True,
            rgb_encoder=config,
        )
        self._is_recording = False
        self._drops = _Drops()
        logging.getLogger().addHandler(self._drops)

    @property
    def num_dropped(self) -> int:
        """The number of frames so far that are missing from the videos."""
        return self._drops.num_dropped

    def push(self, number: int, pictures: list[Any], numbers: Any) -> None:
        """Take in a row."""
        if not self._is_recording:
            return
        row = dict(zip(self._keys, pictures, strict=True)) | dict.fromkeys(_VECTORS, numbers)
        self._dataset.add_frame({**row, 'task': TASK})

    def tick(self) -> None:
        """Do nothing: a row of LeRobot is complete when it is added."""

    def start(self) -> None:
        """Begin an episode."""
        self._is_recording = True

    def save(self) -> None:
        """End the episode, and wait until it is saved."""
        self._dataset.save_episode()
        self._is_recording = False

    def close(self) -> None:
        """End the recorder."""
        self._dataset.finalize()


class _Drops(logging.Handler):
    """Counts the frames that LeRobot drops, by its warnings: one for the first and each tenth."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.num_dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Look at a message of the log."""
        found = re.search(r'dropped (\d+) frame', record.getMessage())
        if found:
            self.num_dropped += 1 if found[1] == '1' else 10


_VECTORS = ('observation.state', 'action')


def record(
    peer: Peer, ring: Any, num_cameras: int, num_rows: int, first: int
) -> dict[str, Any]:
    """
    Record one episode in real time.

    :param peer: the recorder
    :param ring: pictures of all cameras, which show them one after the other
    :param num_cameras: number of cameras
    :param num_rows: length of the episode
    :param first: number of the first row
    :return: times in milliseconds, CPU time per frame of a camera, and how many rows came late
        and frames were dropped
    """
    held_ms, row_ms, num_late = [], [], 0
    begin_s = time.monotonic()
    for number in range(-_SETTLE_ROWS, num_rows):
        if number == 0:
            peer.start()
            before = peer.num_dropped
            begin_cpu_s = cpu_s()
        due_s = begin_s + (number + _SETTLE_ROWS) / FPS
        left_s = due_s - time.monotonic()
        if left_s > 0:
            time.sleep(left_s)
        num_late += left_s < -1 / FPS
        at = first + number
        pictures = [ring[(at + 25 * camera) % len(ring)] for camera in range(num_cameras)]
        numbers = np.full(NUM_JOINTS, at % 100 / 100, np.float32)
        pushed_s = time.perf_counter()
        peer.push(at, pictures, numbers)
        held_s = time.perf_counter() - pushed_s
        peer.tick()
        if number >= 0:
            held_ms.append(1000 * held_s)
            row_ms.append(1000 * (time.perf_counter() - pushed_s))
    ended_s = time.perf_counter()
    peer.save()
    save_ms = 1000 * (time.perf_counter() - ended_s)
    return {
        'held_ms': held_ms,
        'row_ms': row_ms,
        'save_ms': save_ms,
        'cpu_ms_per_frame': 1000 * (cpu_s() - begin_cpu_s) / num_rows / num_cameras,
        'late_rows': int(num_late),
        'dropped': peer.num_dropped - before,
    }


def cpu_s() -> float:
    """Return the CPU time of this process and its children, in seconds."""
    used = [resource.getrusage(one) for one in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def peak_rss_mib() -> float:
    """Return the peak resident memory of this process in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def parse_options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog='peer')
    parser.add_argument('who', choices=(OURS, LEROBOT))
    parser.add_argument('--ring', type=Path, required=True)
    parser.add_argument('--root', type=Path, required=True)
    parser.add_argument('--json', type=Path, required=True)
    parser.add_argument('--cameras', type=int, default=3)
    parser.add_argument('--episodes', type=int, default=3)
    parser.add_argument('--seconds', type=float, default=8.0)
    parser.add_argument('--encoder', default=LEROBOT)
    return parser.parse_args()


def main() -> int:
    """Record episodes and write the figures."""
    options = parse_options()
    ring = np.load(options.ring)
    makers: dict[str, Callable[[], Peer]] = {
        OURS: lambda: Ours(options.root, options.cameras, options.encoder),
        LEROBOT: lambda: Lerobots(
            options.root, options.cameras, options.encoder, ring.shape[1:3]
        ),
    }
    peer = makers[options.who]()
    num_rows = round(options.seconds * FPS)
    episodes = [
        record(peer, ring, options.cameras, num_rows, index * num_rows)
        for index in range(options.episodes)
    ]
    peer.close()
    told = {'episodes': episodes, 'peak_rss_mib': peak_rss_mib()}
    options.json.write_text(json.dumps(told), encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())
