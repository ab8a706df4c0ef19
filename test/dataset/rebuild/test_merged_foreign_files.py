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
"""Merging carries along what is no part of a dataset, and tables that rows refer to."""

from __future__ import annotations

from functools import partial
import json

from annotations import annotate, annotations, FILES, foreign_content, KEYS, SUBTASK
from fault_at import FaultAt, io_error
from lerobot_streamrec.dataset.about.robot_files import keep_robot_files
from lerobot_streamrec.dataset.check.check import check_dataset
from lerobot_streamrec.dataset.format.catalog import read_catalog
from lerobot_streamrec.dataset.format.features import DEFAULT_FEATURES, FeatureSpec
from lerobot_streamrec.dataset.format.files import Files
from lerobot_streamrec.dataset.format.info import chosen_splits
from lerobot_streamrec.dataset.rebuild.foreign_files import index_tables
from lerobot_streamrec.dataset.rebuild.merge import add_datasets, merge_datasets, plan_merge
from lerobot_streamrec.dataset.rebuild.new_tree import DISK
from lerobot_streamrec.dataset.rebuild.plan import locked
from lerobot_streamrec.dataset.repair.repair import repair_dataset
from lerobot_streamrec.errors import DatasetCorruptError, DatasetsDifferError, RebuildError
import pandas as pd
import pytest


@pytest.fixture
def record(open_writer, make_draft, tmp_path):
    """Record a dataset of its own, without its annotations."""

    def run(name, lengths):
        folder = tmp_path / name
        writer = open_writer(root=folder)
        for number, length in enumerate(lengths):
            writer.commit(make_draft(length, f'task {number}'))
        writer.close()
        return folder

    return run


@pytest.fixture
def two(record):
    roots = [record('one', [5, 4]), record('two', [6, 3])]
    annotate(roots[0], ['reach', 'grasp', 'lift'])
    annotate(roots[1], ['lift', 'wipe', 'reach'])
    return roots


def test_rows_of_both_datasets_still_name_their_subtasks(two, tmp_path, kept_datasets):
    expected = [one for root in two for one in annotations(root)]
    out = tmp_path / 'merged'
    change = merge_datasets(out, two)
    assert change.remarks == ()
    assert annotations(out) == expected
    texts = pd.read_parquet(out / 'meta/subtasks.parquet').index.tolist()
    assert texts == ['reach', 'grasp', 'lift', 'wipe']
    assert foreign_content(out) == foreign_content(two[0])
    assert check_dataset(out).findings == ()
    assert repair_dataset(out).plan is None
    kept_datasets.add_other(out)


def test_episodes_are_added_to_a_dataset_that_keeps_its_own_files_and_splits(
    two, tmp_path, kept_datasets
):
    root, other = two
    info = json.loads((root / 'meta/info.json').read_text())
    splits = {'train': '0:1', 'val': '1:2'}
    (root / 'meta/info.json').write_text(json.dumps({**info, 'splits': splits}))
    keep_robot_files(Files(root), {'tf_static-000000000000.yaml': b'ours'})
    files = {'tf_static-000000000000.yaml': b'theirs', 'tf_static-111111111111.yaml': b'new'}
    keep_robot_files(Files(other), files)
    (other / 'README.md').write_text('# Another day')
    expected = [*annotations(root), *annotations(other)]
    before = contents(root)
    foreign = {name: before[name] for name in (*FILES, 'meta/robot/tf_static-000000000000.yaml')}
    catalogs = [read_catalog(other)]
    fault = FaultAt(partial(is_exchange_of, root), io_error())
    with locked(root, DISK):
        with pytest.raises(RebuildError):
            add_datasets(root, catalogs, pack=True, disk=fault.disk)
        # Not even a file that both trees share has new content.
        assert contents(root) == before
        add_datasets(root, catalogs, pack=True)
    assert annotations(root) == expected
    after = contents(root)
    assert {name: after[name] for name in foreign} == foreign
    assert after['meta/robot/tf_static-111111111111.yaml'] == b'new'
    assert not [name for name in after if name.startswith('merged_from')]
    assert read_catalog(root).raw_info['splits'] == splits
    assert check_dataset(root).findings == ()
    kept_datasets.add_other(root)


def is_exchange_of(root, name, paths):
    return name == 'exchange' and paths[-1] == root.resolve()


def contents(root):
    paths = (one for one in root.rglob('*') if one.is_file() and '.streamrec' not in one.parts)
    return {one.relative_to(root).as_posix(): one.read_bytes() for one in paths}


def test_files_of_the_same_name_go_to_a_folder_of_their_dataset(two, tmp_path):
    (two[1] / 'README.md').write_text('# Another day')
    (two[1] / 'images/setup.jpg/').unlink()
    (two[1] / 'images').rmdir()
    (two[1] / 'images').write_text('a file where the other has a folder')
    (two[1] / 'notes/day 2.txt').write_text('all went well')
    (two[0] / '.git').mkdir()
    (two[0] / '.git/HEAD').write_text('x')
    (two[0] / '.gitattributes').write_text('*.mp4 lfs')
    (two[0] / 'images/observation.images.front/episode-000007').mkdir(parents=True)
    (two[0] / 'images/observation.images.front/episode-000007/frame-000000.png').write_text('x')
    out = tmp_path / 'merged'
    said = plan_merge([read_catalog(root) for root in two]).remarks
    change = merge_datasets(out, two)
    assert change.remarks == said == (
        f'not copied from {two[0]}: .git/, images (left over from a recording)',
        f'{two[1]} has files whose names are taken by different files; these go to '
        'merged_from/two: README.md, images',
    )
    found = {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob('*')
        if path.is_file() and not path.is_relative_to(out / '.streamrec')
    }
    of_lerobot = ('meta/info.json', 'meta/stats.json', 'meta/tasks.parquet')
    assert {
        name: content
        for name, content in found.items()
        if not name.startswith(('data/', 'videos/', 'meta/episodes/', *of_lerobot))
    } == {
        **FILES,
        'meta/subtasks.parquet': (out / 'meta/subtasks.parquet').read_bytes(),
        '.gitattributes': b'*.mp4 lfs',
        'notes/day 2.txt': b'all went well',
        'merged_from/two/README.md': b'# Another day',
        'merged_from/two/images': b'a file where the other has a folder',
    }
    # Whoever edits one of them does not edit the dataset that it came from.
    with (out / 'README.md').open('ab') as opened:
        opened.write(b'!')
    assert (two[0] / 'README.md').read_bytes() == FILES['README.md']


def test_rows_that_refer_to_nothing_are_not_mixed_with_another_table(two, tmp_path):
    (two[1] / 'meta/subtasks.parquet').unlink()
    reason = f'have {SUBTASK} .*meta/subtasks.parquet has no such row'
    with pytest.raises(DatasetCorruptError, match=reason):
        merge_datasets(tmp_path / 'merged', two)
    assert not (tmp_path / 'merged').exists()


@pytest.mark.parametrize(
    ('change', 'error'),
    [
        (lambda table: table.assign(**{SUBTASK: [2, 1, 0]}), DatasetCorruptError),
        (lambda table: table.set_index(pd.Index([7, 5, 6], name='subtask')), DatasetsDifferError),
        (lambda table: table.assign(colour='red'), DatasetsDifferError),
    ],
    ids=['out of order', 'another type', 'another column'],
)
def test_a_table_that_cannot_be_united_is_named(two, tmp_path, change, error):
    path = two[1] / 'meta/subtasks.parquet'
    change(pd.read_parquet(path)).to_parquet(path)
    with pytest.raises(error, match=r'meta/subtasks\.parquet'):
        merge_datasets(tmp_path / 'merged', two)


@pytest.mark.parametrize(
    ('table', 'column'),
    [
        ('subtasks', 'subtask_index'),
        ('categories', 'category_index'),
        ('boxes', 'box_index'),
        ('phases', 'phase_index'),
        ('speech', 'speech_index'),
        ('episodes', None),
        ('notes', None),
    ],
)
def test_tables_are_found_by_the_columns_that_refer_to_them(tmp_path, table, column):
    (tmp_path / 'meta').mkdir()
    (tmp_path / f'meta/{table}.parquet').write_bytes(b'')
    (tmp_path / 'meta/tasks.parquet').write_bytes(b'')
    words = ('subtask', 'category', 'box', 'phase', 'speech')
    features = {f'{word}_index': FeatureSpec('int64', (1,)) for word in words}
    # Numbers of something else, or several of them, refer to no table.
    features['note_index'] = FeatureSpec('float32', (1,))
    features['notes_index'] = FeatureSpec('int64', (2,))
    expected = {column: f'meta/{table}.parquet'} if column else {}
    assert index_tables(tmp_path, {**features, **DEFAULT_FEATURES}) == expected


@pytest.mark.parametrize(
    ('splits', 'kept', 'expected'),
    [
        ({'train': '0:5'}, [0, 2], {'train': '0:2'}),
        ({}, [0], {'train': '0:1'}),
        (None, [0, 1], {'train': '0:2'}),
        ({'train': '0:3', 'val': '3:5'}, [0, 2, 4], {'train': '0:2', 'val': '2:3'}),
        ({'train': '0:3', 'val': '3:5'}, [3], {'train': '0:0', 'val': '0:1'}),
        ({'all': '0:5', 'mine': [1, 3, 2]}, [1, 2], {'all': '0:2', 'mine': [0, 1]}),
        ({'all': '0:5', 'note': 'by day'}, [1], {'all': '0:1', 'note': 'by day'}),
    ],
)
def test_splits_are_told_in_the_new_numbers(splits, kept, expected):
    assert chosen_splits(splits, kept) == expected


def test_one_dataset_by_itself_keeps_everything_as_it_is(two, tmp_path):
    out = tmp_path / 'merged'
    merge_datasets(out, two[:1])
    assert annotations(out) == annotations(two[0])
    assert foreign_content(out) == foreign_content(two[0])
    assert foreign_content(out)[1] == KEYS
    path = 'meta/subtasks.parquet'
    assert (out / path).read_bytes() == (two[0] / path).read_bytes()
