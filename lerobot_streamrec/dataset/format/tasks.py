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
"""meta/tasks.parquet: the task of every task_index."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
import json
from pathlib import Path

from lerobot_streamrec.dataset.format.info_rules import shown_value
from lerobot_streamrec.dataset.format.layout import SUBTASKS, TASKS
from lerobot_streamrec.dataset.format.parquet import to_bytes
from lerobot_streamrec.errors import DatasetCorruptError
import pyarrow as pa
import pyarrow.parquet as pq


def _pandas_column(name: str, pandas_type: str, numpy_type: str) -> dict[str, object]:
    return {
        'name': name,
        'field_name': name,
        'pandas_type': pandas_type,
        'numpy_type': numpy_type,
        'metadata': None,
    }


def _text_table_schema(name: str) -> pa.Schema:
    """
    Return the schema of a table of texts, with the columns ``<name>_index`` and ``<name>``.

    LeRobot reads such a file with pandas and takes the text from the index of the data frame.
    Without this metadata it silently gets a number instead of the text.
    """
    number = f'{name}_index'
    metadata = {
        'index_columns': [name],
        'column_indexes': [
            {
                'name': None,
                'field_name': None,
                'pandas_type': 'unicode',
                'numpy_type': 'object',
                'metadata': {'encoding': 'UTF-8'},
            }
        ],
        'columns': [
            _pandas_column(number, 'int64', 'int64'),
            _pandas_column(name, 'unicode', 'object'),
        ],
        'creator': {'library': 'pyarrow', 'version': pa.__version__},
        'pandas_version': '2.2.0',
    }
    fields = [pa.field(number, pa.int64()), pa.field(name, pa.string())]
    return pa.schema(fields, metadata={'pandas': json.dumps(metadata)})


_TASK_COLUMNS = ('task', '__index_level_0__')
_OF_FORMAT = {'task_index', *_TASK_COLUMNS}


@dataclass(frozen=True, slots=True)
class TaskColumns:
    """
    The columns that other writers added to the table of tasks.

    :param types: the types, per name of a column
    :param values: the values of each task, per name of a column
    """

    types: Mapping[str, pa.DataType] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def merged(self, other: TaskColumns) -> TaskColumns:
        """Return the columns of two tables; where both have a value, this table's value counts."""
        types = {**other.types, **self.types}
        fitting = {name for name, kind in other.types.items() if types[name] == kind}
        values = {
            task: {
                **{name: one for name, one in said.items() if name in fitting},
                **self.values.get(task, {}),
            }
            for task, said in other.values.items()
        }
        return TaskColumns(types, {**self.values, **values})


@dataclass(frozen=True, slots=True)
class TaskTable:
    """
    The tasks in the order of their first use; the position of a task is its task_index.

    :param tasks: the tasks, all different
    :param others: the columns that other writers added, perhaps with values for further tasks
    """

    tasks: tuple[str, ...] = ()
    others: TaskColumns = field(default_factory=TaskColumns)

    def first(self, count: int) -> TaskTable:
        """Return a table of the first ``count`` tasks."""
        return replace(self, tasks=self.tasks[:count])

    def with_task(self, task: str) -> TaskTable:
        """Return a table that contains the task; this table if it already does."""
        return self if task in self.tasks else replace(self, tasks=(*self.tasks, task))

    def index(self, task: str) -> int:
        """Return the task_index of a task in the table."""
        return self.tasks.index(task)

    def as_bytes(self) -> bytes:
        """Return the file's content."""
        table = _text_table('task', self.tasks)
        for name, kind in self.others.types.items():
            said = [self.others.values.get(task, {}).get(name) for task in self.tasks]
            table = table.append_column(name, pa.array(said, kind))
        return to_bytes(table)


def _text_table(name: str, texts: Sequence[str]) -> pa.Table:
    return pa.table([list(range(len(texts))), list(texts)], schema=_text_table_schema(name))


def subtasks_bytes(subtasks: Sequence[str]) -> bytes:
    """Return the content of meta/subtasks.parquet, in which each text is at its own number."""
    return to_bytes(_text_table('subtask', subtasks))


def parse_subtask_texts(content: bytes | None, where: object) -> tuple[str, ...]:
    """
    Parse meta/subtasks.parquet.

    :param content: the bytes of the file; None if there is none
    :param where: the dataset's root, for messages
    :raise DatasetCorruptError: if the content does not match the format
    """
    if content is None:
        return ()
    try:
        table = pq.read_table(pa.BufferReader(content))
        numbers = table.column('subtask_index').to_pylist()
        texts = table.column('subtask').to_pylist()
    except (pa.ArrowException, KeyError) as error:
        raise DatasetCorruptError(f'{where}/{SUBTASKS} cannot be read: {error}') from error
    if numbers != list(range(len(numbers))):
        raise DatasetCorruptError(
            f'{where}/{SUBTASKS} holds the subtask indices {numbers}: they must be 0, 1, ...'
        )
    return tuple(map(str, texts))


def task_column(names: Collection[str]) -> str:
    """
    Return which column of a table of tasks holds their texts.

    Older releases wrote the pandas index without a name, for which pandas has a name of its own.
    """
    return next((name for name in _TASK_COLUMNS if name in names), _TASK_COLUMNS[0])


def task_columns(table: pa.Table) -> TaskColumns:
    """
    Return the columns that other writers added to the table of tasks.

    :param table: the content of tasks.parquet, with its rows in any order
    """
    types = {one.name: one.type for one in table.schema if one.name not in _OF_FORMAT}
    if not types:
        return TaskColumns()
    texts = table.column(task_column(table.column_names)).to_pylist()
    rows = table.select(list(types)).to_pylist()
    return TaskColumns(types, dict(zip(map(str, texts), rows, strict=True)))


def parse_tasks(content: bytes, where: object) -> TaskTable:
    """
    Parse tasks.parquet.

    :param content: the bytes of the file
    :param where: the dataset's root, for messages
    :raise DatasetCorruptError: if the content does not match the format
    """
    try:
        table = pq.read_table(pa.BufferReader(content))
        indices = table.column('task_index').to_pylist()
        tasks = table.column(task_column(table.column_names)).to_pylist()
        others = task_columns(table)
    except (pa.ArrowException, KeyError) as error:
        raise DatasetCorruptError(f'{where}/meta/tasks.parquet cannot be read: {error}') from error
    if indices != list(range(len(indices))):
        raise DatasetCorruptError(
            f'{where}/meta/tasks.parquet holds the task indices {indices}: they must be 0, 1, ...'
        )
    return TaskTable(tuple(tasks), others)


def present_tasks(
    content: bytes | None, root: Path, total_tasks: int, used: Collection[str] = ()
) -> TaskTable:
    """
    Return the tasks of a dataset, perhaps with surplus ones that a crash left.

    :param content: the bytes of tasks.parquet; None if the file is missing
    :param root: the dataset's folder
    :param total_tasks: the number of committed tasks in info.json
    :param used: tasks of episodes, which must be committed
    :raise DatasetCorruptError: if tasks are missing, or the content does not match the format
    """
    if content is None:
        if total_tasks:
            raise DatasetCorruptError(f'{root / TASKS} is missing')
        return TaskTable()
    present = parse_tasks(content, root)
    lost = set(used) - set(present.tasks[:total_tasks])
    if lost or len(present.tasks) < total_tasks:
        missing = f', and episodes have other tasks: {shown_value(sorted(lost))}' if lost else ''
        raise DatasetCorruptError(
            f'{root / TASKS}: found {len(present.tasks)} tasks, expected {total_tasks}, which is '
            f'total_tasks in info.json{missing}'
        )
    return present
