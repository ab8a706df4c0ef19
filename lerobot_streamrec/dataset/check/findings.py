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
"""Findings of the check, and the report that they make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path


class Severity(Enum):
    """How bad a finding is."""

    ERROR = 'error'
    """Readers fail, or learn wrong things."""
    WARNING = 'warning'
    """Worth knowing; readers get along."""


@dataclass(frozen=True, slots=True)
class Kind:
    """
    A way in which a dataset can be wrong.

    :param code: stable, for machines
    :param severity: severity of every finding of this kind
    :param advice: advice, as a sentence
    :param harms_content: True if rows or pictures themselves are lost or doubtful; what is not
        so can be mended by writing the dataset anew from its rows and pictures
    """

    code: str
    severity: Severity
    advice: str
    harms_content: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that is wrong.

    :param kind: its code, severity and advice
    :param path: the file, relative to the root
    :param what: which thing it is about, as the beginning of a sentence
    :param found: actual value; empty if there is nothing to show
    :param expected: right value; empty if there is nothing to show
    :param episode_index: if it is about one episode
    :param feature: if it is about one feature
    """

    kind: Kind
    path: str
    what: str
    found: str = ''
    expected: str = ''
    episode_index: int | None = None
    feature: str | None = None

    @property
    def is_error(self) -> bool:
        """Whether readers fail or learn wrong things."""
        return self.kind.severity is Severity.ERROR

    @property
    def fact(self) -> str:
        """What is wrong, as a sentence."""
        parts = [
            f'found {self.found}' if self.found else '',
            f'expected {self.expected}' if self.expected else '',
        ]
        values = ', '.join(part for part in parts if part)
        return f'{self.what}{": " if values else ""}{values}.'

    @property
    def message(self) -> str:
        """What is wrong and what to do, in sentences."""
        return f'{self.fact} {self.kind.advice}'

    def as_json(self) -> dict[str, object]:
        """Return all of it in JSON's types."""
        return {
            'severity': self.kind.severity.value,
            'code': self.kind.code,
            'path': self.path,
            'episode_index': self.episode_index,
            'feature': self.feature,
            'message': self.message,
            'found': self.found or None,
            'expected': self.expected or None,
        }


class Findings:
    """Collects findings. Owned by the thread that checks."""

    def __init__(self) -> None:
        self._all: list[Finding] = []

    def add(
        self,
        kind: Kind,
        path: str,
        what: str,
        *,
        found: object = '',
        expected: object = '',
        episode: int | None = None,
        feature: str | None = None,
    ) -> None:
        """
        Take down a finding; see ``Finding`` for what the parameters mean.

        :param found: any value; shown shortened
        :param expected: any value; shown shortened
        """
        self._all.append(
            Finding(kind, path, what, shown(found), shown(expected), episode, feature)
        )

    def sorted(self) -> tuple[Finding, ...]:
        """Return all of them, errors first, by code, file and episode."""
        return tuple(
            sorted(
                self._all,
                key=lambda one: (
                    not one.is_error,
                    one.kind.code,
                    one.path,
                    -1 if one.episode_index is None else one.episode_index,
                ),
            )
        )


_MAX_SHOWN = 200


def shown(value: object) -> str:
    """Return a value as a short text of one line."""
    text = value if isinstance(value, str) else str(value)
    # It becomes a part of a sentence, which brings its own full stop.
    text = ' '.join(text.split()).rstrip('.')
    return text if len(text) <= _MAX_SHOWN else f'{text[: _MAX_SHOWN - 3]}...'


def some(values: Iterable[object], limit: int = 5) -> str:
    """List the first few of many values."""
    listed = list(values)
    text = ', '.join(shown(one) for one in listed[:limit])
    return text if len(listed) <= limit else f'{text} and {len(listed) - limit} more'


@dataclass(frozen=True, slots=True)
class Progress:
    """
    How far a check is.

    :param step: part that is being looked at, in one word
    :param done: files of this step that are done
    :param total: files of this step
    """

    step: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class EpisodeHealth:
    """
    What became of one episode.

    :param episode_index: as meta/episodes says
    :param num_rows: as meta/episodes says
    :param rows_readable: True if all its rows were found and read
    :param frames_present: per video key, whether there was a frame for each row
    :param findings: about this episode, or about a whole file that it needs
    """

    episode_index: int
    num_rows: int
    rows_readable: bool
    frames_present: Mapping[str, bool]
    findings: tuple[Finding, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether all rows and a frame for each of them are there."""
        return self.rows_readable and all(self.frames_present.values())

    @property
    def is_sound(self) -> bool:
        """Whether it is complete and nothing that is wrong is about it."""
        return self.is_complete and not any(one.is_error for one in self.findings)

    @property
    def can_be_kept(self) -> bool:
        """Whether its rows and pictures are right, if not all that is said of them."""
        return self.is_complete and not any(one.kind.harms_content for one in self.findings)

    def as_json(self) -> dict[str, object]:
        """Return all of it in JSON's types; of findings their codes."""
        return {
            'episode_index': self.episode_index,
            'num_rows': self.num_rows,
            'sound': self.is_sound,
            'can_be_kept': self.can_be_kept,
            'rows_readable': self.rows_readable,
            'frames_present': dict(self.frames_present),
            'codes': sorted({one.kind.code for one in self.findings}),
        }


@dataclass(frozen=True, slots=True)
class CheckReport:
    """
    The result of a check.

    :param root: the dataset's folder
    :param decoded: True if pictures were decoded; if not, their number was checked alone
    :param num_rows: rows that were read
    :param video_keys: features with videos
    :param findings: errors first
    :param episodes: in the order of meta/episodes; empty if that could not be read
    """

    root: Path
    decoded: bool
    num_rows: int = 0
    video_keys: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    episodes: tuple[EpisodeHealth, ...] = field(default=())

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Findings over which readers fail or learn wrong things."""
        return tuple(one for one in self.findings if one.is_error)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Findings that are worth knowing."""
        return tuple(one for one in self.findings if not one.is_error)

    @property
    def is_whole(self) -> bool:
        """Whether there is no error."""
        return not self.errors

    def sound_episodes(self) -> tuple[int, ...]:
        """Return the episodes whose files can be read and that no error is about."""
        return tuple(one.episode_index for one in self.episodes if one.is_sound)

    def as_json(self) -> dict[str, object]:
        """Return all of it in JSON's types."""
        return {
            'root': str(self.root),
            'whole': self.is_whole,
            'decoded': self.decoded,
            'num_episodes': len(self.episodes),
            'num_rows': self.num_rows,
            'video_keys': list(self.video_keys),
            'num_errors': len(self.errors),
            'num_warnings': len(self.warnings),
            'sound_episodes': list(self.sound_episodes()),
            'findings': [one.as_json() for one in self.findings],
            'episodes': [one.as_json() for one in self.episodes],
        }
