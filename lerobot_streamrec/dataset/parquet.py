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
"""How every parquet file of a dataset is written: as LeRobot's own are."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq


def to_bytes(table: pa.Table) -> bytes:
    """Return a table as a parquet file of one row group."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression='snappy', use_dictionary=True)
    return bytes(sink.getvalue().to_pybytes())


def warm_up() -> None:
    """
    Make pyarrow load everything that it loads for the first table, pandas above all.

    The first save would do it otherwise, for a third of a second, beside a moving robot.
    """
    to_bytes(pa.table({'number': [0]}))
