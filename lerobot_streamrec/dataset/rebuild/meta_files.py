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
"""The meta/episodes files of a new dataset: existing rows with updated places and numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from lerobot_streamrec.dataset.format.episode_table import (
    EpisodeRow,
    statistics_column,
    VideoPlace,
)
from lerobot_streamrec.dataset.format.layout import EPISODES_PATH, FileIndex
from lerobot_streamrec.dataset.format.parquet import read_parquet
from lerobot_streamrec.dataset.rebuild.new_statistics import NewStatistics
from lerobot_streamrec.dataset.rebuild.new_tree import NewTree
from lerobot_streamrec.dataset.rebuild.pieces import Kept, NewFiles, Piece
from lerobot_streamrec.errors import RebuildError
from lerobot_streamrec.stats.feature_statistics import vector_statistics
from lerobot_streamrec.workers import HERE, Task, Workers
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

# Tables of one row take far more memory than their rows in one table.
_PIECES_AT_ONCE = 50
# Most of the work is to parse the columns of small files, for which pyarrow needs no Python.
_THREADS = 2
# These columns never change, whatever their types are.
_KEPT = {'tasks', 'length'}


@dataclass(frozen=True, slots=True)
class NewPlaces:
    """
    The places and changed statistics of the episodes of a new dataset.

    :param data: data file of each episode
    :param meta: episodes file of each episode
    :param videos: place of each episode in its video, per video key
    :param statistics: changed statistics and numbers of the episodes
    """

    data: Mapping[Kept, FileIndex]
    meta: Mapping[Kept, FileIndex]
    videos: Mapping[str, Mapping[Kept, VideoPlace]]
    statistics: NewStatistics

    def row(self, episode: Kept) -> EpisodeRow:
        """Return an episode's new row in meta/episodes, with its changed statistics."""
        changed = dict(self.statistics.pictures.get(episode, {}))
        if episode in self.statistics.numbers:
            length = episode.source.length
            numbers = {
                'episode_index': np.full(length, episode.episode_index),
                'index': episode.from_index + np.arange(length),
                **self.statistics.numbers[episode],
            }
            changed.update({key: vector_statistics(one) for key, one in numbers.items()})
        videos = {key: places[episode] for key, places in self.videos.items()}
        row = episode.row(self.data[episode], self.meta[episode], videos)
        return replace(row, statistics=changed)


def write_meta_files(
    files: NewFiles,
    tree: NewTree,
    places: NewPlaces,
    on_bytes: Callable[[int], None],
    workers: Workers = HERE,
) -> None:
    """
    Fill the episodes files of a new tree: link unchanged files, write the others.

    Readers need the same columns in all files. Columns outside the format are therefore kept in
    every file, with nulls where an episode lacks them, and a statistics column is kept only if all
    files have it.

    :raise DatasetCorruptError: if a file cannot be read
    :raise RebuildError: if a file cannot be written
    """
    columns, tables = _Columns(), {}
    for file, group in files.items():
        with _writing(tree.folder / file.path(EPISODES_PATH)):
            tables[file] = _rows_of(group, columns, on_bytes, workers)
    schema = columns.schema()
    for file, group in files.items():
        target, table = file.path(EPISODES_PATH), tables.pop(file)
        if len(group) == 1 and _may_stay(group[0], table, places, schema):
            tree.link(group[0].path, target)
            continue
        path = tree.place(target)
        with _writing(path):
            table = _rewritten(group, table, places, schema)
            pq.write_table(table, path, compression='snappy')
        tree.settle(path)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise RebuildError(f'cannot write {path}: {error}. Nothing has changed.') from error


class _Columns:
    """The columns of all files; each has the type that it has in the first file with it."""

    def __init__(self) -> None:
        self._fields: dict[str, pa.Field] = {}
        self._not_in_all: set[str] = set()
        self._known: pa.Schema | None = None

    def add(self, table: pa.Table) -> pa.Table:
        """Take in the columns of a file, and return its rows with the types taken in before."""
        # Most files have the columns of the one before.
        if self._known is None or not table.schema.equals(self._known):
            if self._known is not None:
                self._not_in_all |= self._fields.keys() ^ set(table.column_names)
            fields = [self._fields.setdefault(one.name, one) for one in table.schema]
            self._known = pa.schema(fields)
            table = table.cast(self._known)
        return table

    def schema(self) -> pa.Schema:
        """Return the columns of the new files."""
        # The schema metadata is dropped: it may hold pandas settings for the old columns.
        left_out = {name for name in self._not_in_all if name.startswith('stats/')}
        return pa.schema([one for name, one in self._fields.items() if name not in left_out])


def _rows_of(
    group: Sequence[Piece], columns: _Columns, on_bytes: Callable[[int], None], workers: Workers
) -> pa.Table:
    """Return the rows of a new file's episodes as they are, in the columns of the old files."""
    batches = [group[at : at + _PIECES_AT_ONCE] for at in range(0, len(group), _PIECES_AT_ONCE)]
    sizes = [sum(one.size_bytes for one in pieces) for pieces in batches]
    todo = [
        Task(
            f'the rows of {pieces[0].path}',
            partial(_read_all, [(one.path, _indices(one)) for one in pieces]),
            size,
        )
        for pieces, size in zip(batches, sizes, strict=True)
    ]
    tables = []
    for size, read in zip(sizes, workers.run(todo), strict=True):
        tables.append(_joined([columns.add(one) for one in read]))
        on_bytes(size)
    return _joined(tables)


def _indices(piece: Piece) -> list[int]:
    return [one.source.episode_index for one in piece.episodes]


def _read_all(files: Sequence[tuple[Path, list[int]]]) -> list[pa.Table]:
    """Return the rows of files; neighbours with the same columns are one table."""
    alike: list[list[pa.Table]] = []
    with ThreadPoolExecutor(_THREADS, 'episodes-files') as threads:
        for table in threads.map(lambda one: _read(*one), files):
            if alike and table.schema.equals(alike[-1][0].schema):
                alike[-1].append(table)
            else:
                alike.append([table])
    return [_joined(tables) for tables in alike]


def _joined(tables: Sequence[pa.Table]) -> pa.Table:
    """Join tables, with nulls in the columns that one of them lacks."""
    return pa.concat_tables(tables, promote_options='default').combine_chunks()


def _read(path: Path, wanted: list[int]) -> pa.Table:
    table = read_parquet(path)
    indices = table.column('episode_index').to_pylist()
    if indices != wanted:
        at_index = {index: at for at, index in enumerate(indices)}
        table = table.take([at_index[index] for index in wanted])
    return table


def _may_stay(piece: Piece, table: pa.Table, places: NewPlaces, schema: pa.Schema) -> bool:
    return (
        piece.is_whole
        and all(places.row(one) == one.source for one in piece.episodes)
        and set(table.column_names) == set(schema.names)
        and not _rows_for_pixels(table, places.statistics.counted_in_rows)
    )


def _rows_for_pixels(table: pa.Table, video_keys: Collection[str]) -> dict[str, dict[int, object]]:
    """Return new values for counts of pixels that must be counts of rows, by column and row."""
    cells: dict[str, dict[int, object]] = {}
    lengths = table.column('length').to_pylist()
    for name in (statistics_column(key, 'count') for key in video_keys):
        counts = table.column(name).to_pylist() if name in table.column_names else []
        for place, (count, length) in enumerate(zip(counts, lengths, strict=False)):
            # No writer samples more frames than there are rows, so a larger count is of pixels.
            if count and count[0] > length:
                cells.setdefault(name, {})[place] = [length]
    return cells


def _rewritten(
    group: Sequence[Piece], table: pa.Table, places: NewPlaces, schema: pa.Schema
) -> pa.Table:
    table = _joined([schema.empty_table(), table]).select(schema.names).cast(schema)
    cells: dict[str, dict[int, object]] = defaultdict(dict)
    for place, episode in enumerate(one for piece in group for one in piece.episodes):
        for name, (value, _) in places.row(episode).cells().items():
            if name not in _KEPT:
                cells[name][place] = value
    for name, counts in _rows_for_pixels(table, places.statistics.counted_in_rows).items():
        cells[name].update(counts)
    for name, changed in cells.items():
        column = schema.get_field_index(name)
        if column >= 0:
            old = table.column(column).to_pylist() if len(changed) < len(table) else []
            values = [changed[row] if row in changed else old[row] for row in range(len(table))]
            array = pa.array(values, type=schema.field(column).type)
            table = table.set_column(column, schema.field(column), array)
    return table
