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

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lerobot_streamrec.dataset.format.episode_table import statistics_column, VideoPlace
from lerobot_streamrec.dataset.format.layout import EPISODES_PATH, FileIndex
from lerobot_streamrec.dataset.format.parquet import read_schema
from lerobot_streamrec.dataset.rebuild.foreign_files import Numbers
from lerobot_streamrec.dataset.rebuild.new_tree import NewTree
from lerobot_streamrec.dataset.rebuild.pieces import Kept, Piece
from lerobot_streamrec.errors import RebuildError
from lerobot_streamrec.stats.feature_statistics import (
    FeatureStatistics,
    STATISTICS,
    vector_statistics,
)
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, object]


_PIECES_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class NewPlaces:
    """
    The places and changed statistics of the episodes of a new dataset.

    :param data: data file of each episode
    :param meta: episodes file of each episode
    :param videos: place of each episode in its video, per video key
    :param numbers: new values of the index columns, for each episode in which they change
    :param counted_in_rows: cameras whose statistics count must become a number of rows, not pixels
    :param pictures: new camera statistics, for each episode in which they change
    """

    data: Mapping[Kept, FileIndex]
    meta: Mapping[Kept, FileIndex]
    videos: Mapping[str, Mapping[Kept, VideoPlace]]
    numbers: Mapping[Kept, Mapping[str, Numbers]]
    counted_in_rows: Collection[str] = ()
    pictures: Mapping[Kept, Mapping[str, FeatureStatistics]] = field(default_factory=dict)

    def is_unchanged(self, episode: Kept) -> bool:
        """Return whether an episode's row in meta/episodes stays as it is."""
        source = episode.source
        return (
            episode.is_at_its_place
            and episode not in self.numbers
            and episode not in self.pictures
            and self.data[episode] == source.data_file
            and self.meta[episode] == source.meta_file
            and all(places[episode] == source.videos[key] for key, places in self.videos.items())
        )


def write_meta_files(
    groups: Sequence[Sequence[Piece]],
    files: Sequence[FileIndex],
    tree: NewTree,
    places: NewPlaces,
    on_bytes: Callable[[int], None],
) -> None:
    """
    Fill the episodes files of a new tree: link unchanged files, write the others.

    Readers need the same columns in all files. Columns outside the format are therefore kept in
    every file, with nulls where an episode lacks them, and a statistics column is kept only if all
    files have it.

    :raise DatasetCorruptError: if a file cannot be read
    :raise RebuildError: if a file cannot be written
    """
    schema = _common_schema(piece for group in groups for piece in group)
    for group, file in zip(groups, files, strict=True):
        target = file.path(EPISODES_PATH)
        if len(group) == 1 and _may_stay(group[0], places, schema):
            tree.link(group[0].path, target)
            on_bytes(group[0].size_bytes)
            continue
        path = tree.place(target)
        try:
            with pq.ParquetWriter(path, schema, compression='snappy') as writer:
                for begin in range(0, len(group), _PIECES_AT_ONCE):
                    pieces = group[begin : begin + _PIECES_AT_ONCE]
                    writer.write_table(_rewritten(pieces, places, schema))
                    on_bytes(sum(piece.size_bytes for piece in pieces))
        except (pa.ArrowException, OSError) as error:
            raise RebuildError(f'cannot write {path}: {error}. Nothing has changed.') from error
        tree.settle(path)


def _common_schema(pieces: Iterable[Piece]) -> pa.Schema:
    schemas: dict[tuple[str, ...], pa.Schema] = {}
    for piece in pieces:
        schema = read_schema(piece.path)
        schemas.setdefault(tuple(schema.names), schema)
    fields: dict[str, pa.Field] = {}
    for schema in schemas.values():
        for one in schema:
            fields.setdefault(one.name, one)
    # The schema metadata is dropped: it may hold pandas settings for the old columns.
    return pa.schema(
        [
            one
            for name, one in fields.items()
            if not name.startswith('stats/') or all(name in names for names in schemas)
        ]
    )


def _may_stay(piece: Piece, places: NewPlaces, schema: pa.Schema) -> bool:
    return (
        piece.is_whole
        and all(map(places.is_unchanged, piece.episodes))
        and set(read_schema(piece.path).names) == set(schema.names)
        and not _rows_for_pixels(piece.catalog.meta_table(piece.file), places.counted_in_rows)
    )


def _rows_for_pixels(
    table: pa.Table, video_keys: Collection[str]
) -> dict[str, dict[int, object]]:
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


def _rows_of(piece: Piece, schema: pa.Schema) -> pa.Table:
    """Return the rows of a piece's episodes as they are, in the columns of the new file."""
    table = piece.catalog.meta_table(piece.file)
    indices = table.column('episode_index').to_pylist()
    wanted = [one.source.episode_index for one in piece.episodes]
    if indices != wanted:
        at_index = {index: at for at, index in enumerate(indices)}
        table = table.take([at_index[index] for index in wanted])
    if table.schema.equals(schema):
        return table
    present = set(table.column_names)
    for one in schema:
        if one.name not in present:
            table = table.append_column(one.name, pa.nulls(len(table), one.type))
    return table.select(schema.names).cast(schema)


def _rewritten(pieces: Sequence[Piece], places: NewPlaces, schema: pa.Schema) -> pa.Table:
    # Changing a column costs the same for one row as for many.
    table = pa.concat_tables([_rows_of(one, schema) for one in pieces]).combine_chunks()
    cells = _rows_for_pixels(table, places.counted_in_rows)
    for place, episode in enumerate(one for piece in pieces for one in piece.episodes):
        for name, value in _cells(episode, places).items():
            cells.setdefault(name, {})[place] = value
    for name, changed in cells.items():
        column = schema.get_field_index(name)
        if column >= 0:
            old = table.column(column).to_pylist() if len(changed) < len(table) else []
            values = [changed[row] if row in changed else old[row] for row in range(len(table))]
            array = pa.array(values, type=schema.field(column).type)
            table = table.set_column(column, schema.field(column), array)
    return table


def _cells(episode: Kept, places: NewPlaces) -> Row:
    """Return the new values in an episode's row."""
    cells: Row = {
        'episode_index': episode.episode_index,
        'dataset_from_index': episode.from_index,
        'dataset_to_index': episode.from_index + episode.source.length,
        **_file_cells('data', places.data[episode]),
        **_file_cells('meta/episodes', places.meta[episode]),
    }
    for key, videos in places.videos.items():
        place = videos[episode]
        cells.update(_file_cells(f'videos/{key}', place.file))
        cells[f'videos/{key}/from_timestamp'] = place.from_timestamp
        cells[f'videos/{key}/to_timestamp'] = place.to_timestamp
    if episode in places.numbers:
        cells.update(_statistics_cells(episode, places.numbers[episode]))
    for key, statistics in places.pictures.get(episode, {}).items():
        lists = statistics.as_lists()
        named = {statistics_column(key, name): lists[name] for name in statistics.values}
        cells.update(named)
    return cells


def _file_cells(prefix: str, file: FileIndex) -> Row:
    return {f'{prefix}/chunk_index': file.chunk_index, f'{prefix}/file_index': file.file_index}


def _statistics_cells(episode: Kept, numbers: Mapping[str, Numbers]) -> Row:
    """Return the statistics of the columns whose numbers changed."""
    length = episode.source.length
    columns = {
        'episode_index': np.full(length, episode.episode_index),
        'index': episode.from_index + np.arange(length),
        **numbers,
    }
    cells: Row = {}
    for key, values in columns.items():
        lists = vector_statistics(values).as_lists()
        cells.update({f'stats/{key}/{name}': lists[name] for name in STATISTICS})
    return cells
