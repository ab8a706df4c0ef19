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
"""What is known about one episode: the texts of meta/episodes, and what its recorder noted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from lerobot_streamrec.dataset.format.episode_table import (
    EpisodeRow,
    NOTES,
    OPERATOR,
    RECORDED_AT,
    VERDICT,
    VERDICTS,
)
from lerobot_streamrec.dataset.format.take_record import parse_subtasks, read_record, Subtask


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """
    What the recorder noted about one stream of an episode; None where it noted nothing.

    :param key: feature or camera
    :param topic: topic of its messages
    :param rate_hz: messages per second
    :param p95_skew_ms: 95th percentile of the distance between samples and their rows
    :param max_skew_ms: largest distance
    :param repeated: rows that show the picture of the row before although a new one was due
    :param stale: rows whose sample was too old
    :param missing: messages that are missing by their stamps
    :param late: messages that came too late for their rows
    """

    key: str
    topic: str
    rate_hz: float | None
    p95_skew_ms: float | None
    max_skew_ms: float | None
    repeated: float | None
    stale: float | None
    missing: float | None
    late: float | None


@dataclass(frozen=True, slots=True)
class EpisodeFacts:
    """
    What is known about an episode before its rows and videos are read.

    :param row: its row in meta/episodes
    :param seconds: its duration
    :param verdict: ``success``, ``failure`` or empty
    :param note: free text of the operator
    :param operator: who recorded it
    :param saved_at: ISO 8601 in UTC; empty if unknown
    :param streams: the streams, as far as the recorder noted them
    :param subtasks: the begin of each subtask in seconds, and its text
    """

    row: EpisodeRow
    seconds: float
    verdict: str = ''
    note: str = ''
    operator: str = ''
    saved_at: str = ''
    streams: tuple[StreamFacts, ...] = ()
    subtasks: tuple[tuple[float, str], ...] = ()

    @property
    def saved(self) -> datetime | None:
        """The time at which it was saved; None if it is not known."""
        try:
            return datetime.fromisoformat(self.saved_at)
        except ValueError:
            return None

    @property
    def num_repeated(self) -> int | None:
        """The number of repeated frames of all streams; None if it is not known."""
        known = [int(one.repeated) for one in self.streams if one.repeated is not None]
        return sum(known) if known else None

    @property
    def index(self) -> int:
        """The number of the episode."""
        return self.row.episode_index


def episode_facts(root: Path, fps: int, row: EpisodeRow) -> EpisodeFacts:
    """
    Read the recorder's record of an episode; other recorders leave none.

    :param root: the dataset's folder
    :param fps: rows per second
    :param row: the episode's row in meta/episodes
    """
    record = read_record(root, row.episode_index) or {}
    if record.get('length', row.length) != row.length:
        # The record of an episode that was undone says nothing about the one after it.
        record = {}
    # The columns of meta/episodes have the last word; older datasets have only the record.
    texts = {**_mapping(record.get('metadata')), **row.texts}
    streams = _mapping(record.get('streams'))
    verdict = _text(texts.get(VERDICT))
    return EpisodeFacts(
        row=row,
        seconds=row.length / fps,
        verdict=verdict if verdict in VERDICTS else '',
        note=_text(texts.get(NOTES)),
        operator=_text(texts.get(OPERATOR)),
        saved_at=_text(record.get('saved_at')) or _text(texts.get(RECORDED_AT)),
        streams=tuple(_stream(str(key), _mapping(one)) for key, one in streams.items()),
        subtasks=tuple((one.row / fps, one.text) for one in _subtasks(record)),
    )


def _subtasks(record: Mapping[str, Any]) -> tuple[Subtask, ...]:
    try:
        return parse_subtasks(record.get('subtasks', ()))
    # These errors occur if somebody has edited the record.
    except (KeyError, TypeError, ValueError, AttributeError):
        return ()


def _stream(key: str, noted: Mapping[str, Any]) -> StreamFacts:
    skew = _mapping(noted.get('skew_ms'))
    return StreamFacts(
        key=key,
        topic=_text(noted.get('topic')),
        rate_hz=_number(noted.get('messages_per_s')),
        p95_skew_ms=_number(skew.get('p95')),
        max_skew_ms=_number(skew.get('max')),
        repeated=_number(noted.get('rows_repeated')),
        stale=_number(noted.get('rows_stale')),
        missing=_number(noted.get('missing')),
        late=_number(noted.get('late')),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ''


def _number(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None  # type: ignore[arg-type]
