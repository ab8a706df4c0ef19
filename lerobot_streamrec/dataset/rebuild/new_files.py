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
"""Creation of a new dataset's root folder, and of its data and video files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
import socket
from typing import Generic, TypeVar
import uuid

from lerobot_streamrec.dataset.format.episode_table import VideoPlace
from lerobot_streamrec.dataset.format.files import DatasetLock
from lerobot_streamrec.dataset.format.info_rules import shown_value
from lerobot_streamrec.dataset.format.layout import (
    DATA_PATH,
    FileIndex,
    LOCK,
    OWN,
    OWNER,
    REBUILD,
    VIDEO_PATH,
)
from lerobot_streamrec.dataset.format.parquet import READ_ERRORS, read_parquet
from lerobot_streamrec.dataset.rebuild.exchange import (
    begin_tree,
    folder_beside,
    refuse_unknown,
    throw_away,
)
from lerobot_streamrec.dataset.rebuild.merged_features import UnifiedTasks
from lerobot_streamrec.dataset.rebuild.new_tree import Disk, explaining, NewTree
from lerobot_streamrec.dataset.rebuild.pieces import Kept, NewFiles, Piece, VideoSurveys
from lerobot_streamrec.errors import (
    DatasetCorruptError,
    RebuildError,
    StreamrecError,
    VideoError,
    WorkerError,
)
from lerobot_streamrec.installed import streamrec_command
from lerobot_streamrec.remote_files import readable
from lerobot_streamrec.video.mp4.concat import concatenate, Segment
from lerobot_streamrec.workers import HERE, Task, Workers
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

T = TypeVar('T')

_LOCKED = frozenset({LOCK.name, OWNER.name})


@contextmanager
def building(root: Path, disk: Disk) -> Iterator[NewTree]:
    """
    Assemble a dataset beside its root, and move it there at the end of the block.

    :param root: a folder that is empty or does not exist
    :param disk: file operations, which tests replace
    :raise DatasetLockedError: if another process builds a dataset for the same root
    :raise RebuildError: if the dataset cannot be written; nothing is left then
    """
    root = root.resolve()
    beside = folder_beside(root)
    try:
        refuse_unknown(beside, root)
        disk.make_folder(beside / OWN)
        lock = DatasetLock(beside)
    except OSError as error:
        raise _cannot(root, error) from error
    try:
        throw_away(beside, disk, keep=_LOCKED)
        begin_tree(beside, disk)
        yield NewTree(beside, disk)
        disk.sync_folders(beside)
        disk.move(beside, root)
        with suppress(OSError):
            # A marker that stays does no harm: the next process to open the dataset removes it.
            disk.remove(root / REBUILD)
    except (Exception, KeyboardInterrupt) as error:
        if not (root / OWN).exists():
            throw_away(beside, disk)
        if isinstance(error, OSError):
            raise _cannot(root, error) from error
        if isinstance(error, READ_ERRORS) and not isinstance(error, StreamrecError):
            raise RebuildError(
                f'cannot make the dataset {root}, and nothing is left there: '
                f'{type(error).__name__} {shown_value(str(error))}; '
                f'`{streamrec_command("check", "ROOT")}` shows what is wrong with each source'
            ) from error
        raise
    finally:
        lock.release()


def _cannot(root: Path, error: OSError) -> RebuildError:
    return RebuildError(
        f'cannot make the dataset {root}: {error.strerror or error}. Check that '
        f'{root.parent} is writable and that the disk has room.'
    )


@dataclass(frozen=True, slots=True)
class NewFile(Generic[T]):
    """
    A file that a task makes.

    :param relative: path of the file below the root
    :param write: function that writes the file to a path; see ``Task.work``
    :param size_bytes: bytes that it reads
    :param source: the file to link in place of writing one; None to call ``write``
    """

    relative: PurePosixPath
    write: Callable[[Path], T]
    size_bytes: int
    source: Path | None = None


def make_files(
    tree: NewTree, files: Sequence[NewFile[T]], workers: Workers
) -> Iterator[T | None]:
    """
    Make files of a tree; yield what each ``write`` returned, in order, or None for a link.

    Other processes write into a folder whose name is new, and the files are moved from there. So
    a process that outlives its command never writes into the tree of the next one.

    :raise RebuildError: if a file cannot be written
    :raise WorkerError: if a process does not see the folder, or dies again and again
    """
    if not workers.is_elsewhere:
        for one in files:
            yield _make_here(tree, one)
        return
    folder = OWN / f'work-{uuid.uuid4().hex}'
    aside = tree.place(folder / 'x').parent
    names = [f'{number}{one.relative.suffix}' for number, one in enumerate(files)]
    tasks = [
        Task(str(one.relative), partial(_make_aside, one, aside / name, tree.disk), one.size_bytes)
        for one, name in zip(files, names, strict=True)
    ]
    for one, name, made in zip(files, names, workers.run(tasks), strict=True):
        target = tree.place(one.relative)
        with explaining(target):
            (aside / name).rename(target)
        if one.source is not None:
            tree.sources[str(one.relative)] = one.source
        yield made
    tree.disk.remove_tree(aside)


def _make_here(tree: NewTree, file: NewFile[T]) -> T | None:
    if file.source is not None:
        tree.link(file.source, file.relative)
        return None
    path = tree.place(file.relative)
    made = file.write(path)
    tree.settle(path)
    return made


def _make_aside(file: NewFile[T], target: Path, disk: Disk) -> T | None:
    """Make a file under a name of its own first, since a lost task may still run elsewhere."""
    aside, made = target.parent, None
    if not aside.is_dir():
        raise WorkerError(
            f'{aside} does not exist on {socket.gethostname()}: all hosts of a cluster need the '
            f'folder {aside.parents[2]}, mounted at the same path'
        )
    path = aside / f'{uuid.uuid4().hex}.{target.name}'
    with explaining(path):
        if file.source is not None:
            disk.link(file.source, path)
        else:
            made = file.write(path)
            disk.settle(path)
        path.replace(target)
    return made


OnBytes = Callable[[int], None]
RowsOf = Callable[[Piece, list[str] | None], Iterator[tuple[Kept, pa.Table]]]
"""A function that reads the given columns (None: all) of a data file, episode by episode."""


def rows_of(piece: Piece, columns: list[str] | None = None) -> Iterator[tuple[Kept, pa.Table]]:
    """
    Read the unchanged rows of a data file, episode by episode.

    :param columns: columns to read, including ``episode_index``; None: all columns
    :raise DatasetCorruptError: if rows of an episode are missing or not contiguous
    """
    table = read_parquet(piece.path, columns)
    numbers = table.column('episode_index').to_numpy()
    for episode in piece.episodes:
        wanted, length = episode.source.episode_index, episode.source.length
        found = np.flatnonzero(numbers == wanted)
        if len(found) != length or found[-1] - found[0] + 1 != length:
            raise DatasetCorruptError(
                f'{piece.path} has {len(found)} rows of episode {wanted}; there must be {length}, '
                'one after the other'
            )
        yield episode, table.slice(int(found[0]), length)


def write_data_files(
    files: NewFiles,
    tree: NewTree,
    tasks: UnifiedTasks,
    on_bytes: OnBytes,
    read: RowsOf = rows_of,
    workers: Workers = HERE,
) -> None:
    """
    Fill the data files of a new tree: link files in which no number changes, write the others.

    :param files: pieces of each file
    :param on_bytes: receives the number of bytes processed at each step
    :param read: function that reads the files that are not linked
    :param workers: they make one file each
    :raise DatasetCorruptError: if rows are missing
    :raise RebuildError: if a file cannot be written
    """
    made = [
        NewFile(
            file.path(DATA_PATH),
            partial(_write_rows, *_task_of(group, tasks, workers), read),
            sum(one.size_bytes for one in group),
            group[0].path if len(group) == 1 and _is_unchanged(group[0], tasks) else None,
        )
        for file, group in files.items()
    ]
    for one, _ in zip(made, make_files(tree, made, workers), strict=True):
        on_bytes(one.size_bytes)


def _task_of(
    group: Sequence[Piece], tasks: UnifiedTasks, workers: Workers
) -> tuple[Sequence[Piece], UnifiedTasks]:
    return tasks.alone_with(group) if workers.is_elsewhere else (group, tasks)


def _write_rows(group: Sequence[Piece], tasks: UnifiedTasks, read: RowsOf, path: Path) -> None:
    """Write the rows of a data file, with their new numbers."""
    try:
        with ExitStack() as stack:
            writer: pq.ParquetWriter | None = None
            for piece in group:
                for episode, rows in read(piece, None):
                    if writer is None:
                        writer = stack.enter_context(_writer_like(piece, path, rows.schema))
                    new = _renumbered(episode, rows, tasks)
                    writer.write_table(new.cast(writer.schema), row_group_size=len(new))
    except (pa.ArrowException, OSError) as error:
        raise RebuildError(f'cannot write {path}: {error}. Nothing has changed.') from error


def _is_unchanged(piece: Piece, tasks: UnifiedTasks) -> bool:
    return piece.is_whole and all(
        one.is_at_its_place and tasks.keeps_numbers(one) for one in piece.episodes
    )


def _writer_like(piece: Piece, path: object, schema: pa.Schema) -> pq.ParquetWriter:
    """Open a parquet file with the given schema, and with the compression of a piece's file."""
    with pq.ParquetFile(readable(piece.path)) as file:
        compression = file.metadata.row_group(0).column(0).compression.lower()
        return pq.ParquetWriter(
            path,
            schema,
            compression='none' if compression == 'uncompressed' else compression,
            use_dictionary=True,
        )


def _renumbered(episode: Kept, rows: pa.Table, tasks: UnifiedTasks) -> pa.Table:
    new = {
        'episode_index': np.full(len(rows), episode.episode_index),
        'index': episode.from_index + np.arange(len(rows)),
        **tasks.renumbered(episode, rows),
    }
    for name, values in new.items():
        place = rows.schema.get_field_index(name)
        field = rows.schema.field(place)
        rows = rows.set_column(place, field, pa.array(values).cast(field.type))
    return rows


Places = dict[Kept, VideoPlace]


def write_video_files(
    video_key: str,
    files: NewFiles,
    tree: NewTree,
    surveys: VideoSurveys,
    on_bytes: OnBytes,
    workers: Workers = HERE,
) -> Places:
    """
    Fill the video files of one camera in a new tree.

    A video that cannot be cut is linked as a whole, so its episodes keep their timestamps.

    :param video_key: video key of the camera
    :param files: pieces of each file
    :param surveys: surveys of the videos
    :param on_bytes: receives the number of bytes processed at each step
    :param workers: they make one file each
    :return: the place of each episode
    :raise RebuildError: if a file cannot be linked or copied
    :raise VideoError: if a file cannot be read or written
    """
    places: Places = {}
    made: list[NewFile[int | None]] = []
    for file, group in files.items():
        segments = _segments(video_key, group, surveys)
        linked = group[0].path if segments is None else None
        if linked:
            for one in group[0].episodes:
                places[one] = replace(one.source.videos[video_key], file=file)
        else:
            places.update(one_after_another(group, file))
        write, size = partial(concatenate, segments or ()), sum(one.size_bytes for one in group)
        made.append(NewFile(file.path(VIDEO_PATH, video_key), write, size, linked))
    for new, _ in zip(made, make_files(tree, made, workers), strict=True):
        on_bytes(new.size_bytes)
    return places


def _segments(
    video_key: str, group: Sequence[Piece], surveys: VideoSurveys
) -> list[Segment] | None:
    """Return the segments to copy; None if the only file of the group is linked as it is."""
    if len(group) > 1:
        return [one for piece in group for one in surveys.segments(video_key, piece)]
    if group[0].is_whole:
        return None
    try:
        return surveys.segments(video_key, group[0])
    except VideoError as error:
        surveys.remarks.append(f'{error}; the file is kept whole')
        return None


def one_after_another(group: Sequence[Piece], file: FileIndex) -> Places:
    """Return the places of episodes in a file that holds their frames and no others."""
    found, frame = {}, 0
    for piece in group:
        fps = piece.catalog.info.fps
        for episode in piece.episodes:
            end = frame + episode.source.length
            found[episode] = VideoPlace(file, frame / fps, end / fps)
            frame = end
    return found
