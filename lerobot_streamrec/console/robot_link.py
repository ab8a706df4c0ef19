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
"""The meeting point of the thread that talks to ROS and the event loop that serves browsers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
import threading

from lerobot_streamrec.nodes.clients.news import Event, Heard, News, NUM_EVENTS, Preview
from lerobot_streamrec.nodes.clients.watching_link import WatchingLink

# The longest delay before a signal is noticed. Commands end the wait.
_SLICE_S = 0.2


class RobotLink:
    """
    Hands news from the ROS thread to the event loop, and commands from there to the recorder.

    The ROS thread calls ``run``, and the event loop's thread everything else. Neither waits for
    the other: of a status or a preview only the newest is kept, and of the events the last ones.

    :param link: link to the recorder; the ROS thread owns it while ``run`` runs
    """

    def __init__(self, link: WatchingLink) -> None:
        self._link = link
        self._lock = threading.Lock()
        self._heard = Heard(link.recorder)
        self._events: deque[Event] = deque(maxlen=NUM_EVENTS)
        self._previews: dict[str, Preview] = {}
        self._commands: deque[str] = deque(maxlen=NUM_EVENTS)
        self._shown: frozenset[str] = frozenset()
        self._tell: Callable[[], None] | None = None
        self._is_told = False

    def run(self, is_over: Callable[[], bool]) -> None:
        """
        Pass messages in both directions. The ROS thread.

        :param is_over: function that says when to return; it never waits
        """
        while not is_over():
            with self._lock:
                commands, shown = tuple(self._commands), self._shown
                self._commands.clear()
            for command in commands:
                self._link.send(command)
            self._link.show(shown)
            self._keep(self._link.take_events(_SLICE_S))

    def _keep(self, events: list[Event]) -> None:
        link = self._link
        heard = Heard(link.recorder, link.status, link.streams, link.is_heard)
        previews = link.take_previews()
        with self._lock:
            is_new = bool(events or previews) or heard != self._heard
            self._heard = heard
            self._events.extend(events)
            self._previews.update(previews)
            if is_new and not self._is_told and self._tell is not None:
                self._is_told = True
                self._tell()

    def attach(self, tell: Callable[[], None] | None) -> None:
        """
        Set the function that tells the event loop of news; None when the loop ends.

        :param tell: function that never waits; the ROS thread calls it, once before each ``take``
        """
        with self._lock:
            self._tell, self._is_told = tell, False

    def take(self) -> News:
        """Return the news since the last call."""
        with self._lock:
            self._is_told = False
            events, previews = tuple(self._events), self._previews
            self._events.clear()
            self._previews = {}
            return News(self._heard, events, previews)

    def send(self, command: str) -> None:
        """Send a command to the recorder; an event will answer it."""
        with self._lock:
            self._commands.append(command)
        self._link.wake()

    def show(self, keys: frozenset[str]) -> None:
        """Ask for the previews of these streams and no others."""
        with self._lock:
            self._shown = keys
        self._link.wake()
