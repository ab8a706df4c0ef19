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
"""The recorder's state machine: idle, recording, closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial
import logging
import time
from typing import Any

from lerobot_streamrec.dataset.info import DatasetInfo
from lerobot_streamrec.dataset.layout import take_folders
from lerobot_streamrec.dataset.opening import open_dataset
from lerobot_streamrec.errors import EmptyEpisodeError, EpisodeError, EpisodeStateError
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.recording.committer import Committer
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.disk_watch import DiskWatch
from lerobot_streamrec.recording.encoder_choice import EncoderChoices
from lerobot_streamrec.recording.futures import settled, then
from lerobot_streamrec.recording.metadata import checked_metadata, OPERATOR
from lerobot_streamrec.recording.outcomes import Outcomes, unfinished_text
from lerobot_streamrec.recording.readiness import stream_statuses
from lerobot_streamrec.recording.start_conditions import StartConditions
from lerobot_streamrec.recording.status import RecorderState, RecorderStatus
from lerobot_streamrec.recording.streams import Streams
from lerobot_streamrec.recording.summary import EpisodeSummary, Finalized
from lerobot_streamrec.recording.take import Take

_log = logging.getLogger(__name__)


class Recorder:
    """
    Takes samples in, and turns them into episodes at the operator's word.

    Every method belongs to one thread (the executor's) and never blocks on an encoder or a disk,
    ``close`` apart. The dataset is opened, and the encoder tried, at construction.

    :param config: settings
    :param steady_clock_ns: for how long ago messages arrived; tests bring their own
    :raise ConfigError: if root or encoder cannot be used
    :raise DatasetError: if the dataset at the root cannot be used
    """

    def __init__(
        self,
        config: RecorderConfig,
        steady_clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._config = config
        self._clock_ns = steady_clock_ns
        self._encoders = EncoderChoices(config)
        writer, recovered = open_dataset(
            config.root,
            fps=config.fps,
            robot_type=config.robot_type,
            features=config.features(),
            resume=config.resume,
            recovery=config.recovery,
        )
        self._committer = Committer(writer, config)
        self._disk = DiskWatch(config.root, config.disk)
        self._streams = Streams(config.streams, steady_clock_ns, config.max_lateness_s)
        self._take: Take | None = None
        self._is_closed = False
        self._task = config.task
        self._operator = config.operator
        self._folders = take_folders(config.root)
        self._finalizing: Future[Finalized] = settled(Finalized(writer.info))
        self._outcomes = Outcomes('; '.join(recovered))
        self._conditions = StartConditions(
            config,
            self._streams,
            self._encoders,
            disk=self._disk,
            committer=self._committer,
            outcomes=self._outcomes,
            clock_ns=steady_clock_ns,
        )

    # --- samples -------------------------------------------------------------------------------

    def push_image(self, video_key: str, stamp_ns: int, picture: Picture) -> None:
        """
        Take in a picture.

        :param video_key: name of the camera
        :param stamp_ns: its instant in the streams' time
        :param picture: a frame, for instance; given away: its buffer must not change any more
        :raise FrameShapeError: if nothing but its header says that the camera's size has changed
        """
        if self._take is not None:
            self._take.refuse_damaged_header(video_key, picture)
        self._push(video_key, stamp_ns, picture)
        if self._take is None and (size := self._streams[video_key].whole_size):
            self._encoders.note_size(video_key, *size)

    def push_vector(self, key: str, stamp_ns: int, values: Any) -> None:
        """
        Take in a state or action.

        :param key: name of the feature
        :param stamp_ns: its instant in the streams' time
        :param values: ``(d,)`` floats, integers or flags, or a trajectory
        :raise VectorError: if the feature's column cannot hold a number as published
        """
        self._push(key, stamp_ns, values)

    def _push(self, key: str, stamp_ns: int, value: Any) -> None:
        if self._is_closed:
            return
        is_recording = self._take is not None
        self._advance(self._streams.push(key, stamp_ns, value, is_recording=is_recording))
        if is_recording and self._disk.status.is_at_reserve:
            self._save_what_there_is()

    def _advance(self, taken_in: Iterable[tuple[str, Any]]) -> None:
        """Close rows after each sample that a running take has got."""
        for key, value in taken_in:
            if self._take is not None:
                self._take.follow(key, value)

    def _save_what_there_is(self) -> None:
        """End the running episode while there is still room to save it."""
        index, problem = self._committer.next_index, self._disk.status.problem
        try:
            saving = self.save()
            _log.error('episode %d was ended: %s', index, problem)
            saving.add_done_callback(partial(_tell_saved, 'full disk'))
        except EmptyEpisodeError:
            self.discard()
            _log.error('an episode without a row was ended: %s', problem)
        except EpisodeError as error:
            _log.error('%s; %s', error, problem)

    def reject(self, key: str, reason: str) -> None:
        """Take note of a message that could not be turned into a sample, and why."""
        self._streams[key].reject(reason)

    def ignore(self, key: str, reason: str) -> None:
        """Take note of a message that is not meant for this stream, with the reason."""
        self._streams[key].ignore(reason)

    def contest(self, key: str, publishers: str) -> None:
        """Take note of a message that came while several publishers send the same data in turn."""
        self._streams[key].contest(publishers, self._clock_ns())

    def lose(self, key: str, num_messages: int) -> None:
        """Take note of messages that the middleware lost."""
        self._streams[key].lose(num_messages)

    # --- verbs ---------------------------------------------------------------------------------

    def set_task(self, task: str) -> None:
        """Set the task of the episodes that start from now on."""
        self._task = task.strip()

    def set_operator(self, operator: str) -> None:
        """Set who teaches, for the episodes that start from now on."""
        self._operator = operator.strip()

    def annotate(self, name: str, text: str) -> Future[str]:
        """
        Say something of the running episode, or of the last one if none is running.

        :param name: ``VERDICT`` or ``NOTES``
        :param text: empty: take back what was said before
        :return: a sentence on the text and its episode; or the error that prevented it
        :raise EpisodeError: if the text is not allowed, or the recorder is closed
        """
        self._refuse_if_closed()
        text = checked_metadata(name, text)
        if self._take is not None:
            self._take.metadata[name] = text
            answer: Future[str] = Future()
            answer.set_result(f'{name} of episode {self._committer.next_index}: {text!r}')
            return answer
        return then(
            self._committer.annotate({name: text}),
            lambda index: f'{name} of episode {index}: {text!r}',
        )

    def start(self) -> int:
        """
        Begin an episode. Its first row is less than a row's period from now.

        :return: the index that the episode will have
        :raise EpisodeStateError: if one is running
        :raise StreamrecError: for the other reasons that ``StartConditions.check`` names
        """
        self._refuse_if_closed()
        if self._take is not None:
            raise EpisodeStateError(
                f'episode {self._committer.next_index} is being recorded already '
                f'({self._take.num_rows} rows): save or discard it first'
            )
        is_finalizing = not self._finalizing.done()
        clocks = self._streams.begin_episode()
        encoders = self._conditions.check(self._task, is_finalizing=is_finalizing)
        newest_ns = self._streams.newest_ns
        assert newest_ns is not None
        self._take = Take(
            self._config,
            self._streams.all,
            self._streams.row_clock(newest_ns, self._config),
            encoders=encoders,
            task=self._task,
            folder=next(self._folders),
            metadata={OPERATOR: self._operator},
            clocks=clocks,
        )
        self._disk.follow(self._take)
        return self._committer.next_index

    def save(self) -> Future[EpisodeSummary]:
        """
        End the running episode and make it durable; another may start at once.

        :return: done when it is durable; or the CommitError that prevented it
        :raise EpisodeStateError: if none is running
        :raise EmptyEpisodeError: if no row is complete yet; the episode goes on
        :raise EpisodeError: if the episode failed; it is set aside, and the recorder is idle
        """
        take = self._running()
        take.close_last_rows()
        if take.failure is not None:
            self._take = None
            self._committer.keep(take.abort())
            self._outcomes.note(f'episode not saved: {take.failure}')
            raise EpisodeError(
                f'the episode cannot be saved: {take.failure}. Its {take.num_rows} rows '
                f'go to {self._config.root}/.streamrec/quarantine'
            )
        if not take.num_rows:
            raise EmptyEpisodeError(
                'the episode has no complete row yet: wait a moment, or discard it'
            )
        self._take = None
        future = self._committer.submit(take.finish())
        self._outcomes.expect_save(future)
        return future

    def discard(self) -> Future[str]:
        """
        End the running episode and delete it.

        :return: done when not even a crash can bring it back: what was discarded, in a sentence
        :raise EpisodeStateError: if none is running
        """
        take = self._running()
        self._take = None
        sentence = f'discarded {take.num_rows} rows, {take.seconds:.1f} s'
        self._outcomes.note(sentence)
        finished = take.discard()
        self._committer.drop(finished)
        return then(finished.journal.ended, lambda _: sentence)

    def undo(self) -> Future[str]:
        """
        Take the last saved episode out of the dataset; it is kept in quarantine until finalize.

        :return: the undone episode, in a sentence; or the StreamrecError that prevented it
        :raise EpisodeStateError: if an episode is running
        """
        self._refuse_if_closed()
        if self._take is not None:
            raise EpisodeStateError('an episode is being recorded: save or discard it first')
        answer = then(self._committer.undo(), str)
        self._outcomes.expect(answer)
        return answer

    def finalize(self) -> Future[Finalized]:
        """
        Wait until everything is durable, and merge small files; recording may go on afterwards.

        :return: content of the dataset then
        :raise EpisodeStateError: if an episode is running
        """
        self._refuse_if_closed()
        if self._take is not None:
            raise EpisodeStateError('an episode is being recorded: save or discard it first')
        self._finalizing = self._committer.finalize(
            is_compacting=self._config.compact_at_finalize
        )
        self._outcomes.expect(then(self._finalizing, lambda done: f'finalized: {done}'))
        return self._finalizing

    def end(self) -> Future[DatasetInfo]:
        """
        Save or discard a running episode as configured; every verb is refused from now on.

        :return: done when everything is durable
        """
        if self._take is not None:
            if self._config.on_shutdown == 'save':
                self._save_at_end()
            else:
                self._discard_at_end()
        self._is_closed = True
        self._committer.give_up_long_work()
        return self._committer.flush()

    def close(self, timeout_s: float) -> bool:
        """
        End if that was not done yet, wait for the disk and unlock the dataset. Idempotent.

        :param timeout_s: how long all of it may take
        :return: True if nothing was lost that should have been saved
        """
        if not self._is_closed:
            self.end()
        self._encoders.close(timeout_s)
        self._disk.close()
        if not self._committer.close(timeout_s):
            _log.error('%s', unfinished_text(self._outcomes.num_saving, self._config))
        return not self._outcomes.num_saving and self._committer.num_lost == 0

    def _save_at_end(self) -> None:
        try:
            saving = self.save()
        except EmptyEpisodeError:
            self._discard_at_end()
        except EpisodeError as error:
            _log.error('shutdown: %s', error)
        else:
            saving.add_done_callback(partial(_tell_saved, 'shutdown'))

    def _discard_at_end(self) -> None:
        self.discard()
        _log.info('shutdown: %s', self._outcomes.last)

    # --- what is going on ----------------------------------------------------------------------

    def start_problems(self) -> list[str]:
        """Return the reasons for which an idle recorder would refuse to start an episode now."""
        is_finalizing = not self._finalizing.done()
        return self._conditions.problems(self._task, is_finalizing=is_finalizing)

    def status(self) -> RecorderStatus:
        """Return a snapshot."""
        take = self._take
        if take is not None:
            self._streams.tell_stale()
        for sentence in self._committer.news():
            self._outcomes.note(sentence)
        state = RecorderState.IDLE if take is None else RecorderState.RECORDING
        return RecorderStatus(
            state=RecorderState.CLOSED if self._is_closed else state,
            episode_index=self._committer.next_index,
            num_saved=self._committer.num_saved,
            num_pending=self._outcomes.num_saving,
            num_deferred=self._committer.num_deferred,
            num_rows=take.num_rows if take else 0,
            seconds=take.seconds if take else 0.0,
            task=take.task if take else self._task,
            failure=(take.failure or '') if take else '',
            last_result=self._outcomes.last,
            root=str(self._config.root),
            disk=self._disk.status,
            exposure=take.exposure if take else '',
            clocks=take.clock_sentences if take else (),
            activity=self._committer.activity,
            streams=stream_statuses(self._streams, take, self._clock_ns()),
        )

    # --- checks --------------------------------------------------------------------------------

    def _running(self) -> Take:
        self._refuse_if_closed()
        if self._take is None:
            raise EpisodeStateError('no episode is being recorded: call start first')
        self._advance(self._streams.flush(is_recording=True))
        self._take.clocks.off.update(self._streams.off_clocks())
        return self._take

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise EpisodeStateError('the recorder is closed: start it again')


def _tell_saved(reason: str, saving: Future[EpisodeSummary]) -> None:
    """Log the save of an episode that ended by itself; the committer logs a failure."""
    if saving.exception() is None:
        _log.info('%s: saved %s', reason, saving.result())
