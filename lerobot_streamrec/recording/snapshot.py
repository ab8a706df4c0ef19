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
"""The recorder's status, put together from the state of its parts."""

from __future__ import annotations

from pathlib import Path

from lerobot_streamrec.recording.disk_watch import DiskStatus
from lerobot_streamrec.recording.episode.take import Take
from lerobot_streamrec.recording.saving.committer import Committer
from lerobot_streamrec.recording.saving.last_result import Outcomes
from lerobot_streamrec.recording.status import RecorderState, RecorderStatus, StreamStatus


def state_of(take: Take | None) -> RecorderState:
    """
    Return the state of a recorder that is not closed.

    :param take: the running take; None: no episode is being recorded
    """
    if take is None:
        return RecorderState.IDLE
    return RecorderState.PAUSED if take.is_paused else RecorderState.RECORDING


def recorder_status(
    state: RecorderState,
    take: Take | None,
    *,
    task: str,
    root: Path,
    committer: Committer,
    outcomes: Outcomes,
    disk: DiskStatus,
    streams: tuple[StreamStatus, ...],
) -> RecorderStatus:
    """
    Return the recorder's status.

    :param state: state of the recorder
    :param take: the running take; None: no episode is being recorded
    :param task: task of the next episode
    :param root: the dataset's folder
    :param committer: knows the saved episodes
    :param outcomes: knows the running saves and the last result
    :param disk: free space on the disk
    :param streams: status of every stream
    """
    return RecorderStatus(
        state=state,
        episode_index=committer.next_index,
        num_saved=committer.num_saved,
        num_pending=outcomes.num_saving,
        num_deferred=committer.num_deferred,
        num_rows=take.num_rows if take else 0,
        seconds=take.seconds if take else 0.0,
        task=take.task if take else task,
        failure=(take.failure or '') if take else '',
        last_result=outcomes.last,
        root=str(root),
        disk=disk,
        exposure=take.exposure if take else '',
        clocks=take.clock_sentences if take else (),
        activity=committer.activity,
        streams=streams,
    )
