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
from lerobot_streamrec.video.codecs.config import EncoderConfig, VideoSpec
from lerobot_streamrec.video.encode.mp4_encoder import EncodedVideo, Mp4Encoder
import numpy as np
import pytest

HEIGHT, WIDTH = 48, 64
# The number of bytes at the end of each row that belong to no pixel.
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
    """Check that no test of an encoder leaves a thread behind."""


@dataclass(frozen=True)
class Decoded:
    """One frame of a file, decoded by plain FFmpeg: its instant, duration and pixels."""

    at: Fraction
    duration: Fraction
    pixels: np.ndarray

    @property
    def colour(self):
        """Return the mean red, green and blue."""
        return self.pixels.reshape(-1, 3).mean(axis=0)


@pytest.fixture(scope='session')
def decode():
    """Return a function that decodes a whole file from its beginning."""

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
    """Return a function that makes a frame of one colour, as a view with gaps between rows."""

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
    """Return a function that makes an encoder with the fastest settings of its codec."""

    def make(vcodec='h264', fps=30, name='video.mp4', height=HEIGHT, width=WIDTH):
        path = tmp_path / name
        return Mp4Encoder(path, FAST[vcodec], VideoSpec(width, height, fps))

    return make


OTHERS = {
    'h264': ('libx264', {'g': '10', 'bf': '3', 'b-pyramid': 'normal'}, 'yuv420p'),
    'hevc': (
        'libx265',
        {'x265-params': 'log-level=error:keyint=10:bframes=3:open-gop=0'},
        'yuv420p',
    ),
    # Frames shown before a key frame depend on it, as in LeRobot's own hevc files.
    'open': (
        'libx265',
        {'x265-params': 'log-level=error:keyint=6:min-keyint=6:bframes=3'},
        'yuv420p',
    ),
    'av1': ('libsvtav1', {'g': '10', 'preset': '10'}, 'yuv420p'),
    'close': ('libx264', {'g': '2', 'bf': '0'}, 'yuv420p'),
    'depth': ('libx265', {'x265-params': 'log-level=error:lossless=1:bframes=0'}, 'gray12le'),
}


@pytest.fixture
def moving_video(tmp_path):
    """Return an encoder of moving noise with reordered frames and distant key frames."""

    def make(name='moving.mp4', num_frames=40, *, codec='h264', fps=30, seed=0, height=48):
        path = tmp_path / name
        encoder, options, pix_fmt = OTHERS[codec]
        chance = np.random.default_rng(seed)
        shape = (height, 64 + num_frames, 3)
        noise = chance.integers(0, 255, shape).astype(np.uint8)
        if pix_fmt == 'gray12le':
            noise = chance.integers(0, 4096, shape[:2]).astype(np.uint16)
        with av.open(str(path), 'w') as container:
            stream = container.add_stream(encoder, rate=fps, options=options)
            stream.width, stream.height, stream.pix_fmt = 64, height, pix_fmt
            for index in range(num_frames):
                pixels = np.ascontiguousarray(noise[:, index : index + 64])
                source = 'rgb24' if pixels.ndim == 3 else pix_fmt
                frame = av.VideoFrame.from_ndarray(pixels, format=source)
                frame.pts, frame.time_base = index, Fraction(1, fps)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return make


@pytest.fixture
def cut_video(tmp_path):
    """Return a function that cuts a video off, but not its table of frames, which comes first."""

    def make(source, name='cut.mp4', *, share=0.6):
        path = tmp_path / name
        options = {'movflags': 'faststart'}
        with av.open(str(source)) as read, av.open(
            str(path), 'w', container_options=options
        ) as made:
            stream = made.add_stream_from_template(read.streams.video[0], opaque=True)
            for packet in read.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    made.mux(packet)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        return path

    return make


@pytest.fixture
def with_sound(tmp_path):
    """Return a function that makes a file with a second of sound, and video unless declined."""

    def make(name='sound.mp4', *, has_video=True):
        with av.open(str(tmp_path / name), 'w') as container:
            streams = []
            if has_video:
                video = container.add_stream('libx264', rate=30)
                video.width, video.height, video.pix_fmt = 64, 48, 'yuv420p'
                streams.append((video, _pictures()))
            audio = container.add_stream('aac', rate=44100, layout='stereo')
            streams.append((audio, [_sound()]))
            for stream, frames in streams:
                for frame in (*frames, None):
                    container.mux(stream.encode(frame))
        return tmp_path / name

    return make


def _pictures():
    for index in range(30):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), index, np.uint8), format='rgb24')
        frame.pts, frame.time_base = index, Fraction(1, 30)
        yield frame


def _sound():
    samples = np.random.default_rng(1).normal(size=(2, 44100)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(samples / 9, format='fltp', layout='stereo')
    frame.sample_rate, frame.pts = 44100, 0
    return frame


@pytest.fixture(scope='session')
def pixels_of():
    """Return a function that decodes a whole file with plain FFmpeg; depth as its codes."""

    def decode_file(path):
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            kind = 'gray12le' if stream.format.name == 'gray12le' else 'rgb24'
            return [frame.to_ndarray(format=kind) for frame in container.decode(stream)]

    return decode_file


class GatedEncoder:
    """A fake encoder that blocks while its gate is shut, and records its calls."""

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
    """Return a function that makes fakes, and open their gates when the test ends."""
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
