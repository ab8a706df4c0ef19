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
"""The summary that answers `save`, and the limits that can refuse an episode."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import asdict, dataclass
import time
from typing import TYPE_CHECKING

from lerobot_streamrec.dataset.format.data_rows import ROW
from lerobot_streamrec.dataset.format.episode_table import RECORDED_AT
from lerobot_streamrec.dataset.format.info import DatasetInfo
from lerobot_streamrec.dataset.format.state import SavedEpisode
from lerobot_streamrec.dataset.format.take_record import utc_text
from lerobot_streamrec.errors import count_text
from lerobot_streamrec.recording.config import Limits, MIB
from lerobot_streamrec.recording.episode.finished_take import FinishedTake
from lerobot_streamrec.recording.episode.row_counters import RowAccount
from lerobot_streamrec.recording.streams.stream import StreamCounts
from lerobot_streamrec.sync.row_clock import NS_PER_MS, NS_PER_S
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from lerobot_streamrec.dataset.rebuild.plan import Change


def veto_of(take: FinishedTake, limits: Limits) -> str:
    """
    Return a sentence on the limits that a take exceeds.

    :param take: a take whose encoders have finished
    :param limits: the user's limits
    :return: the sentence; empty if the take is good enough
    """
    found = []
    for key in take.cameras:
        fraction = take.num_repeated(key) / take.num_rows
        if fraction > limits.max_repeated_fraction:
            found.append(
                f'{key} repeats {take.num_repeated(key)} of {take.num_rows} frames '
                f'(limits.max_repeated_fraction is {limits.max_repeated_fraction:g})'
            )
    for key in (stream.key for stream in take.streams if stream.max_age_ns):
        skew_ms = take.rows[key].max_skew_ns / NS_PER_MS
        if limits.max_skew_ms and skew_ms > limits.max_skew_ms:
            found.append(
                f'{key} shows a sample {skew_ms:.1f} ms away from its row (limits.max_skew_ms is '
                f'{limits.max_skew_ms:g})'
            )
    return f'the episode is not good enough: {"; ".join(found)}' if found else ''


@dataclass(frozen=True, slots=True)
class EpisodeSummary:
    """
    The summary of a durable episode.

    :param episode: the saved episode
    :param num_repeated: frames of all cameras that repeat the previous one although a new picture
        was due; repeats that a camera's own rate explains are not counted, but remarked on
    :param seconds: length of the episode
    :param skew: largest distance between a sample and its row, as a text
    :param remarks: remarks for the operator
    :param num_deferred: saved episodes that wait to be encoded, including this one; 0: this
        episode is in the dataset
    :param lossy: keys of the streams that lost messages in transport
    """

    episode: SavedEpisode
    num_repeated: int
    seconds: float
    skew: str
    remarks: tuple[str, ...]
    num_deferred: int = 0
    lossy: tuple[str, ...] = ()

    def __str__(self) -> str:
        episode = self.episode
        later = ' to be encoded' if self.num_deferred else ''
        sentence = (
            f'episode {episode.episode_index}: {episode.num_rows} rows, {self.seconds:.1f} s, '
            f'{count_text(episode.num_videos, "video")}{later}, '
            f'{episode.size_bytes / MIB:.1f} MB, '
            f'{count_text(self.num_repeated, "repeated frame")}, {self.skew}'
        )
        waiting = (
            [f'{count_text(self.num_deferred, "saved episode")} not encoded yet']
            if self.num_deferred
            else []
        )
        return '; '.join((sentence, *waiting, *self.remarks))


@dataclass(frozen=True, slots=True)
class Rotation:
    """
    An episode that ended, and the next one, which began at the same moment.

    :param saving: result of saving the first episode
    :param ended: description of the first episode
    :param index: index that the second episode will have
    """

    saving: Future[EpisodeSummary]
    ended: str
    index: int


@dataclass(frozen=True, slots=True)
class Finalized:
    """
    The result of finalizing.

    :param info: content of the dataset
    :param change: result of merging files; None: it was not asked for, or it failed
    :param remark: remark for the operator on the merging; empty: none
    """

    info: DatasetInfo
    change: Change | None = None
    remark: str = ''

    def __str__(self) -> str:
        info, change = self.info, self.change
        sentence = (
            f'{count_text(info.total_episodes, "episode")}, '
            f'{count_text(info.total_frames, "row")}, '
            f'{count_text(info.total_tasks, "task")}'
        )
        if change is not None and change.before.num_files != change.after.num_files:
            sentence += (
                f'; {change.before.num_files} files became {change.after.num_files} '
                f'in {change.seconds:.1f} s'
            )
        return f'{sentence}; {self.remark}' if self.remark else sentence


def summarize(take: FinishedTake, episode: SavedEpisode, num_deferred: int = 0) -> EpisodeSummary:
    """
    Return the summary of a take that was saved.

    :param take: the take
    :param episode: the episode that it became
    :param num_deferred: saved episodes that wait to be encoded, including this one; 0: this
        episode is in the dataset
    """
    remarks = [
        f'{one.seconds:.1f} s before row {one.row} are left out, since the episode was paused'
        for one in take.cuts
    ]
    remarks += take.clocks.sentences(take.start_ns)
    remarks += [f'{key} {one.text}' for key, one in take.clocks.off.items()]
    remarks += [remark for key in take.rows for remark in _remarks(take, key)]
    return EpisodeSummary(
        episode=episode,
        num_repeated=sum(take.num_repeated(key) for key in take.cameras),
        seconds=take.seconds,
        skew=_worst_skew(take),
        remarks=tuple(remarks),
        num_deferred=num_deferred,
        lossy=tuple(key for key, counts in take.counts.items() if counts.lost_in_transport),
    )


def _remarks(take: FinishedTake, key: str) -> list[str]:
    counts = take.counts[key]
    num_undecodable = take.num_undecodable(key)
    trouble = take.encoder_trouble(key)
    found = [f'{key}: {trouble}'] if trouble else []
    if num_undecodable:
        found.append(
            f'{key}: {count_text(num_undecodable, "frame")} repeated because the pictures that '
            'the camera sent could not be decoded'
        )
    found += _row_remarks(take, key)
    if counts.lost_in_transport:
        found.append(f'{key}: {count_text(counts.lost_in_transport, "message")} lost in transport')
    ours = counts.missing - counts.lost_in_transport
    if key in take.cameras and ours > 0:
        found.append(f'{key}: {count_text(ours, "picture")} missing, judged by the stamps')
    if counts.late:
        rows_of = 'its row' if counts.late == 1 else 'their rows'
        late = f'{key}: {count_text(counts.late, "message")} came too late for {rows_of}'
        ahead = [other for other in take.clocks.ahead if other != key]
        found.append(f'{late}, which {" and ".join(ahead)} closed early' if ahead else late)
    if counts.contested:
        found.append(
            f'{key}: {count_text(counts.contested, "message")} came while several publishers sent '
            'the same data in turn, so its rows mix them'
        )
    if counts.rejected:
        found.append(f'{key}: {rejections(counts)}')
    return found


def _row_remarks(take: FinishedTake, key: str) -> list[str]:
    """Return remarks on rows that do not show what a steady stream would have given them."""
    rows, found = take.rows[key], []
    if rows.repeated_by_rate:
        found.append(
            f'{key} sends {rows.own_rate_hz:.1f} pictures per second and fps is {take.fps}: '
            f'{count_text(rows.repeated_by_rate, "row")} of {take.num_rows} had no new picture to '
            'show'
        )
    if rows.missing_in_windows:
        found.append(
            f'{key}: {count_text(rows.missing_in_windows, "sample")} of windows repeat the first '
            'one, since none came before'
        )
    if rows.stale:
        found.append(
            f'{key} was stale in {count_text(rows.stale, "row")} '
            f'(oldest sample {rows.max_age_ns / NS_PER_S:.2f} s)'
        )
    if rows.overloaded:
        found.append(
            f'{key}: {count_text(rows.overloaded, "frame")} repeated because its encoder '
            'was too slow (choose a faster encoder.preset or smaller pictures)'
        )
    return found


def rejections(counts: StreamCounts) -> str:
    """Return a sentence on the number of rejected messages and the reason for the last one."""
    num_rejected = count_text(counts.rejected, 'message')
    return f'{num_rejected} rejected, the last because {counts.rejection}'


def record_of(take: FinishedTake) -> dict[str, object]:
    """Return the recorder's own record of a take as JSON; its encoders must have finished."""
    return {
        'fps': take.fps,
        'start_stamp_ns': take.start_ns,
        'task': take.task,
        'take_id': take.take_id,
        'metadata': {name: text for name, text in take.metadata.items() if text},
        'clock_steps': take.clocks.as_record(),
        'cuts': [asdict(one) for one in take.cuts],
        'subtasks': [asdict(one) for one in take.subtasks],
        RECORDED_AT: take.recorded_at,
        'saved_at': utc_text(time.time_ns()),
        'streams': {
            stream.key: {
                'topic': stream.topic,
                'policy': stream.policy.value,
                'offset_ms': stream.offset_ms,
                'feature': stream.feature,
                'is_stamped_here': stream.is_stamped_here,
                'when_intervening': stream.is_for_human,
                'type': stream.message_type,
                'selectors': list(stream.selectors),
                'names': list(stream.names),
                'is_clock': take.rows[stream.key].is_clock,
                **_rows(take.rows[stream.key]),
                'rows_undecodable': take.num_undecodable(stream.key),
                'encoder_trouble': take.encoder_trouble(stream.key),
                **_messages(take.counts[stream.key], take.counted_s),
            }
            for stream in take.streams
        },
    }


def row_stamps(take: FinishedTake) -> dict[str, npt.NDArray[np.int64]]:
    """Return the instants of a take's rows and the stamps of their samples, by column."""
    first = next(iter(take.rows.values()))
    return {ROW: first.instants_ns, **{key: rows.stamps_ns for key, rows in take.rows.items()}}


def _rows(rows: RowAccount) -> dict[str, object]:
    return {
        'rows_repeated': rows.repeated,
        'rows_repeated_by_rate': rows.repeated_by_rate,
        'rows_overloaded': rows.overloaded,
        'rows_stale': rows.stale,
        'missing_in_windows': rows.missing_in_windows,
        'max_age_ns': rows.max_age_ns,
        'skew_ms': {
            name.removesuffix('_ms'): round(value, 3)
            for name, value in asdict(rows.skew()).items()
        },
    }


def _messages(counts: StreamCounts, counted_s: float) -> dict[str, object]:
    per_s = counts.received / counted_s if counted_s else 0.0
    return {**asdict(counts), 'messages_per_s': round(per_s, 2)}


def _worst_skew(take: FinishedTake) -> str:
    # A stream without max_age_s holds each sample until the next one: its age is not a skew.
    keys = [stream.key for stream in take.streams if stream.max_age_ns]
    if not keys:
        return 'skew not measured (max_age_s is 0 for every stream)'
    key = max(keys, key=lambda one: take.rows[one].max_skew_ns)
    return f'skew at most {take.rows[key].max_skew_ns / NS_PER_MS:.0f} ms ({key})'
