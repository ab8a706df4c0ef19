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
"""Counts of episodes, the last result for the status, and the saves that are still running."""

from __future__ import annotations

from concurrent.futures import Future
import threading

from lerobot_streamrec.dataset.format.layout import STAGING
from lerobot_streamrec.dataset.takes.salvage import DISCARD, QUARANTINE_IT
from lerobot_streamrec.installed import streamrec_command
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.saving.summary import EpisodeSummary


class EpisodeCounts:
    """
    Counts of episodes, which any thread may change and read.

    :param num_saved: number of episodes in the dataset
    """

    def __init__(self, num_saved: int) -> None:
        self._lock = threading.Lock()
        self._num_submitted = 0
        self.num_saved = num_saved
        """The number of episodes in the dataset."""
        self.num_deferred = 0
        """The number of saved episodes that join the dataset once their videos are encoded."""
        self.num_lost = 0
        """The number of episodes that should have been saved and were not."""

    def add(self, *, saved: int = 0, submitted: int = 0, deferred: int = 0, lost: int = 0) -> None:
        """
        Change the counts; negative numbers reduce them.

        :param saved: change of the number of episodes in the dataset
        :param submitted: change of the number of episodes that are being saved
        :param deferred: change of the number of saved episodes that wait to be encoded
        :param lost: change of the number of episodes that could not be saved
        """
        with self._lock:
            self.num_saved += saved
            self._num_submitted += submitted
            self.num_deferred += deferred
            self.num_lost += lost

    @property
    def next_index(self) -> int:
        """The index of an episode submitted now, provided that all before it can be saved."""
        with self._lock:
            return self.num_saved + self.num_deferred + self._num_submitted

    @property
    def deferred_index(self) -> int:
        """The index of an episode deferred now."""
        with self._lock:
            return self.num_saved + self.num_deferred


class Outcomes:
    """
    The running saves and the last result. Owned by the recorder's thread, which polls them.

    :param last: sentence on the opening of the dataset, the first result
    """

    def __init__(self, last: str) -> None:
        self._last = last
        self._saves: list[Future[EpisodeSummary]] = []
        self._new: list[Future[EpisodeSummary]] = []
        self._others: list[Future[str]] = []

    def expect_save(self, save: Future[EpisodeSummary]) -> None:
        """Follow the save of an episode."""
        self._saves.append(save)
        self._new.append(save)

    def expect(self, answer: Future[str]) -> None:
        """Follow any other operation, whose result is a sentence."""
        self._others.append(answer)

    def note(self, sentence: str) -> None:
        """Set the last result to a sentence on an operation that has ended."""
        self._collect()
        self._last = sentence

    def new_saves(self) -> list[Future[EpisodeSummary]]:
        """Return the saves that have begun since the last call."""
        new, self._new = self._new, []
        return new

    @property
    def num_saving(self) -> int:
        """The number of episodes that are being saved."""
        self._collect()
        return len(self._saves)

    @property
    def last(self) -> str:
        """A sentence on the last operation that finished or failed."""
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
    Return a sentence on the work that a recorder had no time to finish at its shutdown.

    :param num_saving: number of episodes that are still being saved
    :param config: settings
    """
    if not num_saving:
        return f'no episode is waiting to be saved, but {config.root} is still being written to'
    count = '1 episode is' if num_saving == 1 else f'{num_saving} episodes are'
    command = streamrec_command('encode', config.root)
    fates = {DISCARD: 'deletes it', QUARANTINE_IT: 'moves it to quarantine'}
    if config.recovery in fates:
        fate = f'{command} saves it; the next start {fates[config.recovery]}, as recovery says'
    else:
        fate = f'the next start, or {command}, saves it'
    return (
        f'{count} not saved yet because the time ran out: the part on the disk is in '
        f'{config.root / STAGING}, and {fate}'
    )
