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
Names the files of the package that one picture passes in the core, from its sample to its commit.

A file counts if one of its functions is called with the picture, or with the video or the draft
that holds it. The nodes that receive the message come before and are not counted.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
import sys
import tempfile
import threading
import time
from types import FrameType

from av.video.frame import VideoFrame
from lerobot_streamrec.dataset.format.state import EpisodeDraft, VideoDraft
from lerobot_streamrec.errors import StreamsNotReadyError
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.video.encode.mp4_encoder import EncodedVideo
import numpy as np

PACKAGE = 'lerobot_streamrec'
FRONT = 'observation.images.front'
KINDS = (Frame, VideoFrame, EncodedVideo, VideoDraft, EpisodeDraft)
# It defines what a picture is.
NOT_ON_THE_WAY = {'frame.py'}
TIMEOUT_S = 60
PERIOD_NS = 33_333_333
BEGIN_NS = 1_800_000_000 * 10**9


def record(root: Path, passed: set[str]) -> None:
    """
    Record an episode and note the files that its pictures pass.

    :param root: folder of the dataset
    :param passed: receives the paths below the package
    """
    now_ns, is_watching = 0, False

    def watch(frame: FrameType, event: str, _: object) -> None:
        path = frame.f_code.co_filename.rpartition(f'/{PACKAGE}/')
        if not is_watching or event != 'call' or not path[1]:
            return
        code = frame.f_code
        arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        if any(isinstance(frame.f_locals.get(name), KINDS) for name in arguments):
            passed.add(path[2])

    def push(level: int) -> None:
        nonlocal now_ns
        now_ns += PERIOD_NS
        picture = Frame(np.full((48, 64, 3), level, np.uint8), 'rgb24')
        recorder.push_image(FRONT, BEGIN_NS + now_ns, picture)
        recorder.close_rows()

    camera, encoder = StreamConfig(FRONT, '/front/image_raw'), EncoderConfig('h264')
    config = RecorderConfig(root, (camera,), encoder=encoder)
    # A thread is watched if it starts after this call.
    threading.setprofile(watch)
    sys.setprofile(watch)
    recorder = Recorder(config, lambda: now_ns)
    try:
        for level in range(40):
            push(level)
        start(recorder)
        is_watching = True
        for level in range(30):
            push(level)
        recorder.save().result(TIMEOUT_S)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        recorder.close(TIMEOUT_S)


def start(recorder: Recorder) -> None:
    """Start an episode as soon as its encoder has been tried."""
    for _ in range(100 * TIMEOUT_S):
        with suppress(StreamsNotReadyError):
            recorder.start('walk')
            return
        time.sleep(0.01)
    recorder.start('walk')


def main() -> int:
    """Print the files; the exit status is 0."""
    passed: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        record(Path(folder) / 'dataset', passed)
    print('\n'.join(sorted(passed - NOT_ON_THE_WAY)))
    return 0


if __name__ == '__main__':
    sys.exit(main())
