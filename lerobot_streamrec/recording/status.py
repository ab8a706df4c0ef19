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
"""Frozen snapshots of what the recorder is doing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from lerobot_streamrec.recording.disk_watch import DiskStatus
from lerobot_streamrec.recording.streams.stream import StreamCounts
from lerobot_streamrec.video.encode.frame_queue import QueueStatistics


class RecorderState(Enum):
    """What the recorder is doing."""

    IDLE = 'idle'
    RECORDING = 'recording'
    PAUSED = 'paused'
    CLOSED = 'closed'


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """
    One stream now.

    :param key: feature
    :param topic: where it comes from
    :param rate_hz: messages per second by their stamps
    :param age_s: since the last message arrived; None without any
    :param counts: counts of the running take, otherwise since the beginning
    :param repeated: frames of the running take that repeat the one before, though one was due
    :param repeated_by_rate: frames that repeat the one before because the camera is that slow
    :param stale: rows of the running take that show too old a sample
    :param max_skew_ms: how far a sample of the running take is from its row at most
    :param queue: frames that wait for the encoder
    :param problem: reason why no episode can start; empty if there is none
    :param clock: how its clock is off, if an episode can start nevertheless; empty: it is not
    :param trouble: failed encoder of the running take and its replacement; empty: none failed
    """

    key: str
    topic: str
    rate_hz: float
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
    The recorder now.

    :param state: present state
    :param episode_index: number of the running or the next episode
    :param num_saved: episodes in the dataset
    :param num_pending: episodes on their way to the disk
    :param num_deferred: episodes that are saved, and in the dataset when their videos are encoded
    :param num_rows: rows of the running episode
    :param seconds: length of the running episode
    :param task: task of the running or the next episode
    :param failure: why the running episode cannot be saved; empty if it can
    :param last_result: the last thing that was finished or failed, in a sentence
    :param root: where the dataset is
    :param disk: how much longer it lasts
    :param exposure: why a crash now would take more than the last second; empty if it would not
    :param clocks: sentences on steps of clocks in the running episode
    :param activity: long work on the dataset that is going on; empty: none
    :param streams: all of them
    """

    state: RecorderState
    episode_index: int
    num_saved: int
    num_pending: int
    num_deferred: int
    num_rows: int
    seconds: float
    task: str
    failure: str
    last_result: str
    root: str
    disk: DiskStatus
    exposure: str
    clocks: tuple[str, ...]
    activity: str
    streams: tuple[StreamStatus, ...]
