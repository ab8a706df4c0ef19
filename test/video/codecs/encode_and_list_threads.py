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
Encode a few frames, then print the scheduling of threads: ``encode_and_list_threads.py PATH``.

The output is a JSON object with ``[policy, may_be_real_time]`` of each thread that encoding has
started, and of ``main``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
import sys

from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.codecs.config import EncoderConfig, VideoSpec
from lerobot_streamrec.video.encode.encoder_thread import EncoderThread
from lerobot_streamrec.video.encode.mp4_encoder import Mp4Encoder
from lerobot_streamrec.video.encode.picture_encoder import ColourMeter, PictureEncoder
import numpy as np

CAP_SYS_NICE = 23


def threads():
    """Return ``[policy, may_be_real_time]`` of each thread of the process."""
    found = {}
    for task in Path('/proc/self/task').iterdir():
        try:
            policy = os.sched_getscheduler(int(task.name))
            status = (task / 'status').read_text()
        except (ProcessLookupError, FileNotFoundError):
            continue
        rights = int(status.partition('CapEff:')[2].split()[0], 16)
        found[task.name] = [policy, bool(rights >> CAP_SYS_NICE & 1)]
    return found


class Watch:
    """Collects the scheduling of all threads whenever a picture was encoded."""

    def __init__(self):
        self.seen = {}

    def push(self, _pixels):
        self.seen.update(threads())

    def push_again(self):
        self.seen.update(threads())


def main():
    before, watch = threads(), Watch()
    thread = EncoderThread(
        'front',
        lambda: PictureEncoder(
            Mp4Encoder(Path(sys.argv[1]), EncoderConfig('libsvtav1'), VideoSpec(64, 48, 30)),
            'front',
            ColourMeter(watch, 1),
        ),
        max_queue_bytes=1 << 24,
    )
    for level in range(8):
        thread.push(Frame(np.full((48, 64, 3), 30 * level, np.uint8), 'rgb24'))
    thread.finish().result(60)
    found = {task: seen for task, seen in watch.seen.items() if task not in before}
    found['main'] = threads()[str(os.getpid())]
    print(json.dumps(found))


if __name__ == '__main__':
    main()
