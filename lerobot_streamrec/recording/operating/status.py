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
"""A frozen snapshot of the recorder for operators."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from lerobot_streamrec.recording.operating.automatic import Automatic
from lerobot_streamrec.recording.status import RecorderState


class Phase(Enum):
    """The recorder's phase, for people."""

    IDLE = 'idle'
    """No episode can start; the blockers say why."""
    READY = 'ready'
    """An episode can start."""
    RECORDING = 'recording'
    PAUSED = 'paused'
    RESETTING = 'resetting'
    """The recorder waits between two automatic episodes."""
    DONE = 'done'
    """No more automatic episodes begin: all are recorded, or the dataset is finalized."""
    CLOSED = 'closed'


@dataclass(frozen=True, slots=True)
class OperatingStatus:
    """
    The status for operators.

    :param phase: the recorder's phase
    :param blockers: reasons why no episode could start now
    :param phase_seconds_left: time until an automatic phase ends, seconds; None: it does not end
        by itself
    :param automatic: number of automatic episodes so far, as a text; empty: they are off
    :param obstacle: reason why the dataset must not be changed, such as another recorder; empty:
        none
    :param takeover: ``policy``, ``taking over`` or ``human``; empty: interventions are not
        recorded
    :param last_command: the last command; empty: there was none
    :param last_source: name of its sender
    :param last_result: sentence on the last answer, or on an operation that has ended since
    """

    phase: Phase
    blockers: tuple[str, ...] = ()
    phase_seconds_left: float | None = None
    automatic: str = ''
    obstacle: str = ''
    takeover: str = ''
    last_command: str = ''
    last_source: str = ''
    last_result: str = ''


def phase_of(
    state: RecorderState, automatic: Automatic, now_ns: int, *, is_ready: bool
) -> Phase:
    """
    Return the recorder's phase.

    :param state: state of the recorder
    :param automatic: automatic episodes
    :param now_ns: steady clock
    :param is_ready: True if an episode could start
    """
    if state is not RecorderState.IDLE:
        return Phase(state.value)
    if automatic.is_resetting(now_ns):
        return Phase.RESETTING
    if automatic.is_on and automatic.is_over:
        return Phase.DONE
    return Phase.READY if is_ready else Phase.IDLE
