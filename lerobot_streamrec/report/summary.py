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
"""The figures of a dataset as a whole, and the facts that are known about each episode."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import count
import math
import os
from pathlib import Path
from typing import Any

from lerobot_streamrec.dataset.about.robot_files import episodes_by_file, slot_of
from lerobot_streamrec.dataset.about.robot_files import FOLDER as ROBOT
from lerobot_streamrec.dataset.format.catalog import Catalog
from lerobot_streamrec.dataset.format.data_rows import image_keys, vector_keys
from lerobot_streamrec.dataset.format.episode_table import (
    EpisodeRow,
    NOTES,
    OPERATOR,
    RECORDED_AT,
    ROBOT_FILES,
    VERDICT,
    VERDICTS,
)
from lerobot_streamrec.dataset.format.features import IMAGES, VIDEO_CODEC
from lerobot_streamrec.dataset.format.info import DatasetInfo
from lerobot_streamrec.dataset.format.take_record import read_record
from lerobot_streamrec.video.codecs.depth_config import is_depth

SECONDS_PER_HOUR = 3600.0
_SECONDS_PER_MINUTE = 60.0
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class CameraFacts:
    """
    One camera of a dataset.

    :param key: its feature
    :param codec: name of the codec, such as ``h264``, or ``images`` for pictures in the data
        files; empty if info.json does not state it
    :param height: in pixels
    :param width: in pixels
    :param is_depth: True for a depth camera
    :param size_bytes: size of its videos; 0 if it has none
    """

    key: str
    codec: str
    height: int
    width: int
    is_depth: bool
    size_bytes: int


@dataclass(frozen=True, slots=True)
class VectorFacts:
    """
    One feature that holds numbers.

    :param key: its feature
    :param dtype: numpy's name for the type
    :param names: one name per element
    """

    key: str
    dtype: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RobotFileFacts:
    """
    One file about the robot, such as a calibration.

    :param path: its path below the root
    :param about: what it is about, such as ``camera front: calibration``
    :param episodes: indices of the episodes during which it held, such as ``0-12, 14``
    """

    path: str
    about: str
    episodes: str


@dataclass(frozen=True, slots=True)
class Summary:
    """
    A dataset as a whole.

    :param root: the dataset's folder
    :param robot_type: any text; empty if info.json does not state it
    :param fps: rows per second
    :param num_episodes: number of episodes
    :param num_rows: number of rows of all episodes
    :param size_bytes: size of all files below the root
    :param cameras: the cameras, in the order of info.json
    :param vectors: the features with numbers, in the order of info.json
    :param tasks: number of episodes per task, the most frequent task first
    :param robot_files: files about the robot that episodes name
    """

    root: Path
    robot_type: str
    fps: int
    num_episodes: int
    num_rows: int
    size_bytes: int
    cameras: tuple[CameraFacts, ...]
    vectors: tuple[VectorFacts, ...]
    tasks: Mapping[str, int]
    robot_files: tuple[RobotFileFacts, ...]

    @property
    def hours(self) -> float:
        """The duration of all episodes, in hours."""
        return self.num_rows / self.fps / SECONDS_PER_HOUR

    def as_json(self) -> dict[str, Any]:
        """Return all figures for JSON."""
        return {**asdict(self), 'root': str(self.root), 'hours': round(self.hours, 4)}


def summarize(catalog: Catalog) -> Summary:
    """Return the figures of a dataset; this reads the sizes of its files."""
    info = catalog.info
    tasks = Counter(task for one in catalog.episodes for task in one.tasks)
    return Summary(
        root=catalog.root,
        robot_type=str(info.robot_type or ''),
        fps=info.fps,
        num_episodes=len(catalog.episodes),
        num_rows=info.total_frames,
        size_bytes=_size_of(catalog.root),
        cameras=tuple(_camera(catalog, key) for key in picture_keys(info)),
        vectors=tuple(
            VectorFacts(key, info.features[key].dtype, element_names(catalog, key))
            for key in vector_keys(info)
        ),
        tasks=dict(tasks.most_common()),
        robot_files=_robot_files(catalog),
    )


def _robot_files(catalog: Catalog) -> tuple[RobotFileFacts, ...]:
    texts = ((one.episode_index, one.texts.get(ROBOT_FILES, '')) for one in catalog.episodes)
    found = sorted(episodes_by_file(texts).items(), key=lambda one: slot_of(one[0]))
    return tuple(
        RobotFileFacts(str(ROBOT / name), str(slot_of(name)), ranges_text(indices))
        for name, indices in found
    )


def ranges_text(indices: Sequence[int]) -> str:
    """Return ascending indices as a text, such as ``0-12, 14``."""
    ranges: list[list[int]] = []
    for index in indices:
        if ranges and index == ranges[-1][-1] + 1:
            ranges[-1][1:] = [index]
        else:
            ranges.append([index])
    return ', '.join('-'.join(map(str, one)) for one in ranges)


def picture_keys(info: DatasetInfo) -> tuple[str, ...]:
    """Return all cameras, those with videos first."""
    return (*info.video_keys, *image_keys(info))


def element_names(catalog: Catalog, key: str) -> tuple[str, ...]:
    """Return one name per element of a vector; elements without names are numbered from 0."""
    spec = catalog.info.features[key]
    size = 1
    for side in spec.shape or ():
        size *= side
    if spec.names is not None and (spec.is_window or len(spec.names) == size):
        return tuple(map(str, spec.names))
    return tuple(map(str, range(size)))


def short_name(key: str) -> str:
    """Return the name of a camera or another stream without LeRobot's prefix."""
    return key.removeprefix(IMAGES).removeprefix('observation.')


def length_bins(
    lengths_s: Sequence[float], most: int, narrowest_s: float
) -> tuple[list[float], list[int]]:
    """
    Count durations in bins of equal and round width.

    :param lengths_s: durations in seconds
    :param most: largest number of bins
    :param narrowest_s: least width of a bin, in seconds
    :return: the edges in seconds, and the number of durations in each bin, which is one less
    """
    if not lengths_s:
        return [], []

    def place_of(length_s: float, width_s: float) -> int:
        # A bin holds the duration with which it begins, although a division may round it down.
        return math.floor(length_s / width_s + _ROUNDING)

    low, high = min(lengths_s), max(lengths_s)
    width = next(
        one
        for one in _round_numbers(narrowest_s)
        if place_of(high, one) - place_of(low, one) < most
    )
    counts = Counter(place_of(one, width) for one in lengths_s)
    places = range(min(counts), max(counts) + 1)
    edges = [round(place * width, 6) for place in (*places, places.stop)]
    return edges, [counts[place] for place in places]


def _round_numbers(least: float) -> Iterator[float]:
    """Yield 1, 2, 5, 10, 20 and so on, with any power of ten, from a number on."""
    for power in count(math.floor(math.log10(least))):
        for digit in (1, 2, 5):
            if (number := round(digit * 10.0**power, 6)) >= least * (1 - _ROUNDING):
                yield number


def seconds_text(seconds: float) -> str:
    """Return a duration in seconds, minutes or hours, whichever suits it."""
    if seconds < 2 * _SECONDS_PER_MINUTE:
        return f'{seconds:.1f} s'
    if seconds < 2 * SECONDS_PER_HOUR:
        return f'{seconds / _SECONDS_PER_MINUTE:.1f} min'
    return f'{seconds / SECONDS_PER_HOUR:.1f} h'


def size_text(size_bytes: int) -> str:
    """Return a size in B, kB, MB or GB with three digits."""
    size = float(size_bytes)
    for unit in ('B', 'kB', 'MB'):
        if size < 1000:
            return f'{size:.3g} {unit}'
        size /= 1000
    return f'{size:.3g} GB'


def _camera(catalog: Catalog, key: str) -> CameraFacts:
    spec = catalog.info.features[key]
    height, width = (spec.picture_shape or (0, 0))[:2]
    size = _size_of(catalog.root / 'videos' / key)
    codec = str(spec.info.get(VIDEO_CODEC) or '') if spec.is_video else 'images'
    return CameraFacts(key, codec, height, width, is_depth(spec.info), size)


def _size_of(folder: Path) -> int:
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            # A recorder that appends to the dataset may have moved the file.
            with suppress(OSError):
                size += Path(parent, name).lstat().st_size
    return size


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """
    What the recorder noted about one stream of an episode; None where it noted nothing.

    :param key: feature or camera
    :param topic: topic of its messages
    :param rate_hz: messages per second
    :param p95_skew_ms: 95th percentile of the distance between samples and their rows
    :param max_skew_ms: largest distance
    :param repeated: rows that show the picture of the row before although a new one was due
    :param stale: rows whose sample was too old
    :param missing: messages that are missing by their stamps
    :param late: messages that came too late for their rows
    """

    key: str
    topic: str
    rate_hz: float | None
    p95_skew_ms: float | None
    max_skew_ms: float | None
    repeated: float | None
    stale: float | None
    missing: float | None
    late: float | None


@dataclass(frozen=True, slots=True)
class EpisodeFacts:
    """
    What is known about an episode before its rows and videos are read.

    :param row: its row in meta/episodes
    :param seconds: its duration
    :param verdict: ``success``, ``failure`` or empty
    :param note: free text of the operator
    :param operator: who recorded it
    :param saved_at: ISO 8601 in UTC; empty if unknown
    :param streams: the streams, as far as the recorder noted them
    """

    row: EpisodeRow
    seconds: float
    verdict: str = ''
    note: str = ''
    operator: str = ''
    saved_at: str = ''
    streams: tuple[StreamFacts, ...] = ()

    @property
    def saved(self) -> datetime | None:
        """The time at which it was saved; None if it is not known."""
        try:
            return datetime.fromisoformat(self.saved_at)
        except ValueError:
            return None

    @property
    def num_repeated(self) -> int | None:
        """The number of repeated frames of all streams; None if it is not known."""
        known = [int(one.repeated) for one in self.streams if one.repeated is not None]
        return sum(known) if known else None

    @property
    def index(self) -> int:
        """The number of the episode."""
        return self.row.episode_index


def episode_facts(root: Path, fps: int, row: EpisodeRow) -> EpisodeFacts:
    """
    Read the recorder's record of an episode; other recorders leave none.

    :param root: the dataset's folder
    :param fps: rows per second
    :param row: the episode's row in meta/episodes
    """
    record = read_record(root, row.episode_index) or {}
    if record.get('length', row.length) != row.length:
        # The record of an episode that was undone says nothing about the one after it.
        record = {}
    # The columns of meta/episodes have the last word; older datasets have only the record.
    texts = {**_mapping(record.get('metadata')), **row.texts}
    streams = _mapping(record.get('streams'))
    verdict = _text(texts.get(VERDICT))
    return EpisodeFacts(
        row=row,
        seconds=row.length / fps,
        verdict=verdict if verdict in VERDICTS else '',
        note=_text(texts.get(NOTES)),
        operator=_text(texts.get(OPERATOR)),
        saved_at=_text(record.get('saved_at')) or _text(texts.get(RECORDED_AT)),
        streams=tuple(_stream(str(key), _mapping(one)) for key, one in streams.items()),
    )


def _stream(key: str, noted: Mapping[str, Any]) -> StreamFacts:
    skew = _mapping(noted.get('skew_ms'))
    return StreamFacts(
        key=key,
        topic=_text(noted.get('topic')),
        rate_hz=_number(noted.get('messages_per_s')),
        p95_skew_ms=_number(skew.get('p95')),
        max_skew_ms=_number(skew.get('max')),
        repeated=_number(noted.get('rows_repeated')),
        stale=_number(noted.get('rows_stale')),
        missing=_number(noted.get('missing')),
        late=_number(noted.get('late')),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ''


def _number(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None  # type: ignore[arg-type]
