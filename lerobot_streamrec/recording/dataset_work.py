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
"""Verbs for the dataset as a whole, and for the last episode in it, between two episodes."""

from __future__ import annotations

from concurrent.futures import Future

from lerobot_streamrec.recording.saving.committer import Committer
from lerobot_streamrec.recording.saving.futures import settled, then
from lerobot_streamrec.recording.saving.last_result import Outcomes
from lerobot_streamrec.recording.saving.summary import Finalized


class DatasetWork:
    """
    Owned by the executor's thread; the work itself is done by the commit thread.

    :param committer: carries the verbs out, in their order
    :param outcomes: keeps the last result for the status
    :param is_compacting: True: finalizing merges small files
    """

    def __init__(self, committer: Committer, outcomes: Outcomes, *, is_compacting: bool) -> None:
        self._committer = committer
        self._outcomes = outcomes
        self._is_compacting = is_compacting
        self._finalizing: Future[Finalized] = settled(Finalized(committer.info))

    @property
    def is_finalizing(self) -> bool:
        """Whether the dataset is being finalized."""
        return not self._finalizing.done()

    def annotate(self, name: str, text: str) -> Future[str]:
        """
        Say something of the last episode.

        :param name: ``VERDICT`` or ``NOTES``
        :param text: the text to keep
        :return: a sentence on the text and its episode; or the error that prevented it
        """
        return then(
            self._committer.annotate({name: text}),
            lambda index: f'{name} of episode {index}: {text!r}',
        )

    def undo(self) -> Future[str]:
        """Take the last episode out; returns it in a sentence, or what prevented that."""
        answer = then(self._committer.undo(), str)
        self._outcomes.expect(answer)
        return answer

    def finalize(self) -> Future[Finalized]:
        """Wait until everything is durable, and merge small files; returns what there is then."""
        self._finalizing = self._committer.finalize(is_compacting=self._is_compacting)
        self._outcomes.expect(then(self._finalizing, lambda done: f'finalized: {done}'))
        return self._finalizing
