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
"""What `streamrec doctor` has found, for machines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from lerobot_streamrec.live.machine_checks import Check
from lerobot_streamrec.live.observation import Observation
from lerobot_streamrec.live.remarks import Level, Remark, worst


@dataclass(frozen=True, slots=True)
class TopicReport:
    """
    A topic, and what is to be said of it.

    :param seen: what was seen
    :param remarks: what is wrong; none: it is fit to be recorded
    """

    seen: Observation
    remarks: tuple[Remark, ...]

    @property
    def level(self) -> Level:
        """Its verdict."""
        return worst(self.remarks)


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """
    Everything.

    :param file: that was checked
    :param seconds: how long the graph was listened to
    :param topics: one for each that the file names
    :param checks: of this machine
    """

    file: str
    seconds: float
    topics: tuple[TopicReport, ...]
    checks: tuple[Check, ...]

    @property
    def level(self) -> Level:
        """The verdict on the whole."""
        return worst(self.all_remarks())

    def all_remarks(self) -> list[Remark]:
        """Return all that there is to be said."""
        return [
            *(remark for topic in self.topics for remark in topic.remarks),
            *(check.remark for check in self.checks),
        ]

    def count(self, level: Level) -> int:
        """Count the remarks of a level."""
        return sum(remark.level is level for remark in self.all_remarks())

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            'file': self.file,
            'seconds': self.seconds,
            'verdict': self.level.word,
            'topics': [_topic_json(topic) for topic in self.topics],
            'checks': [
                {'name': check.name, **_remark_json(check.remark)} for check in self.checks
            ],
        }


def _topic_json(topic: TopicReport) -> dict[str, Any]:
    seen = topic.seen
    return {
        'verdict': topic.level.word,
        **asdict(seen),
        'heard': {**asdict(seen.heard), 'stamps': seen.heard.stamps.value},
        'remarks': _remarks_json(topic.remarks),
    }


def _remarks_json(remarks: Iterable[Remark]) -> list[dict[str, str]]:
    return [_remark_json(remark) for remark in remarks]


def _remark_json(remark: Remark) -> dict[str, str]:
    return {'level': remark.level.word, 'text': remark.text}
