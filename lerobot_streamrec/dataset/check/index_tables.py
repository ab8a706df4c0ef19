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
"""Checks tables that rows refer to by number, as those of subtasks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lerobot_streamrec.dataset.check.finding_codes import INDEX_OUT_OF_TABLE, WRONG_INDEX_TABLE
from lerobot_streamrec.dataset.check.findings import Findings
from lerobot_streamrec.dataset.check.info import CheckedInfo
from lerobot_streamrec.dataset.check.moments import Moments
from lerobot_streamrec.dataset.check.reading import UNREADABLE
from lerobot_streamrec.dataset.rebuild.index_tables import index_tables, read_index_table
import numpy as np


def check_index_tables(
    root: Path, info: CheckedInfo, moments: Mapping[str, Moments], findings: Findings
) -> None:
    """
    Find tables that cannot be used, and rows that refer to nothing in them.

    :param moments: moments of the rows of each feature
    """
    for column, path in index_tables(root, info.features).items():
        try:
            num_rows = len(read_index_table(root, path, column))
        except UNREADABLE as error:
            findings.add(
                WRONG_INDEX_TABLE,
                path,
                f'{column} refers to a table that cannot be used',
                found=error,
                feature=column,
            )
            continue
        largest = moments[column].values['max'] if column in moments else np.zeros(0)
        known = largest[np.isfinite(largest)]
        if known.size and known.max() >= num_rows:
            findings.add(
                INDEX_OUT_OF_TABLE,
                path,
                f'Rows have a {column} that the table does not hold',
                found=int(known.max()),
                expected=f'no more than {num_rows - 1}',
                feature=column,
            )
