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
"""The state as browsers see it: one JSON object, made of the recorder's texts."""

from __future__ import annotations

from collections.abc import Sequence
import math
from typing import Any

from lerobot_streamrec.dataset.format.features import IMAGES
from lerobot_streamrec.nodes.clients.news import Event, Heard, kind_of, Status

SILENT_S = 3.0
"""A recorder whose last status is older has ended, or cannot be reached."""

_WARNING = 1
# The longest time between two statuses of a stream, with some delay.
_STREAMS_PERIOD_S = 1.2
_COUNTS = (
    'episode_index',
    'rows',
    'saved_episodes',
    'pending_episodes',
    'unencoded_episodes',
    'repeated_frames',
    'disk_free_mib',
)
_NUMBERS = ('phase_seconds_left', 'seconds', 'fps', 'head_room', 'disk_minutes_left')
_TEXTS = (
    'task',
    'subtask',
    'takeover',
    'last_result',
    'last_command',
    'last_source',
    'root',
    'encoders',
    'sync',
)
_STREAM_COUNTS = (
    'missing',
    'late',
    'lost_in_transport',
    'rejected',
    'repeated_frames',
    'stale_rows',
    'queued_frames',
)
_STREAM_NUMBERS = ('rate_hz', 'nominal_hz', 'max_skew_ms')


def stream_name(key: str) -> str:
    """Return the name of a stream in the page: its key, of a camera without the common begin."""
    return key.removeprefix(IMAGES)


def is_connected(heard: Heard, now_s: float) -> bool:
    """
    Return whether the recorder's status is fresh.

    :param now_s: time on the steady clock
    """
    return heard.status is not None and now_s - heard.status.heard_s <= SILENT_S


def state_of(heard: Heard, now_s: float) -> dict[str, Any]:
    """
    Return the part of the state that the recorder tells.

    :param heard: the recorder's newest messages
    :param now_s: time on the steady clock
    :return: a JSON object; docs/console-server.md describes its keys
    """
    status = heard.status or Status({}, 0, '', now_s)
    streams = heard.streams or {}
    return {
        'connected': is_connected(heard, now_s),
        'recorder': heard.recorder,
        'age_s': None if heard.status is None else round(now_s - status.heard_s, 1),
        'level': status.level,
        'message': status.message,
        'phase': status.phase,
        'automatic': bool(status.value('automatic')),
        'automatic_count': status.value('automatic'),
        **{key: _count(status.value(key)) for key in _COUNTS},
        **{key: _number(status.value(key)) for key in _NUMBERS},
        **{key: status.value(key) for key in _TEXTS},
        'blockers': _list(status, 'blocker_list', status.value('blockers')),
        'problems': _list(status, 'problem_list', _problems(status)),
        'streams': [_stream(key, one, now_s) for key, one in streams.items()],
    }


def event_of(event: Event) -> dict[str, Any]:
    """Return an event as a JSON object."""
    return {
        'time': event.at,
        'source': event.source,
        'verb': event.verb,
        'success': event.success,
        'message': event.message,
        'episode': event.episode,
    }


def _stream(key: str, status: Status, now_s: float) -> dict[str, Any]:
    age_s = _number(status.value('age_s'))
    silence_s = now_s - status.heard_s - _STREAMS_PERIOD_S
    return {
        'key': key,
        'name': stream_name(key),
        'kind': kind_of(key, status),
        'topic': status.value('topic'),
        # The recorder tells the age once a second, and the newest message is newer until then.
        'age_s': None if age_s is None else round(age_s + max(0.0, silence_s), 2),
        **{name: _count(status.value(name)) for name in _STREAM_COUNTS},
        **{name: _number(status.value(name)) for name in _STREAM_NUMBERS},
        'level': status.level,
        'message': status.message,
    }


def _problems(status: Status) -> str:
    return status.message if status.level == _WARNING else ''


def _list(status: Status, key: str, joined: str) -> Sequence[str]:
    """Return the lines of a value, or of a recorder without it the parts of a longer text."""
    text = status.values.get(key)
    parts = joined.split('; ') if text is None else text.splitlines()
    return [one for one in parts if one]


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
