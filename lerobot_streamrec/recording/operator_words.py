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
"""The part of the recorder that keeps what the operator says."""

from __future__ import annotations

from collections.abc import Callable

from lerobot_streamrec.dataset.format.episode_table import OPERATOR
from lerobot_streamrec.errors import EpisodeError, EpisodeStateError, StreamsNotReadyError
from lerobot_streamrec.recording.config import NO_SUBTASKS, RecorderConfig
from lerobot_streamrec.recording.disk_watch import DiskWatch
from lerobot_streamrec.recording.encoder_selection import EncoderChoices
from lerobot_streamrec.recording.episode.take import Take
from lerobot_streamrec.recording.intake import Intake
from lerobot_streamrec.recording.readiness import stream_problem
from lerobot_streamrec.recording.streams.streams import Streams
from lerobot_streamrec.sync.row_clock import KnownRows, NOTHING_KNOWN


class OperatorWords(Intake):
    """
    Keeps the task, texts about the episode, subtasks, and who drives. Owned by one thread.

    Subtasks and interventions hold for the rows after the newest stamp of all streams.

    :param config: settings
    :param streams: all streams
    :param encoders: is told the size of each camera's pictures
    :param disk: watches the free space on the disk
    :param clock_ns: steady clock
    """

    def __init__(
        self,
        config: RecorderConfig,
        streams: Streams,
        encoders: EncoderChoices,
        disk: DiskWatch,
        clock_ns: Callable[[], int],
    ) -> None:
        super().__init__(streams, encoders, disk, clock_ns)
        self._config = config
        self.task = config.task  # The task of the next episode.
        self._texts = {OPERATOR: config.operator, **config.metadata}

    def set_task(self, task: str) -> None:
        """Set the task of the episodes that start from now on."""
        self.task = task.strip()

    def set_text(self, name: str, text: str) -> None:
        """Set a text about the episodes that start from now on, by its column."""
        self._texts[name] = text.strip()

    @property
    def is_human(self) -> bool:
        """Whether a human intervenes now."""
        return self._streams.is_human

    def intervene(self, *, is_human: bool, known: KnownRows = NOTHING_KNOWN) -> str:
        """
        Note that a human takes the robot over, or gives it back to the policy.

        :param is_human: True if the human drives from now on, in later episodes too
        :param known: instant from which on rows show it, if another recording of the same
            messages had it
        :return: a sentence on it
        :raise StreamrecError: for the reasons of ``refuse_intervention``
        """
        self.refuse_intervention(is_human=is_human)
        self._streams.is_human_by_command = is_human
        self.verb_rows = NOTHING_KNOWN
        if self._take is not None:
            self._take.intervention.set(self._said_ns(self._take, known), is_human)
        return 'a human drives' if is_human else 'the policy drives'

    def refuse_intervention(self, *, is_human: bool) -> None:
        """
        Raise an error if ``intervene`` would be refused.

        :param is_human: True if the human is to drive
        :raise EpisodeStateError: if there is no column for it, or a topic says who drives
        :raise StreamsNotReadyError: if a topic that rows would show is missing or stale
        """
        self._refuse_if_closed()
        if not self._config.is_hil:
            raise EpisodeStateError('interventions are not recorded: set hil.enabled to true')
        for stream in self._streams.all:
            if stream.config.is_intervention:
                raise EpisodeStateError(
                    f'{stream.config.topic} says who drives (hil.intervention): leave that '
                    'parameter empty to give commands instead'
                )
        self._take_in()
        now_ns, newest_ns = self._clock_ns(), self._streams.newest_ns
        problems = [
            f'{config.key} ({config.topic}) {problem}'
            for one in self._streams.all
            if (config := one.config).is_for_human
            and is_human
            and (problem := stream_problem(one, now_ns, newest_ns, None))
        ]
        if problems:
            raise StreamsNotReadyError(problems)

    def begin_subtask(self, text: str, known: KnownRows = NOTHING_KNOWN) -> str:
        """
        Note that the robot begins a part of its task.

        :param text: what it does, in a few words
        :param known: as for ``intervene``
        :return: a sentence on it
        :raise EpisodeStateError: if no episode is running, or subtasks are not stored
        :raise EpisodeError: if there is no text
        """
        self._refuse_if_closed()
        text = ' '.join(text.split())
        if self._config.subtasks == NO_SUBTASKS:
            raise EpisodeStateError(
                'subtasks are not stored: set the parameter subtasks to language or index'
            )
        if not text:
            raise EpisodeError('the subtask has no text: write subtask <text>')
        if self._take is None:
            raise EpisodeStateError('no episode is being recorded: call start first')
        self._take_in()
        self._take.subtask.set(self._said_ns(self._take, known), text)
        return f'subtask {text!r}'

    def _said_ns(self, take: Take, known: KnownRows) -> int:
        """Return the instant after which rows show what is said now, and keep it."""
        newest_ns = self._streams.newest_ns
        # An episode runs only once every stream has a sample.
        assert newest_ns is not None
        # A row at the newest stamp is in the past, unless it will be the first one.
        first_ns = newest_ns if take.is_paused or not take.num_rows else newest_ns + 1
        first_ns = first_ns if known.first_ns is None else known.first_ns
        self.verb_rows = KnownRows(first_ns)
        return first_ns - 1
