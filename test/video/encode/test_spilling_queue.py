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
A queue that spills loses nothing, keeps the order and its bound, and leaves no file.

Guards promises 1 and 3: however far an encoder is behind, a push does not wait for it, and what
was pushed comes out as it was, while there is room on the disk.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
import errno
import threading

from lerobot_streamrec.errors import VideoError
from lerobot_streamrec.frame import Frame
from lerobot_streamrec.video.encode.frame_queue import FrameQueue, Mark
from lerobot_streamrec.video.encode.spool import Spool
import numpy as np
import pytest
from waiting import wait_for

SHAPE = (20, 40)
SIZE_BYTES = 20 * 40
PLENTY = 1 << 30
WAIT_S = 120
NAME = 'spill:test'


def frame(number):
    return Frame(np.full(SHAPE, number % 251, np.uint8), 'gray')


def numbers(items):
    """Return what frames show; a repeat shows what the frame before does."""
    found = []
    for item in items:
        found.append(found[-1] if item is Mark.REPEAT else int(item.pixels[0, 0]))
    return found


@pytest.fixture
def make_queue(tmp_path):
    made = []

    def make(frames_in_memory=8, max_spool_bytes=PLENTY):
        spool = Spool(tmp_path / 'front.spool')
        queue = FrameQueue(
            frames_in_memory * SIZE_BYTES, spool, max_spool_bytes=max_spool_bytes, name=NAME
        )
        made.append(queue)
        return queue

    yield make
    for queue in made:
        queue.release()
    assert [one.name for one in threading.enumerate() if one.name == NAME] == []
    assert list(tmp_path.iterdir()) == []


def push_slowly(queue, count, room_bytes=PLENTY):
    """Push so that the disk keeps up while it has room; return which were taken."""
    taken = []
    for number in range(count):
        if queue.push(frame(number)):
            taken.append(number)
        wait_for(
            lambda: (
                queue.statistics().size_bytes <= 5 * SIZE_BYTES
                or queue.statistics().spilled_bytes >= room_bytes
            )
        )
    return taken


def pop_all(queue):
    items = []
    while (item := queue.pop()) is not Mark.END:
        assert item is not Mark.ABORT
        items.append(item)
    return items


def test_nothing_is_spilled_while_there_is_memory(make_queue, tmp_path):
    queue = make_queue()
    for number in range(4):
        queue.push(frame(number))
    assert queue.statistics().num_spilled == 0
    assert list(tmp_path.iterdir()) == []


def test_all_that_an_encoder_has_no_time_for_comes_out_in_order(make_queue):
    queue = make_queue()
    assert push_slowly(queue, 200) == list(range(200))
    statistics = queue.statistics()
    assert statistics.peak_bytes <= 8 * SIZE_BYTES
    assert statistics.num_spilled == statistics.total_spilled >= 195
    assert statistics.spilled_bytes > statistics.num_spilled * SIZE_BYTES
    queue.close()
    assert numbers(pop_all(queue)) == [number % 251 for number in range(200)]


def test_repeats_keep_their_places(make_queue):
    queue = make_queue()
    for number in range(60):
        if number % 3:
            queue.push_repeat()
        else:
            queue.push(frame(number))
            wait_for(lambda: queue.statistics().size_bytes <= 5 * SIZE_BYTES)
    queue.close()
    assert queue.statistics().num_spilled > 30
    assert numbers(pop_all(queue)) == [number - number % 3 for number in range(60)]


def test_the_file_begins_anew_when_all_of_it_was_read(make_queue, tmp_path):
    queue = make_queue()
    for _ in range(5):
        push_slowly(queue, 40)
        assert numbers(queue.pop() for _ in range(40)) == list(range(40))
        assert queue.statistics().num_queued == 0
    queue.push(frame(0))
    assert (tmp_path / 'front.spool').stat().st_size < 60 * 2 * SIZE_BYTES
    assert queue.statistics().total_spilled >= 5 * 35


def test_a_full_spool_leaves_the_rest_to_repeats(make_queue):
    queue = make_queue(max_spool_bytes=10 * SIZE_BYTES)
    taken = push_slowly(queue, 100, 10 * SIZE_BYTES)
    queue.close()
    items = pop_all(queue)
    assert len(items) == 100
    assert 10 < len(taken) < 40
    kept = [number for number, item in enumerate(items) if item is not Mark.REPEAT]
    assert kept == taken
    assert [int(items[number].pixels[0, 0]) for number in kept] == taken


def test_room_on_the_disk_is_used_again(make_queue):
    queue = make_queue(max_spool_bytes=10 * SIZE_BYTES)
    push_slowly(queue, 30, 10 * SIZE_BYTES)
    for _ in range(30):
        queue.pop()
    assert push_slowly(queue, 10, 10 * SIZE_BYTES) == list(range(10))
    assert queue.statistics().num_spilled > 3


def test_a_disk_that_refuses_costs_the_spill_and_nothing_else(make_queue, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr('os.pwrite', refuse)
    queue = make_queue()
    taken = [queue.push(frame(number)) for number in range(20)]
    wait_for(lambda: 'No space left' in caplog.text)
    queue.close()
    assert sum(taken) == 8
    assert numbers(pop_all(queue)) == [*range(8), *[7] * 12]


def test_an_aborted_queue_ends_its_thread_and_deletes_its_file(make_queue):
    queue = make_queue()
    push_slowly(queue, 50)
    queue.abort()
    assert queue.pop() is Mark.ABORT
    assert queue.statistics().num_spilled == 0


def test_a_producer_a_consumer_and_the_spill_at_once_exchange_every_frame(make_queue):
    queue = make_queue()
    with ThreadPoolExecutor(1) as consumer:
        popped = consumer.submit(pop_all, queue)
        expected, last = [], 0
        for number in range(5000):
            if number and number % 5 == 0:
                queue.push_repeat()
            elif queue.push(frame(number)):
                last = number % 251
            expected.append(last)
        queue.close()
        items = popped.result(WAIT_S)
    assert numbers(items) == expected
    assert queue.statistics().peak_bytes <= 8 * SIZE_BYTES


class HangingSpool(Spool):
    """A disk, such as one on the network, that hangs until it is let go on."""

    def __init__(self, path):
        super().__init__(path)
        self.is_reached, self.go_on = threading.Event(), threading.Event()

    def append(self, number, record):
        self.is_reached.set()
        assert self.go_on.wait(WAIT_S)
        return super().append(number, record)

    def read(self, place):
        if self.go_on.is_set():
            return super().read(place)
        self.is_reached.set()
        assert self.go_on.wait(WAIT_S)
        return super().read(place)


def test_a_disk_that_takes_nothing_is_not_waited_for_without_end(tmp_path):
    spool = HangingSpool(tmp_path / 'front.spool')
    queue = FrameQueue(
        2 * SIZE_BYTES, spool, max_spool_bytes=PLENTY, name=NAME, disk_timeout_s=0.01
    )
    for number in range(3):
        queue.push(frame(number))
    assert spool.is_reached.wait(WAIT_S)
    queue.close()
    queue.wait_until_parked()
    with pytest.raises(VideoError, match=r'test: the disk has not stored a frame for 0\.01 s'):
        queue.spill_rest()
    spool.go_on.set()
    wait_for(lambda: NAME not in [one.name for one in threading.enumerate()])
    queue.release()


def test_a_disk_that_gives_nothing_back_is_not_waited_for_without_end(tmp_path):
    spool = HangingSpool(tmp_path / 'front.spool')
    spool.go_on.set()
    queue = FrameQueue(
        2 * SIZE_BYTES, spool, max_spool_bytes=PLENTY, name=NAME, disk_timeout_s=0.01
    )
    for number in range(4):
        queue.push(frame(number))
        wait_for(lambda: queue.statistics().size_bytes <= SIZE_BYTES)
    spool.go_on.clear()
    spool.is_reached.clear()
    items = []
    consumer = threading.Thread(target=lambda: items.append(queue.pop()))
    consumer.start()
    assert spool.is_reached.wait(WAIT_S)
    with pytest.raises(VideoError, match=r'the disk has not returned a frame for 0\.01 s'):
        queue.wait_until_parked()
    spool.go_on.set()
    consumer.join(WAIT_S)
    assert numbers(items) == [0]
    queue.release()
