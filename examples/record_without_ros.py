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
Record an episode without ROS: one camera and a state, pushed by hand.

``python -m examples.record_without_ros FOLDER``
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lerobot_streamrec.frame import Frame
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.recording.stream_config import StreamConfig
import numpy as np

FPS = 30


def main(root: Path) -> None:
    """Record two seconds of a square that moves to the right."""
    config = RecorderConfig(
        root=root,
        fps=FPS,
        task='Move to the right',
        streams=(
            StreamConfig('observation.images.front', 'front'),
            StreamConfig('observation.state', 'joints', names=('x', 'y')),
        ),
    )
    recorder = Recorder(config)
    try:
        for tick in range(2 * FPS + 2):
            stamp_ns = 1_000_000_000 + tick * 1_000_000_000 // FPS
            picture = np.full((240, 320, 3), 64, dtype=np.uint8)
            picture[100:140, 4 * tick : 4 * tick + 40] = (230, 120, 40)
            recorder.push_image('observation.images.front', stamp_ns, Frame(picture, 'rgb24'))
            recorder.push_vector('observation.state', stamp_ns, np.array([tick / FPS, 0.5]))
            recorder.close_rows()
            if tick == 0:
                recorder.start()
        print(recorder.save().result(timeout=60))
    finally:
        recorder.close(timeout_s=10)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description='Record two seconds without ROS.')
    parser.add_argument('root', type=Path, help='folder for the dataset, which must not exist')
    main(parser.parse_args().root)
