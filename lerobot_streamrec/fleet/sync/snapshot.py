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
"""One consistent state of a dataset that a recorder may be changing, read without its lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
import hashlib
import os
from pathlib import Path
import stat
from typing import BinaryIO, NamedTuple

from lerobot_streamrec.dataset.format.episode_index import committed_episodes, EpisodeIndex
from lerobot_streamrec.dataset.format.episode_table import EpisodeRow, RECORDED_AT
from lerobot_streamrec.dataset.format.info import DatasetInfo, parse_info
from lerobot_streamrec.dataset.format.layout import (
    DATA_PATH,
    EPISODES_PATH,
    INFO,
    is_left_by_recording,
    OWN,
    REBUILD,
    record_path,
    row_stamps_path,
    STATS,
    SUBTASKS,
    TASKS,
    VIDEO_PATH,
)
from lerobot_streamrec.dataset.format.statistics_file import sidecar_path
from lerobot_streamrec.dataset.format.tasks import parse_tasks
from lerobot_streamrec.dataset.rebuild.exchange import folder_beside
from lerobot_streamrec.dataset.rebuild.new_tree import foreign_files
from lerobot_streamrec.errors import DatasetError


class ChangedError(Exception):
    """The dataset has changed while it was read; the remedy is to read it again."""


class Stamp(NamedTuple):
    """
    What changes whenever a file is replaced.

    :param size: its size in bytes
    :param mtime_ns: time of its last change, in nanoseconds
    """

    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    The state of a dataset at one instant; without episodes there is none of its files.

    :param root: the dataset's folder
    :param info: its info.json; None: it has no episode
    :param episodes: its committed episodes, in order
    :param files: all its files, by path below the root
    :param contents: bytes of the small files that each commit replaces, by path
    :param others: paths of the files that belong to no episode, which anybody may change
    :param left_out: paths of those that are not copied: links, pipes, unreadable files and names
        that are not UTF-8
    :param holds: marks of the episodes in each file of meta/episodes, which no label changes
    """

    root: Path
    info: DatasetInfo | None = None
    episodes: tuple[EpisodeRow, ...] = ()
    files: Mapping[str, Stamp] = field(default_factory=dict)
    contents: Mapping[str, bytes] = field(default_factory=dict)
    others: frozenset[str] = frozenset()
    left_out: tuple[str, ...] = ()
    holds: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_there(self) -> bool:
        """True if the dataset has an episode."""
        return self.info is not None

    def of_episodes(self, first: int, end: int) -> list[str]:
        """
        Return the files of some episodes in the order in which they may appear.

        Files that are read together must not be seen without the ones to which they refer, and
        LeRobot reads all columns by the first file of meta/episodes.
        """
        found = [_files_of(one) for one in self.episodes[first:end]]
        ordered = [path for paths, _ in found for path in paths]
        ordered += [path for _, path in found]
        return [path for path in dict.fromkeys(ordered) if path in self.files]

    def info_at(self, total_episodes: int) -> bytes:
        """Return the info.json of the first episodes, which may be all."""
        assert self.info is not None
        if total_episodes == len(self.episodes):
            return self.contents[str(INFO)]
        kept = self.episodes[:total_episodes]
        content = self.contents.get(str(TASKS))
        numbers = parse_tasks(content, self.root).tasks if content else ()
        used = {task for one in kept for task in one.tasks}
        part = replace(
            self.info,
            total_episodes=total_episodes,
            total_frames=sum(one.length for one in kept),
            total_tasks=max((at + 1 for at, one in enumerate(numbers) if one in used), default=0),
        )
        return part.as_bytes()

    def open(self, path: str) -> BinaryIO:
        """
        Open a file that is still as it was, or one of ``others`` as it is.

        :raise ChangedError: if it was replaced or moved
        :raise DatasetError: if it cannot be read
        """
        try:
            file = (self.root / path).open('rb')
        except FileNotFoundError as error:
            raise ChangedError(path) from error
        except OSError as error:
            raise DatasetError(f'{self.root / path} cannot be read: {error.strerror}') from error
        if path not in self.others and _stamp_of(os.fstat(file.fileno())) != self.files[path]:
            file.close()
            raise ChangedError(path)
        return file


class Reader:
    """
    The reader of one dataset, which keeps what it has read of meta/episodes.

    :param root: the dataset's folder
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._index: EpisodeIndex | None = None

    def read(self) -> Snapshot:
        """
        Read the dataset.

        :raise ChangedError: if it has changed meanwhile
        :raise DatasetError: if it cannot be read, or is being rebuilt
        """
        root = self.root
        if (root / REBUILD).exists() or folder_beside(root.resolve()).exists():
            raise DatasetError(f'{root} is being rebuilt, or a rebuild of it was interrupted')
        if not (root / INFO).exists():
            return Snapshot(root)
        before = _stamp(root, str(INFO))
        try:
            snapshot = self._read()
        except (OSError, DatasetError) as error:
            if before is None or _stamp(root, str(INFO)) != before:
                raise ChangedError(str(INFO)) from error
            raise
        for path, stamp in snapshot.files.items():
            # A log may grow all the time, and no episode refers to it.
            if path not in snapshot.others and _stamp(root, path) != stamp:
                raise ChangedError(path)
        return snapshot

    def _read(self) -> Snapshot:
        root = self.root
        stamp = _stamp(root, str(INFO))
        content = (root / INFO).read_bytes()
        info = parse_info(content, root)
        if self._index is None or not self._index.is_of(info):
            self._index = EpisodeIndex(root, info)
        episodes = committed_episodes(root, info, self._index.rows(info))
        sidecar = str(sidecar_path(info.total_episodes))
        small = [str(one) for one in (TASKS, SUBTASKS, sidecar, STATS)]
        shared, left_out = _shared_files(root)
        foreign = sorted(shared - set(small))
        files = {str(INFO): stamp}
        for episode in episodes:
            paths, meta = _files_of(episode)
            for path in (*paths, meta):
                files[path] = files.get(path) or _stamp(root, path)
                if files[path] is None and not path.startswith(f'{OWN}/'):
                    raise DatasetError(f'{root / path} is missing, and episodes refer to it')
        files.update((path, _stamp(root, path)) for path in (*foreign, *small))
        present = {path: one for path, one in files.items() if one is not None}
        contents = {path: (root / path).read_bytes() for path in small if path in present}
        return Snapshot(
            root,
            info,
            episodes,
            present,
            {**contents, str(INFO): content},
            frozenset(path for path in foreign if path in present),
            tuple(sorted(left_out)),
            _marks(episodes),
        )


def _marks(episodes: Sequence[EpisodeRow]) -> dict[str, str]:
    told: dict[str, list[object]] = {}
    for one in episodes:
        place = (one.episode_index, one.from_index, one.length, one.tasks)
        told.setdefault(episodes_file(one), []).append((*place, one.texts.get(RECORDED_AT)))
    return {
        path: hashlib.sha256(repr(rows).encode()).hexdigest()[:16] for path, rows in told.items()
    }


def poll(root: Path) -> object:
    """
    Return what differs after each change of a dataset: every one renames a file into a folder.

    Costs some twenty calls of stat, so that it may be called every few seconds.
    """
    folders = [root, root / 'meta', root / record_path(0).parent]
    for pattern in ('data/*', 'meta/episodes/*', 'meta/robot'):
        folders.extend(sorted(root.glob(pattern)))
    return [_stamp(one) for one in (root / INFO, *folders)]


def episodes_file(episode: EpisodeRow) -> str:
    """Return the path of the file of meta/episodes with an episode's row."""
    return str(episode.meta_file.path(EPISODES_PATH))


def _files_of(episode: EpisodeRow) -> tuple[list[str], str]:
    """Return the files of an episode, and last the one of meta/episodes that refers to them."""
    videos = [place.file.path(VIDEO_PATH, key) for key, place in episode.videos.items()]
    number = episode.episode_index
    own = (episode.data_file.path(DATA_PATH), row_stamps_path(number), record_path(number))
    return [*map(str, (*videos, *own))], episodes_file(episode)


def _shared_files(root: Path) -> tuple[set[str], set[str]]:
    """
    Find the files beside the dataset's own, such as the card and those about the robot.

    :return: those that can be copied, if they are still there, and those that cannot
    """
    found: tuple[set[str], set[str]] = (set(), set())
    for path in foreign_files(root):
        is_hidden = any(one.startswith('.') for one in path.split('/'))
        if not is_hidden and not is_left_by_recording(path):
            found[not _can_be_copied(root, path)].add(path)
    return found


def _can_be_copied(root: Path, path: str) -> bool:
    try:
        path.encode()
        mode = os.lstat(root / path).st_mode
    except FileNotFoundError:
        return True
    except UnicodeEncodeError:
        return False
    return stat.S_ISREG(mode) and os.access(root / path, os.R_OK)


def _stamp(root: Path, path: str = '') -> Stamp | None:
    try:
        return _stamp_of(os.stat(root / path))  # noqa: PTH116 (ten thousands of them)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _stamp_of(found: os.stat_result) -> Stamp:
    return Stamp(found.st_size, found.st_mtime_ns)
