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
Columns of the data that follow from an episode as a whole: its end, its success, its subtasks.

LeRobot 0.6 reads subtasks from ``language_persistent``, whose rows are the same on every frame of
an episode, and 0.4 from ``subtask_index`` with meta/subtasks.parquet.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import PurePosixPath
from typing import Any

from lerobot_streamrec.dataset.format.data_rows import Columns
from lerobot_streamrec.dataset.format.episode_table import VERDICT, VERDICTS
from lerobot_streamrec.dataset.format.features import (
    arrow_type,
    DONE,
    LANGUAGE,
    SUBTASK_FEATURES,
    SUBTASK_INDEX,
    SUCCESS,
)
from lerobot_streamrec.dataset.format.files import Files
from lerobot_streamrec.dataset.format.info import DatasetInfo
from lerobot_streamrec.dataset.format.layout import SUBTASKS
from lerobot_streamrec.dataset.format.take_record import parse_subtasks, Subtask
from lerobot_streamrec.dataset.format.tasks import parse_subtask_texts, subtasks_bytes
import numpy as np
import pyarrow as pa

DERIVED = frozenset({DONE, SUCCESS, SUBTASK_INDEX, LANGUAGE})
"""The features that no stream records."""

NO_SUBTASK = ''
"""The text of rows before the first subtask, since LeRobot 0.4 looks every number up."""


def derived_columns(
    files: Files,
    info: DatasetInfo,
    record: Mapping[str, Any],
    num_rows: int,
    recorded: Collection[str],
) -> tuple[Columns, dict[PurePosixPath, bytes]]:
    """
    Return the columns of an episode that no stream records.

    :param files: the access to the disk
    :param info: the description of the features, which says which of ``DERIVED`` are wanted
    :param record: the recorder's own record of the episode
    :param num_rows: the number of its rows
    :param recorded: the features for which there are values, which are not derived
    :return: the columns, and the new content of meta/subtasks.parquet by its path if the episode
        has a new subtask
    :raise DatasetCorruptError: if meta/subtasks.parquet cannot be read
    """
    wanted = [key for key in info.features if key in DERIVED and key not in recorded]
    said = parse_subtasks(record.get('subtasks', ()))
    columns: dict[str, Any] = {}
    changed: dict[PurePosixPath, bytes] = {}
    for key in wanted:
        if key == DONE:
            columns[key] = last_row_flags(num_rows, flag=True)
        elif key == SUCCESS:
            columns[key] = last_row_flags(num_rows, flag=_is_success(record))
        elif key == LANGUAGE:
            columns[key] = _utterances(said, num_rows, info.fps)
        else:
            before = parse_subtask_texts(files.content(SUBTASKS), files.root)
            texts = tuple(dict.fromkeys((*before, NO_SUBTASK, *(one.text for one in said))))
            columns[key] = _numbers(said, num_rows, texts)
            if texts != before:
                changed[SUBTASKS] = subtasks_bytes(texts)
    return columns, changed


def _is_success(record: Mapping[str, Any]) -> bool:
    """Return whether the record of an episode says that it was a success."""
    return bool(record.get('metadata', {}).get(VERDICT) == VERDICTS[0])


def last_row_flags(num_rows: int, *, flag: bool) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return flags ``(num_rows,)`` that are false but for the last one."""
    flags = np.zeros(num_rows, dtype=np.bool_)
    flags[-1] = flag
    return flags


def _numbers(
    said: tuple[Subtask, ...], num_rows: int, subtasks: tuple[str, ...]
) -> np.ndarray[Any, np.dtype[np.int64]]:
    numbers = np.full(num_rows, subtasks.index(NO_SUBTASK), dtype=np.int64)
    for one in said:
        numbers[one.row :] = subtasks.index(one.text)
    return numbers


def _utterances(said: tuple[Subtask, ...], num_rows: int, fps: int) -> pa.Array:
    rows = [
        {
            'role': 'assistant',
            'content': one.text,
            'style': 'subtask',
            'timestamp': one.row / fps,
            'camera': None,
            'tool_calls': None,
        }
        for one in said
    ]
    # Each frame repeats all rows of the episode, and the reader takes the one in force.
    whole = pa.array([rows], arrow_type(SUBTASK_FEATURES[LANGUAGE]))
    return whole.take(pa.array(np.zeros(num_rows, dtype=np.int64)))
