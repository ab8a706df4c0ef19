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
"""What is wrong with a dataset, one finding at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


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
    :param severity: of every finding of this kind
    :param advice: what to do, as a sentence
    :param harms_content: whether rows or pictures themselves are lost or doubtful; what is not
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
    :param found: what it is; empty if there is nothing to show
    :param expected: what it should be; empty if there is nothing to show
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
