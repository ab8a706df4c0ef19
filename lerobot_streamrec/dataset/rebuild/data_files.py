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
"""Data files of a new dataset: rows of existing ones with their numbers rewritten."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from lerobot_streamrec.dataset.format.episode_reader import read_parquet
from lerobot_streamrec.dataset.format.layout import DATA_PATH, FileIndex
from lerobot_streamrec.dataset.rebuild.new_tree import NewTree
from lerobot_streamrec.dataset.rebuild.pieces import Kept, Piece
from lerobot_streamrec.dataset.rebuild.unified_tasks import UnifiedTasks
from lerobot_streamrec.errors import DatasetCorruptError, RebuildError
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

OnBytes = Callable[[int], None]
RowsOf = Callable[[Piece, list[str] | None], Iterator[tuple[Kept, pa.Table]]]
"""Reads some columns, or all, of a data file, episode by episode."""


def rows_of(piece: Piece, columns: list[str] | None = None) -> Iterator[tuple[Kept, pa.Table]]:
    """
    Read the rows of a data file, episode by episode, as they are.

    :param columns: what to read, ``episode_index`` among it; None: everything
    :raise DatasetCorruptError: if the file does not hold the rows of its episodes in one stretch
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
    groups: Sequence[Sequence[Piece]],
    files: Sequence[FileIndex],
    tree: NewTree,
    tasks: UnifiedTasks,
    on_bytes: OnBytes,
    read: RowsOf = rows_of,
) -> None:
    """
    Fill the data files of a new tree: linked where no number changes, written otherwise.

    :param groups: what each file is made of
    :param files: their numbers
    :param on_bytes: is told the size of what is done
    :param read: of what is not linked
    :raise DatasetCorruptError: if rows are missing
    :raise RebuildError: if a file cannot be written
    """
    for group, file in zip(groups, files, strict=True):
        target = file.path(DATA_PATH)
        if len(group) == 1 and _is_unchanged(group[0], tasks):
            tree.link(group[0].path, target)
            on_bytes(group[0].size_bytes)
            continue
        path = tree.place(target)
        try:
            with ExitStack() as stack:
                writer: pq.ParquetWriter | None = None
                for piece in group:
                    for episode, rows in read(piece, None):
                        if writer is None:
                            writer = stack.enter_context(_writer_like(piece, path, rows.schema))
                        new = _renumbered(episode, rows, tasks)
                        writer.write_table(new.cast(writer.schema), row_group_size=len(new))
                    on_bytes(piece.size_bytes)
        except (pa.ArrowException, OSError) as error:
            raise RebuildError(f'cannot write {path}: {error}. Nothing has changed.') from error
        tree.settle(path)


def _is_unchanged(piece: Piece, tasks: UnifiedTasks) -> bool:
    return piece.is_whole and all(
        one.is_at_its_place and tasks.keeps_numbers(one) for one in piece.episodes
    )


def _writer_like(piece: Piece, path: object, schema: pa.Schema) -> pq.ParquetWriter:
    """Open a file with some columns and their metadata, and the compression of another file."""
    with pq.ParquetFile(piece.path) as file:
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
