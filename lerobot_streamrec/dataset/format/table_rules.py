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
The rules for the tables of a dataset: columns, types, lengths and ranges.

Tools refuse a dataset with a table that breaks a rule; the check reports a finding instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from lerobot_streamrec.dataset.format.features import FeatureSpec
from lerobot_streamrec.dataset.format.info import DatasetInfo
from lerobot_streamrec.dataset.format.info_rules import MAX_COUNT, shown_value, TEXTS
from lerobot_streamrec.dataset.format.layout import TASKS
from lerobot_streamrec.dataset.format.parquet import (
    naming,
    READ_ERRORS,
    TableFile,
    Unfit,
    UnfitError,
)
from lerobot_streamrec.dataset.format.tasks import task_column
from lerobot_streamrec.errors import UnusableDatasetError
from lerobot_streamrec.stats.feature_statistics import STATISTICS
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_MAX_FILE_NUMBER = 10**9
_PLACES = {'chunk_index': (0, _MAX_FILE_NUMBER), 'file_index': (0, _MAX_FILE_NUMBER)}
_EPISODE_NUMBERS = {
    'episode_index': (0, MAX_COUNT),
    'length': (1, MAX_COUNT),
    'dataset_from_index': (0, MAX_COUNT),
    'dataset_to_index': (0, MAX_COUNT),
    **{f'data/{name}': span for name, span in _PLACES.items()},
}
# Readers accept frames within 1e-4 s of the stated time.
_MIN_SECONDS, _MAX_SECONDS = -1e-4, 1e9

# Reading all columns of a small file at once takes a quarter of the time.
_SMALL_BYTES = 1 << 20

# Parquet packs no more than 64 ascending numbers into a byte.
_FREE_VALUES, _VALUES_PER_BYTE = 2**20, 64


def open_table(path: Path) -> TableFile:
    """
    Open a parquet file, which the caller closes; all errors are among ``READ_ERRORS``.

    A file that claims far more values than its bytes can hold is refused, since a number in the
    file would decide how much memory reading takes.
    """
    if not path.is_file():
        raise OSError('it is not a regular file')
    file = TableFile(path)
    name, count = Counter(file.schema_arrow.names).most_common(1)[0]
    if count > 1:
        file.close()
        raise ValueError(f'it has {count} columns {shown_value(name)}')
    metadata, size = file.metadata, path.stat().st_size
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    values = max(metadata.num_rows, 0) + sum(
        group.column(number).num_values for group in groups for number in range(group.num_columns)
    )
    if values > _FREE_VALUES + _VALUES_PER_BYTE * size:
        file.close()
        raise ValueError(f'it claims to hold {values} values in {size} bytes')
    return file


def column_of(table: pa.Table, name: str) -> pa.ChunkedArray:
    """
    Return one column of a table.

    :raise UnfitError: if the table does not have exactly one column of this name
    """
    _demand_one(table.column_names, name)
    return table.column(name)


def _demand_one(names: Sequence[str], name: str) -> None:
    count = names.count(name)
    if count != 1:
        raise UnfitError(Unfit.COLUMN, f'{count} columns', 'one column of this name')


_Read = Callable[[str], pa.ChunkedArray]


def _columns_of(file: TableFile, path: Path, info: DatasetInfo) -> _Read:
    """Return a function that returns a column of numbers, read alone if others may be large."""
    if path.stat().st_size <= _SMALL_BYTES:
        names = {key for key, one in info.features.items() if one.dtype not in (*TEXTS, 'image')}
        return partial(column_of, file.read(columns=[*names | {'episode_index'}]))

    def read(name: str) -> pa.ChunkedArray:
        _demand_one(file.schema_arrow.names, name)
        # pyarrow takes names with dots for paths and may read other columns as well.
        return file.read(columns=[name]).column(name)

    return read


def whole_numbers(column: pa.ChunkedArray, least: int = -(2**63), most: int = 2**63 - 1) -> Ints:
    """
    Return a column of whole numbers.

    :param least: the smallest allowed number
    :param most: the largest allowed number
    :raise UnfitError: if the column has another type, a row without a value or a number out of
        range
    """
    if not pa.types.is_integer(column.type):
        raise UnfitError(Unfit.TYPE, f'the type {column.type}', 'int64')
    _refuse_holes(column)
    extremes = pc.min_max(column).as_py()
    if len(column) and not least <= extremes['min'] <= extremes['max'] <= most:
        wrong = extremes['min'] if extremes['min'] < least else extremes['max']
        raise UnfitError(Unfit.RANGE, wrong, f'a whole number from {least} to {most}')
    return np.asarray(column.to_numpy(), dtype=np.int64)


def real_numbers(column: pa.ChunkedArray) -> Floats:
    """
    Return a column of numbers, which need not be finite.

    :raise UnfitError: if the column has another type, or a row has no value
    """
    kind = column.type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
        raise UnfitError(Unfit.TYPE, f'the type {kind}', 'double')
    _refuse_holes(column)
    return np.asarray(column.to_numpy(), dtype=np.float64)


def _refuse_holes(column: pa.ChunkedArray) -> None:
    if column.null_count:
        found = f'{column.null_count} of {len(column)} values missing'
        raise UnfitError(Unfit.TYPE, found, 'a value in every row')


def feature_values(
    column: pa.ChunkedArray, spec: FeatureSpec, dtype: str = 'float64'
) -> npt.NDArray[Any]:
    """
    Return the values of a numeric feature.

    :param column: the feature's column of a data file
    :param spec: the feature's description in info.json
    :param dtype: numpy's name for the type to return; statistics need float64
    :return: ``(rows, product of the leading dimensions, last dimension)``
    :raise UnfitError: if the type or the shape is not the described one, or if a row or an
        element is missing
    """
    assert spec.shape is not None
    if column.null_count:
        found = f'{column.null_count} of {len(column)} values missing'
        raise UnfitError(Unfit.VALUE, found, 'a value in every row')
    array, shape = _flat(column.combine_chunks())
    if not _fits(array.type, np.dtype(spec.dtype).kind):
        raise UnfitError(Unfit.TYPE, f'the type {column.type}', spec.dtype)
    if len(column) and shape not in (spec.shape, () if spec.shape == (1,) else spec.shape):
        raise UnfitError(Unfit.SHAPE, f'the shape {list(shape)}', list(spec.shape))
    if array.null_count:
        raise UnfitError(Unfit.VALUE, f'{array.null_count} missing elements', 'none')
    values = np.asarray(array.to_numpy(zero_copy_only=False), dtype=dtype)
    return values.reshape(len(column), -1, spec.shape[-1])


def _flat(array: pa.Array) -> tuple[pa.Array, tuple[int, ...]]:
    """Return all elements as one flat array, and the shape of one row."""
    shape: list[int] = []
    while isinstance(array, pa.ExtensionArray | pa.ChunkedArray) or _is_list(array.type):
        if isinstance(array, pa.ExtensionArray):
            array = array.storage
        elif isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks)
        elif array.null_count:
            raise UnfitError(Unfit.VALUE, f'{array.null_count} missing lists', 'none')
        elif pa.types.is_fixed_size_list(array.type):
            shape.append(array.type.list_size)
            array = array.flatten()
        else:
            lengths = pc.min_max(pc.list_value_length(array)).as_py()
            if lengths['min'] != lengths['max']:
                found = f'lists of {lengths["min"]} to {lengths["max"]} elements'
                raise UnfitError(Unfit.SHAPE, found, 'lists of one length')
            shape.append(lengths['min'] or 0)
            array = array.flatten()
    return array, tuple(shape)


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _fits(kind: pa.DataType, wanted: str) -> bool:
    """Return True if readers can convert an Arrow type into a numpy kind."""
    if wanted == 'b':
        return bool(pa.types.is_boolean(kind))
    if wanted == 'f':
        return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))
    return bool(pa.types.is_integer(kind))


def is_text(kind: pa.DataType) -> bool:
    """Return True if the type of a column is text."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


@contextmanager
def refusing(root: Path, path: Path) -> Iterator[None]:
    """
    Refuse a dataset if reading one of its files fails.

    :param root: the dataset's folder
    :param path: the file, below the root
    :raise UnusableDatasetError: for each error in ``READ_ERRORS`` and for ``UnfitError``
    """
    relative = path.relative_to(root).as_posix()
    try:
        yield
    except UnfitError as error:
        raise UnusableDatasetError(root, relative, str(error)) from error
    except READ_ERRORS as error:
        reason = ' '.join(str(error).split())[:200] or type(error).__name__
        problem = f'the file cannot be read ({reason})'
        raise UnusableDatasetError(root, relative, problem) from error


def checked_episodes(root: Path, path: Path, info: DatasetInfo) -> pa.Table:
    """
    Read an episodes file without its statistics, and refuse it if no tool can use it.

    :raise UnusableDatasetError: naming the file, the column and the allowed values
    """
    with refusing(root, path), open_table(path) as file:
        schema = file.schema_arrow
        _refuse_odd_statistics(schema, info)
        columns = [name for name in schema.names if not name.startswith('stats/')]
        table = file.read(columns=columns)
        _refuse_odd_episodes(table, info)
        return table


def refuse_odd_tasks(root: Path) -> None:
    """
    Refuse a dataset whose tasks no tool can use.

    :raise UnusableDatasetError: naming the column and the allowed values
    """
    path = root / TASKS
    if path.exists():
        with refusing(root, path), open_table(path) as file:
            _refuse_odd_task_table(file.read())


def _refuse_odd_task_table(table: pa.Table) -> None:
    with naming('task_index'):
        whole_numbers(column_of(table, 'task_index'), 0, MAX_COUNT)
    name = task_column(table.column_names)
    with naming(name):
        column = column_of(table, name)
        if len(column) and not is_text(column.type):
            raise UnfitError(Unfit.TYPE, f'the type {column.type}', 'string')
        _refuse_holes(column)


def _refuse_odd_episodes(table: pa.Table, info: DatasetInfo) -> None:
    places = {
        f'{prefix}/{name}': span
        for prefix in (*(f'videos/{key}' for key in info.video_keys), 'meta/episodes')
        for name, span in _PLACES.items()
        # Not every writer states in which file of meta/episodes a row is.
        if prefix != 'meta/episodes' or f'{prefix}/{name}' in table.column_names
    }
    for name, (least, most) in {**_EPISODE_NUMBERS, **places}.items():
        with naming(name):
            whole_numbers(column_of(table, name), least, most)
    with naming('tasks'):
        _refuse_odd_lists(column_of(table, 'tasks'))
    for key in info.video_keys:
        ends = []
        for name in (f'videos/{key}/from_timestamp', f'videos/{key}/to_timestamp'):
            with naming(name):
                ends.append(real_numbers(column_of(table, name)))
                _refuse_odd_seconds(ends[-1])
        backwards = np.flatnonzero(ends[1] < ends[0])
        if len(backwards):
            begin_s, end_s = (one[backwards[0]] for one in ends)
            allowed = f'no less than from_timestamp, which is {begin_s:g} s'
            raise UnfitError(Unfit.RANGE, f'{end_s:g} s', allowed, f'column {name}')


def _refuse_odd_statistics(schema: pa.Schema, info: DatasetInfo) -> None:
    present = set(schema.names)
    for key, spec in info.features.items():
        names = (f'stats/{key}/{name}' for name in STATISTICS)
        for name in (one for one in names if spec.dtype not in TEXTS and one in present):
            kind = schema.field(name).type
            while _is_list(kind):
                kind = kind.value_type
            if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
                found, place = f'the type {schema.field(name).type}', f'column {name}'
                raise UnfitError(Unfit.TYPE, found, 'lists of numbers', place)


def _refuse_odd_lists(column: pa.ChunkedArray) -> None:
    kind = column.type
    if len(column) and not (_is_list(kind) and is_text(kind.value_type)):
        raise UnfitError(Unfit.TYPE, f'the type {kind}', 'lists of strings')
    if len(column):
        _refuse_holes(column)
        _refuse_holes(pc.list_flatten(column))


def _refuse_odd_seconds(values: Floats) -> None:
    wrong = values[~((values >= _MIN_SECONDS) & (values <= _MAX_SECONDS))]
    if len(wrong):
        raise UnfitError(Unfit.RANGE, f'{wrong[0]:g} s', f'0 to {_MAX_SECONDS:g} s')


def refuse_odd_rows(root: Path, path: Path, info: DatasetInfo, lengths: Mapping[int, int]) -> None:
    """
    Refuse a data file whose rows no tool can use; this reads all but images and texts.

    Numbers need not be finite, so that an episode with NaN can still be deleted.

    :param root: the dataset's folder
    :param path: the file
    :param info: the description of the features
    :param lengths: the number of rows of each episode whose rows are checked
    :raise UnusableDatasetError: naming the file, the column and the allowed values
    """
    with refusing(root, path), open_table(path) as file:
        read = _columns_of(file, path, info)
        with naming('episode_index'):
            owners = whole_numbers(read('episode_index'))
        counts = Counter(owners.tolist())
        for episode, length in lengths.items():
            if counts[episode] != length:
                found, place = f'{counts[episode]} rows', f'episode {episode}'
                raise UnfitError(Unfit.SHAPE, found, length, place)
        chosen = np.isin(owners, np.array([*lengths], dtype=np.int64))
        mask = pa.array(chosen)
        for key, spec in info.features.items():
            if not spec.is_video:
                with naming(key):
                    _refuse_odd_feature(file, read, mask, key, spec)


def _refuse_odd_feature(
    file: TableFile, read: _Read, mask: pa.Array, key: str, spec: FeatureSpec
) -> None:
    _demand_one(file.schema_arrow.names, key)
    if spec.dtype == 'language':
        return
    if spec.dtype in ('string', 'image'):
        kind = file.schema_arrow.field(key).type
        is_picture = pa.types.is_struct(kind) and kind.get_field_index('bytes') >= 0
        if not (is_picture if spec.dtype == 'image' else is_text(kind)):
            allowed = 'string' if spec.dtype == 'string' else 'a struct with bytes'
            raise UnfitError(Unfit.TYPE, f'the type {kind}', allowed)
        return
    values = read(key).filter(mask)
    if key == 'task_index':
        whole_numbers(values, 0, MAX_COUNT)
    elif spec.dtype == 'int64' and key in _ROW_NUMBERS:
        whole_numbers(values)
    else:
        feature_values(values, spec)


_ROW_NUMBERS = ('frame_index', 'episode_index', 'index')
