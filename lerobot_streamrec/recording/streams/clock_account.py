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
"""Account of the steps of clocks in one episode, for the status, save and the records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lerobot_streamrec.recording.streams.clock_offsets import OffClock
from lerobot_streamrec.sync.grid import NS_PER_S


@dataclass(frozen=True, slots=True)
class ClockStep:
    """
    Clocks that were set while an episode was recorded.

    :param stamp_ns: instant of the step, in the time of the rows
    :param size_ns: size of the step; less than 0: back
    :param keys: streams that have this clock
    :param is_bridged: True if all streams made the step, so that rows go on in the old time;
        False: one stream alone made it, and does not fit the others any more, or all of them made
        one that is so small that rows repeat their samples meanwhile
    :param is_of_all: True if no stream had another clock
    """

    stamp_ns: int
    size_ns: int
    keys: tuple[str, ...]
    is_bridged: bool
    is_of_all: bool = False

    def sentence(self, start_ns: int) -> str:
        """
        Say what happened.

        :param start_ns: instant of row 0
        """
        whose = 'all streams' if self.is_of_all else ' and '.join(self.keys)
        after_s = max(0, self.stamp_ns - start_ns) / NS_PER_S
        text = f'the clock of {whose} jumped by {jump_text(self.size_ns)} after {after_s:.1f} s'
        if self.is_bridged:
            return f'{text}, and the rows go on in the old time'
        if self.is_of_all:
            return f'{text}, and the rows in between repeat the samples of before'
        effect = 'its messages are refused' if self.size_ns > 0 else 'its messages are too late'
        return f'{text}, those of the others did not: {effect}'


@dataclass(slots=True)
class ClockAccount:
    """
    Grows while an episode is recorded. Owned by the executor's thread.

    :param steps: in the order in which they were noticed
    :param off: streams whose clock was off at the end, by key
    """

    steps: list[ClockStep] = field(default_factory=list)
    off: dict[str, OffClock] = field(default_factory=dict)

    def sentences(self, start_ns: int) -> list[str]:
        """
        Say what happened.

        :param start_ns: instant of row 0
        """
        return [step.sentence(start_ns) for step in self.steps]

    @property
    def ahead(self) -> Sequence[str]:
        """Streams whose stamps close rows before the samples of the others come."""
        return [key for key, one in self.off.items() if one.is_unfit and one.ahead_s > 0]

    def as_record(self) -> list[dict[str, object]]:
        """Return the steps for the recorder's own record of the episode, as JSON."""
        return [
            {
                'stamp_ns': step.stamp_ns,
                'size_ns': step.size_ns,
                'streams': list(step.keys),
                'bridged': step.is_bridged,
            }
            for step in self.steps
        ]


def jump_text(size_ns: int) -> str:
    """Return by how much a clock was set, in words."""
    seconds = size_ns / NS_PER_S
    return f'{seconds:+.1f} s' if abs(seconds) >= 1 else f'{seconds:+.2f} s'
