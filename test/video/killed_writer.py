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
Encode frames, then wait for a kill: ``killed_writer.py PATH VCODEC NUM_FRAMES [FFMPEG]``.

FFMPEG is a program that encodes instead of libav. The process prints ``ready`` when the frames are
encoded, and then waits. Frame k has the gray level ``k % 200``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
import signal
import sys
import time

from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.codecs.config import EncoderConfig, FFMPEG, FfmpegSettings, VideoSpec
from lerobot_streamrec.video.encode.ffmpeg_encoder import open_file_encoder
import numpy as np

FPS = 30
# A program has its own queues before the codec; with SVT-AV1 one has held back 34 frames.
HELD_BACK = 48
# The packets since the last key frame reach the file with the next one.
UNFINISHED = 2


def main():
    path, vcodec, num_frames = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    # The more threads an encoder has, the more frames it holds back.
    config = EncoderConfig(vcodec=vcodec, encoder_threads=2)
    if len(sys.argv) > 4:
        config = replace(config, backend=FFMPEG, ffmpeg=FfmpegSettings(sys.argv[4]))
    encoder = open_file_encoder(path, config, VideoSpec(64, 48, FPS))
    for index in range(num_frames):
        encoder.encode(Frame(np.full((48, 64), index % 200, np.uint8), 'gray'))
    deadline_s = time.monotonic() + 20
    enough = num_frames - HELD_BACK + UNFINISHED
    while encoder.num_written < enough and time.monotonic() < deadline_s:
        time.sleep(0.01)
    print('ready', flush=True)
    signal.pause()


if __name__ == '__main__':
    main()
