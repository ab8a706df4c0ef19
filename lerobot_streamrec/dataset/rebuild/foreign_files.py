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
"""
Foreign files and index tables in a dataset, written by others and carried along by every tool.

A tool that changes a dataset keeps these files where they are. A merge copies them from each
dataset, and puts files whose names are already taken into a folder named after their dataset.

The rows of an index table are addressed by their positions: a value in a column such as
``subtask_index`` is a row number. A merged table holds every distinct row of the old tables once,
so the values of the later datasets are renumbered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
import re

from lerobot_streamrec.dataset.about.robot_files import FOLDER as ROBOT
from lerobot_streamrec.dataset.format.catalog import Catalog
from lerobot_streamrec.dataset.format.features import DEFAULT_FEATURES, FeatureSpec
from lerobot_streamrec.dataset.format.layout import is_left_by_recording, SYNC, TASKS
from lerobot_streamrec.dataset.format.parquet import read_parquet, to_bytes
from lerobot_streamrec.dataset.rebuild.new_tree import foreign_files, NewTree
from lerobot_streamrec.errors import DatasetCorruptError, DatasetsDifferError, some_of
from lerobot_streamrec.remote_files import digest_of, opened, size_bytes
import numpy as np
import numpy.typing as npt
import pyarrow as pa

_INTEGERS = ('int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64')

Numbers = npt.NDArray[np.int64]

_CHUNK_BYTES = 1 << 18


def index_tables(root: Path, features: Mapping[str, FeatureSpec]) -> dict[str, str]:
    """
    Find the tables of a dataset to which columns refer.

    :return: path of the table below the root, per column such as ``subtask_index``
    """
    columns = {
        key
        for key, spec in features.items()
        if key not in DEFAULT_FEATURES and spec.dtype in _INTEGERS and spec.shape == (1,)
    }
    found: dict[str, str] = {}
    for path in sorted((root / 'meta').glob('*.parquet')):
        if path.name != TASKS.name:
            for name in _singulars(path.stem):
                if f'{name}_index' in columns:
                    found.setdefault(f'{name}_index', f'meta/{path.name}')
    return found


def _singulars(word: str) -> tuple[str, ...]:
    """Return possible singulars of a table name such as categories, boxes, subtasks or speech."""
    endings = (('ies', 'y'), ('es', ''), ('s', ''), ('', ''))
    return tuple(
        word.removesuffix(plural) + singular
        for plural, singular in endings
        if word.endswith(plural)
    )


@dataclass(frozen=True, slots=True)
class UnitedTable:
    """
    One index table that replaces those of several datasets.

    :param path: path of the file below the root
    :param content: content of the file
    :param numbers: new row number of each old row, per dataset
    """

    path: str
    content: bytes
    numbers: Mapping[Catalog, Numbers]


def united_tables(catalogs: Sequence[Catalog]) -> dict[str, UnitedTable]:
    """
    Unite the index tables of several datasets, for every column that refers to one.

    :return: tables by column; empty for a single dataset, whose tables stay as they are
    :raise DatasetCorruptError: if a table cannot be read, or its own numbers are not 0, 1, ...
    :raise DatasetsDifferError: if the columns of two tables cannot be united
    """
    if len(catalogs) < 2:
        return {}
    paths = [index_tables(one.root, one.info.features) for one in catalogs]
    columns = dict.fromkeys(column for one in paths for column in one)
    return {
        column: _united(
            column,
            {
                catalog: read_index_table(catalog.root, found[column], column)
                for catalog, found in zip(catalogs, paths, strict=True)
                if column in found
            },
            next(found[column] for found in paths if column in found),
            catalogs,
        )
        for column in columns
    }


def read_index_table(root: Path, path: str, column: str) -> pa.Table:
    """
    Read a table whose rows are addressed by their positions.

    :raise DatasetCorruptError: if it cannot be read, or numbers its rows other than 0, 1, ...
    """
    table = read_parquet(root / path)
    if column in table.column_names:
        numbers = table.column(column).to_pylist()
        if numbers != list(range(len(numbers))):
            raise DatasetCorruptError(
                f'{root / path} holds the {column} {numbers[:5]}...: they must be 0, 1, ...'
            )
    return table


def _united(
    column: str, tables: Mapping[Catalog, pa.Table], path: str, catalogs: Sequence[Catalog]
) -> UnitedTable:
    places: dict[str, int] = {}
    numbers: dict[Catalog, Numbers] = {one: np.zeros(0, np.int64) for one in catalogs}
    chosen = []
    for catalog, table in tables.items():
        rows = table.drop_columns([column] if column in table.column_names else [])
        names = sorted(rows.column_names)
        keys = [repr([(name, row[name]) for name in names]) for row in rows.to_pylist()]
        new = []
        for at, key in enumerate(keys):
            if key not in places:
                places[key] = len(places)
                new.append(at)
        numbers[catalog] = np.array([places[key] for key in keys], dtype=np.int64)
        chosen.append(table.take(pa.array(new, pa.int64())))
    try:
        names = chosen[0].column_names
        if any(set(one.column_names) != set(names) for one in chosen):
            raise pa.ArrowInvalid('; '.join(', '.join(one.column_names) for one in chosen))
        # Depending on its release, pandas writes text as string or as large_string.
        ordered = [one.select(names) for one in chosen]
        united = pa.concat_tables(ordered, promote_options='permissive')
    except pa.ArrowException as error:
        roots = ' and '.join(str(one.root) for one in tables)
        raise DatasetsDifferError([f'the columns of {path} differ in {roots}: {error}']) from error
    if column in united.column_names:
        at = united.schema.get_field_index(column)
        field = united.schema.field(at)
        united = united.set_column(at, field, pa.array(range(len(united))).cast(field.type))
    return UnitedTable(path, to_bytes(united), numbers)


MERGED_FROM = 'merged_from'
"""The folder for files whose names are already taken; it has one folder per dataset."""

_READ_BY_ALL = re.compile(r'(data|meta/episodes)/[^/]+/[^/]+\.parquet')


@dataclass(frozen=True, slots=True)
class ForeignFiles:
    """
    Foreign files that a merge copies.

    :param copies: each file, and its path below the new root
    :param remarks: sentences on files that are moved elsewhere or left out
    """

    copies: tuple[tuple[Path, str], ...]
    remarks: tuple[str, ...]

    def copy(self, tree: NewTree) -> None:
        """
        Copy all files; links would not do, because owners may edit the file in either place.

        :raise RebuildError: if a file cannot be read or written
        """
        for source, relative in self.copies:
            tree.copy(source, relative)


def find_foreign_files(catalogs: Sequence[Catalog], united: Collection[str]) -> ForeignFiles:
    """
    Decide what becomes of every foreign file in a merge; compare files with the same name.

    :param catalogs: the datasets to merge, in order
    :param united: index tables, as paths below the root, that the caller unites itself
    """
    taken: dict[str, Path] = {}
    copies: list[tuple[Path, str]] = []
    remarks: list[str] = []
    for catalog, folder in zip(catalogs, _folders(catalogs), strict=True):
        moved, left = [], set()
        for relative in foreign_files(catalog.root):
            source = catalog.root / relative
            # The state of a sync is about the old root.
            if relative in united or relative.startswith(f'{SYNC}/'):
                continue
            if reason := _why_left(catalog.root, relative):
                left.add(reason)
            elif not _is_taken(relative, taken):
                taken[relative] = source
                copies.append((source, relative))
            elif relative not in taken or not _are_equal(taken[relative], source):
                moved.append(relative)
                copies.append((source, f'{MERGED_FROM}/{folder}/{relative}'))
        if moved:
            remarks.append(
                f'{catalog.root} has files whose names are taken by different files; '
                f'these go to {MERGED_FROM}/{folder}: {some_of(sorted(moved))}'
            )
        if left:
            remarks.append(f'not copied from {catalog.root}: {some_of(sorted(left))}')
    return ForeignFiles(tuple(copies), tuple(remarks))


def _are_equal(one: Path, other: Path) -> bool:
    """Compare two files, each of which may be here or elsewhere."""
    if size_bytes(one) != size_bytes(other):
        return False
    with opened(one) as ours, opened(other) as theirs:
        digests = {
            digest_of(iter(partial(file.read, _CHUNK_BYTES), b'')) for file in (ours, theirs)
        }
    return len(digests) == 1


def numbered_meta_files(catalog: Catalog) -> list[str]:
    """Return a remark on foreign files in meta, which may hold old episode numbers."""
    tables = set(index_tables(catalog.root, catalog.info.features).values())
    # Files about the robot hold no numbers: episodes name them.
    found = sorted(
        one
        for one in foreign_files(catalog.root)
        if one.startswith('meta/') and not one.startswith(f'{ROBOT}/') and one not in tables
    )
    if not found:
        return []
    return [f'{some_of(found)}: kept as they are; any episode numbers in them are the old ones']


def _folders(catalogs: Sequence[Catalog]) -> Iterator[str]:
    seen: dict[str, int] = {}
    for catalog in catalogs:
        name = catalog.root.name or 'root'
        seen[name] = seen.get(name, 0) + 1
        yield name if seen[name] == 1 else f'{name}.{seen[name]}'


def _is_taken(relative: str, taken: Collection[str]) -> bool:
    """Return whether this path, a file above it or a file below it exists already."""
    above = {str(one) for one in PurePosixPath(relative).parents}
    return relative in taken or any(
        one in above or one.startswith(f'{relative}/') for one in taken
    )


def _why_left(root: Path, relative: str) -> str:
    """Return the file and the reason why a merge does not copy it; empty if it is copied."""
    top, _, below = relative.partition('/')
    if below and top.startswith('.'):
        # Version control data and caches belong to the folder that contains them.
        return f'{top}/'
    if not (root / relative).is_file():
        return f'{relative} (a link)'
    if _READ_BY_ALL.fullmatch(relative):
        return f'{relative} (readers would take it for episodes)'
    if is_left_by_recording(relative):
        return f'{top} (left over from a recording)'
    return ''
