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
"""A reader of broken data files that returns rows with all columns and new numbers."""

from __future__ import annotations

from collections.abc import Iterator

from lerobot_streamrec.dataset.format.features import arrow_type, DEFAULT_FEATURES
from lerobot_streamrec.dataset.format.parquet import read_parquet, read_schema
from lerobot_streamrec.dataset.rebuild.pieces import Kept, Piece
from lerobot_streamrec.dataset.repair.plan import RepairPlan
import numpy as np
import pyarrow as pa


class RowReader:
    """
    A reader of the rows that a plan keeps; it replaces ``rows_of`` in a repair.

    :param plan: plan of the repair
    """

    def __init__(self, plan: RepairPlan) -> None:
        self._plan = plan
        self._columns = plan.sources.info.columns

    def __call__(
        self, piece: Piece, columns: list[str] | None
    ) -> Iterator[tuple[Kept, pa.Table]]:
        """
        Read the kept rows of each episode of a piece.

        :param columns: names of features to read; None: all features
        """
        present = read_schema(piece.path).names
        wanted = [key for key in self._columns if columns is None or key in columns]
        # task_index is the only number of a row that is read; all others are computed.
        read = [key for key in {*wanted, 'task_index'} if key in present]
        table = read_parquet(piece.path, read)
        if set(present) != set(self._columns):
            # The metadata may describe columns that the new file will not have.
            table = table.replace_schema_metadata(None)
        for episode in piece.episodes:
            rows = self._plan.source_of(episode).rows
            assert rows is not None
            kept = table.slice(rows.begin, episode.source.length)
            yield episode, _numbered(kept, wanted, episode)


def _numbered(rows: pa.Table, columns: list[str], episode: Kept) -> pa.Table:
    """Put the columns in order, and compute the frame numbers and timestamps anew."""
    frame_index = np.arange(len(rows), dtype=np.int64)
    # The numbers within the dataset are filled in when the rows are written.
    unknown = np.zeros(len(rows), dtype=np.int64)
    new = {
        'timestamp': (frame_index / episode.catalog.info.fps).astype(np.float32),
        'frame_index': frame_index,
        'episode_index': unknown,
        'index': unknown,
        'task_index': np.asarray(rows.column('task_index').to_numpy(), dtype=np.int64),
    }
    fields, arrays = [], []
    for key in columns:
        if key in new:
            fields.append(pa.field(key, arrow_type(DEFAULT_FEATURES[key])))
            arrays.append(pa.array(new[key]))
        else:
            fields.append(rows.schema.field(key))
            arrays.append(rows.column(key))
    return pa.table(arrays, schema=pa.schema(fields, metadata=rows.schema.metadata))
