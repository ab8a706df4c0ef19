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
One frame out for each push, whatever the encoder does; its death is told, not suffered.

Guards promises 1 and 3 at the thread that stands between the callbacks and a codec.
"""

from __future__ import annotations

import os
import sys
import threading

from lerobot_streamrec.errors import BrokenEncoderError
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.stats.histograms import ImageHistogram
from lerobot_streamrec.video.codecs.scheduling import ENCODER_NICENESS
from lerobot_streamrec.video.encode.encoder_thread import EncoderThread
from lerobot_streamrec.video.encode.picture_encoder import ColourMeter, PictureEncoder
import numpy as np
import pytest

# All others are seen to in test_encodings.py.
PIX_FMTS = ('rgb24', 'bgr24', 'rgba', 'bgra', 'gray')
KEY = 'observation.images.front'
WAIT_S = 120
PLENTY = 1 << 30


class Counter:
    """Remembers what it was shown."""

    def __init__(self):
        self.seen = []

    def push(self, pixels):
        self.seen.append(pixels)

    def push_again(self):
        self.seen.append('again')


@pytest.fixture
def start_thread():
    """Start encoder threads that have ended when the test has."""
    started = []

    def start(open_encoder, counter=None, *, stride=1, max_queue_bytes=PLENTY):
        def open_counted():
            meter = ColourMeter(counter or Counter(), stride)
            return PictureEncoder(open_encoder(), KEY, meter)

        thread = EncoderThread(KEY, open_counted, max_queue_bytes=max_queue_bytes)
        started.append(thread)
        return thread

    yield start
    for thread in started:
        thread.abort()


def running_threads():
    return [one for one in threading.enumerate() if one.name == f'enc:{KEY}']


def test_every_push_is_a_frame_of_the_video(start_thread, open_encoder, picture, decode):
    histogram = ImageHistogram()
    thread = start_thread(open_encoder, histogram)
    levels = []
    for index in range(60):
        if index % 4:
            thread.push_repeat()
        else:
            assert thread.push(picture((3 * index,) * 3))
        levels.append(3 * (index - index % 4))
    video = thread.finish().result(WAIT_S)
    assert video.num_frames == 60
    shown = [frame.colour.mean() for frame in decode(video.path)]
    assert shown == pytest.approx(levels, abs=3)
    statistics = histogram.statistics()
    assert statistics.num_rows == 60
    assert statistics.values['mean'].ravel() == pytest.approx(np.full(3, np.mean(levels) / 255))
    assert thread.join(WAIT_S)
    assert thread.error is None


@pytest.mark.parametrize('pix_fmt', PIX_FMTS)
def test_the_counter_sees_red_green_and_blue_whatever_the_format(
    pix_fmt, start_thread, make_gated_encoder, picture
):
    encoder, counter = make_gated_encoder(is_open=True), Counter()
    thread = start_thread(lambda: encoder, counter, stride=5)
    colour = (9, 9, 9) if pix_fmt == 'gray' else (1, 2, 3)
    thread.push(picture(colour, pix_fmt))
    thread.push_repeat()
    thread.finish().result(WAIT_S)
    seen, again = counter.seen
    assert again == 'again'
    assert seen.shape == (10, 13, 3)
    assert (seen == colour).all()


def test_the_counter_sees_every_stride_th_pixel(start_thread, make_gated_encoder):
    pixels = np.arange(48 * 64 * 3, dtype=np.uint32).astype(np.uint8).reshape(48, 64, 3)
    encoder, counter = make_gated_encoder(is_open=True), Counter()
    thread = start_thread(lambda: encoder, counter, stride=4)
    thread.push(Frame(pixels, 'rgb24'))
    thread.finish().result(WAIT_S)
    np.testing.assert_array_equal(counter.seen[0], pixels[::4, ::4])


def test_pushing_to_an_encoder_that_hangs_does_not_wait(start_thread, make_gated_encoder, picture):
    encoder = make_gated_encoder()
    frame = picture((0, 0, 0))
    thread = start_thread(lambda: encoder, max_queue_bytes=3 * frame.size_bytes)
    thread.push(frame)
    assert encoder.at_gate.wait(WAIT_S)
    accepted = [thread.push(frame) for _ in range(1000)]
    assert accepted == [True] * 3 + [False] * 997
    assert thread.statistics().size_bytes == 3 * frame.size_bytes
    encoder.gate.set()
    assert thread.finish().result(WAIT_S).num_frames == 1001
    assert encoder.calls.count('repeat') == 997


def test_nothing_is_encoded_after_the_end(start_thread, open_encoder, picture):
    thread = start_thread(open_encoder)
    thread.push(picture((0, 0, 0)))
    first, second = thread.finish(), thread.finish()
    assert first is second
    assert first.result(WAIT_S).num_frames == 1


def test_the_death_of_an_encoder_crosses_with_its_reason(
    start_thread, make_gated_encoder, picture, caplog
):
    encoder = make_gated_encoder(is_open=True, fail_at=3)
    thread = start_thread(lambda: encoder)
    for _ in range(10):
        thread.push(picture((0, 0, 0)))
    with pytest.raises(BrokenEncoderError, match=f'{KEY}: no space left') as caught:
        thread.finish().result(WAIT_S)
    assert caught.value.__cause__ is encoder.error
    assert thread.error is caught.value
    assert encoder.calls[-1] == 'abort'
    # Said when it happened, and not first when somebody asks.
    assert caplog.messages == [f'{caught.value}; the episode cannot be saved']


def test_pushes_to_a_dead_encoder_do_not_pile_up(start_thread, make_gated_encoder, picture):
    encoder = make_gated_encoder(is_open=True, fail_at=0)
    thread = start_thread(lambda: encoder)
    thread.push(picture((0, 0, 0)))
    assert thread.join(WAIT_S)
    for _ in range(1000):
        thread.push(picture((0, 0, 0)))
        thread.push_repeat()
    assert thread.statistics().num_queued == 0
    assert thread.statistics().size_bytes == 0


def test_an_encoder_that_cannot_be_opened_is_dead_from_the_start(start_thread, picture):
    reason = OSError('read-only file system')

    def open_encoder():
        raise reason

    thread = start_thread(open_encoder)
    thread.push(picture((0, 0, 0)))
    with pytest.raises(BrokenEncoderError, match='read-only') as caught:
        thread.finish().result(WAIT_S)
    assert caught.value.__cause__ is reason


def test_a_counter_that_fails_ends_the_thread_as_well(start_thread, make_gated_encoder, picture):
    encoder = make_gated_encoder(is_open=True)
    thread = start_thread(lambda: encoder, counter=ImageHistogram(num_channels=4))
    thread.push(picture((0, 0, 0)))
    with pytest.raises(BrokenEncoderError) as caught:
        thread.finish().result(WAIT_S)
    assert isinstance(caught.value.__cause__, IndexError)


def test_abort_ends_the_thread_and_leaves_the_rest(
    start_thread, make_gated_encoder, picture, caplog
):
    encoder = make_gated_encoder()
    thread = start_thread(lambda: encoder)
    for _ in range(100):
        thread.push(picture((0, 0, 0)))
    assert encoder.at_gate.wait(WAIT_S)
    thread.abort()
    thread.abort()
    encoder.gate.set()
    assert thread.join(WAIT_S)
    assert running_threads() == []
    assert len(encoder.calls) == 2
    assert encoder.calls[-1] == 'abort'
    with pytest.raises(BrokenEncoderError, match='aborted'):
        thread.finish().result(WAIT_S)
    assert caplog.messages == []


def test_a_video_without_a_frame_is_an_error_that_is_told(start_thread, open_encoder):
    thread = start_thread(open_encoder)
    with pytest.raises(BrokenEncoderError, match=KEY):
        thread.finish().result(WAIT_S)


def test_a_file_that_cannot_be_made_is_an_error_that_is_told(start_thread, open_encoder, picture):
    thread = start_thread(lambda: open_encoder(name='missing/video.mp4'))
    thread.push(picture((0, 0, 0)))
    with pytest.raises(BrokenEncoderError, match='No such file') as caught:
        thread.finish().result(WAIT_S)
    assert isinstance(caught.value.__cause__, OSError)


def test_an_aborted_thread_without_a_frame_leaves_no_thread(start_thread, open_encoder):
    thread = start_thread(open_encoder)
    thread.abort()
    assert thread.join(WAIT_S)
    assert running_threads() == []


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='niceness is of processes')
def test_callbacks_go_before_an_encoder(start_thread, make_gated_encoder, picture):
    """Guards promise 3: on a busy machine an encoder waits, and not the callbacks."""
    seen = []

    def open_encoder():
        seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return make_gated_encoder(is_open=True)

    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    thread = start_thread(open_encoder)
    thread.push(picture((0, 0, 0)))
    thread.finish().result(WAIT_S)
    assert seen == [max(before, ENCODER_NICENESS)]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
