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
"""The conditions under which an episode may start, and the status of the streams."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lerobot_streamrec.dataset.format.features import camera_feature, differences, VIDEO_CODEC
from lerobot_streamrec.dataset.format.info import DatasetInfo
from lerobot_streamrec.errors import (
    DatasetMismatchError,
    DiskFullError,
    EpisodeError,
    EpisodeStateError,
    StreamrecError,
    StreamsNotReadyError,
)
from lerobot_streamrec.frame import depth_unit
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.disk_watch import DiskWatch
from lerobot_streamrec.recording.encoder_selection import EncoderChoices
from lerobot_streamrec.recording.episode.camera_take import encoder_for, picture_info
from lerobot_streamrec.recording.episode.take import Take
from lerobot_streamrec.recording.saving.committer import Committer
from lerobot_streamrec.recording.saving.last_result import Outcomes
from lerobot_streamrec.recording.status import StreamStatus
from lerobot_streamrec.recording.streams.clock_offsets import OffClock
from lerobot_streamrec.recording.streams.stream import Stream
from lerobot_streamrec.recording.streams.streams import Streams
from lerobot_streamrec.recording.unasked_end import DatasetWork
from lerobot_streamrec.sync.row_clock import NS_PER_MS, NS_PER_S
from lerobot_streamrec.video.codecs.config import EncoderConfig
from lerobot_streamrec.video.encode.frame_queue import QueueStatistics
from lerobot_streamrec.video.trials.software_probe import check_picture_size


def stream_problem(
    stream: Stream,
    now_ns: int,
    newest_of_all_ns: int | None,
    off: OffClock | None,
    *,
    is_idle: bool = False,
) -> str:
    """
    Say why an episode cannot start with a stream as it is now.

    :param stream: one of the streams
    :param now_ns: steady clock
    :param newest_of_all_ns: newest stamp of all streams
    :param off: error of its clock; None: none is known
    :param is_idle: True if rows show another stream instead at present, so that only a missing
        sample matters
    :return: the reason, worded to follow the stream's name; empty if there is none
    """
    age_s, newest_ns = stream.age_s(now_ns), stream.newest_ns
    why = ''
    if stream.last_rejection:
        why = f'; its messages cannot be recorded: {stream.last_rejection}'
    elif stream.last_ignored:
        why = f'; messages arrive that contain none of its elements: {stream.last_ignored}'
    if age_s is None or newest_ns is None:
        return f'is missing{why or ": no message has arrived yet"}'
    if is_idle:
        return ''
    max_age_s = stream.config.max_age_s
    if max_age_s and age_s > max_age_s:
        return (
            f'is stale: its last sample arrived {age_s:.1f} s ago (max_age_s is {max_age_s:g}; '
            'set its max_age_s parameter to 0 if it is published on change, or higher if it is '
            f'published less often){why}'
        )
    if rivals := stream.rivals(now_ns):
        return (
            f'has several publishers ({rivals}) that send the same data in turn: rows would mix '
            'them; stop all but one, or give each a topic of its own'
        )
    if off is not None and off.is_unfit:
        return f'{off.text}{why}'
    # With a known lag, ``off`` has judged the clock already; an old sample alone proves nothing.
    if stream.lags.steady_ns() is not None:
        return ''
    behind_s = (newest_of_all_ns - newest_ns) / NS_PER_S if newest_of_all_ns is not None else 0.0
    if max_age_s and behind_s - age_s > max_age_s:
        return (
            f'has stamps {behind_s:.1f} s behind the newest stream (max_age_s is {max_age_s:g}): '
            'its clock differs from those of the others, or its messages are delayed; fix the '
            f'clock, or set its stamp parameter to receive{why}'
        )
    return ''


def stream_statuses(streams: Streams, take: Take | None, now_ns: int) -> tuple[StreamStatus, ...]:
    """
    Return the status of every stream.

    :param streams: all streams
    :param take: the running take; None: no episode is being recorded
    :param now_ns: steady clock
    """
    off = streams.off_clocks()
    statuses = []
    for stream in streams.all:
        its_clock = off.get(stream.config.key)
        idle = streams.is_idle(stream)
        problem = stream_problem(stream, now_ns, streams.newest_ns, its_clock, is_idle=idle)
        clock = its_clock.text if its_clock is not None and not its_clock.is_unfit else ''
        statuses.append(_status(stream, take, now_ns, problem=problem, clock=clock))
    return tuple(statuses)


def _status(
    stream: Stream, take: Take | None, now_ns: int, *, problem: str, clock: str
) -> StreamStatus:
    key = stream.config.key
    rows = take.rows[key] if take else None
    camera = take.cameras.get(key) if take else None
    num_repeated = rows.repeated + rows.overloaded if rows else 0
    return StreamStatus(
        key=key,
        kind=stream.config.kind,
        topic=stream.config.topic,
        rate_hz=stream.rate_hz,
        nominal_hz=stream.nominal_hz,
        age_s=stream.age_s(now_ns),
        counts=take.counts(stream) if take else stream.counts(),
        repeated=num_repeated + (camera.account.num_undecodable if camera else 0),
        repeated_by_rate=rows.repeated_by_rate if rows else 0,
        stale=rows.stale if rows else 0,
        max_skew_ms=rows.max_skew_ns / NS_PER_MS if rows else 0.0,
        queue=camera.thread.statistics() if camera else QueueStatistics(),
        problem=problem or ('' if take else stream.picture_problem),
        clock=clock,
        trouble=camera.account.undecodable or camera.account.trouble if camera else '',
    )


@dataclass(frozen=True, slots=True)
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
    """

    config: RecorderConfig
    streams: Streams
    encoders: EncoderChoices
    disk: DiskWatch
    committer: Committer
    dataset_work: DatasetWork
    outcomes: Outcomes

    def check(self, task: str, *, may_be_stale: bool = False) -> Mapping[str, EncoderConfig]:
        """
        Refuse to start an episode that could not be recorded.

        :param task: task of the episode
        :param may_be_stale: True if another recorder has started it with the same samples, so that
            no stream has to be fresh now
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
        for refusal in self._refusals(task):
            raise refusal
        self.check_streams(may_be_stale=may_be_stale)
        return self._fit_encoders()

    def check_streams(self, *, may_be_stale: bool = False) -> None:
        """
        Refuse to resume a paused episode that could not be recorded.

        :param may_be_stale: as for ``check``
        :raise StreamsNotReadyError: if a stream is missing or stale, or no recent picture of a
            camera decodes
        """
        for stream in self.streams.all:
            stream.look_at_pictures()
        now_ns = self.streams.clock_ns()
        _refuse_unready_streams(self.streams, now_ns, may_be_stale=may_be_stale)

    def problems(self, task: str) -> list[str]:
        """
        Return every reason for which ``check`` would refuse now; empty if it would not.

        Each stream that is not ready is a reason of its own. This decodes no pictures; it uses
        the result of the last ones that were decoded.
        """
        reasons = [str(one) for one in self._refusals(task)]
        try:
            _refuse_unready_streams(self.streams, self.streams.clock_ns())
            self._fit_encoders()
        except StreamsNotReadyError as error:
            reasons += error.problems
        except StreamrecError as error:
            reasons.append(str(error))
        return reasons

    def _refusals(self, task: str) -> Iterator[StreamrecError]:
        """Yield the reasons that have nothing to do with the streams, as errors."""
        num_pending, limit = self.outcomes.num_saving, self.config.max_pending_episodes
        if num_pending >= limit:
            yield EpisodeStateError(
                f'{num_pending} episodes are still being written (max_pending_episodes is '
                f'{limit}): wait until one of them is saved'
            )
        if not task:
            yield EpisodeError(
                'there is no task: set the parameter task, publish it on the task topic, or give '
                'the command start <task>'
            )
        if self.dataset_work.is_finalizing:
            yield EpisodeStateError(
                f'the dataset is being finalized ({self.committer.activity or "saving"}): wait '
                'until that is done'
            )
        if problem := self.disk.status.problem:
            yield DiskFullError(problem)

    def _fit_encoders(self) -> Mapping[str, EncoderConfig]:
        streams = self.streams.all
        encoders = self.encoders.settled(streams)
        refuse_picture_sizes(streams, encoders, self.config.root, self.committer.info_to_come)
        return encoders


def _refuse_unready_streams(
    streams: Streams, now_ns: int, *, may_be_stale: bool = False
) -> None:
    """
    Refuse to start while a stream has no fresh sample, or no recent picture of a camera decodes.

    :raise StreamsNotReadyError: naming each such stream and the reason
    """
    off, newest_ns = streams.off_clocks(), streams.newest_ns
    _refuse_if(
        streams.all,
        lambda one: stream_problem(
            one,
            now_ns,
            newest_ns,
            off.get(one.config.key),
            is_idle=may_be_stale or streams.is_idle(one),
        ),
    )
    _refuse_if(streams.all, lambda one: one.picture_problem)


def _refuse_if(streams: Iterable[Stream], problem_of: Callable[[Stream], str]) -> None:
    problems = [
        f'{one.config.key} ({one.config.topic}) {problem}'
        for one in streams
        if (problem := problem_of(one))
    ]
    if problems:
        raise StreamsNotReadyError(problems)


def refuse_picture_sizes(
    streams: Iterable[Stream], encoders: Mapping[str, EncoderConfig], root: Path, info: DatasetInfo
) -> None:
    """
    Refuse to start with pictures that do not fit the codec or the dataset.

    :param streams: all streams; each camera has a picture that decodes
    :param encoders: encoder settings by camera
    :param root: the dataset's folder
    :param info: info.json as committed, with the cameras of saved episodes that wait to be encoded
    :raise StreamsNotReadyError: if a colour camera sends depth, or a depth camera sends colours
    :raise CodecError: if the codec cannot encode the size of a camera's pictures
    :raise DatasetMismatchError: if a camera's size or codec differs from the dataset's
    """
    wanted = {}
    for stream in streams:
        if stream.config.is_camera:
            picture = stream.whole_picture
            key, height, width = stream.config.key, picture.height, picture.width
            if bool(depth_unit(picture)) != (stream.config.depth is not None):
                kinds = ('colours', 'depth') if stream.config.depth else ('depth', 'colour')
                raise StreamsNotReadyError(['{} sends {} but is a {} camera'.format(key, *kinds)])
            encoder = encoder_for(encoders[key], picture)
            check_picture_size(key, encoder, height=height, width=width)
            traits = {**picture_info(stream.config, picture), VIDEO_CODEC: encoder.codec}
            wanted[key] = camera_feature(height, width, traits)
    present = {key: info.features[key] for key in wanted if info.features[key].shape}
    found = differences({key: wanted[key] for key in present}, present)
    if found:
        raise DatasetMismatchError(root, found)
