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
"""The recorder's status: frozen snapshots."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from lerobot_streamrec.recording.disk_watch import DiskStatus
from lerobot_streamrec.recording.head_room import HeadRoom
from lerobot_streamrec.recording.streams.stream import StreamCounts
from lerobot_streamrec.video.encode.frame_queue import QueueStatistics


class RecorderState(Enum):
    """The state of the recorder."""

    IDLE = 'idle'
    RECORDING = 'recording'
    PAUSED = 'paused'
    CLOSED = 'closed'


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """
    The status of one stream.

    :param key: the stream's key
    :param kind: ``camera``, ``depth`` or ``vector``
    :param topic: its topic
    :param rate_hz: messages per second according to their stamps
    :param nominal_hz: highest rate that lasted since the recorder began; 0: not known yet
    :param age_s: time since the last sample arrived, seconds; None: none has arrived
    :param counts: message counts of the running take; without one, since the recorder began
    :param repeated: frames of the running take that repeat the previous one although a new
        picture was due
    :param repeated_by_rate: frames of the running take that repeat the previous one because the
        camera is slower than the rows
    :param stale: rows of the running take with a sample that is too old
    :param max_skew_ms: largest distance of a sample of the running take from its row, milliseconds
    :param queue: frames that wait for the encoder
    :param problem: reason why no episode can start; empty if there is none
    :param clock: error of its clock that does not keep an episode from starting; empty: none
    :param trouble: trouble with pictures or the encoder in the running take; empty: none
    """

    key: str
    kind: str
    topic: str
    rate_hz: float
    nominal_hz: float
    age_s: float | None
    counts: StreamCounts
    repeated: int
    repeated_by_rate: int
    stale: int
    max_skew_ms: float
    queue: QueueStatistics
    problem: str
    clock: str
    trouble: str


@dataclass(frozen=True, slots=True)
class RecorderStatus:
    """
    The status of the recorder.

    :param state: the recorder's state
    :param episode_index: index of the running or the next episode
    :param num_saved: episodes in the dataset
    :param num_pending: episodes that are being saved
    :param num_deferred: saved episodes that join the dataset once their videos are encoded
    :param num_rows: rows of the running episode
    :param seconds: length of the running episode
    :param task: task of the running or the next episode
    :param failure: reason why the running episode cannot be saved; empty if it can
    :param last_result: sentence on the last operation that finished or failed
    :param root: the dataset's folder
    :param disk: free space on the disk
    :param exposure: reason why a crash now would lose more than the last second; empty if it
        would not
    :param clocks: sentences on the clock steps in the running episode
    :param activity: long work that is being done on the dataset; empty: none
    :param encoders: encoders that were chosen, with the reasons; empty: none was chosen yet
    :param head_room: head-room of the encoders; None: no episode is being recorded, or it has just
        begun
    :param streams: status of every stream
    :param robot: sentences on what of the robot has changed since the last saved episode
    """

    state: RecorderState
    episode_index: int
    num_saved: int
    num_pending: int
    num_deferred: int
    num_rows: int
    seconds: float
    task: str
    subtask: str
    is_human: bool | None
    failure: str
    last_result: str
    root: str
    disk: DiskStatus
    exposure: str
    clocks: tuple[str, ...]
    activity: str
    encoders: str
    head_room: HeadRoom | None
    streams: tuple[StreamStatus, ...]
    robot: tuple[str, ...]
