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
"""The nodes around the machine, as it needs them, and the work that it waits for."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from lerobot_streamrec.errors import StreamrecError
from lerobot_streamrec.recording.operating.events import Event
from lerobot_streamrec.recording.saving.summary import EpisodeSummary


class Surroundings:
    """
    Surroundings of a machine that stands alone; a node overrides them.

    Every method but ``wake`` is called by the thread that owns the machine, and does not block.
    """

    def obstacle(self) -> str | None:
        """Say why nothing may be done to the dataset; empty: nothing; None: not known yet."""
        return ''

    def read_waiting(self) -> None:
        """Take in the messages that have arrived: they belong to the episode that ends now."""

    def hint(self, _error: StreamrecError) -> str:
        """Return what may help against an error of ``start``, to stand behind it."""
        return ''

    def advice(self, _summary: EpisodeSummary) -> list[str]:
        """Return what may help against losses in an episode."""
        return []

    def note_task(self, task: str) -> None:
        """Take note of the task that a command has set."""

    def publish(self, event: Event) -> None:
        """Tell everybody."""

    def wake(self) -> None:
        """See to it that ``EpisodeMachine.collect`` is called soon; any thread."""


class PendingWork:
    """
    Owned by one thread, in which all actions are called.

    :param wake: is called by any thread when there is something to ``collect``
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._pending: list[tuple[Future[Any], Callable[[], None]]] = []

    def when(self, done: Future[Any], act: Callable[[], None]) -> None:
        """Act in ``collect`` once something has ended in another thread."""
        self._pending.append((done, act))
        done.add_done_callback(lambda _: self._wake())

    def collect(self) -> None:
        """Act on all that has ended, in the order in which it was added."""
        ended = [one for one in self._pending if one[0].done()]
        self._pending = [one for one in self._pending if one not in ended]
        for _, act in ended:
            act()
