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
"""What a machine has to do with its surroundings: answers, events, its status, and futures."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
import json
from typing import Any

from lerobot_streamrec.errors import StreamrecError
from lerobot_streamrec.recording.saving.summary import EpisodeSummary
from lerobot_streamrec.recording.status import RecorderState

SAVED = 'saved'
"""The ``verb`` of an event at the end of a save: the episode is durable, or the save failed."""
FAILED = 'failed'
"""The ``verb`` of an event which says that the running episode can no longer be saved."""
REFUSED = 'refused'
"""The ``verb`` of an event that answers a text which is not a command."""


@dataclass(frozen=True, slots=True)
class Answer:
    """
    The answer to a command.

    :param success: True if the command was carried out
    :param message: the result, or the reason for the refusal and what would be possible
    """

    success: bool
    message: str


@dataclass(frozen=True, slots=True)
class Event:
    """
    An answer or other news that is published to everybody.

    :param source: name of the command's sender
    :param verb: verb of the command, or ``SAVED``, ``FAILED`` or ``REFUSED``
    :param success: True if the command was carried out
    :param message: the answer, a sentence
    :param episode: index of the episode concerned; None: no episode is
    :param is_repeat: True if the command repeated the one before, so that nothing was done
    """

    source: str
    verb: str
    success: bool
    message: str
    episode: int | None = None
    is_repeat: bool = False

    def as_json(self, time_s: float) -> str:
        """
        Return one line of JSON, as docs/operating.md describes it.

        :param time_s: time of the event, seconds since 1970
        """
        moment = datetime.fromtimestamp(time_s, timezone.utc)
        return json.dumps(
            {
                'time': moment.isoformat(timespec='milliseconds').replace('+00:00', 'Z'),
                'source': self.source,
                'verb': self.verb,
                'success': self.success,
                'message': self.message,
                'episode': self.episode,
            },
            ensure_ascii=False,
        )


class Phase(Enum):
    """The recorder's phase, for people."""

    IDLE = 'idle'
    """No episode can start; the blockers say why."""
    READY = 'ready'
    """An episode can start."""
    RECORDING = 'recording'
    PAUSED = 'paused'
    RESETTING = 'resetting'
    """The recorder waits between two automatic episodes."""
    DONE = 'done'
    """No more automatic episodes begin: all are recorded, or the dataset is finalized."""
    CLOSED = 'closed'


@dataclass(frozen=True, slots=True)
class OperatingStatus:
    """
    The status for operators.

    :param phase: the recorder's phase
    :param blockers: reasons why no episode could start now
    :param phase_seconds_left: time until an automatic phase ends, seconds; None: it does not end
        by itself
    :param automatic: number of automatic episodes so far, as a text; empty: they are off
    :param obstacle: reason why the dataset must not be changed, such as another recorder; empty:
        none
    :param last_command: the last command; empty: there was none
    :param last_source: name of its sender
    :param last_result: sentence on the last answer, or on an operation that has ended since
    """

    phase: Phase
    blockers: tuple[str, ...] = ()
    phase_seconds_left: float | None = None
    automatic: str = ''
    obstacle: str = ''
    last_command: str = ''
    last_source: str = ''
    last_result: str = ''


def phase_of(
    state: RecorderState, *, is_ready: bool, is_resetting: bool, is_over: bool
) -> Phase:
    """
    Return the recorder's phase.

    :param state: state of the recorder
    :param is_ready: True if an episode could start
    :param is_resetting: True in the reset phase between two automatic episodes
    :param is_over: True if automatic episodes are on, and no more begin
    """
    if state is not RecorderState.IDLE:
        return Phase(state.value)
    if is_resetting:
        return Phase.RESETTING
    if is_over:
        return Phase.DONE
    return Phase.READY if is_ready else Phase.IDLE


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
