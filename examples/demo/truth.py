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
"""The truth file: what the simulated arm published, one JSON object a line."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
import json
from pathlib import Path
from types import TracebackType

_LINES_PER_WRITE = 1000


class TruthWriter:
    """Collects lines in memory and writes them in chunks, so that publishing never waits long."""

    def __init__(self, path: Path | None) -> None:
        """
        Create the file.

        :param path: the file to write, or None to keep no truth
        """
        self._file = None if path is None else path.open('w', encoding='utf-8')
        self._lines: list[str] = []

    def __enter__(self) -> TruthWriter:
        """Return the writer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the writer."""
        self.close()

    def add_image(self, topic: str, stamp_ns: int, number: int) -> None:
        """Note that a picture was taken."""
        self._add({'topic': topic, 'stamp_ns': stamp_ns, 'number': number})

    def add_values(self, topic: str, stamp_ns: int, values: Sequence[float]) -> None:
        """Note that numbers were sampled; JSON carries each float64 exactly."""
        self._add({'topic': topic, 'stamp_ns': stamp_ns, 'values': list(values)})

    def close(self) -> None:
        """Write what is left and close the file; a second call does nothing."""
        if self._file is not None:
            self._write()
            self._file.close()
            self._file = None

    def _add(self, line: dict[str, object]) -> None:
        if self._file is None:
            return
        self._lines.append(json.dumps(line))
        if len(self._lines) >= _LINES_PER_WRITE:
            self._write()

    def _write(self) -> None:
        assert self._file is not None
        self._file.write(''.join(f'{line}\n' for line in self._lines))
        self._lines.clear()


@dataclass
class TopicTruth:
    """What was published on one topic, in the order of time."""

    stamps_ns: list[int] = field(default_factory=list)
    """When each sample was taken."""
    samples: list[int | list[float]] = field(default_factory=list)
    """A frame number or a vector for each stamp."""

    def newest_at(self, instant_ns: int) -> int | list[float] | None:
        """Return the newest sample taken at or before the instant, or None if there is none."""
        position = bisect_right(self.stamps_ns, instant_ns)
        return self.samples[position - 1] if position else None


def read_truth(path: Path) -> dict[str, TopicTruth]:
    """Return the truth by topic."""
    truth: dict[str, TopicTruth] = {}
    with path.open(encoding='utf-8') as lines:
        for line in lines:
            entry = json.loads(line)
            topic = truth.setdefault(entry['topic'], TopicTruth())
            topic.stamps_ns.append(entry['stamp_ns'])
            topic.samples.append(entry['number'] if 'number' in entry else entry['values'])
    return truth
