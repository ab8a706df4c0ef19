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
"""Datasets that others wrote, with columns and habits that this package does not have."""

from __future__ import annotations

import json
import shutil

from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.dataset.rebuild.compact import compact_dataset
from lerobot_streamrec.dataset.rebuild.delete import delete_episodes
from lerobot_streamrec.dataset.rebuild.merge import merge_datasets
from lerobot_streamrec.errors import DatasetCorruptError, DatasetUnsupportedError
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

FRONT = 'observation.images.front'
LENGTHS = (4, 3, 5)
EXTRA = {
    'note': {'dtype': 'string', 'shape': [1], 'names': None},
    'observation.image': {'dtype': 'image', 'shape': [2, 2, 3], 'names': None},
    'matrix': {'dtype': 'float64', 'shape': [2, 2], 'names': None},
    'flag': {'dtype': 'bool', 'shape': [1], 'names': {'old': ['style']}},
}


@pytest.fixture
def foreign(open_writer, make_draft, root):
    """Record a dataset, and make it look like one of others."""
    writer = open_writer()
    for number, length in enumerate(LENGTHS):
        writer.commit(make_draft(length, f'task {number % 2}'))
    writer.close()
    shutil.rmtree(root / '.streamrec')
    for number, path in enumerate(sorted(root.glob('data/*/*'))):
        add_columns(path, number)
    for path in root.glob('meta/episodes/*/*'):
        table = pq.read_table(path)
        table = table.append_column('annotator', pa.array(['me'] * len(table)))
        pq.write_table(table.drop_columns([f'stats/{FRONT}/q50']), path, compression='zstd')
    info = json.loads((root / 'meta/info.json').read_text())
    info['features'] = {**EXTRA, **info['features']}
    info['tools'] = [{'name': 'grip'}]
    (root / 'meta/info.json').write_text(json.dumps(info))
    return root


def add_columns(path, number):
    table = pq.read_table(path)
    size = len(table)
    images = pa.array(
        [{'bytes': bytes([number, row]) * 3, 'path': f'{row}.png'} for row in range(size)],
        pa.struct([('bytes', pa.binary()), ('path', pa.string())]),
    )
    matrix = pa.field(
        'matrix',
        pa.list_(pa.list_(pa.float64())),
        metadata={'ARROW:extension:metadata': '[[2, 2], "float64"]'},
    )
    cells = [[[number, row], [row, 1.5]] for row in range(size)]
    columns = {
        'note': pa.array([f'ü{row}' for row in range(size)]),
        'observation.image': images,
        'flag': pa.array([row % 2 == 0 for row in range(size)]),
    }
    for name, column in columns.items():
        table = table.append_column(name, column)
    table = table.append_column(matrix, pa.array(cells, matrix.type))
    pq.write_table(table, path, compression='zstd')


def all_rows(root):
    return pa.concat_tables([pq.read_table(path) for path in sorted(root.glob('data/*/*'))])


def test_compacting_keeps_every_column_and_what_is_said_of_it(foreign):
    before = all_rows(foreign)
    episodes = [pq.read_table(path) for path in sorted(foreign.glob('meta/episodes/*/*'))]
    info, stats = ((foreign / 'meta' / name).read_bytes() for name in ('info.json', 'stats.json'))
    compact_dataset(foreign)
    (path,) = foreign.glob('data/*/*')
    after = pq.read_table(path)
    assert after.equals(before)
    assert after.schema.equals(before.schema, check_metadata=True)
    assert pq.ParquetFile(path).metadata.num_row_groups == len(LENGTHS)
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == 'ZSTD'
    (path,) = foreign.glob('meta/episodes/*/*')
    assert pq.read_table(path).column('annotator').to_pylist() == ['me'] * 3
    assert set(pq.read_table(path).column_names) == set(episodes[0].column_names)
    assert (foreign / 'meta/info.json').read_bytes() == info
    assert (foreign / 'meta/stats.json').read_bytes() == stats


def test_deleting_keeps_every_column_and_unknown_keys(foreign):
    before = all_rows(foreign)
    change = delete_episodes(foreign, [0])
    after = all_rows(foreign)
    for name in before.column_names:
        if name not in ('episode_index', 'index', 'task_index'):
            assert after.column(name).equals(before.column(name).slice(LENGTHS[0])), name
    assert after.column('episode_index').to_pylist() == [0] * 3 + [1] * 5
    info = json.loads((foreign / 'meta/info.json').read_text())
    assert info['tools'] == [{'name': 'grip'}]
    assert info['features']['flag']['names'] == {'old': ['style']}
    stats = json.loads((foreign / 'meta/stats.json').read_text())
    assert 'note' not in stats
    assert stats['flag']['mean'] == [5 / 8]
    # Of matrices, the columns are pooled, and rows counted.
    cells = np.array(after.column('matrix').to_pylist()).reshape(-1, 2)
    np.testing.assert_allclose(stats['matrix']['std'], cells.std(axis=0))
    assert stats['matrix']['count'] == [8]
    # The episodes of this dataset lack a quantile of one camera.
    assert stats[FRONT]
    assert any(FRONT in remark for remark in change.remarks)
    assert any('observation.image' in remark for remark in change.remarks)


def test_merging_what_others_wrote_with_itself_renamed(foreign, tmp_path):
    other = tmp_path / 'other'
    merge_datasets(other, [foreign])
    out = tmp_path / 'merged'
    merge_datasets(out, [foreign, other])
    rows, once = all_rows(out), all_rows(foreign)
    for name in ('note', 'observation.image', 'matrix', 'action'):
        assert rows.column(name).to_pylist() == once.column(name).to_pylist() * 2
    assert rows.column('index').to_pylist() == list(range(24))


def corrupt_info(root, **changes):
    path = root / 'meta/info.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ('damage', 'complaint'),
    [
        (lambda root: corrupt_info(root, total_frames=13), 'counts 13 rows'),
        (lambda root: corrupt_info(root, total_episodes=4), 'found 3 episodes, expected 4'),
        (lambda root: corrupt_info(root, total_tasks=3), 'found 2 tasks, expected 3'),
        (lambda root: (root / 'meta/tasks.parquet').unlink(), 'tasks.parquet is missing'),
        (
            lambda root: (root / 'meta/episodes/chunk-000/x.parquet').write_text('x'),
            r'x\.parquet does not belong there',
        ),
        (
            lambda root: (root / 'meta/episodes/chunk-000/file-001.parquet').write_text('x'),
            r'file-001\.parquet: the file cannot be read',
        ),
        (
            lambda root: (root / 'meta/stats.json').write_text('{'),
            r'stats\.json: the file cannot be read',
        ),
    ],
)
def test_what_is_not_whole_is_refused_by_name(damage, complaint, foreign):
    assert len(read_catalog(foreign).episodes) == 3
    damage(foreign)
    with pytest.raises(DatasetCorruptError, match=complaint):
        read_catalog(foreign)


def test_another_version_is_refused(foreign):
    corrupt_info(foreign, codebase_version='v2.1')
    with pytest.raises(DatasetUnsupportedError, match=r'v2\.1'):
        read_catalog(foreign)
