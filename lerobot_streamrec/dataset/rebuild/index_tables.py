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
Tables that rows refer to by number, as ``meta/subtasks.parquet`` by the column ``subtask_index``.

Readers take the row at the place that the number names. A table of two datasets holds the rows of
both, each once, and the numbers of the second one become others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lerobot_streamrec.dataset.format.catalog import Catalog
from lerobot_streamrec.dataset.format.episode_reader import read_parquet
from lerobot_streamrec.dataset.format.features import DEFAULT_FEATURES, FeatureSpec
from lerobot_streamrec.dataset.format.layout import TASKS
from lerobot_streamrec.dataset.format.parquet import to_bytes
from lerobot_streamrec.errors import DatasetCorruptError, DatasetsDifferError
import numpy as np
import numpy.typing as npt
import pyarrow as pa

_INTEGERS = ('int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64')

Numbers = npt.NDArray[np.int64]


def index_tables(root: Path, features: Mapping[str, FeatureSpec]) -> dict[str, str]:
    """
    Find the tables of a dataset that a column refers to.

    :return: per column such as ``subtask_index``: the path of its table below the root
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
    """Return the possible plurals of a column name: categories, boxes, subtasks, speech."""
    endings = (('ies', 'y'), ('es', ''), ('s', ''), ('', ''))
    return tuple(
        word.removesuffix(plural) + singular
        for plural, singular in endings
        if word.endswith(plural)
    )


@dataclass(frozen=True, slots=True)
class UnitedTable:
    """
    A table of several datasets.

    :param path: path of the file below the root
    :param content: content of the file
    :param numbers: per dataset: the new number of each old one
    """

    path: str
    content: bytes
    numbers: Mapping[Catalog, Numbers]


def united_tables(catalogs: Sequence[Catalog]) -> dict[str, UnitedTable]:
    """
    Make one table of those of several datasets, for every column that refers to one.

    :return: tables by column; empty for a single dataset, whose tables stay as they are
    :raise DatasetCorruptError: if a table cannot be read, or does not count its own rows
    :raise DatasetsDifferError: if the columns of two tables do not fit together
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
    Read a table whose rows are referred to by their places.

    :raise DatasetCorruptError: if it cannot be read, or numbers its rows in another way
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
        # Releases of pandas write texts as string or as large_string.
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
