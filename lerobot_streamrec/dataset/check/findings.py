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
"""The findings of a check and the report that contains them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from lerobot_streamrec.errors import some_of


class Severity(Enum):
    """The severity of a finding."""

    ERROR = 'error'
    """Readers fail or learn wrong things."""
    WARNING = 'warning'
    """Readers cope with the dataset, but its owner should know."""


@dataclass(frozen=True, slots=True)
class Kind:
    """
    A way in which a dataset can be wrong.

    :param code: a stable code for scripts
    :param severity: the severity of every finding of this kind
    :param advice: remedy, as one or more sentences
    :param harms_content: True if rows or images themselves are lost or doubtful. Other findings
        can be repaired by rebuilding the dataset from its rows and images.
    """

    code: str
    severity: Severity
    advice: str
    harms_content: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that is wrong with a dataset.

    :param kind: the kind of finding, which has the code, the severity and the advice
    :param path: the file, relative to the root
    :param what: the fault, as a sentence without its full stop
    :param found: the actual value; empty if there is no value to show
    :param expected: the correct value; empty if there is no value to show
    :param episode_index: the episode concerned; None if the finding is not about one episode
    :param feature: the feature concerned; None if the finding is not about one feature
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
        """True if readers fail or learn wrong things."""
        return self.kind.severity is Severity.ERROR

    @property
    def fact(self) -> str:
        """The fault with its values, as a sentence."""
        parts = [
            f'found {self.found}' if self.found else '',
            f'expected {self.expected}' if self.expected else '',
        ]
        values = ', '.join(part for part in parts if part)
        return f'{self.what}{": " if values else ""}{values}.'

    @property
    def message(self) -> str:
        """The fault and the advice, in sentences."""
        return f'{self.fact} {self.kind.advice}'

    def as_json(self) -> dict[str, object]:
        """Return the finding as an object for JSON."""
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


@dataclass(frozen=True, slots=True)
class Findings:
    """
    The findings collected so far; owned by the thread that checks.

    :param path: the file that new findings are about, relative to the root
    :param episode: the episode that they are about; None if they are not about one episode
    :param feature: the feature that they are about; None if they are not about one feature
    """

    path: str = ''
    episode: int | None = None
    feature: str | None = None
    _all: list[Finding] = field(default_factory=list)

    def about(
        self, path: str, *, episode: int | None = None, feature: str | None = None
    ) -> Findings:
        """Return the same collection, for findings about a file, an episode or a feature."""
        return replace(self, path=path, episode=episode, feature=feature)

    def add(self, kind: Kind, what: str, found: object = '', expected: object = '') -> None:
        """
        Add a finding.

        :param kind: the kind of finding
        :param what: the fault, as a sentence without its full stop
        :param found: the actual value, of any type; long texts are shortened
        :param expected: the correct value, of any type; long texts are shortened
        """
        values = (shown(found), shown(expected), self.episode, self.feature)
        self._all.append(Finding(kind, self.path, what, *values))

    def sorted(self) -> tuple[Finding, ...]:
        """Return all findings, errors first, then ordered by code, file and episode."""
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
    """Return a value as a short text on one line."""
    text = value if isinstance(value, str) else str(value)
    # The text becomes a part of a sentence, which has its own full stop.
    text = ' '.join(text.split()).rstrip('.')
    return text if len(text) <= _MAX_SHOWN else f'{text[: _MAX_SHOWN - 3]}...'


def some(values: Iterable[object]) -> str:
    """List the first few of many values."""
    return some_of(list(values), text_of=shown)


@dataclass(frozen=True, slots=True)
class Progress:
    """
    The progress of a check.

    :param step: the name of the current step, in one word
    :param done: number of files of this step that are done
    :param total: number of files of this step
    """

    step: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class EpisodeHealth:
    """
    The state of one episode.

    :param episode_index: the episode's number in meta/episodes
    :param num_rows: the number of rows that meta/episodes states
    :param rows_readable: True if all rows of the episode were found and read
    :param frames_present: per video key, True if each row has a frame
    :param findings: the findings about this episode or about a whole file that it needs
    """

    episode_index: int
    num_rows: int
    rows_readable: bool
    frames_present: Mapping[str, bool]
    findings: tuple[Finding, ...] = ()

    @property
    def is_complete(self) -> bool:
        """True if all rows are there and each has a frame in every video."""
        return self.rows_readable and all(self.frames_present.values())

    @property
    def is_sound(self) -> bool:
        """True if the episode is complete and no error concerns it."""
        return self.is_complete and not any(one.is_error for one in self.findings)

    @property
    def can_be_kept(self) -> bool:
        """True if its rows and images are intact, even if their description is wrong."""
        return self.is_complete and not any(one.kind.harms_content for one in self.findings)

    def as_json(self) -> dict[str, object]:
        """Return the state as an object for JSON; the findings appear as codes."""
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
    :param decoded: True if images and frames were decoded, False if they were only counted
    :param num_rows: number of rows that were read
    :param video_keys: the features with videos
    :param findings: all findings, errors first
    :param episodes: the episodes in the order of meta/episodes; empty if that is unreadable
    """

    root: Path
    decoded: bool
    num_rows: int = 0
    video_keys: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    episodes: tuple[EpisodeHealth, ...] = field(default=())

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that make readers fail or learn wrong things."""
        return tuple(one for one in self.findings if one.is_error)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings with which readers cope."""
        return tuple(one for one in self.findings if not one.is_error)

    @property
    def is_whole(self) -> bool:
        """True if there is no error."""
        return not self.errors

    def sound_episodes(self) -> tuple[int, ...]:
        """Return the episodes whose files can be read and that no error concerns."""
        return tuple(one.episode_index for one in self.episodes if one.is_sound)

    def as_json(self) -> dict[str, object]:
        """Return the report as an object for JSON."""
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
