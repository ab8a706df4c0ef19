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
"""The conditions under which an episode may start, and the ones that are not met yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from lerobot_streamrec.errors import DiskFullError, EpisodeError, EpisodeStateError, StreamrecError
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.disk_watch import DiskWatch
from lerobot_streamrec.recording.encoder_selection import EncoderChoices
from lerobot_streamrec.recording.readiness import (
    refuse_picture_sizes,
    refuse_undecodable_pictures,
    refuse_unready_streams,
)
from lerobot_streamrec.recording.saving.committer import Committer
from lerobot_streamrec.recording.saving.last_result import Outcomes
from lerobot_streamrec.recording.streams.streams import Streams
from lerobot_streamrec.recording.unasked_end import DatasetWork
from lerobot_streamrec.video.codecs.config import EncoderConfig


class StartConditions:
    """
    Everything that an episode needs to start, apart from the recorder's own state.

    Owned by the recorder's thread. Nothing here waits or changes the recording.

    :param config: settings
    :param streams: all streams
    :param encoders: encoder of each camera
    :param disk: watches the free space on the disk
    :param committer: knows the dataset, including episodes that still have to be encoded
    :param dataset_work: knows whether the dataset is being finalized
    :param outcomes: knows how many saves are still running
    :param clock_ns: steady clock
    """

    def __init__(
        self,
        config: RecorderConfig,
        streams: Streams,
        encoders: EncoderChoices,
        *,
        disk: DiskWatch,
        committer: Committer,
        dataset_work: DatasetWork,
        outcomes: Outcomes,
        clock_ns: Callable[[], int],
    ) -> None:
        self._config = config
        self._streams = streams
        self._encoders = encoders
        self._disk = disk
        self._committer = committer
        self._dataset_work = dataset_work
        self._outcomes = outcomes
        self._clock_ns = clock_ns

    def check(self, task: str) -> Mapping[str, EncoderConfig]:
        """
        Refuse to start an episode that could not be recorded.

        :param task: task of the episode
        :return: encoder settings by camera
        :raise EpisodeStateError: if too many episodes are being saved, or the dataset is being
            finalized
        :raise EpisodeError: if there is no task
        :raise DiskFullError: if the disk has too little free space
        :raise StreamsNotReadyError: if a stream is missing or stale, no recent picture of a camera
            decodes, or an encoder is still being tried
        :raise CodecError: if no encoder works at the size of a camera's pictures
        :raise DatasetMismatchError: if a camera's size or codec differs from the dataset's
        """
        for check in self._simple_checks(task):
            check()
        for stream in self._streams.all:
            stream.look_at_pictures()
        return self._fit_encoders()

    def check_streams(self) -> None:
        """
        Refuse to resume a paused episode that could not be recorded.

        :raise StreamsNotReadyError: if a stream is missing or stale, or no recent picture of a
            camera decodes
        """
        for stream in self._streams.all:
            stream.look_at_pictures()
        refuse_unready_streams(self._streams, self._clock_ns())
        refuse_undecodable_pictures(self._streams.all)

    def problems(self, task: str) -> list[str]:
        """
        Return every reason for which ``check`` would refuse now; empty if it would not.

        This decodes no pictures; it uses the result of the last ones that were decoded.
        """
        checks = self._simple_checks(task)
        return [text for one in (*checks, self._fit_encoders) if (text := _refusal(one))]

    def _simple_checks(self, task: str) -> tuple[Callable[[], object], ...]:
        return (
            self._refuse_a_queue,
            partial(self._refuse_without_task, task),
            self._refuse_while_finalizing,
            self._refuse_a_full_disk,
        )

    def _refuse_a_queue(self) -> None:
        num_pending = self._outcomes.num_saving
        if num_pending >= self._config.max_pending_episodes:
            raise EpisodeStateError(
                f'{num_pending} episodes are still being written (max_pending_episodes is '
                f'{self._config.max_pending_episodes}): wait until one of them is saved'
            )

    def _refuse_without_task(self, task: str) -> None:
        if not task:
            raise EpisodeError(
                'there is no task: set the parameter task, publish it on the task topic, or give '
                'the command start <task>'
            )

    def _refuse_while_finalizing(self) -> None:
        if self._dataset_work.is_finalizing:
            raise EpisodeStateError(
                f'the dataset is being finalized ({self._committer.activity or "saving"}): wait '
                'until that is done'
            )

    def _refuse_a_full_disk(self) -> None:
        if self._disk.status.problem:
            raise DiskFullError(self._disk.status.problem)

    def _fit_encoders(self) -> Mapping[str, EncoderConfig]:
        streams = self._streams.all
        refuse_unready_streams(self._streams, self._clock_ns())
        refuse_undecodable_pictures(streams)
        encoders = self._encoders.settled(streams)
        refuse_picture_sizes(streams, encoders, self._config.root, self._committer.info_to_come)
        return encoders


def _refusal(check: Callable[[], object]) -> str:
    try:
        check()
    except StreamrecError as error:
        return str(error)
    return ''
