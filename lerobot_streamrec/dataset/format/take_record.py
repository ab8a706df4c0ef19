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
"""The record of a take, its cuts, and the takes that a crash left in the staging folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
import json
import logging
import os
from pathlib import Path
import re
from typing import Any
import uuid

from lerobot_streamrec.dataset.format.episode_table import CommittedFiles
from lerobot_streamrec.dataset.format.features import (
    check_feature_key,
    FeatureSpec,
    vector_feature,
)
from lerobot_streamrec.dataset.format.files import Files
from lerobot_streamrec.dataset.format.info_rules import json_bytes, read_small_file
from lerobot_streamrec.dataset.format.layout import FileIndex, record_path, STAGING
from lerobot_streamrec.errors import DatasetCorruptError
import numpy as np

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Cut:
    """
    A pause in an episode, in the time of the streams.

    :param row: the first row after the pause
    :param from_ns: the instant of the last row before the pause
    :param to_ns: the instant of the first row after the pause
    """

    row: int
    from_ns: int
    to_ns: int

    @property
    def seconds(self) -> float:
        """The time between the two rows, in seconds."""
        return (self.to_ns - self.from_ns) / _NS_PER_S


def parse_cuts(raw: Iterable[Mapping[str, Any]]) -> tuple[Cut, ...]:
    """
    Parse cuts from their JSON form.

    :param raw: one object with the fields of ``Cut`` for each cut
    :raise KeyError, TypeError, ValueError, AttributeError: if an object is not a cut
    """
    return tuple(Cut(*(int(one[key]) for key in ('row', 'from_ns', 'to_ns'))) for one in raw)


def cuts_within(cuts: Iterable[Cut], num_rows: int, first_row: int = 0) -> tuple[Cut, ...]:
    """
    Return the cuts within a range of an episode's rows, renumbered from the first of these rows.

    A pause before the first row or after the last one is not a cut in the range.

    :param cuts: all cuts of the episode
    :param num_rows: the number of rows in the range
    :param first_row: the first row of the range
    """
    moved = [replace(one, row=one.row - first_row) for one in cuts]
    return tuple(one for one in moved if 0 < one.row < num_rows)


def instant_ns(start_ns: int, fps: int, cuts: Iterable[Cut], row: int) -> int:
    """
    Return the instant of a row, in nanoseconds in the time of the streams.

    :param start_ns: the instant of row 0
    :param fps: rows per second
    :param cuts: all cuts of the episode, in order
    :param row: the row
    """
    begins = [(0, start_ns), *((one.row, one.to_ns) for one in cuts if one.row <= row)]
    first_row, first_ns = begins[-1]
    return first_ns + (row - first_row) * _NS_PER_S // fps


@dataclass(frozen=True, slots=True)
class Subtask:
    """
    A part of the task that the robot begins within an episode.

    :param row: the first row of it
    :param text: what the robot does, in a few words
    """

    row: int
    text: str


def parse_subtasks(raw: Iterable[Mapping[str, Any]]) -> tuple[Subtask, ...]:
    """
    Parse subtasks from their JSON form.

    :param raw: one object with the fields of ``Subtask`` for each subtask
    :raise KeyError, TypeError, ValueError, AttributeError: if an object is not a subtask
    """
    return tuple(Subtask(int(one['row']), str(one['text'])) for one in raw)


def subtasks_within(
    subtasks: Iterable[Subtask], num_rows: int, first_row: int = 0
) -> tuple[Subtask, ...]:
    """
    Return the subtasks of a range of rows, renumbered from the first of these rows.

    :param subtasks: all subtasks of the episode, in order
    :param num_rows: the number of rows in the range
    :param first_row: the first row of the range, which a subtask may have begun before
    """
    by_row = {max(0, one.row - first_row): one.text for one in subtasks}
    return tuple(Subtask(row, text) for row, text in by_row.items() if row < num_rows)


RECORD = 'take.json'
DISCARDED = 'discarded.json'
"""The name of take.json after the operator has discarded the take."""
ROWS = 'rows.arrows'
REASON = 'reason.txt'
"""The name of the file that says why a take in the quarantine folder could not be saved."""


SPOOL_SUFFIX = '.spool'
"""The suffix of the file in which a camera's pictures wait for its encoder."""
REST_SUFFIX = '.rest'
"""The suffix of the file that holds the pictures since the encoder has failed for good."""


def video_name(video_key: str) -> str:
    """Return the name of a camera's video in the take's folder."""
    return f'{video_key}.mp4'


@dataclass(frozen=True, slots=True)
class TakenCamera:
    """
    A camera's part of a take.

    :param height: the height of every frame, in pixels
    :param width: the width of every frame, in pixels
    :param encoder_info: the settings of its encoder, as LeRobot stores them
    :param encoder: all encoder settings (``config_record``), with which waiting pictures are
        encoded later; None if unknown
    """

    height: int
    width: int
    encoder_info: Mapping[str, object]
    encoder: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class TakenVector:
    """
    A vector's part of a take.

    :param names: the names of its elements
    :param dtype: numpy's name for the type of its column
    :param window: number of samples in each row
    """

    names: tuple[str, ...]
    dtype: str = 'float32'
    window: int = 1

    @property
    def width(self) -> int:
        """The number of values in each row."""
        return self.window * len(self.names)

    @property
    def feature(self) -> FeatureSpec:
        """The feature of its column."""
        return vector_feature(self.names, self.dtype, self.window)


def utc_text(time_ns: int) -> str:
    """Return nanoseconds since 1970 as ISO 8601 in UTC."""
    return datetime.fromtimestamp(time_ns / _NS_PER_S, timezone.utc).isoformat(
        timespec='milliseconds'
    )


def new_take_id() -> str:
    """Return an id that no other take has."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class TakeRecord:
    """
    The record of a take, written when the take begins and again when it resumes after a pause.

    :param task: the robot's task
    :param fps: rows per second
    :param start_stamp_ns: the instant of row 0, in the time of the streams
    :param cameras: the cameras, per video key
    :param vectors: the vectors, per key
    :param metadata: the metadata that were known before the take began
    :param take_id: an id that no other take has
    :param robot_type: the dataset's robot type, since this take may become its first episode
    :param features: the keys of all features, in the order of the settings
    :param cuts: the pauses so far
    :param subtasks: the subtasks so far
    :param recorded_at: the time at which the take began, ISO 8601 in UTC; empty if unknown
    """

    task: str
    fps: int
    start_stamp_ns: int
    cameras: Mapping[str, TakenCamera]
    vectors: Mapping[str, TakenVector]
    metadata: Mapping[str, str] = field(default_factory=dict)
    take_id: str = field(default_factory=new_take_id)
    robot_type: str | None = None
    features: tuple[str, ...] = ()
    cuts: tuple[Cut, ...] = ()
    subtasks: tuple[Subtask, ...] = ()
    recorded_at: str = ''

    def as_bytes(self) -> bytes:
        """Return the file's content."""
        return json_bytes(asdict(self), indent=2)


def parse_take_record(content: bytes, where: object) -> TakeRecord:
    """
    Parse take.json.

    :param content: the bytes of the file
    :param where: the path of the file, for messages
    :raise DatasetCorruptError: if the content is not a complete record
    """
    try:
        raw = json.loads(content)
        for key in (*raw['cameras'], *raw['vectors']):
            check_feature_key(RECORD, key)
        return TakeRecord(
            task=str(raw['task']),
            fps=int(raw['fps']),
            start_stamp_ns=int(raw['start_stamp_ns']),
            cameras={key: _camera(one) for key, one in raw['cameras'].items()},
            vectors={
                key: TakenVector(
                    tuple(map(str, one['names'])),
                    np.dtype(one['dtype']).name,
                    int(one.get('window', 1)),
                )
                for key, one in raw['vectors'].items()
            },
            metadata={str(key): str(text) for key, text in raw['metadata'].items()},
            take_id=str(raw['take_id']),
            robot_type=raw.get('robot_type'),
            features=tuple(map(str, raw.get('features', ()))),
            cuts=parse_cuts(raw.get('cuts', ())),
            subtasks=parse_subtasks(raw.get('subtasks', ())),
            recorded_at=str(raw.get('recorded_at', '')),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise DatasetCorruptError(f'{where} cannot be read: {error!r}') from error


def read_take_record(folder: Path) -> TakeRecord:
    """
    Read the record of a take.

    :param folder: the take's folder
    :raise DatasetCorruptError: if the record is missing or cannot be read
    """
    path = folder / RECORD
    try:
        return parse_take_record(path.read_bytes(), path)
    except OSError as error:
        raise DatasetCorruptError(f'{path} cannot be read: {error.strerror or error}') from error


def _camera(raw: Mapping[str, Any]) -> TakenCamera:
    encoder = raw.get('encoder')
    return TakenCamera(
        int(raw['height']),
        int(raw['width']),
        dict(raw['encoder_info']),
        None if encoder is None else dict(encoder),
    )


_log = logging.getLogger(__name__)

_FILE = re.compile(r'chunk-(\d{3,})/file-(\d{3,})\.(parquet|mp4)')
# Only the takes of the last episodes can still have folders.
_RECORDS_READ = 16


def numbered_files(folder: Path) -> dict[FileIndex, Path]:
    """Return the files of one kind (data, episodes or one video key) by number."""
    found = {}
    for chunk in folder.glob('chunk-*/'):
        # The methods of Path would take a second for a few thousand files.
        with os.scandir(chunk) as entries:
            names = [one.name for one in entries]
        for name in names:
            if match := _FILE.fullmatch(f'{chunk.name}/{name}'):
                found[FileIndex(int(match[1]), int(match[2]))] = chunk / name
    return found


def saved_take_ids(files: Files, total_episodes: int) -> set[str]:
    """
    Return the ids of the takes that became the last episodes; their folders may still exist.

    :param files: the access to the disk
    :param total_episodes: the number of episodes in info.json; records of later episodes come
        from interrupted commits
    """
    last = range(max(0, total_episodes - _RECORDS_READ), total_episodes)
    records = (read_record(files.root, index) for index in last)
    return {str(one.get('take_id')) for one in records if one is not None}


def return_videos(
    files: Files, total_episodes: int, committed: Mapping[str, frozenset[FileIndex]]
) -> None:
    """
    Move the videos of an interrupted commit back to their take, so that it can be recovered.

    :param files: the access to the disk
    :param total_episodes: the number of episodes in info.json
    :param committed: per video key, the numbers of the files to which episodes refer
    :raise DatasetError: if a video cannot be moved
    """
    saved = saved_take_ids(files, total_episodes)
    for folder in sorted(files.path(STAGING).glob('*/')):
        try:
            record = parse_take_record((folder / RECORD).read_bytes(), folder)
        except (OSError, DatasetCorruptError):
            continue
        if folder.is_symlink() or record.take_id in saved:
            continue
        for key in record.cameras:
            video = folder / video_name(key)
            placed = [
                path
                for number, path in numbered_files(files.path(f'videos/{key}')).items()
                if number not in committed.get(key, frozenset())
            ]
            # Only one commit runs at a time, so more than one file has another cause.
            if len(placed) == 1 and not video.exists():
                files.adopt(placed[0], files.relative(video))


def quarantine_uncommitted(files: Files, committed: CommittedFiles) -> None:
    """Quarantine the files of an interrupted commit, so that readers do not see them."""
    for folder, numbers in (
        ('meta/episodes', committed.meta),
        ('data', committed.data),
        *((f'videos/{key}', numbers) for key, numbers in committed.videos.items()),
    ):
        present = numbered_files(files.path(folder))
        quarantine_all(files, (present[number] for number in sorted(present.keys() - numbers)))


def quarantine_all(files: Files, paths: Iterable[Path]) -> None:
    """Quarantine files or folders that belong to no saved episode."""
    for path in paths:
        moved = files.quarantine(path, 'uncommitted')
        _log.warning('%s belongs to no saved episode; moved to %s', path, moved)


def read_record(root: Path, episode_index: int) -> dict[str, Any] | None:
    """Read the recorder's own record of an episode; None if it is missing or unreadable."""
    try:
        content = json.loads(read_small_file(root / record_path(episode_index)))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
