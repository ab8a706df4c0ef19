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
"""The machine's view of the nodes around it, and the futures that it waits for."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from lerobot_streamrec.errors import StreamrecError
from lerobot_streamrec.recording.operating.events import Event
from lerobot_streamrec.recording.saving.summary import EpisodeSummary


class Surroundings:
    """
    The surroundings of a machine that runs without ROS; a node overrides these methods.

    The thread that owns the machine calls every method except ``wake``. None may block.
    """

    def obstacle(self) -> str | None:
        """Return why the dataset must not be changed; empty: it may be; None: not known yet."""
        return ''

    def read_waiting(self) -> None:
        """Take in the messages that have arrived, which belong to the episode that ends now."""

    def hint(self, _error: StreamrecError) -> str:
        """Return advice on an error of a verb, to be appended to its text."""
        return ''

    def advice(self, _summary: EpisodeSummary) -> list[str]:
        """Return advice on the losses in an episode."""
        return []

    def note_task(self, task: str) -> None:
        """Adopt the task that a command has set."""

    def publish(self, event: Event) -> None:
        """Publish an event to everybody."""

    def wake(self) -> None:
        """Make sure that ``EpisodeMachine.collect`` is called soon; any thread."""


class PendingWork:
    """
    Futures of other threads and the actions that follow them.

    Owned by one thread, which calls all actions.

    :param wake: function that any thread calls when there is something to ``collect``
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._pending: list[tuple[Future[Any], Callable[[], None]]] = []

    def when(self, done: Future[Any], act: Callable[[], None]) -> None:
        """Add an action that ``collect`` calls once a future of another thread is done."""
        self._pending.append((done, act))
        done.add_done_callback(lambda _: self._wake())

    def collect(self) -> None:
        """Call the actions of all futures that are done, in the order in which they were added."""
        ended = [one for one in self._pending if one[0].done()]
        self._pending = [one for one in self._pending if one not in ended]
        for _, act in ended:
            act()
