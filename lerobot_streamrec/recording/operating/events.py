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
"""Answers to commands, for their senders and as events for everybody else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
import json

EVENTS_TOPIC = '~/events'
"""The topic of the events, std_msgs/msg/String."""

SAVED = 'saved'
"""The ``verb`` of an event at the end of a save: the episode is durable, or the save failed."""
FAILED = 'failed'
"""The ``verb`` of an event which says that the running episode can no longer be saved."""
REFUSED = 'refused'
"""The ``verb`` of an event that answers a text which is not a command."""

AUTOMATIC = 'automatic'
"""The source of commands that automatic episodes give."""
RECORDER = 'recorder'
"""The source of events without a command, as when the disk is full."""
COUNTS_ONCE = 'counts once: the same command was given a moment ago'
"""The end of the message of an event whose command only repeated the one before."""


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
    :param task: task of an episode that began; None: none began
    :param text: verdict, note or subtask that was given; for ``intervene`` who drives now, ``on``
        for a human and ``off`` for the policy, or empty while the human takes hold of the leader;
        None: none was given
    """

    source: str
    verb: str
    success: bool
    message: str
    episode: int | None = None
    is_repeat: bool = False
    task: str | None = None
    text: str | None = None

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
                'repeat': self.is_repeat,
                'task': self.task,
                'text': self.text,
            },
            ensure_ascii=False,
        )
