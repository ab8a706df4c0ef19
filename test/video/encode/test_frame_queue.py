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
What is pushed always comes out, and pushing never waits.

Guards promise 1: an encoder that falls behind costs pictures, never frames, nor memory, nor the
time of the callback that pushes.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.encode.frame_queue import FrameQueue, Mark, QueueStatistics
import numpy as np
import pytest

SIZE_BYTES = 10 * 40


@pytest.fixture
def frame():
    return Frame(np.zeros((10, 40), np.uint8), 'gray')


def pop_all(queue):
    """Pop until the end, which a test has brought about before."""
    items = []
    while (item := queue.pop()) not in (Mark.END, Mark.ABORT):
        items.append(item)
    return items, item


def test_frames_and_repeats_come_out_in_order_and_then_the_end(frame):
    queue = FrameQueue(10 * SIZE_BYTES)
    other = Frame(frame.pixels.copy(), 'gray')
    assert queue.push(frame)
    queue.push_repeat()
    assert queue.push(other)
    queue.close()
    items, end = pop_all(queue)
    assert (items, end) == ([frame, Mark.REPEAT, other], Mark.END)
    assert items[0] is frame
    assert items[2] is other
    assert queue.pop() is Mark.END


def test_a_full_queue_takes_repeats_instead_of_frames(frame):
    queue = FrameQueue(3 * SIZE_BYTES)
    assert [queue.push(frame) for _ in range(5)] == [True, True, True, False, False]
    assert queue.statistics() == QueueStatistics(5, 3 * SIZE_BYTES, 5, 3 * SIZE_BYTES)
    queue.close()
    items, _ = pop_all(queue)
    assert items == [frame, frame, frame, Mark.REPEAT, Mark.REPEAT]


def test_room_that_was_made_is_used_again(frame):
    queue = FrameQueue(2 * SIZE_BYTES)
    assert [queue.push(frame) for _ in range(3)] == [True, True, False]
    assert queue.pop() is frame
    assert [queue.push(frame) for _ in range(2)] == [True, False]
    assert queue.statistics() == QueueStatistics(4, 2 * SIZE_BYTES, 4, 2 * SIZE_BYTES)


def test_a_frame_larger_than_the_bound_is_taken_if_nothing_waits(frame):
    queue = FrameQueue(1)
    assert [queue.push(frame) for _ in range(3)] == [True, False, False]


def test_padding_counts_as_memory():
    queue = FrameQueue(1000)
    padded = Frame(np.zeros((10, 80), np.uint8)[:, :40], 'gray')
    queue.push(padded)
    assert queue.statistics().size_bytes == 800


def test_ten_thousand_pushes_that_nobody_takes_neither_wait_nor_grow(frame):
    queue = FrameQueue(5 * SIZE_BYTES)
    taken = sum(queue.push(frame) for _ in range(10_000))
    statistics = queue.statistics()
    assert taken == 5
    assert statistics.num_queued == 10_000
    assert statistics.peak_bytes == 5 * SIZE_BYTES


def test_abort_drops_what_waits_and_what_comes(frame):
    queue = FrameQueue(10 * SIZE_BYTES)
    queue.push(frame)
    queue.abort()
    queue.abort()
    queue.push(frame)
    queue.push_repeat()
    queue.close()
    assert queue.pop() is Mark.ABORT
    assert queue.statistics().num_queued == queue.statistics().size_bytes == 0


@pytest.mark.parametrize(('verb', 'mark'), [('close', Mark.END), ('abort', Mark.ABORT)])
def test_a_waiting_consumer_is_woken_by_the_end(verb, mark):
    queue = FrameQueue(SIZE_BYTES)
    with ThreadPoolExecutor(1) as consumer:
        popped = consumer.submit(queue.pop)
        getattr(queue, verb)()
        assert popped.result(30) is mark


def test_a_producer_and_a_consumer_at_once_exchange_every_frame(frame):
    queue = FrameQueue(4 * SIZE_BYTES)
    with ThreadPoolExecutor(1) as consumer:
        popped = consumer.submit(pop_all, queue)
        taken = 0
        for index in range(20_000):
            if index % 3:
                taken += queue.push(frame)
            else:
                queue.push_repeat()
        queue.close()
        items, _ = popped.result(60)
    assert len(items) == 20_000
    assert items.count(frame) == taken
    assert queue.statistics().peak_bytes <= 4 * SIZE_BYTES
