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
"""Saved episodes whose videos are encoded later, on their way from the recorder to the dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
import logging
import queue
import time

from lerobot_streamrec.dataset.commit.undo import UndoneEpisode
from lerobot_streamrec.dataset.commit.writer import DatasetWriter
from lerobot_streamrec.dataset.format.info import DatasetInfo
from lerobot_streamrec.dataset.format.state import SavedEpisode
from lerobot_streamrec.dataset.takes.deferred import DeferredTake, DeferredTakes, EncodedTake
from lerobot_streamrec.dataset.takes.saved_take import feature_of
from lerobot_streamrec.errors import StreamrecError
from lerobot_streamrec.installed import streamrec_command
from lerobot_streamrec.recording.config import DEFERRED, MIB, RecorderConfig
from lerobot_streamrec.recording.episode.finished_take import FinishedTake
from lerobot_streamrec.recording.saving.deferred_encoder import LateEncoder
from lerobot_streamrec.recording.saving.last_result import EpisodeCounts
from lerobot_streamrec.recording.saving.summary import (
    EpisodeSummary,
    record_of,
    row_stamps,
    summarize,
)

_log = logging.getLogger(__name__)

Do = Callable[[Callable[[], None]], Future[None]]
"""Function that lets the commit thread do something after the work that it already has."""


class Deferring:
    """
    The queue of deferred episodes. Owned by the commit thread, except where a method says so.

    It begins at once to encode the takes that a crash or an earlier run left.

    :param writer: writer of the dataset
    :param config: settings
    :param counts: numbers of episodes
    :param do: function that hands work to the commit thread
    """

    def __init__(
        self, writer: DatasetWriter, config: RecorderConfig, counts: EpisodeCounts, do: Do
    ) -> None:
        self._config = config
        self._counts = counts
        self._takes = DeferredTakes(writer)
        # Frames that an encoder had no time for during an episode are encoded soon after it.
        batch_size = config.encode_batch_size if config.encode == DEFERRED else 1
        self.late = LateEncoder(
            lambda take, outcome: do(lambda: self._end(take, outcome)), batch_size
        )
        """The encoding thread; any thread may use it, but the commit thread must not join it."""
        self._news: queue.SimpleQueue[str] = queue.SimpleQueue()
        for take in self._takes.takes:
            self._counts.add(deferred=1)
            self.late.add(take)
        self.late.want_all()

    @property
    def is_empty(self) -> bool:
        """True if no episode waits to be encoded."""
        return not self._takes.takes

    def info_to_come(self, info: DatasetInfo) -> DatasetInfo:
        """
        Return the committed info with the cameras of the first waiting episode. Any thread.

        :param info: info.json as committed
        """
        takes = self._takes.takes
        waiting = takes[0].cameras if takes else {}
        features = {
            key: spec if spec.shape or key not in waiting else feature_of(waiting[key])
            for key, spec in info.features.items()
        }
        return replace(info, features=features)

    def news(self) -> list[str]:
        """Return sentences on episodes that have ended since the last call. Any one thread."""
        told = []
        while not self._news.empty():
            told.append(self._news.get())
        return told

    def defer(self, take: FinishedTake) -> EpisodeSummary:
        """
        Make a take durable as it is; it becomes an episode after those that already wait.

        :raise DatasetError: if it cannot be written
        """
        begin_s = time.monotonic()
        stamps = row_stamps(take) if self._config.is_per_row else {}
        deferred = self._takes.defer(
            take.folder, take.num_rows, record_of(take), take.vectors, stamps
        )
        episode = SavedEpisode(
            episode_index=self._counts.deferred_index,
            num_rows=take.num_rows,
            num_videos=len(take.videos),
            size_bytes=sum(path.stat().st_size for path in take.folder.iterdir()),
            commit_s=time.monotonic() - begin_s,
        )
        self._counts.add(deferred=1)
        self.late.add(deferred)
        return summarize(take, episode, self._counts.num_deferred)

    def undo_last(self) -> UndoneEpisode | None:
        """
        Withdraw the last deferred episode.

        :return: the undone episode; None if it is already encoded and about to become an episode
        :raise StreamrecError: if it cannot be withdrawn
        """
        if not self.late.withdraw_last():
            return None
        undone = self._takes.undo_last()
        self._counts.add(deferred=-1)
        return undone

    def annotate(self, metadata: Mapping[str, str], index: int | None) -> int:
        """
        Add metadata to a deferred episode.

        :param index: index that the episode will have; None: the last one
        :return: the index that the episode will have
        :raise EpisodeStateError: if there is no such episode
        :raise DatasetError: if it cannot be written
        """
        return self._takes.annotate(metadata, index)

    def _end(self, take: DeferredTake, outcome: EncodedTake | StreamrecError) -> None:
        try:
            if isinstance(outcome, StreamrecError):
                raise outcome
            sentence = _success(take, self._takes.commit(take, outcome), outcome)
        except StreamrecError as error:
            place = self._takes.fail(take, error)
            is_left = take.folder.exists()
            self._counts.add(deferred=-1, lost=0 if is_left else 1)
            command = streamrec_command('encode', self._config.root)
            again = f'; the next start, or {command}, tries again' if is_left else ''
            sentence = (
                f'an episode of {take.saved.task!r}, {take.saved.seconds:.1f} s, is saved, but '
                f'is not in the dataset: {error}. {place}{again}'
            )
            _log.error('%s', sentence)
        else:
            self._counts.add(deferred=-1, saved=1)
            _log.info('%s', sentence)
        self._news.put(sentence)


def _success(take: DeferredTake, episode: SavedEpisode, encoded: EncodedTake) -> str:
    return (
        f'encoded episode {episode.episode_index}: {episode.num_rows} rows, '
        f'{episode.size_bytes / MIB:.1f} MB{take.loss(encoded)}'
    )
