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
"""Pictures, encoders and decoders for the tests of ``lerobot_streamrec.video``."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
import threading

import av
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.config import EncoderConfig
from lerobot_streamrec.video.mp4_encoder import EncodedVideo, Mp4Encoder
import numpy as np
import pytest

HEIGHT, WIDTH = 48, 64
# Bytes at the end of each row that belong to no pixel.
PADDING = 13
FAST = {
    'libsvtav1': EncoderConfig(vcodec='libsvtav1'),
    'h264': EncoderConfig(vcodec='h264', preset='ultrafast'),
    'hevc': EncoderConfig(vcodec='hevc', preset='ultrafast'),
}
CHANNELS = {
    'rgb24': [0, 1, 2],
    'bgr24': [2, 1, 0],
    'rgba': [0, 1, 2, 3],
    'bgra': [2, 1, 0, 3],
    'gray': [0],
}


@pytest.fixture(autouse=True)
def _threads_end(no_thread_left):
    """No test of an encoder leaves its thread behind."""


@dataclass(frozen=True)
class Decoded:
    """One frame of a file, by plain FFmpeg: where it stands, how long, what it shows."""

    at: Fraction
    duration: Fraction
    pixels: np.ndarray

    @property
    def colour(self):
        """Return the mean red, green and blue."""
        return self.pixels.reshape(-1, 3).mean(axis=0)


@pytest.fixture(scope='session')
def decode():
    """Decode a whole file from its beginning."""

    def decode_file(path):
        frames = []
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            for frame in container.decode(stream):
                at, duration = frame.pts * frame.time_base, frame.duration * frame.time_base
                frames.append(Decoded(at, duration, frame.to_ndarray(format='rgb24')))
        return frames

    return decode_file


@pytest.fixture(scope='session')
def picture():
    """Make a frame of one colour, red green blue, as a view with gaps between the rows."""

    def make(rgb, pix_fmt='rgb24', height=HEIGHT, width=WIDTH):
        pixel = np.array([*rgb, 255], np.uint8)[CHANNELS[pix_fmt]]
        memory = np.full((height, width * len(pixel) + PADDING), 99, np.uint8)
        rows = memory[:, : width * len(pixel)]
        rows[:] = np.tile(pixel, width)
        if len(pixel) == 1:
            return Frame(rows, pix_fmt)
        return Frame(rows.reshape(height, width, len(pixel)), pix_fmt)

    return make


@pytest.fixture
def open_encoder(tmp_path):
    """Make an encoder that is as quick as its codec can be."""

    def make(vcodec='h264', fps=30, name='video.mp4', height=HEIGHT, width=WIDTH):
        path = tmp_path / name
        return Mp4Encoder(path, FAST[vcodec], fps=fps, width=width, height=height)

    return make


class GatedEncoder:
    """Encodes nothing while its gate is shut, and remembers what it was told to do."""

    def __init__(self, path, fail_at=None):
        self.gate = threading.Event()
        self.at_gate = threading.Event()
        self.calls = []
        self.error = RuntimeError('no space left on device')
        self._path = path
        self._fail_at = fail_at

    def _do(self, call):
        self.at_gate.set()
        assert self.gate.wait(30), 'the test never opened the gate'
        if len(self.calls) == self._fail_at:
            raise self.error
        self.calls.append(call)

    def encode(self, frame):
        self._do(frame)

    def repeat(self):
        self._do('repeat')

    @property
    def num_written(self):
        return len(self.calls)

    def finish(self):
        return EncodedVideo(self._path, len(self.calls), 0)

    def abort(self):
        self.calls.append('abort')


@pytest.fixture
def make_gated_encoder(tmp_path):
    """Make fakes whose gates are open when the test ends, whatever it does."""
    made = []

    def make(*, is_open=False, fail_at=None):
        encoder = GatedEncoder(tmp_path / 'video.mp4', fail_at)
        if is_open:
            encoder.gate.set()
        made.append(encoder)
        return encoder

    yield make
    for encoder in made:
        encoder.gate.set()
