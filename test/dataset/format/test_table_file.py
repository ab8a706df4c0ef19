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
A row without its vector is read as one, also by releases of pyarrow that cannot read it.

Guards episodes that a repair would drop as a whole where it should cut them at that row: pyarrow
before 26, the last for Python 3.10, refuses such a file.
"""

from __future__ import annotations

import subprocess
import sys

from lerobot_streamrec.dataset.format.parquet import read_parquet, TableFile
from lerobot_streamrec.errors import DatasetCorruptError
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

VECTORS = [[1.0, 2.0], None, [3.0, 4.0]]


@pytest.fixture
def old_pyarrow(monkeypatch):
    """Refuse fixed lists, as those releases do when one is null."""
    read = pq.ParquetFile.read

    def refuse(self, columns=None, **options):
        wanted = self.schema_arrow if columns is None else map(self.schema_arrow.field, columns)
        if any(pa.types.is_fixed_size_list(field.type) for field in wanted):
            raise pa.ArrowInvalid('Expected all lists to be of size=2 but index 2 had size=0')
        return read(self, columns=columns, **options)

    def refuse_table(source, columns=None):
        with pq.ParquetFile(source) as file:
            return file.read(columns=columns)

    monkeypatch.setattr(pq.ParquetFile, 'read', refuse)
    monkeypatch.setattr(pq, 'read_table', refuse_table)


@pytest.fixture
def path(tmp_path):
    vectors = pa.array(VECTORS, type=pa.list_(pa.float32(), 2))
    table = pa.table({'number': [1, 2, 3], 'state': vectors})
    path = tmp_path / 'rows.parquet'
    try:
        pq.write_table(table.replace_schema_metadata({'made_by': 'test'}), path)
    except pa.ArrowNotImplementedError as error:
        pytest.skip(f'pyarrow {pa.__version__} cannot write a row without its vector: {error}')
    return path


def check(table):
    assert table.column('state').to_pylist() == VECTORS
    assert table.schema.field('state').type == pa.list_(pa.float32(), 2)
    assert table.schema.metadata == {b'made_by': b'test'}


def test_a_row_without_its_vector_is_read(path):
    with TableFile(path) as file:
        check(file.read())
    check(read_parquet(path))


def test_older_releases_of_pyarrow_read_it_too(path, old_pyarrow):
    with TableFile(path) as file:
        check(file.read())
        assert file.read(columns=['number']).column_names == ['number']
    check(read_parquet(path, ['state', 'number']))
    assert read_parquet(path, ['state', 'number']).column_names == ['state', 'number']


def test_a_column_that_is_not_there_is_named(path, old_pyarrow):
    with pytest.raises(DatasetCorruptError, match=r'rows\.parquet'):
        read_parquet(path, ['state', 'speed'])


_WITHOUT_PANDAS = """
import sys
import numpy as np
import pyarrow as pa
from lerobot_streamrec.dataset.format.parquet import do_without_pandas, to_bytes
do_without_pandas()
table = pa.table({'number': pa.array(np.arange(3)), 'list': [[1.0], [2.0], [3.0]]})
assert to_bytes(table)
assert table.column('number').to_numpy().tolist() == [0, 1, 2]
assert 'pandas' not in sys.modules
assert len(table.to_pandas()) == 3
"""


def test_a_recorder_does_not_load_pandas_and_others_still_can():
    run = subprocess.run(
        [sys.executable, '-c', _WITHOUT_PANDAS], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, '')
