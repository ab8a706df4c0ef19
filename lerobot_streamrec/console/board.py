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
"""What all browsers see: the newest state, the last events, and a slot of previews for each."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
import json
import time
from typing import Any, Protocol

from lerobot_streamrec.console.state import event_of, is_connected, state_of, stream_name
from lerobot_streamrec.nodes.clients.news import Event, Heard, News, NUM_EVENTS, Preview

_NUM_TASKS = 20
# These commands leave the dataset and its quarantine as they are.
_HARMLESS = ('start', 'pause', 'resume', 'refused')
_OF_DATASET = ('root', 'saved_episodes', 'pending_episodes', 'unencoded_episodes')


class Robot(Protocol):
    """What the board needs of the thread that hears the recorder; ``RobotLink`` has it."""

    def attach(self, tell: Callable[[], None] | None) -> None:
        """Set the function that tells of news, from any thread; None when nobody listens."""

    def take(self) -> News:
        """Return the news since the last call."""

    def send(self, command: str) -> None:
        """Send a command to the recorder."""

    def show(self, keys: frozenset[str]) -> None:
        """Ask for the previews of these streams and no others."""


class Viewer:
    """
    One browser's previews: the newest of each stream, however slowly the browser takes them.

    Owned by the event loop's thread.
    """

    def __init__(self) -> None:
        self.names: frozenset[str] = frozenset()
        """The names of the streams that the browser shows."""
        self._messages: dict[str, bytes | str] = {}
        self._has_some = asyncio.Event()

    def put(self, name: str, message: bytes | str) -> None:
        """Keep a message in place of an earlier one of the same stream."""
        self._messages[name] = message
        self._has_some.set()

    async def take(self) -> list[bytes | str]:
        """Wait until there is a message, and return those that wait, without an end in time."""
        await self._has_some.wait()
        self._has_some.clear()
        messages, self._messages = self._messages, {}
        return list(messages.values())


class Board:
    """
    The state that all browsers share. Owned by the event loop's thread.

    :param robot: link to the thread that hears the recorder
    """

    def __init__(self, robot: Robot) -> None:
        self._robot = robot
        self._heard: Heard = robot.take().heard
        self._events: deque[tuple[int, Event]] = deque(maxlen=NUM_EVENTS)
        self._num_events = 0
        self._readers: set[asyncio.Event] = set()
        self._viewers: set[Viewer] = set()
        self._shown: frozenset[str] = frozenset()
        self._recent_tasks: tuple[str, ...] = ()
        self._dataset: tuple[str, ...] = ()
        self.mode = 'record'
        """``setup`` until there is a recorder to operate, else ``record``."""
        self.known_tasks: tuple[str, ...] = ()
        """Tasks of the dataset, the newest first."""
        self.episodes_revision = 0
        """A number that grows when the list of episodes may have changed."""
        self.is_closed = False
        """True once the server ends."""

    # --- news from the robot -------------------------------------------------------------------

    def refresh(self) -> None:
        """Take the news, and wake the browsers."""
        news = self._robot.take()
        self._heard = news.heard
        for event in news.events:
            self._num_events += 1
            self._events.append((self._num_events, event))
        self._note_dataset(news.events)
        self._note_task()
        self._request_previews()
        for key, preview in news.previews.items():
            self._show(stream_name(key), preview)
        if news.events or not news.previews:
            self.wake()

    def wake(self) -> None:
        """Let every browser have the state soon, because it has changed."""
        for one in self._readers:
            one.set()

    def _note_dataset(self, events: Collection[Event]) -> None:
        status = self._heard.status
        dataset = tuple(status.value(key) for key in _OF_DATASET) if status else ()
        if dataset != self._dataset or any(one.verb not in _HARMLESS for one in events):
            self._dataset = dataset
            self.episodes_revision += 1

    def _note_task(self) -> None:
        task = self._heard.status.value('task') if self._heard.status else ''
        if task and self._recent_tasks[:1] != (task,):
            others = (one for one in self._recent_tasks if one != task)
            self._recent_tasks = (task, *others)[:_NUM_TASKS]

    def _show(self, name: str, preview: Preview) -> None:
        message = _message(name, preview)
        for one in self._viewers:
            if name in one.names:
                one.put(name, message)

    # --- browsers ------------------------------------------------------------------------------

    @property
    def root(self) -> str:
        """The folder of the dataset; empty if no recorder has told it."""
        return self._heard.status.value('root') if self._heard.status else ''

    def state(self) -> dict[str, Any]:
        """Return the present state as a JSON object."""
        tasks = (*self._recent_tasks, *self.known_tasks)
        return {
            **state_of(self._heard, time.monotonic()),
            'mode': self.mode,
            'tasks': list(dict.fromkeys(tasks))[:_NUM_TASKS],
            'episodes_revision': self.episodes_revision,
        }

    def events_after(self, number: int) -> tuple[int, list[dict[str, Any]]]:
        """
        Return the events after a number, and the number of the last one.

        :param number: number of the last event that the browser has; 0: none
        """
        new = [event_of(event) for count, event in self._events if count > number]
        return self._num_events, new

    @contextmanager
    def changes(self) -> Iterator[asyncio.Event]:
        """Enter a browser; return the event that is set whenever the state has changed."""
        changed = asyncio.Event()
        self._readers.add(changed)
        try:
            yield changed
        finally:
            self._readers.discard(changed)

    @contextmanager
    def previews(self) -> Iterator[Viewer]:
        """Enter a browser that shows previews; its streams are subscribed to until it leaves."""
        viewer = Viewer()
        self._viewers.add(viewer)
        try:
            yield viewer
        finally:
            self._viewers.discard(viewer)
            self._request_previews()

    def select(self, viewer: Viewer, names: frozenset[str]) -> None:
        """Set the streams that a browser shows."""
        viewer.names = names
        self._request_previews()

    def _request_previews(self) -> None:
        names = frozenset[str]().union(*(one.names for one in self._viewers))
        keys = frozenset(key for key in self._heard.streams or () if stream_name(key) in names)
        if keys != self._shown:
            self._shown = keys
            self._robot.show(keys)

    def send(self, command: str) -> bool:
        """
        Send a command to the recorder; an event answers it.

        :return: False if no recorder is heard
        """
        if not (self._heard.is_heard and is_connected(self._heard, time.monotonic())):
            return False
        self._robot.send(command)
        return True

    def close(self) -> None:
        """Let all browsers' connections end."""
        self.is_closed = True
        self.wake()


def _message(name: str, preview: Preview) -> bytes | str:
    """Return a preview as a message of the web socket."""
    if preview.jpeg:
        text = name.encode()
        return bytes([len(text)]) + text + preview.jpeg
    return json.dumps(
        {
            'stream': name,
            'names': preview.names,
            # JSON has no number for these.
            'values': [one if abs(one) < float('inf') else None for one in preview.values],
            'stamp_s': preview.stamp_s,
        }
    )
