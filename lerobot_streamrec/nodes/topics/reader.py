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
"""The thread that takes all messages from the middleware and owns the recorder."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from operator import itemgetter
import threading
import time
from typing import Any, TypeVar

from lerobot_streamrec.nodes.topics.subscriber import Subscriber

THREAD_NAME = 'reader'
TICK_S = 0.01
"""The longest time for which a message waits while the reader has nothing else to do."""

T = TypeVar('T')


def read_waiting(subscribers: Sequence[Subscriber]) -> None:
    """
    Deliver the messages that wait on several topics in the order in which they arrived.

    The streams judge each message by those that arrived before it on all topics, for instance
    whether a clock was set. After a pause, no topic may be read to its end before the others.
    """
    taken = [message for one in subscribers for message in one.take_waiting()]
    # The sort is stable and arrivals never decrease within a topic, so each topic keeps its order.
    taken.sort(key=itemgetter(0))
    for message in taken:
        message.subscriber.deliver(message)


class _Periodic:
    """A function that is called again and again, every ``period_s`` seconds."""

    def __init__(self, period_s: float, act: Callable[[], object]) -> None:
        self._period_s = period_s
        self._act = act
        self._due_s = 0.0

    def tick(self, now_s: float) -> None:
        """Call the function if it is due."""
        if now_s >= self._due_s:
            self._due_s = now_s + self._period_s
            self._act()


class Reader:
    """
    Takes messages on a short tick, outside of any executor, and runs the calls of other threads.

    The executor of rclpy spends several times as much on a message as taking it costs, most of it
    on waiting anew for all topics after each message. The reader asks every topic once per tick
    and gets all messages that have arrived. Its thread owns the subscribers and everything that
    their messages reach. Other threads use these objects by ``call`` only.

    :param subscribers: subscribers of all topics
    :param close: function to call after each batch of messages, such as one that closes rows
    """

    def __init__(self, subscribers: Sequence[Subscriber], close: Callable[[], object]) -> None:
        self._subscribers = subscribers
        self._close = close
        self._periodic: list[_Periodic] = []
        self._calls: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=False)
        self.error: BaseException | None = None
        """The error that ended the thread; None if there was none."""

    def every(self, period_s: float, act: Callable[[], object]) -> None:
        """Call a function in the reader's thread again and again; call this before ``start``."""
        self._periodic.append(_Periodic(period_s, act))

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """
        End the thread after the calls that wait.

        :return: True if it has ended
        """
        with self._lock:
            self._is_over = True
        self._wake.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def is_alive(self) -> bool:
        """True while the thread runs."""
        return self._thread.is_alive()

    def call(self, function: Callable[[], T]) -> Future[T]:
        """
        Run a function in the reader's thread, after the calls before it; any thread.

        :param function: function that raises nothing: an error in it ends the thread
        :return: its result; cancelled if the thread has ended
        """
        future: Future[T] = Future()
        with self._lock:
            if self._is_over:
                future.cancel()
                return future
            self._calls.append((function, future))
        self._wake.set()
        return future

    def read(self) -> None:
        """Deliver the messages that have arrived; the reader's thread."""
        read_waiting(self._subscribers)
        self._close()

    def _run(self) -> None:
        try:
            while not self._is_over or self._calls:
                begin_s = time.monotonic()
                self._wake.clear()
                self._answer()
                self.read()
                for one in self._periodic:
                    one.tick(begin_s)
                self._wake.wait(max(0.0, begin_s + TICK_S - time.monotonic()))
        # Nothing above this frame catches errors. The main thread logs this one and shuts down.
        except BaseException as error:  # noqa: BLE001
            self.error = error
        with self._lock:
            self._is_over = True
        while self._calls:
            self._calls.popleft()[1].cancel()

    def _answer(self) -> None:
        while self._calls:
            function, future = self._calls.popleft()
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)
                raise
