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
"""The commit thread, the only one that changes the files of the dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
import logging
from pathlib import Path
import queue
import threading
import time
from typing import TypeVar

from lerobot_streamrec.dataset.about.card import write_card
from lerobot_streamrec.dataset.about.modality import write_modality
from lerobot_streamrec.dataset.about.robot_files import keep_robot_files
from lerobot_streamrec.dataset.commit.undo import UndoneEpisode
from lerobot_streamrec.dataset.commit.writer import DatasetWriter
from lerobot_streamrec.dataset.format.info import DatasetInfo
from lerobot_streamrec.dataset.format.state import EpisodeDraft, VideoDraft
from lerobot_streamrec.errors import (
    CommitError,
    DatasetError,
    EpisodeVetoedError,
    InterruptedWorkError,
    StreamrecError,
    VideoError,
)
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.episode.finished_take import FinishedTake
from lerobot_streamrec.recording.saving.deferred_saves import Deferring
from lerobot_streamrec.recording.saving.encoder_wait import (
    give_back_memory,
    Haste,
    wait_for_encoders,
)
from lerobot_streamrec.recording.saving.futures import pass_on, settle, settle_error
from lerobot_streamrec.recording.saving.last_result import EpisodeCounts
from lerobot_streamrec.recording.saving.summary import (
    EpisodeSummary,
    Finalized,
    record_of,
    row_stamps,
    summarize,
    veto_of,
)
from lerobot_streamrec.video.encode.mp4_encoder import EncodedVideo

_log = logging.getLogger(__name__)

# Seconds since the shutdown began, after which encoders are no longer waited for.
_RESCUE_AFTER_S = 3.0
_LATE_JOIN_S = 1.0
# Freeing encoders stops all threads for some milliseconds, so whoever waits for a save goes first.
_QUIET_S = 0.2

_T = TypeVar('_T')


class _NotYetError(Exception):
    """A job cannot be done yet: do it again after the others."""


class Committer:
    """
    Waits for encoders and commits episodes in the order in which they were submitted.

    One thread, whichever it is, may call its methods. Except for ``close`` they never block.

    :param writer: writer of the dataset; it belongs to the commit thread from now on
    :param config: settings
    """

    def __init__(self, writer: DatasetWriter, config: RecorderConfig) -> None:
        self._writer = writer
        self._config = config
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.counts = EpisodeCounts(writer.info.total_episodes)
        """The numbers of episodes; any thread."""
        self._activity = ''
        self._closing_since_s: float | None = None
        self._has_ended_encoders = False
        self._deferring = Deferring(writer, config, self.counts, self._do)
        self._thread = threading.Thread(target=self._run, name='commit', daemon=False)
        self._thread.start()

    @property
    def info_to_come(self) -> DatasetInfo:
        """The committed content, with the cameras of the first episode that waits for encoding."""
        return self._deferring.info_to_come(self._writer.info)

    def news(self) -> list[str]:
        """Return sentences on deferred episodes that have ended since the last call."""
        return self._deferring.news()

    def submit(self, take: FinishedTake) -> Future[EpisodeSummary]:
        """
        Save a take.

        :return: the summary once the episode is durable, or the StreamrecError that prevented it
        """
        self.counts.add(submitted=1)
        return self._do(
            lambda: self._commit(take), lambda error, cause: self._unsaved(take, error, cause)
        )

    def keep_robot_files(self, contents: Mapping[str, bytes]) -> None:
        """Write the files about the robot that the dataset lacks, before the next episode."""
        self._jobs.put(partial(keep_robot_files, self._writer.files, contents))

    def drop(self, take: FinishedTake) -> None:
        """Delete the files of a discarded take."""
        self._jobs.put(lambda: self._drop(take))

    def keep(self, take: FinishedTake, reason: str) -> Future[Path]:
        """
        Move a take that should have been saved but cannot be to the quarantine folder.

        :param reason: why it cannot be saved
        :return: the folder in which the take is afterwards
        """
        self.counts.add(lost=1)
        return self._do(lambda: self._set_aside(take, reason))

    def undo(self) -> Future[UndoneEpisode]:
        """
        Take the last episode out of the dataset, once all submitted episodes are saved.

        :return: the undone episode, or the StreamrecError that prevented it
        """
        return self._do(self._undo)

    def _undo(self) -> UndoneEpisode:
        if self._deferring.is_empty:
            undone = self._writer.undo()
            self.counts.add(saved=-1)
            return undone
        last = self._deferring.undo_last()
        if last is None:
            # It is about to become an episode: try again when it is one.
            raise _NotYetError
        return last

    def annotate(self, metadata: Mapping[str, str], index: int | None = None) -> Future[int]:
        """
        Add metadata to an episode, once all submitted episodes are saved.

        :param metadata: text by name
        :param index: index of the episode, which may be a deferred one; None: the last one
        :return: the episode's index, or the StreamrecError that prevented it
        """

        def annotate() -> int:
            num_saved = self._writer.info.total_episodes
            is_deferred = not self._deferring.is_empty if index is None else index >= num_saved
            if is_deferred:
                return self._deferring.annotate(metadata, index)
            return self._writer.annotate(metadata, index)

        return self._do(annotate)

    def _do(
        self,
        act: Callable[[], _T],
        explain: Callable[[StreamrecError, Exception | None], StreamrecError] | None = None,
    ) -> Future[_T]:
        """
        Let the commit thread do something.

        The future is not the job itself: whoever cancels it cannot cancel the work.

        :param act: the work
        :param explain: makes the error of the future from that of the work, and from its cause if
            nobody foresaw it
        """
        result: Future[_T] = Future()

        def job() -> None:
            cause: Exception | None = None
            try:
                settle(result, act())
            except _NotYetError:
                self._jobs.put(job)
                return
            except StreamrecError as error:
                known = error
            # An unforeseen error must not end the thread that owns the dataset.
            except Exception as error:  # noqa: BLE001
                known, cause = CommitError(f'unexpected error: {error!r}'), error
            else:
                return
            if explain is not None:
                known = explain(known, cause)
            elif cause is not None:
                _log.error('unexpected error', exc_info=cause)
            settle_error(result, known)

        self._jobs.put(job)
        return result

    def finalize(self, *, is_compacting: bool) -> Future[Finalized]:
        """
        Merge small files, once all submitted episodes are saved and encoded.

        :param is_compacting: False: only wait, without merging files
        :return: content of the finalized dataset, with a remark if files could not be merged
        """
        result: Future[Finalized] = Future()

        def finalize(_: Future[None]) -> None:
            done = self._do(lambda: self._finalize(is_compacting=is_compacting))
            done.add_done_callback(partial(pass_on, result=result, make=lambda same: same))

        # A take that is being saved now may have to wait for its encoding afterwards.
        self._jobs.put(lambda: self._deferring.late.when_idle().add_done_callback(finalize))
        return result

    def _finalize(self, *, is_compacting: bool) -> Finalized:
        change, remark = None, ''
        try:
            if is_compacting:
                change = self._writer.compact(self._note_progress)
                remark = '; '.join(change.remarks)
        except (DatasetError, VideoError) as error:
            remark = f'files were not merged: {error}'
            _log.warning('%s', remark)
        finally:
            self._activity = ''
        self._describe()
        return Finalized(self._writer.info, change, remark)

    def _describe(self) -> None:
        """Write what people and other programs read about the dataset."""
        if not self._writer.info.total_episodes:
            return
        try:
            write_card(self._writer.files, self._config.license)
            if self._config.modality:
                write_modality(self._writer.files, self._writer.info)
        except DatasetError as error:
            _log.warning('the dataset is whole, but not described: %s', error)

    def _note_progress(self, done: int, total: int) -> None:
        if self._closing_since_s is not None:
            raise InterruptedWorkError('the recorder is shutting down; finalize the next time')
        self._activity = f'merging files: {100 * done // max(1, total)} %'

    @property
    def activity(self) -> str:
        """The long work that is being done on the dataset; empty: none. Any thread."""
        return self._activity or self._deferring.late.activity

    def flush(self) -> Future[DatasetInfo]:
        """Return the content of the dataset, once all submitted episodes are saved."""
        return self._do(lambda: self._writer.info)

    def give_up_long_work(self) -> None:
        """
        Stop merging files, and encoding takes that wait on the disk, soon. Idempotent.

        Nothing is lost: the takes stay on the disk, and the dataset stays as it was.
        """
        if self._closing_since_s is None:
            self._closing_since_s = time.monotonic()
        self._deferring.late.stop()

    def close(self, timeout_s: float) -> bool:
        """
        Commit the submitted episodes, end the thread and unlock the dataset. Idempotent.

        :param timeout_s: longest time to wait for all of this, in seconds
        :return: False if it is not done by then
        """
        deadline_s = time.monotonic() + timeout_s
        self.give_up_long_work()
        # An encoder that does not respond is abandoned: its take is still on the disk.
        self._deferring.late.join(min(timeout_s, _LATE_JOIN_S))
        self._jobs.put(None)
        self._thread.join(max(0.0, deadline_s - time.monotonic()))
        return not self._thread.is_alive()

    def _run(self) -> None:
        while self._does_next_job():
            pass
        self._writer.close()

    def _does_next_job(self) -> bool:
        """Do the next job, and keep no reference to it; return False after the last one."""
        try:
            job = self._jobs.get(timeout=_QUIET_S if self._has_ended_encoders else None)
        except queue.Empty:
            self._has_ended_encoders = False
            give_back_memory()
            return True
        if job is not None:
            job()
        return job is not None

    def _commit(self, take: FinishedTake) -> EpisodeSummary:
        self._has_ended_encoders = True
        wait_for_encoders(take, self._config.save_timeout_s, self._haste)
        if veto := veto_of(take, self._config.limits):
            raise EpisodeVetoedError(veto)
        self._end_journal(take)
        videos = {key: video.result() for key, video in take.videos.items()}
        if self._deferring.is_empty and all(one.is_whole for one in videos.values()):
            episode = self._writer.commit(self._draft(take, videos))
            self._writer.remove(take.folder)
            self.counts.add(submitted=-1, saved=1)
            return summarize(take, episode)
        summary = self._deferring.defer(take)
        self.counts.add(submitted=-1)
        return summary

    def _haste(self) -> Haste:
        if self._closing_since_s is None:
            return Haste.NONE
        since_s = time.monotonic() - self._closing_since_s
        if since_s < self._config.park_after_s:
            return Haste.NONE
        return Haste.PARK if since_s < _RESCUE_AFTER_S else Haste.RESCUE

    def _draft(self, take: FinishedTake, encoded: Mapping[str, EncodedVideo]) -> EpisodeDraft:
        videos = {}
        for key, video in encoded.items():
            camera = take.cameras[key]
            assert video.path is not None
            videos[key] = VideoDraft(
                path=video.path,
                num_frames=video.num_frames,
                height=camera.taken.height,
                width=camera.taken.width,
                encoder_info=video.encoder_info or camera.taken.encoder_info,
                statistics=camera.counted.statistics(),
                num_undecodable=video.num_undecodable,
            )
        return EpisodeDraft(
            take.num_rows,
            take.task,
            take.vectors,
            videos,
            record_of(take),
            row_stamps(take) if self._config.is_per_row else {},
        )

    def _unsaved(
        self, take: FinishedTake, error: StreamrecError, cause: Exception | None
    ) -> StreamrecError:
        """Set a take aside that could not be saved, and return the error that says where."""
        # An episode that the user's own limits refuse does not count as lost.
        is_veto = isinstance(error, EpisodeVetoedError)
        self.counts.add(submitted=-1, lost=0 if is_veto else 1)
        kept = 'it' if is_veto else 'the part on the disk'
        message = f'{error}; {kept} is now in {self._set_aside(take, str(error))}'
        failure = EpisodeVetoedError(message) if is_veto else CommitError(message)
        failure.__cause__ = cause or error
        _log.error('episode not saved: %s', message, exc_info=cause)
        return failure

    def _set_aside(self, take: FinishedTake, reason: str) -> Path:
        self._end_encoders(take)
        try:
            return self._writer.set_aside(take.folder, reason)
        except DatasetError as error:
            _log.warning('%s stays where it is: %s', take.folder, error)
            return take.folder

    def _drop(self, take: FinishedTake) -> None:
        self._end_encoders(take)
        self._writer.remove(take.folder)

    def _end_journal(self, take: FinishedTake) -> None:
        if not take.journal.join(self._config.abort_timeout_s):
            _log.error('the journal thread of %s does not end', take.folder)

    def _end_encoders(self, take: FinishedTake) -> None:
        self._has_ended_encoders = True
        self._end_journal(take)
        for key, camera in take.cameras.items():
            camera.thread.abort()
            if not camera.thread.join(self._config.abort_timeout_s):
                _log.error('the encoder thread of %s does not end', key)
