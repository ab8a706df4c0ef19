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
"""The running recording of an episode: it closes rows one by one, for all streams at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
import logging
from pathlib import Path
from typing import Any

from lerobot_streamrec.dataset.format.features import INTERVENTION
from lerobot_streamrec.dataset.format.take_record import (
    Cut,
    cuts_within,
    new_take_id,
    Subtask,
    TakenVector,
    TakeRecord,
    utc_text,
)
from lerobot_streamrec.dataset.takes.journal import Journal
from lerobot_streamrec.errors import EpisodeStateError
from lerobot_streamrec.recording.config import RecorderConfig
from lerobot_streamrec.recording.episode.camera_take import open_camera
from lerobot_streamrec.recording.episode.finished_take import FinishedTake
from lerobot_streamrec.recording.episode.journal_thread import JournalThread
from lerobot_streamrec.recording.episode.row_counters import RowAccount
from lerobot_streamrec.recording.streams.clock_offsets import ClockAccount
from lerobot_streamrec.recording.streams.column_values import Column
from lerobot_streamrec.recording.streams.sampling import joined, Marks, Shown
from lerobot_streamrec.recording.streams.stream import Stream, StreamCounts
from lerobot_streamrec.sync.row_clock import NS_PER_S, RowClock
from lerobot_streamrec.video.codecs.config import EncoderConfig
import numpy as np

_log = logging.getLogger(__name__)


class Take:
    """
    Closes row k once every live stream has passed its instant. Owned by the recorder's thread.

    Closing a row appends one value to every vector and pushes one frame to every encoder. This
    happens in a single place, so frame k of every video belongs to row k.

    :param config: settings
    :param streams: all streams; each has a sample at or before row 0
    :param clock: clock that gives the instants of the rows
    :param encoders: encoder settings by camera
    :param task: the robot's task
    :param folder: folder in staging for the videos and the journal
    :param metadata: metadata that are known at the start
    :param clocks: account of the clock steps
    :param last_row_ns: instant after which there are no rows before a pause; None: not known
    :param begun_ns: this computer's clock when it begins
    :param is_human: True if a human intervenes when it begins, unless a stream says who drives
    """

    def __init__(
        self,
        config: RecorderConfig,
        streams: Sequence[Stream],
        clock: RowClock,
        *,
        encoders: Mapping[str, EncoderConfig],
        task: str,
        folder: Path,
        metadata: Mapping[str, str],
        clocks: ClockAccount,
        begun_ns: int,
        last_row_ns: int | None = None,
        is_human: bool = False,
    ) -> None:
        self._config = config
        self._streams = streams
        self._clock = self._first_clock = clock
        self._last_row_ns = last_row_ns
        self.is_paused = False
        """True while the take closes no rows until ``resume``."""
        self._cuts: dict[int, Cut] = {}
        self.intervention = Marks(is_human)
        """Whether a human intervenes, as far as commands say so."""
        self.subtask = Marks('')
        """The present subtask; empty before the first one."""
        self._subtasks: list[Subtask] = []
        self.folder = folder
        """The folder in which its files grow; any thread."""
        self.task = task
        self.metadata = dict(metadata)
        self.clocks = clocks
        self.num_rows = 0
        """The number of rows closed so far."""
        self._failure: str | None = None
        self._vectors = self._no_rows()
        self._windows = {one.config.feature: one.config.window for one in streams}
        # Rows show one topic of these features, or another while a human intervenes.
        self._switched = {one.config.feature for one in streams if one.config.is_for_human}
        self.rows = {
            (key := one.config.key): RowAccount(
                one.config.max_age_ns, one.rate_hz, 0 if key == config.clock else config.fps
            )
            for one in streams
        }
        """The record of the rows closed so far, by stream."""
        self._counted_from_ns = max(self._newest_stamps_ns())
        self._before = {stream.config.key: stream.counts() for stream in streams}
        self.cameras = {
            stream.config.key: open_camera(
                stream.config, stream.whole_picture, config, encoders[stream.config.key], folder
            )
            for stream in streams
            if stream.config.is_camera
        }
        """The cameras' parts of the take, by video key."""
        self._take_id, self._recorded_at = new_take_id(), utc_text(begun_ns)
        self._record = self._describe()
        self._journal = JournalThread(lambda: Journal(folder, self._record))

    def _no_rows(self) -> dict[str, list[Column]]:
        # The columns are kept by feature: a row concatenates the streams of the same feature.
        keys = [one.config.feature for one in self._streams if not one.config.is_camera]
        return {key: [] for key in (*keys, *([INTERVENTION] if self._config.is_hil else []))}

    def __str__(self) -> str:
        return f'{self.num_rows} rows, {self.seconds:.1f} s'

    def _describe(self) -> TakeRecord:
        features = self._config.features()
        return TakeRecord(
            task=self.task,
            fps=self._config.fps,
            start_stamp_ns=self._first_clock.start_ns,
            cameras={key: one.taken for key, one in self.cameras.items()},
            vectors={
                key: TakenVector(spec.names or (key,), spec.dtype, self._windows.get(key, 1))
                for key, spec in features.items()
                if key in self._vectors
            },
            metadata=dict(self.metadata),
            robot_type=self._config.robot_type,
            features=tuple(features),
            take_id=self._take_id,
            recorded_at=self._recorded_at,
            cuts=tuple(self._cuts.values()),
            subtasks=tuple(self._subtasks),
        )

    @property
    def seconds(self) -> float:
        """The length of the rows closed so far, in seconds; any thread."""
        return self.num_rows / self._config.fps

    @property
    def failure(self) -> str | None:
        """The first reason why this take cannot be saved; None if it can."""
        if self._failure is None:
            for camera in self.cameras.values():
                if camera.thread.error is not None:
                    self._failure = str(camera.thread.error)
                    break
        return self._failure

    @property
    def exposure(self) -> str:
        """The reason why a crash would lose more than the last second; empty if it would not."""
        return self._journal.error

    @property
    def clock_sentences(self) -> tuple[str, ...]:
        """Sentences on the clock steps so far."""
        return tuple(self.clocks.sentences(self._first_clock.start_ns))

    def fail(self, reason: str) -> None:
        """Log and keep the reason why this take cannot be saved, unless there is one already."""
        if self._failure is None:
            _log.error('the running episode cannot be saved: %s', reason)
            self._failure = reason

    @property
    def last_row_ns(self) -> int | None:
        """The instant of the last row; None without rows."""
        return self._instant_ns(self.num_rows - 1) if self.num_rows else None

    def counts(self, stream: Stream) -> StreamCounts:
        """Return the message counts of a stream since the take began."""
        return stream.counts().since(self._before[stream.config.key])

    def follow(self, key: str, value: Any) -> None:
        """Look at a new sample. A picture of another size or depth unit fails the take."""
        if self.is_paused or key not in self.cameras:
            return
        if reason := self.cameras[key].misfit(value, self.num_rows):
            self.fail(reason)

    def advance(self) -> None:
        """Close every row that all live streams have passed."""
        if self.is_paused:
            return
        if self._failure is not None:
            for stream in self._streams:
                stream.forget_past()
            return
        newest_ns = self._newest_stamps_ns()
        live_from_ns = max(newest_ns) - self._config.max_lateness_ns
        # A stream that falls behind delays rows no longer than max_lateness_s.
        self._close_rows(max(min(newest_ns), live_from_ns), live_from_ns)

    def close_last_rows(self) -> None:
        """
        Close rows up to the newest stamp of all streams, without waiting for more samples.

        Silent streams hold their last samples. Rows whose sample is still on its way from a live
        stream are left out, because they would show a sample of another instant. If the last row
        is known beforehand, rows are closed up to that one, as far as there are samples.
        """
        if self._failure is not None or self.is_paused:
            return
        end_ns = self._settled_until_ns()
        if self._last_row_ns is not None:
            end_ns = min(self._last_row_ns, max(self._newest_stamps_ns()))
        self._close_rows(end_ns, end_ns)

    def close_known_rows(self) -> bool:
        """
        Close rows up to the last one that is known beforehand, unless a sample is on its way.

        :return: False if one is
        """
        last_ns = self._last_row_ns
        if last_ns is None or self.is_paused or self._failure is not None:
            return True
        end_ns = self._settled_until_ns()
        self._close_rows(end_ns, end_ns)
        next_ns = self._clock.next_ns(end_ns)
        return (self.last_row_ns or 0) >= last_ns or (next_ns or 0) > last_ns

    def _settled_until_ns(self) -> int:
        newest_ns = max(self._newest_stamps_ns())
        patience_ns = NS_PER_S // self._config.fps
        clock = self._config.clock
        return min(
            one.settled_until_ns(newest_ns, patience_ns, is_clock=one.config.key == clock)
            for one in self._streams
        )

    def pause(self) -> None:
        """
        Close rows as ``close_last_rows`` does, and no more until ``resume``.

        :raise EpisodeStateError: if it is already paused
        """
        if self.is_paused:
            raise EpisodeStateError('the episode is already paused: resume, save or discard it')
        self.close_last_rows()
        self.is_paused = True

    def refuse_unless_paused(self) -> None:
        """Raise EpisodeStateError unless it is paused."""
        if not self.is_paused:
            raise EpisodeStateError('the episode is not paused: pause, save or discard it')

    def resume(self, clock: RowClock, last_row_ns: int | None = None) -> None:
        """
        Close rows again after a pause.

        :param clock: clock that gives the instants of the next rows
        :param last_row_ns: as for the take itself
        :raise EpisodeStateError: if a camera's pictures no longer fit its video
        """
        for stream in self._streams:
            key = stream.config.key
            camera = self.cameras.get(key)
            if camera and (reason := camera.misfit(stream.whole_picture, self.num_rows)):
                raise EpisodeStateError(f'{reason}: save or discard this one')
        self._clock, self._last_row_ns = clock, last_row_ns
        if (last_ns := self.last_row_ns) is not None:
            self._cuts[self.num_rows] = Cut(self.num_rows, last_ns, clock.start_ns)
        else:
            self._first_clock = clock
        self._record = self._describe()
        self._journal.describe(self._record)
        self.is_paused = False

    def continued_clock(self) -> RowClock:
        """Return a clock for the next take, whose row 0 follows the last closed row."""
        return self._clock.continued()

    def _instant_ns(self, row: int) -> int:
        return int(next(iter(self.rows.values())).instants_ns[row])

    def _exact_cuts(self) -> tuple[Cut, ...]:
        cuts = cuts_within(self._cuts.values(), self.num_rows)
        return tuple(replace(one, to_ns=self._instant_ns(one.row)) for one in cuts)

    def _newest_stamps_ns(self) -> list[int]:
        return [stream.newest_ns for stream in self._streams if stream.newest_ns is not None]

    def _close_rows(self, until_ns: int, given_up_ns: int) -> None:
        if self._last_row_ns is not None:
            until_ns = min(until_ns, self._last_row_ns)
        while (instant_ns := self._clock.next_ns(given_up_ns)) is not None:
            if instant_ns > until_ns:
                break
            self._close_row(instant_ns)
            self._clock.advance()
            self.num_rows += 1

    def _close_row(self, stamp_ns: int) -> None:
        shown = {one.config.key: one.shown_at(stamp_ns) for one in self._streams}
        is_human = self._is_human(stamp_ns, shown)
        parts = self._no_rows()
        for stream in self._streams:
            config, sample = stream.config, shown[stream.config.key]
            # Every stream had a sample at row 0 or before, and the held one is never forgotten.
            assert sample is not None
            is_shown = config.feature not in self._switched or config.is_for_human is is_human
            if config.is_camera:
                self.cameras[config.key].show(stream, stamp_ns, sample, self.rows[config.key])
            elif is_shown:
                parts[config.feature].append(sample.value)
            self.rows[config.key].show(stamp_ns, sample, is_shown=is_shown)
            stream.close_until(stamp_ns)
        if self._config.is_hil:
            parts[INTERVENTION] = [np.array([is_human])]
        self._note_subtask(stamp_ns)
        row = {key: joined(one, self._windows.get(key, 1)) for key, one in parts.items()}
        for key, values in row.items():
            self._vectors[key].append(values)
        self._journal.push(row)

    def _is_human(self, stamp_ns: int, shown: Mapping[str, Shown | None]) -> bool:
        """Return whether a row shows a human's intervention; a stream wins over commands."""
        said = self.intervention.at(stamp_ns)
        for stream in self._streams:
            if stream.config.is_intervention and (sample := shown[stream.config.key]):
                return bool(sample.value[0])
        return said

    def _note_subtask(self, stamp_ns: int) -> None:
        """Describe a subtask that begins with this row before the journal gets the row."""
        text = self.subtask.at(stamp_ns)
        if text != (self._subtasks[-1].text if self._subtasks else ''):
            self._subtasks.append(Subtask(self.num_rows, text))
            self._record = self._describe()
            self._journal.describe(self._record)

    def finish(self) -> FinishedTake:
        """Close no more rows and let the encoders finish. Never blocks."""
        for stream in self._streams:
            stream.reopen()
        self._journal.finish()
        return FinishedTake(
            task=self.task,
            fps=self._config.fps,
            start_ns=self._first_clock.start_ns,
            num_rows=self.num_rows,
            vectors={
                key: np.stack(values).astype(self._record.vectors[key].dtype)
                for key, values in self._vectors.items()
                if values
            },
            cameras=self.cameras,
            videos={key: camera.thread.finish() for key, camera in self.cameras.items()},
            streams=self._config.streams,
            rows=self.rows,
            counts={stream.config.key: self.counts(stream) for stream in self._streams},
            counted_s=(max(self._newest_stamps_ns()) - self._counted_from_ns) / NS_PER_S,
            folder=self.folder,
            journal=self._journal,
            take_id=self._take_id,
            metadata=self.metadata,
            recorded_at=self._recorded_at,
            clocks=self.clocks,
            cuts=self._exact_cuts(),
            subtasks=tuple(self._subtasks),
        )

    def discard(self) -> FinishedTake:
        """Abort, and make sure that not even a crash brings the take back. Never blocks."""
        self._journal.discard()
        return self.abort()

    def abort(self) -> FinishedTake:
        """Close no more rows and drop the frames that are not encoded yet. Never blocks."""
        for camera in self.cameras.values():
            camera.thread.abort()
        return self.finish()
