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
"""A recorder's status and events, as its clients read them. No ROS here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
import json

RUNNING = ('recording', 'paused')
"""Phases in which an episode can be saved."""
_MAX_QUOTED = 80


@dataclass(frozen=True, slots=True)
class Status:
    """
    One status of the recorder.

    :param values: texts by their keys
    :param level: 0 fine, 1 a warning, 2 an error
    :param message: the headline
    :param heard_s: time of its arrival, steady clock
    """

    values: Mapping[str, str]
    level: int
    message: str
    heard_s: float

    def value(self, key: str) -> str:
        """Return a value, empty if there is none."""
        return self.values.get(key, '')

    @property
    def phase(self) -> str:
        """The recorder's phase, such as ``ready`` or ``resetting``."""
        return self.value('phase') or self.value('state') or 'unknown'

    @property
    def is_running(self) -> bool:
        """Whether there is an episode that can be saved."""
        return self.phase in RUNNING

    @property
    def episode_index(self) -> int | None:
        """Number of the running or the next episode."""
        text = self.value('episode_index')
        return int(text) if text.isascii() and text.isdigit() else None


@dataclass(frozen=True, slots=True)
class Event:
    """
    An answer to a command, or what became of a save.

    :param at: local time of day, as a text
    :param source: name of the sender of the command
    :param verb: verb of the command, or ``saved``
    :param success: True if the command was carried out
    :param message: the answer
    :param episode: number of the episode; None: of none
    """

    at: str
    source: str
    verb: str
    success: bool
    message: str
    episode: int | None = None


def read_event(text: str) -> Event:
    """
    Read one message of ``~/events``.

    :param text: a JSON object; anything else becomes an event that quotes it
    """
    try:
        fields = json.loads(text)
        episode = fields.get('episode')
        return Event(
            _time_of_day(str(fields.get('time', ''))),
            str(fields.get('source', '')),
            str(fields['verb']),
            fields['success'] is True,
            str(fields.get('message', '')),
            episode if isinstance(episode, int) else None,
        )
    except (ValueError, KeyError, AttributeError, RecursionError):
        return Event('', '?', '?', False, f'not an event of a recorder: {text[:_MAX_QUOTED]!r}')


def _time_of_day(time: str) -> str:
    try:
        # Python 3.10 does not know the letter for UTC.
        moment = datetime.fromisoformat(time.replace('Z', '+00:00'))
        return f'{moment.astimezone():%H:%M:%S}'
    except (ValueError, OverflowError):
        return ''
