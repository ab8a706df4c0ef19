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
"""Episodes that end without a command, and work on the dataset between episodes."""

from __future__ import annotations

from concurrent.futures import Future
from functools import partial
import logging
from typing import Protocol

from lerobot_streamrec.dataset.about.episode_texts import no_episode
from lerobot_streamrec.errors import EmptyEpisodeError, EpisodeError, EpisodeStateError
from lerobot_streamrec.recording.saving.committer import Committer
from lerobot_streamrec.recording.saving.futures import then
from lerobot_streamrec.recording.saving.last_result import Outcomes
from lerobot_streamrec.recording.saving.summary import EpisodeSummary, Finalized
from lerobot_streamrec.recording.status import RecorderStatus


class DatasetWork:
    """
    The verbs that change saved episodes.

    Owned by the recorder's thread; the commit thread does the work itself.

    :param committer: carries the verbs out, in their order
    :param outcomes: keeps the last result for the status
    :param is_compacting: True if finalizing merges small files
    """

    def __init__(self, committer: Committer, outcomes: Outcomes, *, is_compacting: bool) -> None:
        self._committer = committer
        self._outcomes = outcomes
        self._is_compacting = is_compacting
        self._finalizing: Future[Finalized] | None = None

    @property
    def is_finalizing(self) -> bool:
        """True while the dataset is being finalized."""
        return self._finalizing is not None and not self._finalizing.done()

    def annotate(self, name: str, text: str, index: int | None = None) -> Future[str]:
        """
        Set the verdict or the notes of a saved episode.

        :param name: ``VERDICT`` or ``NOTES``
        :param text: the text to keep
        :param index: index of the episode; None: the last one
        :return: a sentence with the text and its episode, or the error that prevented it
        :raise EpisodeStateError: if there is no such episode, or it is still being saved: if the
            save of one before it failed, it would get another index
        """
        if index is not None:
            counts = self._committer.counts
            if index >= counts.next_index:
                raise EpisodeStateError(no_episode(index, counts.deferred_index))
            if index >= counts.deferred_index:
                raise EpisodeStateError(
                    f'episode {index} is still being saved: repeat the command when it is saved'
                )
        return then(
            self._committer.annotate({name: text}, index),
            lambda index: f'{name} of episode {index}: {text!r}',
        )

    def undo(self) -> Future[str]:
        """Take the last episode out; return a sentence on it, or the error that prevented it."""
        answer = then(self._committer.undo(), str)
        self._outcomes.expect(answer)
        return answer

    def finalize(self) -> Future[Finalized]:
        """Wait until everything is durable, and merge small files; return the final content."""
        self._finalizing = self._committer.finalize(is_compacting=self._is_compacting)
        self._outcomes.expect(then(self._finalizing, lambda done: f'finalized: {done}'))
        return self._finalizing


_log = logging.getLogger(__name__)


class Ending(Protocol):
    """A recorder with a running episode."""

    def save(self) -> Future[EpisodeSummary]:
        """End the running episode and make it durable."""

    def discard(self) -> Future[str]:
        """End the running episode and delete it."""

    def status(self) -> RecorderStatus:
        """Return a snapshot of the recorder."""


def end_at_full_disk(recorder: Ending, problem: str) -> None:
    """
    End the running episode while there is still enough space to save it.

    :param problem: sentence on the space that is left
    """
    index = recorder.status().episode_index
    try:
        saving = recorder.save()
        _log.error('episode %d was ended: %s', index, problem)
        saving.add_done_callback(partial(_tell_saved, 'full disk'))
    except EmptyEpisodeError:
        recorder.discard()
        _log.error('an episode without any row was discarded: %s', problem)
    except EpisodeError as error:
        _log.error('%s; %s', error, problem)


def end_at_shutdown(recorder: Ending, *, is_saving: bool) -> None:
    """
    Save or discard the running episode; discard it if it has no row.

    :param is_saving: True: save it; False: discard it
    """
    if is_saving:
        try:
            saving = recorder.save()
            saving.add_done_callback(partial(_tell_saved, 'shutdown'))
            return
        except EmptyEpisodeError:
            pass
        except EpisodeError as error:
            _log.error('shutdown: %s', error)
            return
    recorder.discard()
    _log.info('shutdown: %s', recorder.status().last_result)


def _tell_saved(reason: str, saving: Future[EpisodeSummary]) -> None:
    """Log the save of an episode that ended without a command; the committer logs a failure."""
    if saving.exception() is None:
        _log.info('%s: saved %s', reason, saving.result())
