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
"""The checks of meta/tasks.parquet and of other tables to which columns refer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
import json
from pathlib import Path

from lerobot_streamrec.dataset.check import finding_codes as kinds
from lerobot_streamrec.dataset.check.compare_statistics import Moments
from lerobot_streamrec.dataset.check.findings import Findings, some
from lerobot_streamrec.dataset.check.info import CheckedInfo
from lerobot_streamrec.dataset.check.reading import open_parquet, UNREADABLE
from lerobot_streamrec.dataset.format.layout import INFO, TASKS
from lerobot_streamrec.dataset.format.tasks import task_column
from lerobot_streamrec.dataset.rebuild.foreign_files import index_tables, read_index_table
import numpy as np
import pyarrow as pa


def check_index_tables(
    root: Path, info: CheckedInfo, moments: Mapping[str, Moments], findings: Findings
) -> None:
    """
    Find index tables that cannot be used, and values that have no row in their table.

    :param moments: the actual moments, per feature
    """
    for column, path in index_tables(root, info.features).items():
        of_column = findings.about(path, feature=column)
        try:
            num_rows = len(read_index_table(root, path, column))
        except UNREADABLE as error:
            what = f'{column} refers to a table that cannot be used'
            of_column.add(kinds.WRONG_INDEX_TABLE, what, error)
            continue
        largest = moments[column].values['max'] if column in moments else np.zeros(0)
        known = largest[np.isfinite(largest)]
        if known.size and known.max() >= num_rows:
            what = f'Values of {column} have no row in the table'
            allowed = f'at most {num_rows - 1}'
            of_column.add(kinds.INDEX_OUT_OF_TABLE, what, int(known.max()), allowed)


def check_tasks(root: Path, total_tasks: int | None, findings: Findings) -> list[str] | None:
    """
    Check the table of tasks.

    :param total_tasks: the number of tasks in info.json; None if unknown
    :return: the tasks by task_index; None if the table cannot be used
    """
    if total_tasks == 0 and not (root / TASKS).exists():
        return []
    findings = findings.about(str(TASKS))
    file = open_parquet(root, findings.path, findings)
    if file is None:
        return None
    try:
        with file:
            table = file.read()
    except UNREADABLE as error:
        findings.add(kinds.UNREADABLE_FILE, 'The file cannot be read', error)
        return None
    name = task_column(table.column_names)
    if any(table.column_names.count(one) != 1 for one in (name, 'task_index')):
        what, found = 'The columns cannot be used', some(table.column_names)
        findings.add(kinds.MISSING_COLUMN, what, found, 'task_index and task')
        return None
    _check_index(table.schema, name, findings)
    indices = table.column('task_index').to_pylist()
    tasks = table.column(name).to_pylist()
    _check_content(indices, tasks, findings)
    _check_total(len(tasks), total_tasks, findings)
    return [str(task) for task in tasks]


def _check_index(schema: pa.Schema, name: str, findings: Findings) -> None:
    try:
        index = json.loads((schema.metadata or {}).get(b'pandas', b'{}')).get('index_columns')
    except UNREADABLE:
        index = None
    if index != [name]:
        what = 'The pandas metadata does not make the tasks the index'
        findings.add(kinds.TASKS_WITHOUT_INDEX, what, index or 'none', [name])


def _check_content(indices: list[object], tasks: list[object], findings: Findings) -> None:
    if not all(isinstance(index, int) for index in indices) or any(
        index != place for place, index in enumerate(indices)
    ):
        what, expected = 'task_index is not the number of the row', f'0 to {len(indices) - 1}'
        findings.add(kinds.TASKS_OUT_OF_ORDER, what, some(indices), f'{expected} in order')
    wrong = [task for task in tasks if not isinstance(task, str)]
    if wrong:
        findings.add(kinds.WRONG_TASK, 'Some tasks are not texts', some(wrong), 'texts')
    elif len(set(tasks)) < len(tasks):
        twice = [str(task) for task, count in Counter(tasks).items() if count > 1]
        findings.add(kinds.DUPLICATE_TASK, 'Some tasks appear more than once', some(twice))


def _check_total(num_tasks: int, total_tasks: int | None, findings: Findings) -> None:
    if total_tasks is None or num_tasks == total_tasks:
        return
    if total_tasks and num_tasks > total_tasks:
        what = 'The file has more tasks than total_tasks in info.json'
        findings.add(kinds.UNCOMMITTED_TASK, what, num_tasks, total_tasks)
        return
    what = 'total_tasks is not the number of tasks'
    findings.about(str(INFO)).add(kinds.WRONG_TOTAL, what, total_tasks, num_tasks)
