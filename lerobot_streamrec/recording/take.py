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
"""One episode while it is recorded: rows are closed one by one, for all streams at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
import logging
from pathlib import Path
from typing import Any

from lerobot_streamrec.dataset.takes.journal import Journal
from lerobot_streamrec.dataset.takes.take_record import TakenVector, TakeRecord
from lerobot_streamrec.depth_frame import depth_unit
from lerobot_streamrec.errors import FrameShapeError
from lerobot_streamrec.frame import Picture
from lerobot_streamrec.recording.camera_take import CameraTake, open_camera
from lerobot_streamrec.recording.clock_account import ClockAccount
from lerobot_streamrec.recording.column_values import Column
from lerobot_streamrec.recording.config import RecorderConfig, StreamConfig
from lerobot_streamrec.recording.journal_thread import JournalThread
from lerobot_streamrec.recording.row_account import RowAccount
from lerobot_streamrec.recording.sampling import Shown
from lerobot_streamrec.recording.stream import Stream, StreamCounts
from lerobot_streamrec.sync.grid import NS_PER_S
from lerobot_streamrec.sync.row_clock import RowClock
from lerobot_streamrec.video.config import EncoderConfig
from lerobot_streamrec.video.decoders import is_coded
from lerobot_streamrec.video.mp4_encoder import EncodedVideo
import numpy as np
import numpy.typing as npt

_log = logging.getLogger(__name__)

# A damaged header may tell any size; so many in a row with another one are believed.
_NUM_BELIEVED = 4


@dataclass(frozen=True, slots=True)
class FinishedTake:
    """
    A take that gets no more rows; its encoders may still be at work.

    :param task: the robot's task
    :param fps: rows per second
    :param start_ns: instant of row 0
    :param num_rows: rows
    :param vectors: per key ``(num_rows, d)`` in the dtype of its column; none without rows
    :param cameras: per video key
    :param videos: per video key, the encoders' results
    :param streams: settings of all of them
    :param rows: per stream
    :param counts: per stream, of this take alone
    :param counted_s: how long messages were counted, seconds of the streams' time
    :param folder: in staging, holds the videos and the journal
    :param journal: writes the rows down; it may still be at work
    :param take_id: unlike that of any other take
    :param metadata: its operator, notes and verdict
    :param clocks: account of the steps of clocks
    """

    task: str
    fps: int
    start_ns: int
    num_rows: int
    vectors: Mapping[str, npt.NDArray[np.generic]]
    cameras: Mapping[str, CameraTake]
    videos: Mapping[str, Future[EncodedVideo]]
    streams: tuple[StreamConfig, ...]
    rows: Mapping[str, RowAccount]
    counts: Mapping[str, StreamCounts]
    counted_s: float
    folder: Path
    journal: JournalThread
    take_id: str
    metadata: Mapping[str, str]
    clocks: ClockAccount

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.num_rows / self.fps

    def num_repeated(self, key: str) -> int:
        """
        Count a camera's frames that repeat the one before, though a new picture was due.

        Its encoder has finished.
        """
        rows = self.rows[key]
        return rows.repeated + rows.overloaded + self.num_undecodable(key)

    def num_undecodable(self, key: str) -> int:
        """Count a stream's pictures that could not be decoded; its encoder has finished."""
        return self.videos[key].result().num_undecodable if key in self.videos else 0

    def encoder_trouble(self, key: str) -> str:
        """Say which encoder of a stream failed; its encoder has finished. Empty: none did."""
        return self.videos[key].result().trouble if key in self.videos else ''


class Take:
    """
    Closes row k once every live stream has passed its instant. Owned by the executor's thread.

    Closing a row appends one value to every vector and pushes one frame to every encoder, in one
    place and nowhere else: that is why the frames of a video are its rows.

    :param config: settings
    :param streams: all of them; each has a sample at or before the grid's start
    :param clock: tells the instants of the rows
    :param encoders: encoder settings by camera
    :param task: the robot's task
    :param folder: for the videos and the journal, in staging
    :param metadata: metadata that are known before it begins
    :param clocks: account of the steps of clocks
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
    ) -> None:
        self._config = config
        self._max_lateness_ns = config.max_lateness_ns
        self._streams = streams
        self._clock = clock
        self._folder = folder
        self.task = task
        self.metadata = dict(metadata)
        self.clocks = clocks
        self._num_rows = 0
        self._failure: str | None = None
        # Per feature: the streams of one are put together in every row.
        self._vectors: dict[str, list[Column]] = {
            stream.config.feature: [] for stream in streams if not stream.config.is_camera
        }
        self._rows = {
            key: RowAccount(
                one.config.max_age_ns, one.rate_hz, 0 if key == config.clock else config.fps
            )
            for one in streams
            for key in (one.config.key,)
        }
        self._counted_from_ns = self._newest_ns
        self._before = {stream.config.key: stream.counts() for stream in streams}
        self._cameras = {
            stream.config.key: open_camera(
                stream.config, stream.whole_picture, config, encoders[stream.config.key], folder
            )
            for stream in streams
            if stream.config.is_camera
        }
        self._num_other_size = dict.fromkeys(self._cameras, 0)
        self._record = self._describe()
        self._journal = JournalThread(lambda: Journal(folder, self._record))

    def _describe(self) -> TakeRecord:
        features = self._config.features()
        return TakeRecord(
            task=self.task,
            fps=self._config.fps,
            start_stamp_ns=self._clock.start_ns,
            cameras={
                key: one.taken for key, one in self._cameras.items()
            },
            vectors={
                key: TakenVector(spec.names or (), spec.dtype)
                for key, spec in features.items()
                if not spec.is_video
            },
            metadata=dict(self.metadata),
            robot_type=self._config.robot_type,
            features=tuple(features),
        )

    @property
    def num_rows(self) -> int:
        """Rows closed so far."""
        return self._num_rows

    @property
    def seconds(self) -> float:
        """Length of the rows closed so far; any thread."""
        return self._num_rows / self._config.fps

    @property
    def folder(self) -> Path:
        """Where its files grow; any thread."""
        return self._folder

    @property
    def rows(self) -> Mapping[str, RowAccount]:
        """What the rows closed so far show, per stream."""
        return self._rows

    @property
    def cameras(self) -> Mapping[str, CameraTake]:
        """The cameras' parts."""
        return self._cameras

    @property
    def failure(self) -> str | None:
        """Why this take cannot be saved; None if it can. The first reason stays."""
        if self._failure is None:
            for camera in self._cameras.values():
                if camera.thread.error is not None:
                    self._failure = str(camera.thread.error)
                    break
        return self._failure

    @property
    def exposure(self) -> str:
        """Why a crash now would take more than the last second; empty if it would not."""
        return self._journal.error

    @property
    def clock_sentences(self) -> tuple[str, ...]:
        """Sentences on the steps of clocks so far."""
        return tuple(self.clocks.sentences(self._clock.start_ns))

    def fail(self, reason: str) -> None:
        """Say why this take cannot be saved, in the log as well; the first reason stays."""
        if self._failure is None:
            _log.error('the running episode cannot be saved: %s', reason)
            self._failure = reason

    def counts(self, stream: Stream) -> StreamCounts:
        """Return what happened to a stream's messages since the take began."""
        return stream.counts().since(self._before[stream.config.key])

    def refuse_damaged_header(self, key: str, picture: Picture) -> None:
        """
        Refuse a picture of another size, unless so many have come in a row that it is believed.

        :raise FrameShapeError: if nothing but its header, which may be damaged, says that size
        """
        taken = self._cameras[key].taken
        if (picture.height, picture.width) == (taken.height, taken.width):
            self._num_other_size[key] = 0
            return
        self._num_other_size[key] += 1
        if is_coded(picture) and self._num_other_size[key] < _NUM_BELIEVED:
            raise FrameShapeError(
                f'its header says {picture.width}x{picture.height} pixels and earlier pictures '
                f'had {taken.width}x{taken.height}: it is damaged, or the size changes'
            )

    def follow(self, key: str, value: Any) -> None:
        """Close rows after a sample; a picture of another size or unit fails the take."""
        if key in self._cameras:
            self._check_size(key, value)
        self.advance()

    def _check_size(self, key: str, picture: Picture) -> None:
        camera = self._cameras[key]
        if (picture.height, picture.width) != (camera.taken.height, camera.taken.width):
            self.fail(
                f'{key} changed from {camera.taken.width}x{camera.taken.height} to '
                f'{picture.width}x{picture.height} pixels after {self._num_rows} rows; a '
                'video has one size, so that another episode is needed'
            )
        if depth_unit(picture) != camera.depth_unit:
            self.fail(
                f'{key} changed from depth in {camera.depth_unit!r} to {depth_unit(picture)!r} '
                f'after {self._num_rows} rows; a video has one unit, so that another episode is '
                'needed'
            )

    def advance(self) -> None:
        """Close every row that all live streams have passed."""
        if self._failure is not None:
            self._forget()
            return
        newest_ns = self._newest_stamps_ns()
        live_from_ns = max(newest_ns) - self._max_lateness_ns
        # A stream that stays behind holds rows up for so long and no longer.
        self._close_rows(max(min(newest_ns), live_from_ns), live_from_ns)

    def close_last_rows(self) -> None:
        """
        Close rows up to the newest stamp of all streams: no more samples are waited for.

        Silent streams hold their last samples. A row whose sample is still on its way from a live
        stream is left out, since it would show a sample of another instant.
        """
        if self._failure is not None:
            return
        newest_ns = max(self._newest_stamps_ns())
        patience_ns = NS_PER_S // self._config.fps
        end_ns = min(one.settled_until_ns(newest_ns, patience_ns) for one in self._streams)
        self._close_rows(end_ns, end_ns)

    def _newest_stamps_ns(self) -> list[int]:
        return [stream.newest_ns for stream in self._streams if stream.newest_ns is not None]

    def _close_rows(self, until_ns: int, given_up_ns: int) -> None:
        while (instant_ns := self._clock.next_ns(given_up_ns)) is not None:
            if instant_ns > until_ns:
                break
            self._close_row(instant_ns)
            self._clock.advance()
            self._num_rows += 1

    def _forget(self) -> None:
        for stream in self._streams:
            stream.forget_past()

    def _close_row(self, stamp_ns: int) -> None:
        parts: dict[str, list[Column]] = {key: [] for key in self._vectors}
        for stream in self._streams:
            key = stream.config.key
            shown = stream.shown_at(stamp_ns)
            # Every stream had a sample before row 0, and the held one is never forgotten.
            assert shown is not None
            if key in self._cameras:
                self._push_picture(stream, stamp_ns, shown)
            else:
                parts[stream.config.feature].append(shown.value)
            self._rows[key].show(stamp_ns, shown)
            stream.close_until(stamp_ns)
        row = {key: np.concatenate(values) for key, values in parts.items()}
        for key, values in row.items():
            self._vectors[key].append(values)
        self._journal.push(row)

    @property
    def _newest_ns(self) -> int:
        """Newest stamp of all streams, each of which has a sample."""
        return max(self._newest_stamps_ns())

    def _push_picture(self, stream: Stream, stamp_ns: int, shown: Shown) -> None:
        key = stream.config.key
        thread, rows = self._cameras[key].thread, self._rows[key]
        if shown.stamp_ns == rows.last_stamp_ns:
            rows.repeat(stamp_ns, shown, stream.rate_hz)
            thread.push_repeat()
        elif not thread.push(shown.value):
            rows.overloaded += 1

    def finish(self) -> FinishedTake:
        """Close no more rows; the encoders go on to their ends. Never blocks."""
        for stream in self._streams:
            stream.reopen()
        self._journal.finish()
        return FinishedTake(
            task=self.task,
            fps=self._config.fps,
            start_ns=self._clock.start_ns,
            num_rows=self._num_rows,
            vectors={
                key: np.stack(values).astype(self._record.vectors[key].dtype)
                for key, values in self._vectors.items()
                if values
            },
            cameras=self._cameras,
            videos={key: camera.thread.finish() for key, camera in self._cameras.items()},
            streams=self._config.streams,
            rows=self._rows,
            counts={stream.config.key: self.counts(stream) for stream in self._streams},
            counted_s=(self._newest_ns - self._counted_from_ns) / NS_PER_S,
            folder=self._folder,
            journal=self._journal,
            take_id=self._record.take_id,
            metadata=self.metadata,
            clocks=self.clocks,
        )

    def discard(self) -> FinishedTake:
        """Abort, and see to it that not even a crash brings the take back. Never blocks."""
        self._journal.discard()
        return self.abort()

    def abort(self) -> FinishedTake:
        """Close no more rows and leave what is not encoded yet. Never blocks."""
        for camera in self._cameras.values():
            camera.thread.abort()
        return self.finish()
