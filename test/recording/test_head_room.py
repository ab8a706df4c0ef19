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
"""The status tells how much faster encoding could be, before frames have to wait on the disk."""

from __future__ import annotations

from dataclasses import dataclass, field
import logging
import threading
from types import SimpleNamespace

from lerobot_streamrec.frame import Frame
from lerobot_streamrec.recording import head_room as head_room_module
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.head_room import HeadRoomMeter, SCARCE
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.video.codecs.config import EncoderConfig, LADDER
from lerobot_streamrec.video.encode.encoder_thread import EncoderThread
from lerobot_streamrec.video.encode.mp4_encoder import EncodedVideo
import numpy as np
import pytest

FRONT, TOP = 'observation.images.front', 'observation.images.top'
NS_PER_S = 1_000_000_000
SVT = EncoderConfig('libsvtav1')
LIGHT = EncoderConfig(profile='light')
FPS = 25


@dataclass
class PaperTake:
    """A take of two cameras whose encoders have done as much work as a test says."""

    work: dict = field(default_factory=lambda: {FRONT: (0, 0.0), TOP: (0, 0.0)})
    is_paused: bool = False

    @property
    def cameras(self):
        return {
            key: SimpleNamespace(thread=SimpleNamespace(work=one))
            for key, one in self.work.items()
        }


class Bench:
    """A meter, and the clocks that it reads."""

    def __init__(self, tmp_path, encoder=SVT, **settings):
        streams = (StreamConfig(FRONT, '/front'), StreamConfig(TOP, '/top'))
        config = RecorderConfig(tmp_path, streams, fps=FPS, **settings)
        self.now_s = self.cpu_s = 0.0
        self.meter = HeadRoomMeter(
            config, lambda: round(self.now_s * NS_PER_S), lambda: self.cpu_s
        )
        self.take = PaperTake()
        self.meter.begin(self.take, {FRONT: encoder, TOP: encoder})
        assert self.measure() is None

    def measure(self):
        return self.meter.measure(self.take)

    def work(self, seconds, cpu_s, **frames):
        """Let time pass, in which encoders encode frames, as in ``front=(frames, seconds)``."""
        self.now_s += seconds
        self.cpu_s += cpu_s
        for key, (num_more, more_s) in frames.items():
            name = {'front': FRONT, 'top': TOP}[key]
            num_frames, busy_s = self.take.work[name]
            self.take.work[name] = num_frames + num_more, busy_s + more_s
        return self.measure()


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(head_room_module, 'usable_cores', lambda: 2)


def test_the_slowest_encoder_limits(tmp_path):
    bench = Bench(tmp_path)
    found = bench.work(2, 0.5, front=(50, 0.4), top=(50, 1.0))
    # A frame takes 20 ms of the 40 ms that there are for it.
    assert found.factor == pytest.approx(2.0)
    assert found.warning == ''


def test_the_cores_limit(tmp_path):
    bench = Bench(tmp_path)
    assert bench.work(2, 2.5, front=(50, 0.4), top=(50, 0.4)).factor == pytest.approx(1.6)


def test_an_operator_is_warned_before_frames_wait_on_the_disk_and_once_in_the_log(
    tmp_path, caplog
):
    bench = Bench(tmp_path)
    found = bench.work(2, 1.0, front=(50, 1.8), top=(50, 0.4))
    assert 1 < found.factor < SCARCE
    assert found.warning == (
        f'head-room 1.1: the encoder of {FRONT} can hardly keep up, and frames will wait on the '
        'disk; set encoder.profile: light (a dataset of another codec keeps it), or set encode: '
        'deferred, or record fewer or smaller pictures'
    )
    assert bench.work(2, 1.0, front=(50, 1.8), top=(50, 0.4)).warning
    assert [one.getMessage() for one in caplog.records] == [found.warning]
    assert caplog.records[0].levelno == logging.WARNING
    bench.work(2, 1.0, front=(50, 0.4), top=(50, 0.4))
    assert bench.measure().warning == ''


def test_less_than_one_says_how_far_it_falls_behind(tmp_path):
    bench = Bench(tmp_path)
    assert bench.work(2, 1.0, front=(20, 2.0), top=(50, 0.4)).factor == pytest.approx(0.4)
    # An encoder that has not encoded a frame all the time is the slowest of all.
    assert bench.work(2, 1.0, front=(0, 2.0), top=(50, 0.4)).factor < 0.1


def test_advice_is_never_what_is_there_already(tmp_path):
    assert (LIGHT.vcodec, LIGHT.preset) == (LADDER[-1].vcodec, LADDER[-1].preset)
    bench = Bench(tmp_path, LIGHT, encode='deferred')
    found = bench.work(2, 3.9, front=(50, 0.4), top=(50, 0.4))
    assert found.warning.endswith('wait on the disk; record fewer or smaller pictures')


def test_it_is_measured_over_two_seconds_of_one_episode(tmp_path):
    bench = Bench(tmp_path)
    assert bench.work(1.5, 0.1, front=(30, 0.1), top=(30, 0.1)) is None
    assert bench.work(0.5, 0.1, front=(20, 0.1), top=(20, 0.1)) is not None
    bench.take.is_paused = True
    assert bench.work(9, 9) is None
    bench.take.is_paused = False
    # What was done during the pause does not count.
    assert bench.measure() is None
    assert bench.work(2, 0.5, front=(50, 0.5), top=(50, 0.5)).factor == pytest.approx(4.0)
    bench.take = PaperTake()
    bench.meter.begin(bench.take, {})
    assert bench.measure() is None
    assert bench.meter.measure(None) is None


def test_encoder_threads_count_their_work():
    may_end = threading.Event()

    class Slow:
        num_written = 0

        def encode(self, picture):
            assert may_end.wait(60)

        def repeat(self):
            pass

        def finish(self):
            return EncodedVideo(num_frames=2)

        def abort(self):
            pass

    thread = EncoderThread(FRONT, Slow, max_queue_bytes=1 << 20)
    assert thread.work == (0, 0.0)
    thread.push(Frame(np.zeros((48, 64, 3), np.uint8), 'rgb24'))
    thread.push_repeat()
    may_end.set()
    assert thread.finish().result(60).num_frames == 2
    num_frames, busy_s = thread.work
    assert num_frames == 2
    assert busy_s > 0
