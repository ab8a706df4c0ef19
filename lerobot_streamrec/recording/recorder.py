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
"""The recorder's engine: it takes samples in and writes episodes on command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
import logging
import time

from lerobot_streamrec.dataset.about.robot_files import last_files
from lerobot_streamrec.dataset.format.episode_table import checked_text
from lerobot_streamrec.dataset.format.info import DatasetInfo
from lerobot_streamrec.dataset.format.layout import take_folders
from lerobot_streamrec.dataset.takes.open_dataset import open_dataset
from lerobot_streamrec.errors import EmptyEpisodeError, EpisodeError, EpisodeStateError
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.disk_watch import DiskWatch
from lerobot_streamrec.recording.encoder_selection import EncoderChoices
from lerobot_streamrec.recording.episode.take import Take
from lerobot_streamrec.recording.head_room import HeadRoomMeter
from lerobot_streamrec.recording.operator_words import OperatorWords
from lerobot_streamrec.recording.readiness import StartConditions, stream_statuses
from lerobot_streamrec.recording.robot_files import RobotFiles
from lerobot_streamrec.recording.saving.committer import Committer
from lerobot_streamrec.recording.saving.futures import settled, then
from lerobot_streamrec.recording.saving.last_result import Outcomes, unfinished_text
from lerobot_streamrec.recording.saving.summary import EpisodeSummary, Finalized, Rotation
from lerobot_streamrec.recording.status import RecorderStatus
from lerobot_streamrec.recording.streams.clock_offsets import ClockAccount
from lerobot_streamrec.recording.streams.streams import Streams
from lerobot_streamrec.recording.unasked_end import DatasetWork, end_at_full_disk, end_at_shutdown
from lerobot_streamrec.sync.row_clock import KnownRows, NOTHING_KNOWN, NS_PER_S, RowClock
from lerobot_streamrec.video.codecs.config import EncoderConfig

_log = logging.getLogger(__name__)


class Recorder(OperatorWords):
    """
    Takes samples in, and turns them into episodes when the operator says so.

    Every method belongs to one thread (the recorder's). Except for ``close``, none blocks on an
    encoder or a disk. The constructor opens the dataset and tries the encoders.

    :param config: settings
    :param steady_clock_ns: steady clock, which times the arrival of messages
    :param wall_ns: this computer's clock, in nanoseconds since 1970
    :raise ConfigError: if the root or an encoder cannot be used
    :raise DatasetError: if the dataset at the root cannot be used
    """

    def __init__(
        self,
        config: RecorderConfig,
        steady_clock_ns: Callable[[], int] = time.monotonic_ns,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        encoders = EncoderChoices(config)
        writer, recovered = open_dataset(
            config.root,
            fps=config.fps,
            robot_type=config.robot_type,
            features=config.features(),
            resume=config.resume,
            recovery=config.recovery,
        )
        super().__init__(
            config,
            Streams(
                config.streams,
                steady_clock_ns,
                config.max_lateness_s,
                wall_ns,
                preroll_ns=round(config.preroll_s * NS_PER_S),
                preroll_bytes=config.bytes_per_camera(config.preroll_mib),
            ),
            encoders,
            DiskWatch(config.root, config.disk),
            steady_clock_ns,
        )
        self._committer = Committer(writer, config)
        self.robot = RobotFiles(self._committer.keep_robot_files, last_files(config.root))
        self.last_take = ''  # Rows and seconds of the take that was saved last, as a text.
        self._head_room = HeadRoomMeter(config)
        self._folders = take_folders(config.root)
        self._outcomes = Outcomes('; '.join(recovered))
        self._dataset_work = DatasetWork(
            self._committer, self._outcomes, is_compacting=config.compact_at_finalize
        )
        self._conditions = StartConditions(
            config,
            self._streams,
            self._encoders,
            disk=self._disk,
            committer=self._committer,
            dataset_work=self._dataset_work,
            outcomes=self._outcomes,
        )

    # --- verbs ---------------------------------------------------------------------------------

    def annotate(self, name: str, text: str, index: int | None = None) -> Future[str]:
        """
        Set the verdict or the notes of an episode.

        :param name: ``VERDICT`` or ``NOTES``
        :param text: the new text; an empty one withdraws the earlier one
        :param index: index of the episode; None: the running one, or else the last one
        :return: a sentence with the text and its episode, or the error that prevented it
        :raise EpisodeError: if the text is not allowed, or there is no saved episode of this index
        """
        self._refuse_if_closed()
        text = checked_text(name, text)
        if self._take is not None and index in (None, self.next_index):
            self._take.metadata[name] = text
            return settled(f'{name} of episode {self.next_index}: {text!r}')
        return self._dataset_work.annotate(name, text, index)

    def start(self, task: str = '', known: KnownRows = NOTHING_KNOWN) -> int:
        """
        Begin an episode; ``Streams.row_clock`` says when its first row is.

        :param task: task of this episode and the next ones; empty: the task that was set before
        :param known: its first row, and the last one before a pause or its end, if another
            recording of the same messages had them; streams may then be stale
        :return: the index that the episode will have
        :raise EpisodeStateError: if an episode is running
        :raise StreamrecError: for the other reasons that ``StartConditions.check`` names
        """
        self._refuse_if_closed()
        if self._take is not None:
            there = f'episode {self.next_index} is already being recorded'
            raise EpisodeStateError(f'{there} ({self._take}): save or discard it first')
        self._take_in()
        clocks = self._streams.begin_episode()
        is_known = known.first_ns is not None
        encoders = self._conditions.check(task or self.task, may_be_stale=is_known)
        clock = self._streams.row_clock(self._config, known=known)
        self._begin(task, encoders, clock, clocks, known)
        return self.next_index

    def rotate(self, task: str = '') -> Rotation:
        """
        Save the running episode and begin the next one, both or neither, without losing a row.

        Row 0 of the next episode is one row's period after the last row. If the clocks were set
        during the episode, or it is paused, row 0 is where ``start`` would put it.

        :param task: task of the next episodes; empty: the task that was set before
        :raise EpisodeStateError: if no episode is running
        :raise EmptyEpisodeError: if there is no row yet; the episode continues
        :raise StreamrecError: for the reasons for which ``start`` or ``save`` would be refused;
            the episode continues, unless it had failed
        """
        take = self._running()
        # ``save`` refuses an episode that failed, and gives the reason.
        encoders = self._conditions.check(task or self.task) if take.failure is None else {}
        ended_index, saving = self.next_index, self.save()
        is_moved = take.is_paused or self._streams.has_moved_clocks
        clock = None if is_moved else take.continued_clock()
        clocks = self._streams.begin_episode()
        self._begin(task, encoders, clock or self._streams.row_clock(self._config), clocks)
        self.verb_rows = replace(self.verb_rows, last_ns=take.last_row_ns)
        return Rotation(saving, f'episode {ended_index} ({take})', self.next_index)

    def _begin(
        self,
        task: str,
        encoders: Mapping[str, EncoderConfig],
        clock: RowClock,
        clocks: ClockAccount,
        known: KnownRows = NOTHING_KNOWN,
    ) -> None:
        self.task = task or self.task
        self._take = Take(
            self._config,
            self._streams.all,
            clock,
            encoders=encoders,
            task=self.task,
            folder=next(self._folders),
            metadata={**self._texts, **self.robot.begin()},
            clocks=clocks,
            begun_ns=self._streams.wall_ns(),
            last_row_ns=known.last_ns,
            is_human=self._streams.is_human_by_command,
        )
        self._disk.follow(self._take)
        self._encoders.begin(encoders)
        self._head_room.begin(self._take, encoders)
        self.verb_rows = KnownRows(clock.start_ns)
        if self._config.preroll_s:
            # The samples for the rows of the pre-roll are there already.
            self._take.advance()

    def pause(self) -> str:
        """
        Record no rows until ``resume``, which continues the same episode.

        :return: a sentence on the paused episode
        :raise EpisodeStateError: if no episode is running, or it is already paused
        """
        (take := self._running()).pause()
        self.verb_rows = KnownRows(last_ns=take.last_row_ns)
        return f'paused after {take}'

    def resume(self, known: KnownRows = NOTHING_KNOWN) -> str:
        """
        Continue a paused episode.

        :param known: as for ``start``
        :return: a sentence on the resumed episode
        :raise EpisodeStateError: if no episode is paused, or a camera's pictures no longer fit
            its video
        :raise StreamsNotReadyError: if a stream is missing or stale
        """
        take = self._running()
        take.refuse_unless_paused()
        self._conditions.check_streams(may_be_stale=known.first_ns is not None)
        self._streams.take_up_clocks()
        clock = self._streams.row_clock(self._config, is_first=not take.num_rows, known=known)
        take.resume(clock, known.last_ns)
        self.verb_rows = KnownRows(clock.start_ns)
        return f'recording continues after {take}'

    def save(self) -> Future[EpisodeSummary]:
        """
        End the running episode and make it durable; the next one may start at once.

        :return: the summary once the episode is durable, or the StreamrecError that prevented it
        :raise EpisodeStateError: if no episode is running
        :raise EmptyEpisodeError: if no row is complete yet; the episode continues
        :raise EpisodeError: if the episode failed; it is quarantined, and the recorder is idle
        """
        take = self._running()
        take.close_last_rows()
        if take.failure is not None:
            self._take = None
            self._committer.keep(take.abort(), str(take.failure))
            self._outcomes.note(f'episode not saved: {take.failure}')
            raise EpisodeError(
                f'the episode cannot be saved: {take.failure}. Its {take.num_rows} rows '
                f'go to {self._config.root}/.streamrec/quarantine'
            )
        if not take.num_rows:
            raise EmptyEpisodeError(
                'the episode has no complete row yet: wait a moment, or discard it'
            )
        take.metadata.update(self.robot.end(self.next_index))
        self._take, self.last_take = None, str(take)
        self.verb_rows = KnownRows(last_ns=take.last_row_ns)
        future = self._committer.submit(take.finish())
        self._outcomes.expect_save(future)
        return future

    def discard(self) -> Future[str]:
        """
        End the running episode and delete it.

        :return: a sentence on the discarded episode, once not even a crash can bring it back
        :raise EpisodeStateError: if no episode is running
        """
        take, self._take = self._running(), None
        self.verb_rows = NOTHING_KNOWN
        sentence = f'discarded {take}'
        self._outcomes.note(sentence)
        finished = take.discard()
        self._committer.drop(finished)
        return then(finished.journal.ended, lambda _: sentence)

    def undo(self) -> Future[str]:
        """
        Take the last saved episode out of the dataset; it stays in quarantine until finalize.

        :return: a sentence on the undone episode, or the StreamrecError that prevented it
        :raise EpisodeStateError: if an episode is running
        """
        self._refuse_while_recording()
        return self._dataset_work.undo()

    def finalize(self) -> Future[Finalized]:
        """
        Wait until everything is durable, and merge small files; recording may continue afterwards.

        :return: content of the finalized dataset
        :raise EpisodeStateError: if an episode is running
        """
        self._refuse_while_recording()
        return self._dataset_work.finalize()

    def end(self) -> Future[DatasetInfo]:
        """
        Save or discard a running episode as configured, and refuse every verb from now on.

        :return: content of the dataset once everything is durable
        """
        if self._take is not None:
            end_at_shutdown(self, is_saving=self._config.on_shutdown == 'save')
        self._is_closed = True
        self._committer.give_up_long_work()
        return self._committer.flush()

    def close(self, timeout_s: float) -> bool:
        """
        Call ``end`` if nobody has yet, wait for the disk and unlock the dataset. Idempotent.

        :param timeout_s: longest time for each of the threads to end, in seconds
        :return: True if every episode that should have been saved was saved
        """
        if not self._is_closed:
            self.end()
        self._encoders.close(timeout_s)
        self._disk.close()
        if not self._committer.close(timeout_s):
            _log.error('%s', unfinished_text(self._outcomes.num_saving, self._config))
        return not self._outcomes.num_saving and self._committer.counts.num_lost == 0

    # --- the present state ---------------------------------------------------------------------

    @property
    def next_index(self) -> int:
        """The index of the running or the next episode."""
        return self._committer.counts.next_index

    @property
    def last_result(self) -> str:
        """A sentence on the last operation that finished or failed."""
        return self._outcomes.last

    def new_saves(self) -> list[Future[EpisodeSummary]]:
        """Return the saves that have begun since the last call."""
        return self._outcomes.new_saves()

    def start_problems(self) -> list[str]:
        """Return the reasons for which an idle recorder would refuse to start an episode now."""
        self._take_in()
        return self._conditions.problems(self.task)

    def status(self) -> RecorderStatus:
        """Return a snapshot of the recorder."""
        self._take_in()
        take = self._take
        if take is not None and not take.is_paused:
            self._streams.tell_stale()
        for sentence in self._committer.news():
            self._outcomes.note(sentence)
        return RecorderStatus(
            state=self.state,
            episode_index=self.next_index,
            num_saved=self._committer.counts.num_saved,
            num_pending=self._outcomes.num_saving,
            num_deferred=self._committer.counts.num_deferred,
            num_rows=take.num_rows if take else 0,
            seconds=self.seconds,
            task=take.task if take else self.task,
            subtask=take.subtask.newest if take else '',
            is_human=self.is_human if self._config.is_hil else None,
            failure=self.failure,
            last_result=self.last_result,
            root=str(self._config.root),
            disk=self._disk.status,
            exposure=take.exposure if take else '',
            clocks=take.clock_sentences if take else (),
            activity=self._committer.activity,
            encoders=self._encoders.summary,
            head_room=self._head_room.measure(take),
            streams=stream_statuses(self._streams, take, self._clock_ns()),
            robot=self.robot.changes,
        )

    def _end_at_full_disk(self, problem: str) -> None:
        end_at_full_disk(self, problem)

    def _running(self) -> Take:
        self._refuse_if_closed()
        if self._take is None:
            raise EpisodeStateError('no episode is being recorded: call start first')
        self._take_in()
        self._follow(self._streams.flush(is_recording=not self._take.is_paused))
        self._take.advance()
        self._take.clocks.off.update(self._streams.off_clocks())
        return self._take
