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
    ROBOT_FILES,
)
from lerobot_streamrec.dataset.format.features import IMAGES, VIDEO_CODEC
from lerobot_streamrec.dataset.format.info import DatasetInfo
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
    if size == 1:
        return (short_name(key),)
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
