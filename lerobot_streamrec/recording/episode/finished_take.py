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
"""A take that has all its rows, from which the committer makes an episode."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from lerobot_streamrec.dataset.format.take_record import Cut, Subtask
from lerobot_streamrec.recording.episode.camera_take import CameraTake
from lerobot_streamrec.recording.episode.journal_thread import JournalThread
from lerobot_streamrec.recording.episode.row_counters import RowAccount
from lerobot_streamrec.recording.stream_config import StreamConfig
from lerobot_streamrec.recording.streams.clock_offsets import ClockAccount
from lerobot_streamrec.recording.streams.stream import StreamCounts
from lerobot_streamrec.video.encode.mp4_encoder import EncodedVideo
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class FinishedTake:
    """
    A take that gets no more rows; its encoders may still be at work.

    :param task: the robot's task
    :param fps: rows per second
    :param start_ns: instant of row 0
    :param num_rows: number of rows
    :param vectors: ``(num_rows, d)`` arrays by feature, in the dtype of the column; empty without
        rows
    :param cameras: the cameras' parts of the take, by video key
    :param videos: results of the encoders, by video key
    :param streams: settings of all streams
    :param rows: record of the rows, by stream
    :param counts: message counts of this take, by stream
    :param counted_s: time over which messages were counted, seconds by their stamps
    :param folder: the take's folder in staging, with the videos and the journal
    :param journal: thread that writes the rows; it may still be at work
    :param take_id: id of the take, which no other take has
    :param metadata: operator, notes, verdict, and the texts of the parameters ``metadata``
    :param recorded_at: the time at which it began, ISO 8601 in UTC
    :param clocks: account of the clock steps
    :param cuts: the pauses
    :param subtasks: the subtasks that the operator marked
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
    recorded_at: str
    clocks: ClockAccount
    cuts: tuple[Cut, ...] = ()
    subtasks: tuple[Subtask, ...] = ()

    @property
    def seconds(self) -> float:
        """The length of the take."""
        return self.num_rows / self.fps

    def num_repeated(self, key: str) -> int:
        """
        Count a camera's frames that repeat the previous one although a new picture was due.

        The camera's encoder must have finished.
        """
        rows = self.rows[key]
        return rows.repeated + rows.overloaded + self.num_undecodable(key)

    def num_undecodable(self, key: str) -> int:
        """Count a stream's undecodable pictures; its encoder must have finished."""
        return self.videos[key].result().num_undecodable if key in self.videos else 0

    def encoder_trouble(self, key: str) -> str:
        """Describe a stream's encoder failure; empty without one. The encoder must have ended."""
        return self.videos[key].result().trouble if key in self.videos else ''
