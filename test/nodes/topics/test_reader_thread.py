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
The thread that reads all topics: it answers the calls of other threads in their order.

Guards the ownership of the recorder: an executor that waits for an answer gets one, even if the
thread ends, and an error in the thread is not lost.
"""

from __future__ import annotations

from concurrent.futures import CancelledError
import threading

from lerobot_streamrec.nodes.topics.reader import Reader
import pytest

WAIT_S = 30.0

pytestmark = [pytest.mark.ros]


class Closer:
    """Counts the batches, and tells when there was one more."""

    def __init__(self):
        self.closed = threading.Event()

    def __call__(self):
        self.closed.set()


@pytest.fixture
def closer():
    return Closer()


@pytest.fixture
def reader(closer):
    reader = Reader((), closer)
    yield reader
    if reader.is_alive:
        assert reader.stop(WAIT_S)


def test_calls_are_answered_by_the_thread_in_their_order(reader):
    done = []
    answers = [reader.call(lambda number=number: done.append(number)) for number in range(9)]
    name = reader.call(lambda: threading.current_thread().name)
    reader.start()
    assert name.result(WAIT_S) == 'reader'
    assert all(one.done() for one in answers)
    assert done == list(range(9))


def test_rows_are_closed_again_and_again_without_a_message_or_a_call(reader, closer):
    reader.start()
    for _ in range(3):
        assert closer.closed.wait(WAIT_S)
        closer.closed.clear()


def test_functions_are_called_in_their_period(reader):
    often, seldom = threading.Event(), threading.Semaphore(0)
    reader.every(0.0, often.set)
    reader.every(3600.0, seldom.release)
    reader.start()
    for _ in range(3):
        assert often.wait(WAIT_S)
        often.clear()
    assert seldom.acquire(timeout=WAIT_S)
    assert not seldom.acquire(blocking=False)


def test_calls_before_the_end_are_answered_and_later_ones_are_cancelled(reader):
    reader.start()
    before = reader.call(lambda: 'before')
    assert reader.stop(WAIT_S)
    assert before.result(0) == 'before'
    with pytest.raises(CancelledError):
        reader.call(lambda: 'after').result(0)


def test_an_error_ends_the_thread_and_answers_everybody(reader):
    def fail():
        raise KeyError('a fault')

    failing, waiting = reader.call(fail), reader.call(lambda: None)
    reader.start()
    with pytest.raises(KeyError):
        failing.result(WAIT_S)
    with pytest.raises(CancelledError):
        waiting.result(WAIT_S)
    assert reader.stop(WAIT_S)
    assert isinstance(reader.error, KeyError)
    with pytest.raises(CancelledError):
        reader.call(lambda: None).result(0)
