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
"""
The recorder's status as diagnostic messages, with texts for people and a level for programs.

The names make diagnostic tools show one tree for each recorder. Foxglove groups statuses by
hardware id. rqt_robot_monitor makes a branch of each part of a name between slashes, and drops
branches that are not statuses themselves. The diagnostic aggregator selects by the beginning of a
name, and replaces its slashes by blanks. The slashes in the node's name therefore become dots, as
in the name of its logger, and the streams are children of the recorder::

    left.episode: recorder
    left.episode: recorder/observation.images.front
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
import socket

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from lerobot_streamrec.recording.config import MIB
from lerobot_streamrec.recording.operating.status import OperatingStatus, Phase
from lerobot_streamrec.recording.saving.summary import rejections
from lerobot_streamrec.recording.status import RecorderState, RecorderStatus, StreamStatus


@dataclass(frozen=True, slots=True)
class Sender:
    """
    The recorder to which statuses belong, with names that differ from those on other robots.

    :param name: full name of the node
    :param hardware_id: host name of the robot's computer, and the recorder on it; it does not
        begin with a slash, because Foxglove cuts that off when it pins a status
    :param values: values to add to the status of the whole recorder
    """

    name: str
    hardware_id: str
    values: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, full_name: str, values: Mapping[str, str]) -> Sender:
        """
        Return the sender for a node on this computer.

        :param full_name: full name of the node
        :param values: values to add to the status of the whole recorder
        """
        return cls(full_name, f'{socket.gethostname()}{full_name}', values)

    @property
    def status_name(self) -> str:
        """The name of the status of the whole recorder, which begins the names of its streams."""
        return f'{self.name.strip("/").replace("/", ".")}: recorder'


def recorder_message(
    status: RecorderStatus,
    sender: Sender,
    operating: OperatingStatus,
    remarks: Sequence[str] = (),
    topics: Sequence[str] = (),
) -> DiagnosticStatus:
    """
    Return the status message of the whole recorder.

    :param status: snapshot of the recorder
    :param sender: sender of the message
    :param operating: snapshot of the episode machine
    :param remarks: further sentences that the operator should know at once
    :param topics: full names of the topics that a bag beside the recorder should have
    """
    left_s = operating.phase_seconds_left
    problems = _problems(status, operating, remarks)
    if status.failure:
        problems.insert(0, status.failure)
    values: dict[str, object] = {
        'state': status.state.value,
        'phase': operating.phase.value,
        'blockers': '; '.join(operating.blockers),
        'blocker_list': _lines(operating.blockers),
        'problem_list': _lines(problems),
        'phase_seconds_left': '' if left_s is None else f'{left_s:.1f}',
        'automatic': operating.automatic,
        'episode_index': status.episode_index,
        'rows': status.num_rows,
        'seconds': f'{status.seconds:.1f}',
        'task': status.task,
        'subtask': status.subtask,
        'takeover': operating.takeover,
        'saved_episodes': status.num_saved,
        'pending_episodes': status.num_pending,
        'unencoded_episodes': status.num_deferred,
        'repeated_frames': sum(stream.repeated for stream in status.streams),
        'last_result': operating.last_result or status.last_result,
        'last_command': operating.last_command,
        'last_source': operating.last_source,
        'root': status.root,
        'topics': _lines(topics),
        'encoders': status.encoders,
        'head_room': f'{status.head_room.factor:.1f}' if status.head_room else '',
        'disk_free_mib': _mib(status.disk.free_bytes),
        'disk_minutes_left': _minutes(status.disk.seconds_left),
        **sender.values,
    }
    if status.failure:
        level, message = DiagnosticStatus.ERROR, status.failure
    elif problems:
        level, message = DiagnosticStatus.WARN, '; '.join(problems)
    else:
        level, message = DiagnosticStatus.OK, status.activity or _headline(status, operating)
    return _message(sender.status_name, sender, level, message, values)


def _problems(
    status: RecorderStatus, operating: OperatingStatus, remarks: Sequence[str]
) -> list[str]:
    """Return everything that the operator should know at once, apart from a failed episode."""
    disk = status.disk.problem or status.disk.warning
    problems = [text for text in (operating.obstacle, disk, *remarks) if text]
    if status.exposure:
        problems.append(f'a crash now would lose the running episode: {status.exposure}')
    problems += [f'{one.key} ({one.topic}) {one.problem}' for one in status.streams if one.problem]
    problems += [f'{one.key} ({one.topic}) {one.clock}' for one in status.streams if one.clock]
    problems += (*status.clocks, *status.robot)
    if status.head_room is not None and status.head_room.warning:
        problems.append(status.head_room.warning)
    problems += [text for one in status.streams if (text := _backlog(one))]
    problems += [f'{one.key}: {one.trouble}' for one in status.streams if one.trouble]
    if status.state in (RecorderState.RECORDING, RecorderState.PAUSED):
        problems += [
            f'{one.key}: {rejections(one.counts)}' for one in status.streams if one.counts.rejected
        ]
    return problems


def _headline(status: RecorderStatus, operating: OperatingStatus) -> str:
    """Return a short text about the phase of the recorder."""
    parts = [operating.phase.value]
    if operating.phase is Phase.IDLE and operating.blockers:
        parts = [f'{operating.phase.value}: {operating.blockers[0]}']
    if operating.phase_seconds_left is not None:
        parts.append(f'{operating.phase_seconds_left:.0f} s left')
    if status.num_pending:
        parts.append(f'saving {status.num_pending}')
    return '; '.join(parts)


def stream_message(
    stream: StreamStatus, sender: Sender, preview: str = ''
) -> DiagnosticStatus:
    """
    Return the status message of one stream.

    :param stream: snapshot of the stream
    :param sender: sender of the message
    :param preview: full name of the topic of its preview; empty: none
    """
    values: dict[str, object] = {
        'topic': stream.topic,
        'kind': stream.kind,
        'preview': preview,
        'rate_hz': f'{stream.rate_hz:.1f}',
        'nominal_hz': f'{stream.nominal_hz:.1f}' if stream.nominal_hz else '',
        'age_s': 'never' if stream.age_s is None else f'{stream.age_s:.3f}',
        'received': stream.counts.received,
        'rejected': stream.counts.rejected,
        'rejection': stream.counts.rejection,
        'late': stream.counts.late,
        'missing': stream.counts.missing,
        'lost_in_transport': stream.counts.lost_in_transport,
        'repeated_frames': stream.repeated,
        'repeated_by_rate': stream.repeated_by_rate,
        'stale_rows': stream.stale,
        'max_skew_ms': f'{stream.max_skew_ms:.1f}',
        'queued_frames': stream.queue.num_queued,
        'queued_bytes': stream.queue.size_bytes,
        'spilled_frames': stream.queue.num_spilled,
        'spilled_bytes': stream.queue.spilled_bytes,
        'spill_minutes_left': _minutes(stream.queue.spill_left_s),
        'peak_queued_frames': stream.queue.peak_queued,
    }
    problem = stream.problem or stream.clock or stream.trouble
    level = DiagnosticStatus.WARN if problem else DiagnosticStatus.OK
    message = problem or f'{stream.rate_hz:.1f} Hz'
    return _message(f'{sender.status_name}/{stream.key}', sender, level, message, values)


def _backlog(stream: StreamStatus) -> str:
    """Return a warning that an encoder is behind, with the time left; empty if it keeps up."""
    queue = stream.queue
    if not queue.num_spilled or queue.spill_left_s is None:
        return ''
    return (
        f'the encoder of {stream.key} is behind: {queue.num_queued} frames queued, and the disk '
        f'space for them lasts another {_minutes(queue.spill_left_s)} min'
    )


def _lines(texts: Sequence[str]) -> str:
    """Return texts with one line for each."""
    return '\n'.join(' '.join(text.split('\n')) for text in texts)


def _mib(size_bytes: int | None) -> str:
    return 'unknown' if size_bytes is None else f'{size_bytes / MIB:.0f}'


def _minutes(seconds: float | None) -> str:
    return 'unknown' if seconds is None else f'{seconds / 60:.1f}'


def _message(
    name: str, sender: Sender, level: bytes, message: str, values: dict[str, object]
) -> DiagnosticStatus:
    return DiagnosticStatus(
        level=level,
        name=name,
        message=message,
        hardware_id=sender.hardware_id,
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )
