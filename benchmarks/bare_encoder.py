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
Encode the ring's pictures as fast as possible, and do nothing else.

``python -m benchmarks.bare_encoder --ring FILE --cameras N --codec CODEC --rows R [R ...] --out
FILE`` encodes one video per camera and number of rows with the recorder's Mp4Encoder and settings.
The cameras run at the same time, each in its own thread.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
import json
from pathlib import Path
import sys
import time

from lerobot_streamrec.frame import Frame
from lerobot_streamrec.nodes.graph.ros_start import keep_large_buffers
from lerobot_streamrec.video.codecs.config import EncoderConfig, VideoSpec
from lerobot_streamrec.video.encode.mp4_encoder import Mp4Encoder
import numpy as np

from benchmarks.pictures import Ring
from benchmarks.recording_setup import FPS, Scenario


def encode(ring: Ring, first: int, num_frames: int, path: Path, config: EncoderConfig) -> None:
    """Encode one video, and delete it."""
    height, width = ring.shape[1:3]
    encoder = Mp4Encoder(path, config, VideoSpec(width, height, FPS))
    for number in range(first, first + num_frames):
        encoder.encode(Frame(ring[number % len(ring)], 'rgb24'))
    encoder.finish()
    path.unlink()


def encode_episode(
    ring: Ring, num_cameras: int, num_rows: int, config: EncoderConfig, folder: Path
) -> dict[str, float]:
    """Encode one video per camera; return the number of rows, CPU seconds and wall seconds."""
    begin_cpu_s, begin_s = time.process_time(), time.monotonic()
    with ThreadPoolExecutor(num_cameras) as pool:
        videos = [
            pool.submit(
                encode,
                ring,
                number * len(ring) // num_cameras,
                num_rows,
                folder / f'bare_{number}.mp4',
                config,
            )
            for number in range(num_cameras)
        ]
    for video in videos:
        video.result()
    return {
        'rows': num_rows,
        'cpu_s': time.process_time() - begin_cpu_s,
        'wall_s': time.monotonic() - begin_s,
    }


def parse_options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog='bare_encoder', description='Measure the codec alone.')
    parser.add_argument('--ring', type=Path, required=True, metavar='FILE', help='.npy file')
    parser.add_argument('--cameras', type=int, required=True, metavar='N')
    parser.add_argument('--codec', required=True)
    parser.add_argument('--rows', type=int, required=True, nargs='+', metavar='R')
    parser.add_argument('--out', type=Path, required=True, metavar='FILE', help='JSON')
    return parser.parse_args()


def main() -> int:
    """Encode the episodes, and write the times to a JSON file."""
    options = parse_options()
    # The recorder does this too, so that the benchmark does not compare allocators.
    keep_large_buffers()
    ring: Ring = np.load(options.ring)
    scenario = Scenario(options.cameras, ring.shape[2], ring.shape[1], options.codec)
    folder = options.out.parent
    recorder = scenario.recorder_config(folder)
    config = recorder.encoder_of(recorder.cameras[0])
    episodes = [
        encode_episode(ring, options.cameras, rows, config, folder) for rows in options.rows
    ]
    options.out.write_text(json.dumps(episodes), encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())
