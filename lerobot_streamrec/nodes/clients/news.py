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
"""What a client hears of a recorder: its status, its events and previews. Needs no ROS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
import json

from lerobot_streamrec.dataset.format.features import IMAGES

RUNNING = ('recording', 'paused')
"""The phases in which an episode can be saved."""
CAMERA, DEPTH, VECTOR = 'camera', 'depth', 'vector'
"""The kinds of streams; the first two have pictures."""
NUM_EVENTS = 50
"""So many of the newest events are kept."""

_MAX_QUOTED = 80


@dataclass(frozen=True, slots=True)
class Status:
    """
    One status of the recorder.

    :param values: texts by their keys
    :param level: 0: fine; 1: a warning; 2: an error
    :param message: headline of the status
    :param heard_s: time of arrival on the steady clock
    """

    values: Mapping[str, str]
    level: int
    message: str
    heard_s: float

    def value(self, key: str) -> str:
        """Return the value of a key; empty if the status lacks it."""
        return self.values.get(key, '')

    @property
    def phase(self) -> str:
        """The recorder's phase, such as ``ready`` or ``resetting``."""
        return self.value('phase') or self.value('state') or 'unknown'

    @property
    def is_running(self) -> bool:
        """True if there is an episode that can be saved."""
        return self.phase in RUNNING

    @property
    def episode_index(self) -> int | None:
        """The index of the running or next episode; None if it is not known."""
        text = self.value('episode_index')
        return int(text) if text.isascii() and text.isdigit() else None


@dataclass(frozen=True, slots=True)
class Event:
    """
    An answer to a command, or the result of a save.

    :param at: local time of day, as text
    :param source: name of the sender of the command
    :param verb: verb of the command, or ``saved``
    :param success: True if the command was carried out
    :param message: text of the answer
    :param episode: index of the episode; None if the event concerns no episode
    """

    at: str
    source: str
    verb: str
    success: bool
    message: str
    episode: int | None = None


def read_event(text: str) -> Event:
    """
    Parse one message of ``~/events``.

    :param text: a JSON object; any other text becomes an event that quotes it
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
        # Python 3.10 cannot parse the letter Z for UTC.
        moment = datetime.fromisoformat(time.replace('Z', '+00:00'))
        return f'{moment.astimezone():%H:%M:%S}'
    except (ValueError, OverflowError):
        return ''


@dataclass(frozen=True, slots=True)
class Preview:
    """
    The newest sample of a stream, small enough to be looked at.

    :param stream: key of the stream
    :param stamp_s: stamp of a picture, or time of arrival of a vector, seconds since 1970
    :param jpeg: the picture; empty for vectors
    :param names: names of a vector's elements
    :param values: values of a vector's elements, in the units of the topic
    """

    stream: str
    stamp_s: float
    jpeg: bytes = b''
    names: tuple[str, ...] = ()
    values: tuple[float, ...] = ()


def kind_of(key: str, status: Status) -> str:
    """
    Return the kind of a stream.

    :param key: key of the stream
    :param status: newest status of the stream; its key tells the kind where the status does not
    """
    return status.value('kind') or (CAMERA if key.startswith(IMAGES) else VECTOR)


@dataclass(frozen=True, slots=True)
class Heard:
    """
    What the newest messages of a recorder say.

    :param recorder: full name of the recorder's node
    :param status: newest status; None if none has arrived
    :param streams: newest status of each stream, by key
    :param is_heard: True if a node subscribes to the commands
    """

    recorder: str
    status: Status | None = None
    streams: Mapping[str, Status] | None = None
    is_heard: bool = False


@dataclass(frozen=True, slots=True)
class News:
    """
    What has arrived since the news before.

    :param heard: the newest messages
    :param events: new events; the oldest are missing if there were more than ``NUM_EVENTS``
    :param previews: the newest preview of each stream that has a new one, by the stream's key
    """

    heard: Heard
    events: tuple[Event, ...]
    previews: Mapping[str, Preview]
