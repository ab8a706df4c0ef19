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
"""What became of the verbs whose ends come later."""

from __future__ import annotations

from concurrent.futures import Future

from lerobot_streamrec.dataset.format.layout import STAGING
from lerobot_streamrec.dataset.takes.salvage import DISCARD, QUARANTINE_IT
from lerobot_streamrec.installed import streamrec_command
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.saving.summary import EpisodeSummary


class Outcomes:
    """
    Owned by the executor's thread, which looks when it wants to know.

    :param last: sentence on the time before the first verb
    """

    def __init__(self, last: str) -> None:
        self._last = last
        self._saves: list[Future[EpisodeSummary]] = []
        self._new: list[Future[EpisodeSummary]] = []
        self._others: list[Future[str]] = []

    def expect_save(self, save: Future[EpisodeSummary]) -> None:
        """Take note of an episode that is on its way to the disk."""
        self._saves.append(save)
        self._new.append(save)

    def expect(self, answer: Future[str]) -> None:
        """Take note of anything else that ends in a sentence."""
        self._others.append(answer)

    def note(self, sentence: str) -> None:
        """Take note of something that has ended."""
        self._collect()
        self._last = sentence

    def new_saves(self) -> list[Future[EpisodeSummary]]:
        """Return the saves that have begun since this was asked last."""
        new, self._new = self._new, []
        return new

    @property
    def num_saving(self) -> int:
        """Episodes on their way to the disk."""
        self._collect()
        return len(self._saves)

    @property
    def last(self) -> str:
        """The last thing that was finished or failed, in a sentence."""
        self._collect()
        return self._last

    def _collect(self) -> None:
        for save in [one for one in self._saves if one.done()]:
            self._saves.remove(save)
            self._last = str(save.exception() or f'saved {save.result()}')
        for answer in [one for one in self._others if one.done()]:
            self._others.remove(answer)
            self._last = str(answer.exception() or answer.result())


def unfinished_text(num_saving: int, config: RecorderConfig) -> str:
    """
    Say what a recorder leaves behind that has no time to wait for the disk any more.

    :param num_saving: episodes on their way to the disk
    :param config: settings
    """
    if not num_saving:
        return f'no episode waits to be saved, but {config.root} is still being written to'
    count = '1 episode is' if num_saving == 1 else f'{num_saving} episodes are'
    command = streamrec_command('encode', config.root)
    fates = {DISCARD: 'deletes it', QUARANTINE_IT: 'moves it to quarantine'}
    if config.recovery in fates:
        fate = f'{command} saves it; the next start {fates[config.recovery]}, as recovery says'
    else:
        fate = f'the next start, or {command}, saves it'
    return (
        f'{count} not saved yet, for want of time: the part that is on the disk lies in '
        f'{config.root / STAGING}, and {fate}'
    )
