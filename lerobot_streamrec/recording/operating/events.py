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
"""Answers to commands, for those who gave them and for everybody else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
import json

SAVED = 'saved'
"""``verb`` of an event that tells the end of a save: it is durable, or it failed."""
FAILED = 'failed'
"""``verb`` of an event that tells that the running episode cannot be saved any more."""
REFUSED = 'refused'
"""``verb`` of an event that answers a text which is no command."""


@dataclass(frozen=True, slots=True)
class Answer:
    """
    The answer to a command.

    :param success: True if it was carried out
    :param message: the result; or the reason why not, and what would be possible
    """

    success: bool
    message: str


@dataclass(frozen=True, slots=True)
class Event:
    """
    Something that everybody may want to know.

    :param source: name of the sender of the command
    :param verb: verb of the command, or ``SAVED``, ``FAILED`` or ``REFUSED``
    :param success: True if it was carried out
    :param message: the answer, a sentence
    :param episode: index of the episode that it is about; None: of none
    :param is_repeat: True: it counted together with the command before, and nothing was done
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
