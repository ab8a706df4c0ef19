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
"""The plan of a new dataset's files, locks around a change, and the report of a change."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
import time

from lerobot_streamrec.dataset.format.catalog import refuse_odd_dataset
from lerobot_streamrec.dataset.format.episode_index import EpisodeIndex
from lerobot_streamrec.dataset.format.episode_table import EpisodeRow
from lerobot_streamrec.dataset.format.files import DatasetLock, Files
from lerobot_streamrec.dataset.format.info import read_info
from lerobot_streamrec.dataset.format.layout import (
    DATA_PATH,
    EPISODES_PATH,
    FileIndex,
    INFO,
    OWN,
    STAGING,
    VIDEO_PATH,
)
from lerobot_streamrec.dataset.format.state import resumed_state
from lerobot_streamrec.dataset.rebuild.exchange import finish_rebuild
from lerobot_streamrec.dataset.rebuild.new_tree import Disk
from lerobot_streamrec.dataset.rebuild.pieces import (
    as_new_files,
    Kept,
    NewFiles,
    packed,
    Piece,
    pieces_of,
    VideoSurveys,
)
from lerobot_streamrec.errors import DatasetCorruptError, RebuildError
from lerobot_streamrec.installed import streamrec_command
from lerobot_streamrec.workers import HERE, Workers


@dataclass(frozen=True, slots=True)
class Measure:
    """
    The size of a dataset.

    :param num_files: number of data, episodes and video files
    :param size_bytes: total size of these files
    """

    num_files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Change:
    """
    The report of a tool on its work.

    :param num_episodes: number of episodes after the change
    :param before: size of the dataset before the change
    :param after: size of the dataset after the change
    :param seconds: duration of the work
    :param remarks: sentences on parts that were left as they were, and on inexact results
    """

    num_episodes: int
    before: Measure
    after: Measure
    seconds: float
    remarks: tuple[str, ...] = ()

    @classmethod
    def since(
        cls, begin_s: float, before: Measure, root: Path, num_episodes: int, remarks: Iterable[str]
    ) -> Change:
        """
        Return the report on work that is done.

        :param begin_s: monotonic time at which the work began, in seconds
        :param root: the dataset's folder, as it is now
        """
        seconds = time.monotonic() - begin_s
        return cls(num_episodes, before, measured(root), seconds, tuple(remarks))


def measured(*roots: Path) -> Measure:
    """Return the number of files of the given datasets, and their total size."""
    patterns = ('data/*/*.parquet', 'meta/episodes/*/*.parquet', 'videos/*/*/*.mp4')
    found = chain.from_iterable(root.glob(one) for root in roots for one in patterns)
    sizes = [path.stat().st_size for path in found]
    return Measure(len(sizes), sum(sizes))


@contextmanager
def locked(root: Path, disk: Disk) -> Iterator[Path]:
    """
    Lock a dataset, broken or not, and finish or undo a rebuild that a crash interrupted.

    :param root: the dataset's folder
    :return: the folder with symbolic links resolved
    :raise DatasetLockedError: if a recorder or another tool writes to the dataset
    :raise DatasetCorruptError: if the folder holds no dataset
    :raise RebuildError: if the folder is not writable
    """
    root = root.resolve()
    if not (root / INFO).is_file():
        raise DatasetCorruptError(f'{root} holds no LeRobot dataset: there is no {INFO}')
    try:
        (root / OWN).mkdir(exist_ok=True)
        lock = DatasetLock(root)
    except OSError as error:
        raise RebuildError(
            f'{root} cannot be written to: {error.strerror or error}. Nothing has changed.'
        ) from error
    try:
        finish_rebuild(root, disk)
        yield root
    finally:
        lock.release()


@contextmanager
def changing(root: Path, disk: Disk, *, without: Collection[int] = ()) -> Iterator[Path]:
    """
    Lock a dataset, and finish or undo a rebuild or commit that a crash interrupted.

    A dataset that no tool can handle is refused before the lock is taken, so that not a single
    file of it changes.

    :param root: the dataset's folder
    :param without: episodes whose rows are not checked, because they will be deleted
    :return: the folder with symbolic links resolved
    :raise DatasetLockedError: if a recorder or another tool writes to the dataset
    :raise DatasetCorruptError: if the folder holds no dataset, or the dataset is not whole
    :raise RebuildError: if the folder is not writable, or holds an unfinished episode
    """
    index = refuse_odd_dataset(root, without)
    with locked(root, disk) as folder:
        refuse_unfinished_takes(folder)
        files = Files(folder)
        info = read_info(folder)
        if not index.is_of(info):
            index = EpisodeIndex(folder, info)
        resumed_state(files, info, index)
        index.keep(files, info)
        yield folder


def refuse_unfinished_takes(root: Path) -> None:
    """
    Refuse a dataset with takes that are being recorded, wait for encoding, or were interrupted.

    :raise RebuildError: naming the takes
    """
    staging = root / STAGING
    # A leading dot marks a file that was never moved to its final name.
    takes = [one.name for one in staging.iterdir()] if staging.is_dir() else []
    takes = sorted(name for name in takes if not name.startswith('.'))
    if takes:
        raise RebuildError(
            f'{staging} holds an episode that is not finished ({", ".join(takes[:3])}). Finish '
            f'it, or run `{streamrec_command("encode", root)}`, or start the recorder on the '
            'dataset once: that encodes waiting episodes and recovers interrupted ones.'
        )


MAX_VIDEO_S = 900.0
"""Limit of a video's duration: LeRobot's reader uses float32 and loses frames beyond 1024 s."""


@dataclass(frozen=True, slots=True)
class Plan:
    """
    The files of a new dataset, and the pieces of which they are made.

    :param kept: all episodes
    :param data: the data files
    :param meta: the episodes files
    :param videos: the video files, per video key
    :param surveys: surveys of the videos that were read for the plan
    """

    kept: tuple[Kept, ...]
    data: NewFiles
    meta: NewFiles
    videos: Mapping[str, NewFiles]
    surveys: VideoSurveys

    @property
    def kinds(self) -> dict[str, list[Sequence[Piece]]]:
        """The pieces of all files by kind: data, episodes, or a video key."""
        kinds = {'data': self.data, 'episodes': self.meta, **self.videos}
        return {kind: list(files.values()) for kind, files in kinds.items()}

    @property
    def joins(self) -> bool:
        """True if any files are joined."""
        return any(len(group) > 1 for groups in self.kinds.values() for group in groups)

    @property
    def size_bytes(self) -> int:
        """The total size of all pieces."""
        groups = chain.from_iterable(self.kinds.values())
        return sum(piece.size_bytes for group in groups for piece in group)

    @property
    def remarks(self) -> list[str]:
        """Sentences on why neighbouring files are not joined."""
        return self.surveys.remarks


def make_plan(kept: tuple[Kept, ...], *, pack: bool, workers: Workers = HERE) -> Plan:
    """
    Plan the files of a new dataset, without changing anything.

    :param kept: episodes of the new dataset, at least one; the info.json of the first episode's
        dataset sets the limits of file sizes
    :param pack: True to join neighbouring files as far as they fit; False to make one new file
        from each old one
    :param workers: they read the old files
    :raise DatasetCorruptError: if a file is missing or cannot be read
    """
    first = kept[0].catalog
    surveys = VideoSurveys()

    def new_files(
        pieces: Sequence[Piece],
        can_join: Callable[[Piece, Piece], bool],
        limit_bytes: int,
        limit_s: float = float('inf'),
    ) -> NewFiles:
        groups: list[list[Piece]] = [[one] for one in pieces]
        if pack:
            groups = packed(pieces, can_join, limit_bytes=limit_bytes, limit_s=limit_s)
        return as_new_files(groups, first.info.chunks_size)

    data = pieces_of(kept, lambda one: one.data_file, DATA_PATH)
    meta = pieces_of(kept, lambda one: one.meta_file, EPISODES_PATH)
    videos = {}
    for key in first.info.video_keys:
        pieces = pieces_of(kept, partial(_video_file, key), VIDEO_PATH, key)
        can_join = partial(surveys.can_join, key)
        if pack and workers.is_elsewhere:
            surveys.read_ahead(pieces, workers)
        videos[key] = new_files(pieces, can_join, first.video_limit_bytes, MAX_VIDEO_S)
    return Plan(
        kept=kept,
        data=new_files(data, _same_columns, first.data_limit_bytes),
        meta=new_files(meta, lambda *_: True, first.data_limit_bytes),
        videos=videos,
        surveys=surveys,
    )


def _video_file(key: str, episode: EpisodeRow) -> FileIndex:
    return episode.videos[key].file


def _same_columns(one: Piece, other: Piece) -> bool:
    ours, theirs = one.catalog.schema_of(one.path), other.catalog.schema_of(other.path)
    return bool(ours.equals(theirs))
