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
"""The steps in which a human takes a robot over from a policy."""

from __future__ import annotations

from collections.abc import Callable

from lerobot_streamrec.errors import StreamrecError
from lerobot_streamrec.recording.operating.command import OFF, ON, Verb
from lerobot_streamrec.recording.recorder import Recorder
from lerobot_streamrec.recording.status import RecorderState, RecorderStatus

POLICY, TAKING_OVER, HUMAN = 'policy', 'taking over', 'human'
"""The states of a robot that a policy and a human share."""

Act = Callable[[str], tuple[str, str | None]]
"""A function that takes a command's text, and returns a sentence and the event's text."""


def acts_at_once(recorder: Recorder, takeover: Takeover) -> dict[Verb, Act]:
    """
    Return the acts of the verbs that mark an instant of the running episode.

    :param recorder: the recorder's engine
    :param takeover: carries ``intervene`` out
    :return: the acts by verb
    """
    return {
        Verb.PAUSE: lambda _: (recorder.pause(), None),
        Verb.RESUME: lambda _: (recorder.resume(), None),
        Verb.SUBTASK: lambda text: (recorder.begin_subtask(text), text),
        Verb.INTERVENE: lambda word: (takeover.intervene(word), takeover.driver),
    }


class Takeover:
    """
    Carries the command ``intervene`` out. Owned by the recorder's thread.

    With a pause, the first ``intervene`` stops the rows while the human takes hold of the leader,
    and the second one continues them as an intervention, as the phases of LeRobot's rollout do.

    :param recorder: the recorder's engine
    :param pauses: True if no rows are recorded while the human takes hold of the leader
    """

    def __init__(self, recorder: Recorder, *, pauses: bool) -> None:
        self._recorder = recorder
        self._pauses = pauses
        self._paused_index: int | None = None

    @property
    def is_taking_over(self) -> bool:
        """Whether the episode is paused until the human has the leader in hand."""
        is_same = self._paused_index == self._recorder.next_index
        return is_same and self._recorder.state is RecorderState.PAUSED

    @property
    def driver(self) -> str:
        """``ON`` if a human drives, else ``OFF``; empty while the human takes over."""
        if self.is_taking_over:
            return ''
        return ON if self._recorder.is_human else OFF

    def state(self, status: RecorderStatus) -> str:
        """Return ``POLICY``, ``TAKING_OVER`` or ``HUMAN``; empty without human-in-the-loop."""
        if status.is_human is None:
            return ''
        if self.is_taking_over:
            return TAKING_OVER
        return HUMAN if status.is_human else POLICY

    def intervene(self, word: str) -> str:
        """
        Change who drives.

        :param word: ``ON``, ``OFF``, or empty for the other one of the two
        :return: a sentence on it
        :raise StreamrecError: for the reasons of ``Recorder.intervene``, ``pause`` and ``resume``
        """
        recorder = self._recorder
        if self.is_taking_over:
            said = recorder.intervene(is_human=word != OFF)
            try:
                resumed = recorder.resume()
            except StreamrecError:
                recorder.intervene(is_human=False)
                raise
            self._paused_index = None
            return f'{said}; {resumed}'
        is_human = not recorder.is_human if not word else word == ON
        is_new = is_human and not recorder.is_human
        if not (self._pauses and is_new and recorder.state is RecorderState.RECORDING):
            return recorder.intervene(is_human=is_human)
        recorder.refuse_intervention(is_human=True)
        paused = recorder.pause()
        self._paused_index = recorder.next_index
        return f'{paused}: take hold of the leader, then give the command intervene again'
