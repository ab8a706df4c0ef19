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
"""The recorded episodes, read from the dataset's files: which there are and what they are like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from fractions import Fraction
from itertools import count, islice
import os
from pathlib import Path
from typing import Any

from lerobot_streamrec.console.state import stream_name
from lerobot_streamrec.dataset.commit.undo import UNDONE
from lerobot_streamrec.dataset.format.episode_index import committed_episodes, EpisodeIndex
from lerobot_streamrec.dataset.format.episode_table import EpisodeRow
from lerobot_streamrec.dataset.format.info import DatasetInfo, read_info
from lerobot_streamrec.dataset.format.info_rules import read_small_file
from lerobot_streamrec.dataset.format.layout import (
    INFO,
    QUARANTINE,
    record_path,
    VIDEO_PATH,
)
from lerobot_streamrec.dataset.format.take_record import REASON
from lerobot_streamrec.errors import DatasetError
from lerobot_streamrec.report.episode_facts import episode_facts, EpisodeFacts
from lerobot_streamrec.report.summary import length_bins, SECONDS_PER_HOUR

MAX_LIMIT = 200
"""So many episodes at most are described at once."""

_NUM_TASKS = 20
_NUM_QUARANTINED = 50
_MAX_REASON_BYTES = 4096
_MAX_BINS = 12
_NARROWEST_S = 0.1
# A dataset that is changed while it is read is read again.
_NUM_TRIES = 3
# By the begin of the name in the quarantine folder.
_REASONS = {
    UNDONE: 'taken out of the dataset by undo; finalize deletes it',
    'unsaved': 'could not be saved',
    'interrupted': 'was interrupted, and could not become an episode',
    'uncommitted': 'was left by an interrupted save',
    'unencodable': 'has no row for which every camera has a picture',
}


@dataclass(frozen=True, slots=True)
class Reading:
    """
    The metadata of all episodes of a dataset, as they were at one time.

    :param stamp: what changes whenever the dataset does
    :param root: folder of the dataset
    :param info: the dataset's info.json
    :param episodes: the episodes in order
    :param tasks: the last tasks, the newest first
    :param histogram: edges of bins in seconds, and the number of episodes in each
    """

    stamp: tuple[int, ...]
    root: Path
    info: DatasetInfo
    episodes: tuple[EpisodeRow, ...]
    tasks: tuple[str, ...]
    histogram: Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class FramePlace:
    """
    The place of one frame of an episode.

    :param path: MP4 file
    :param at_s: instant of the frame in the file, seconds
    :param tolerance_s: largest distance of the frame from the instant, seconds
    """

    path: Path
    at_s: float
    tolerance_s: float


class EpisodeList:
    """
    Reads datasets, and keeps what it has read until their files change. Owned by one thread.

    Nothing is ever written, and no lock is taken, so a recorder may work on the dataset.
    """

    def __init__(self) -> None:
        self._reading: Reading | None = None
        self._index: EpisodeIndex | None = None
        self._facts: dict[int, tuple[object, EpisodeFacts]] = {}
        self._today: tuple[tuple[Any, ...], dict[str, float]] | None = None

    def read(self, root: Path) -> Reading:
        """
        Return the episodes of a dataset.

        :param root: folder of the dataset
        :raise DatasetError: if it cannot be read
        :raise OSError: if it has gone while it was read
        """
        for number in count(1):
            stamp = _dataset_stamp(root)
            if self._reading and (self._reading.root, self._reading.stamp) == (root, stamp):
                return self._reading
            try:
                return self._read(root, stamp)
            except (DatasetError, OSError):
                # An undo or a compaction may have moved files in the meantime.
                if number == _NUM_TRIES or _dataset_stamp(root) == stamp:
                    raise
        raise AssertionError('unreachable')

    def _read(self, root: Path, stamp: tuple[int, ...]) -> Reading:
        info = read_info(root)
        old = self._reading
        if self._index is None or old is None or _kind(old) != (root, info.features):
            self._index, self._facts = EpisodeIndex(root, info), {}
        episodes = committed_episodes(root, info, self._index.rows(info))
        tasks = dict.fromkeys(task for one in reversed(episodes) for task in one.tasks)
        self._reading = Reading(
            stamp,
            root,
            info,
            episodes,
            tuple(islice(tasks, _NUM_TASKS)),
            histogram_of([one.length / info.fps for one in episodes]),
        )
        return self._reading

    def page(
        self, root: Path, num_saved: int | None, before: int | None, limit: int, today: date
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        """
        Return a part of the list of episodes, the newest episodes first, and the last tasks.

        :param root: folder of the dataset
        :param num_saved: number of episodes that the recorder has saved there; None: unknown
        :param before: index of the episode after the first one of the part; None: from the end
        :param limit: largest number of episodes
        :param today: the present day, in local time
        :return: a JSON object, and the tasks, the newest first
        :raise DatasetError, OSError: as ``read``
        """
        kept_aside = list(islice(quarantined(root), _NUM_QUARANTINED))
        try:
            reading = self.read(root)
        except (DatasetError, OSError) as error:
            if (root / INFO).is_file():
                raise
            if num_saved:
                raise DatasetError(
                    f'{root} is not on this machine: run the console on the machine of the '
                    'recorder to see the episodes'
                ) from error
            # The first save makes the file, and an undo of the only episode removes it.
            return {**nothing(), 'quarantined': kept_aside}, ()
        episodes, fps = reading.episodes, reading.info.fps
        end = len(episodes) if before is None else max(0, min(before, len(episodes)))
        part = episodes[max(0, end - limit) : end]
        content = {
            **nothing(),
            'total': len(episodes),
            'today': self._of_day(today, reading),
            'all': _sum(episodes, fps),
            'histogram': reading.histogram,
            'episodes': [self._described(one, reading) for one in reversed(part)],
            'quarantined': kept_aside,
        }
        return content, reading.tasks

    def place(self, root: Path, index: int, camera: str, position: float) -> FramePlace:
        """
        Find a frame of an episode.

        :param root: folder of the dataset
        :param index: index of the episode
        :param camera: name of the camera
        :param position: 0 for the first frame to 1 for the last one
        :raise LookupError: if there is no such episode or camera
        :raise DatasetError, OSError: as ``read``
        """
        reading = self.read(root)
        keys = {stream_name(key): key for key in reading.info.video_keys}
        if not 0 <= index < len(reading.episodes) or camera not in keys:
            raise LookupError(f'the dataset has no episode {index} with a camera {camera}')
        episode, fps = reading.episodes[index], reading.info.fps
        video = episode.videos[keys[camera]]
        frame = round(min(max(position, 0.0), 1.0) * (episode.length - 1))
        at_s = float(Fraction(video.from_timestamp) + Fraction(frame, fps))
        path = root / video.file.path(VIDEO_PATH, keys[camera])
        return FramePlace(path, at_s, 0.5 / fps)

    def _described(self, episode: EpisodeRow, reading: Reading) -> dict[str, Any]:
        facts = self._facts_of(episode, reading)
        at = facts.saved
        return {
            'episode_index': episode.episode_index,
            'length': episode.length,
            'seconds': round(facts.seconds, 3),
            'tasks': episode.tasks,
            'verdict': facts.verdict,
            'note': facts.note,
            'operator': facts.operator,
            'recorded_at': None if at is None else _utc(at),
            'cameras': [stream_name(key) for key in reading.info.video_keys],
            'repeated_frames': facts.num_repeated,
        }

    def _of_day(self, day: date, reading: Reading) -> dict[str, float]:
        key = (reading.root, reading.stamp, day)
        if self._today is None or self._today[0] != key:
            self._today = key, _sum([*self._recorded_on(day, reading)], reading.info.fps)
        return self._today[1]

    def _recorded_on(self, day: date, reading: Reading) -> Iterator[EpisodeRow]:
        """Yield the episodes of a day from the newest one on; those of other days end them."""
        for one in reversed(reading.episodes):
            at = self._facts_of(one, reading).saved
            if at is None or at.astimezone().date() != day:
                return
            yield one

    def _facts_of(self, episode: EpisodeRow, reading: Reading) -> EpisodeFacts:
        index = episode.episode_index
        try:
            noted = _stamp(reading.root / record_path(index))
        except OSError:
            noted = ()
        stamp = noted, episode.length, episode.texts
        if (kept := self._facts.get(index)) is None or kept[0] != stamp:
            kept = stamp, episode_facts(reading.root, reading.info.fps, episode)
            self._facts[index] = kept
        return kept[1]


def nothing() -> dict[str, Any]:
    """Return the list of a dataset without episodes, as a JSON object."""
    return {
        'available': True,
        'reason': '',
        'total': 0,
        'today': {'episodes': 0, 'hours': 0.0},
        'all': {'episodes': 0, 'hours': 0.0},
        'histogram': histogram_of([]),
        'episodes': [],
        'quarantined': [],
    }


def histogram_of(lengths_s: Sequence[float]) -> dict[str, Sequence[float]]:
    """Return ``edges_s`` and ``counts`` of a histogram of durations, as ``length_bins`` does."""
    edges_s, counts = length_bins(lengths_s, _MAX_BINS, _NARROWEST_S)
    return {'edges_s': edges_s, 'counts': counts}


def quarantined(root: Path) -> Iterator[dict[str, str]]:
    """Yield what the quarantine folder of a dataset holds, the newest first."""
    try:
        with os.scandir(root / QUARANTINE) as entries:
            found = sorted(((one.stat().st_ctime, one.name) for one in entries), reverse=True)
    except OSError:
        return
    for moved_s, name in found:
        begin = next((one for one in _REASONS if name.startswith(one)), '')
        at = _utc(datetime.fromtimestamp(moved_s, timezone.utc))
        reason = _written_reason(root / QUARANTINE / name) or _REASONS.get(begin, '')
        yield {'name': name, 'reason': reason, 'at': at}


def _written_reason(folder: Path) -> str:
    """Return what the recorder has written about a take that it could not save."""
    try:
        return read_small_file(folder / REASON, _MAX_REASON_BYTES).decode('utf-8', 'replace')
    except (OSError, ValueError):
        return ''


def _sum(episodes: Sequence[EpisodeRow], fps: int) -> dict[str, float]:
    hours = sum(one.length for one in episodes) / fps / SECONDS_PER_HOUR
    return {'episodes': len(episodes), 'hours': round(hours, 4)}


def _kind(reading: Reading) -> tuple[Path, object]:
    return reading.root, reading.info.features


def _utc(at: datetime) -> str:
    return at.astimezone(timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')


def _dataset_stamp(root: Path) -> tuple[int, ...]:
    """Return what changes with each episode, and with each text about one."""
    return _stamp(root, root / INFO, *sorted((root / 'meta' / 'episodes').glob('*')))


def _stamp(*paths: Path) -> tuple[int, ...]:
    """Return what changes whenever a file or folder is replaced or written."""
    found = [path.stat() for path in paths]
    return tuple(n for one in found for n in (one.st_ino, one.st_mtime_ns, one.st_size))
